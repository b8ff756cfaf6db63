//! The end of a run: wait until nothing moves any more, stop the broker, gather the evidence.

use std::collections::BTreeMap;
use std::time::Duration;

use async_nats::jetstream;
use broker::store::{AuditRecord, CommitNumber, Listing, Meta, Reader, StoreError};
use broker_core::receipt::Receipt;
use broker_core::{Policy, PurchaseRequest};
use partner_sim::{PartnerLedger, World};
use schemas::purchase::{CheckoutStatus, Mode, PurchaseStatus, PurchaseView};
use schemas::stream::{self, broker_consumers};
use schemas::{CustomerId, Digest, RequestId};

use super::{Cluster, HarnessError, Requester, StreamTail, now, wait};
use crate::auditor::{Background, Evidence, Seen, liars, standing};

/// Rows read from the store at a time.
const PAGE_ROWS: usize = 1000;

/// What the store holds, read through its own port.
#[derive(Debug)]
pub struct StoreContents {
    pub log: Vec<AuditRecord>,
    pub heads: BTreeMap<RequestId, PurchaseRequest>,
    pub receipts: BTreeMap<RequestId, Vec<Receipt>>,
    pub incarnation: broker::store::Incarnation,
    pub meta: Meta,
}

impl StoreContents {
    /// The same for the same content, whoever reads it and when.
    pub fn digest(&self) -> Digest {
        let Self { log, heads, receipts, incarnation, meta } = self;
        Digest::of(format!("{log:?}{heads:?}{receipts:?}{incarnation}{meta:?}").as_bytes())
    }
}

/// Reads everything an auditor wants from a store.
///
/// # Errors
/// Whatever the store refuses.
pub fn read_store(reader: &dyn Reader) -> Result<StoreContents, StoreError> {
    let mut log: Vec<AuditRecord> = Vec::new();
    loop {
        let after = log.last().map_or(CommitNumber(0), |record| record.commit);
        let page = reader.audit_after(after, PAGE_ROWS)?;
        if page.is_empty() {
            break;
        }
        log.extend(page);
    }
    let (mut heads, mut receipts) = (BTreeMap::new(), BTreeMap::new());
    let mut after = None;
    loop {
        let page = reader.ids(&Listing::All, after, PAGE_ROWS)?;
        let Some(last) = page.last().copied() else { break };
        for request in page {
            if let Some(stored) = reader.load(request)? {
                heads.insert(request, stored.request);
                receipts.insert(request, reader.receipts(request)?);
            }
        }
        after = Some(last);
    }
    let meta = reader.meta()?;
    Ok(StoreContents { log, heads, receipts, incarnation: meta.incarnation, meta })
}

