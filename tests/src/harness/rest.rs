//! Knowing that a run has come to rest: nothing is on its way any more, and nothing will be.

use std::collections::BTreeMap;
use std::time::Duration;

use async_nats::{Client, jetstream};
use futures_util::{StreamExt, stream};
use partner_sim::PartnerLedger;
use schemas::purchase::{CheckoutStatus, Mode, PurchaseStatus, PurchaseView};
use schemas::stream::{ConsumerSpec, broker_consumers};
use schemas::{CustomerId, RequestId};

use super::{Cluster, HarnessError, PartnerSim, Requester, SubLedger, wait};

/// Requests that are asked about at the same time.
const ASKED_AT_ONCE_MAX: usize = 16;

impl Cluster {
    /// Waits until everything that was sent is dealt with: the broker's consumers have nothing
    /// left, every request has ended or rests (one that watches must end), money and stock of
    /// failed attempts are given back, and what the stores know has reached the broker.
    ///
    /// # Errors
    /// When something still moves at the deadline; what, is in the message.
    pub async fn settle(&mut self, deadline: Duration) -> Result<(), HarnessError> {
        let mut last = "nothing was looked at yet".to_owned();
        let mut rest = Rest::new(self.client().clone(), self.ledger().clone());
        let partners = &self.partners;
        let settled = wait::until("", deadline, async || {
            last = match rest.moving(partners).await {
                Ok(None) => return Ok(Some(())),
                Ok(Some(moving)) => moving,
                // A server or broker that is just coming back answers later.
                Err(error) => format!("{error:?}"),
            };
            Ok(None)
        });
        let settled = settled.await.map_err(|error| match error {
            HarnessError::TimedOut { after, .. } => {
                HarnessError::TimedOut { what: format!("everything is at rest ({last})"), after }
            }
            other => other,
        });
        self.explain(settled)
    }
}

/// What is known of each request. One that was found at rest is not asked about again, unless its
/// store knows better.
struct Rest {
    client: Client,
    ledger: SubLedger,
    moving: BTreeMap<RequestId, CustomerId>,
    views: BTreeMap<RequestId, PurchaseView>,
    customers: BTreeMap<RequestId, CustomerId>,
}

impl Rest {
    fn new(client: Client, ledger: SubLedger) -> Self {
        let customers = ledger.requests();
        Self { client, ledger, moving: customers.clone(), views: BTreeMap::new(), customers }
    }

    /// The first thing found that still moves, in words.
    async fn moving(&mut self, partners: &PartnerSim) -> Result<Option<String>, HarnessError> {
        for consumer in broker_consumers() {
            let busy = busy_consumer(&self.client, &consumer).await?;
            if busy.is_some() {
                return Ok(busy);
            }
        }
        if let Some(moving) = self.look().await? {
            return Ok(Some(moving));
        }
        let ledger = partners.partner_ledger().await?;
        let orders = orders_by_request(&ledger);
        let found = self.views.values().find_map(|view| {
            let order = orders.get(&view.request_id)?;
            unheard(view, order).map(|said| (view.request_id, said))
        });
        let Some((request, said)) = found else { return Ok(None) };
        let customer = self.customers.get(&request);
        self.moving.extend(customer.map(|customer| (request, customer.clone())));
        Ok(Some(said))
    }

    /// Asks about every request that was not at rest yet.
    async fn look(&mut self) -> Result<Option<String>, HarnessError> {
        let asked: Vec<_> = self.moving.clone().into_iter().collect();
        let (client, ledger) = (self.client.clone(), self.ledger.clone());
        let mut answers = stream::iter(asked)
            .map(|(request, customer)| {
                let requester = Requester::new(client.clone(), customer, ledger.clone());
                async move { (request, requester.get(request).await) }
            })
            .buffer_unordered(ASKED_AT_ONCE_MAX);
        let mut found = None;
        while let Some((request, view)) = answers.next().await {
            // A request that was refused is not there, and that is its end.
            let Some(view) = view? else {
                self.moving.remove(&request);
                continue;
            };
            if is_at_rest(&view) {
                self.moving.remove(&request);
                self.views.insert(request, view);
            } else if found.is_none() {
                let status = view.status.label();
                found = Some(format!("request {request} is {status}, {:?}", view.checkout));
            }
        }
        let more = self.moving.len().saturating_sub(1);
        Ok(found.map(|found| format!("{found}, and {more} more")))
    }
}

/// Under whichever of its names it is there.
async fn busy_consumer(
    client: &Client,
    consumer: &ConsumerSpec,
) -> Result<Option<String>, HarnessError> {
    let jetstream = jetstream::new(client.clone());
    let doing = || format!("asking for consumer {}", consumer.durable);
    let stream =
        jetstream.get_stream(consumer.stream).await.map_err(HarnessError::nats(doing()))?;
    for ConsumerSpec { durable, .. } in consumer.names() {
        if let Ok(info) = stream.consumer_info(&durable).await {
            let (pending, unacked) = (info.num_pending, info.num_ack_pending);
            let busy = pending > 0 || unacked > 0;
            return Ok(busy.then(|| {
                format!("{durable} has {pending} messages to read and {unacked} to ack")
            }));
        }
    }
    Ok(Some(format!("{} is not there", consumer.durable)))
}

fn is_at_rest(view: &PurchaseView) -> bool {
    let over = match view.status {
        PurchaseStatus::Pending | PurchaseStatus::Searching | PurchaseStatus::Ordering => false,
        PurchaseStatus::Quoted
        | PurchaseStatus::OutOfStock
        | PurchaseStatus::Ordered
        | PurchaseStatus::Expired
        | PurchaseStatus::Failed
        | PurchaseStatus::Canceled => true,
    };
    let undone = view.checkout.as_ref().is_none_or(|checkout| {
        matches!(checkout.status, CheckoutStatus::Completed | CheckoutStatus::Compensated)
    });
    // Who watches goes on searching until it has bought or its deadline comes.
    let watching = view.mode == Mode::Watch
        && matches!(view.status, PurchaseStatus::Quoted | PurchaseStatus::OutOfStock);
    (over && undone && !watching) || view.incident
}

fn orders_by_request(
    ledger: &PartnerLedger,
) -> BTreeMap<RequestId, Vec<&partner_sim::ledger::OrderRecord>> {
    let mut orders: BTreeMap<RequestId, Vec<_>> = BTreeMap::new();
    for order in &ledger.orders {
        orders.entry(order.request_id).or_default().push(order);
    }
    orders
}

/// An order that its store took back and the broker still believes in: the news is on its way.
fn unheard(view: &PurchaseView, orders: &[&partner_sim::ledger::OrderRecord]) -> Option<String> {
    let order_id = view.checkout.as_ref()?.order_id.as_ref()?;
    let ordered = view.status == PurchaseStatus::Ordered && !view.incident;
    let order = orders.iter().find(|order| order.order_id() == Some(order_id))?;
    let ends = ordered && !order.is_live(schemas::Timestamp::MAX);
    ends.then(|| format!("{} takes back the order of request {}", order.partner, view.request_id))
}