impl Cluster {
    /// Waits until everything that was sent is dealt with: the broker's consumers have nothing
    /// left, every request has ended or rests (one that watches must end), money and stock of
    /// failed attempts are given back, and what the stores know has reached the broker.
    ///
    /// # Errors
    /// When something still moves at the deadline; what, is in the message.
    pub async fn settle(&mut self, deadline: Duration) -> Result<(), HarnessError> {
        let mut last = "nothing was looked at yet".to_owned();
        let (ledger, partners) = (self.ledger().clone(), &self.partners);
        let (client, customers) = (self.client().clone(), ledger.requests());
        let settled = wait::until("", deadline, async || {
            last = match moving(&client, &customers, &ledger, partners).await {
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

    /// Stops the broker if it runs and gathers what everybody wrote down.
    ///
    /// # Errors
    /// When the broker does not stop, a ledger or stream cannot be read, or the store cannot be
    /// opened.
    pub async fn collect(&mut self) -> Result<Evidence, HarnessError> {
        if self.broker.process.is_running() {
            self.broker.terminate().await?;
        }
        let partners = self.partners.partner_ledger().await?;
        let payments = self.partners.payment_ledger().await?;
        let messages = self.messages().await?;
        let store = self.broker.open_store()?;
        let again = self.broker.open_store()?;
        let policy = self.broker.policy()?;
        let readings = vec![store.digest(), again.digest()];
        let background = self.background(&store, &policy, readings)?;
        Ok(Evidence {
            sent: self.ledger().entries(),
            log: store.log,
            heads: store.heads,
            receipts: store.receipts,
            incarnation: store.incarnation,
            policy,
            partners,
            payments,
            messages,
            disturbances: self.disturbances(),
            background,
            at: now(),
        })
    }

    /// [`Cluster::settle`], then [`Cluster::collect`].
    ///
    /// # Errors
    /// As those two.
    pub async fn settle_and_collect(
        &mut self,
        deadline: Duration,
    ) -> Result<Evidence, HarnessError> {
        self.settle(deadline).await?;
        self.collect().await
    }

    /// Stores that were stopped may have been opened again with other shelves: then nothing is
    /// said of what they would have sold.
    fn background(
        &self,
        store: &StoreContents,
        policy: &Policy,
        readings: Vec<Digest>,
    ) -> Result<Background, HarnessError> {
        let stores = World::new(self.partners.config())
            .map_err(HarnessError::decode("the scenario's partners"))?;
        let unchanged = self.partners.process.outages().is_empty();
        let standing = unchanged.then(|| standing(&stores, &store.heads, policy));
        Ok(Background {
            standing: standing.unwrap_or_default(),
            liars: liars(&stores).collect(),
            meta: Some(store.meta.clone()),
            readings,
            virtual_time: false,
            store_only: false,
        })
    }

    async fn messages(&self) -> Result<Vec<Seen>, HarnessError> {
        let mut messages = self.tap.heard_outside_streams();
        for spec in stream::all() {
            let mut tail = StreamTail::new(self.client(), spec.name);
            tail.poll().await?;
            if tail.is_cut() {
                messages.extend(self.tap.heard_before(spec.name, tail.seen().first()));
            }
            messages.extend(tail.into_seen());
        }
        messages.sort_by_key(|seen| seen.at);
        Ok(messages)
    }
}

/// The first thing found that still moves, in words.
async fn moving(
    client: &async_nats::Client,
    customers: &BTreeMap<RequestId, CustomerId>,
    ledger: &super::SubLedger,
    partners: &super::PartnerSim,
) -> Result<Option<String>, HarnessError> {
    for consumer in broker_consumers() {
        if let Some(busy) = busy_consumer(client, consumer.stream, &consumer.durable).await? {
            return Ok(Some(busy));
        }
    }
    let mut views = Vec::new();
    for (request, customer) in customers {
        let requester = Requester::new(client.clone(), customer.clone(), ledger.clone());
        // A request that was refused is not there, and that is its end.
        let Some(view) = requester.get(*request).await? else { continue };
        if !is_at_rest(&view) {
            let status = view.status.label();
            return Ok(Some(format!("request {request} is {status}, {:?}", view.checkout)));
        }
        views.push(view);
    }
    let orders = partners.partner_ledger().await?;
    Ok(views.iter().find_map(|view| unheard(view, &orders)))
}

async fn busy_consumer(
    client: &async_nats::Client,
    stream: &str,
    durable: &str,
) -> Result<Option<String>, HarnessError> {
    let jetstream = jetstream::new(client.clone());
    let doing = || format!("asking for consumer {durable}");
    let stream = jetstream.get_stream(stream).await.map_err(HarnessError::nats(doing()))?;
    let info = stream.consumer_info(durable).await.map_err(HarnessError::nats(doing()))?;
    let (pending, unacked) = (info.num_pending, info.num_ack_pending);
    Ok((pending > 0 || unacked > 0)
        .then(|| format!("{durable} has {pending} messages to read and {unacked} to ack")))
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

/// An order that its store took back and the broker still believes in: the news is on its way.
fn unheard(view: &PurchaseView, ledger: &PartnerLedger) -> Option<String> {
    let order_id = view.checkout.as_ref()?.order_id.as_ref()?;
    let ordered = view.status == PurchaseStatus::Ordered && !view.incident;
    let mut orders = ledger.orders_of(view.request_id);
    let order = orders.find(|order| order.order_id() == Some(order_id))?;
    let ends = ordered && !order.is_live(schemas::Timestamp::MAX);
    ends.then(|| format!("{} takes back the order of request {}", order.partner, view.request_id))
}
