//! A mixed load for tests that kill things: one request of each kind after the other, through both
//! doors, sent again and again until somebody has it, and what may become of each.

use std::time::Duration;

use partner_sim::profile::ProfileName::{Calm, NoReservation};
use schemas::purchase::{CancelPurchase, CommandReply, CreatePurchase, PurchaseStatus};
use schemas::subject::PurchaseOperation;
use schemas::{CommandId, Isbn13, RequestId};
use tests::auditor::{Command, Evidence};
use tests::harness::{Order, Requester, Scenario, book, wait};
use tokio::sync::oneshot;

use crate::stage::{SETTLED, Stage, flat, world};

/// How long a customer waits for the micro service before asking again with the same bytes.
const PATIENCE: Duration = Duration::from_secs(1);
/// Between two requests of a load that goes on until it is stopped.
const PACE: Duration = Duration::from_millis(150);
/// Kinds of requests; see [`Load::submit`].
const KINDS: u32 = 10;

const PRICE: u64 = 1500;

fn affordable() -> Isbn13 {
    book(9001)
}

fn too_dear() -> Isbn13 {
    book(9002)
}

fn sold_out() -> Isbn13 {
    book(9003)
}

/// Four honest stores with latency, one of which holds no stock, and three books.
pub(crate) fn load_world(test: &str, seed: u64) -> Scenario {
    honest_books(world(test, seed).partners(Calm, 3).partner("walk-in", NoReservation))
}

/// The three books of the load, the same at every store.
pub(crate) fn honest_books(scenario: Scenario) -> Scenario {
    scenario
        .price_everywhere(affordable(), flat(PRICE))
        .stock_everywhere(affordable(), 100_000)
        .price_everywhere(too_dear(), flat(5 * PRICE))
        .stock_everywhere(sold_out(), 0)
}

/// Does `chaos` while requests of all kinds keep coming.
pub(crate) async fn under_load(stage: &mut Stage, chaos: impl AsyncFnOnce(&mut Stage)) -> Load {
    let (stop, stopped) = oneshot::channel();
    let load = Load::new(stage).run_until(stopped);
    let chaos = async {
        chaos(stage).await;
        stop.send(()).unwrap();
    };
    let (load, ()) = tokio::join!(load, chaos);
    load
}

/// What was sent, and the ways in which each request may end.
pub(crate) struct Load {
    customer: Requester,
    sent: Vec<(RequestId, &'static [PurchaseStatus])>,
    kinds_sent: u32,
}

impl Load {
    pub(crate) fn new(stage: &Stage) -> Self {
        Self { customer: stage.requester("ann"), sent: Vec::new(), kinds_sent: 0 }
    }

    /// Sends `count` requests, one of each kind in turn.
    pub(crate) async fn run(mut self, count: u32) -> Self {
        for _ in 0..count {
            self.submit().await;
        }
        self
    }

    /// Sends requests until told to stop.
    async fn run_until(mut self, mut stop: oneshot::Receiver<()>) -> Self {
        let mut pace = tokio::time::interval(PACE);
        loop {
            tokio::select! {
                _ = &mut stop => return self,
                _ = pace.tick() => self.submit().await,
            }
        }
    }

    /// One more request.
    async fn submit(&mut self) {
        use PurchaseStatus::{Canceled, Expired, Failed, Ordered, OutOfStock, Quoted};
        let kind = self.kinds_sent % KINDS;
        self.kinds_sent += 1;
        let buy = || Order::of(affordable()).max_total(2 * PRICE);
        match kind {
            0 => self.asked(buy().build(), &[Ordered]).await,
            1 => self.published(Order::of(too_dear()).max_total(PRICE).build(), &[Quoted]).await,
            2 => self.published(Order::of(sold_out()).build(), &[OutOfStock]).await,
            // Less than it takes to buy: there is only one honest end.
            3 => {
                let create = buy().expires_in(Duration::from_millis(1500)).build();
                self.published(create, &[Expired]).await;
            }
            4 => {
                let create = buy().build();
                let request = create.request_id;
                self.published(create, &[Canceled]).await;
                self.cancel(request).await;
            }
            5 => {
                let create = buy().payment_token("tok_declined").build();
                self.published(create, &[Failed]).await;
            }
            6 => {
                let create = buy().build();
                self.published(create.clone(), &[Ordered]).await;
                self.ask(&create).await;
            }
            7 => {
                let body = bytes::Bytes::from_static(b"{\"request_id\": 7, oops");
                let operation = PurchaseOperation::Create;
                self.customer.publish(Command::Raw { operation, body }).await.unwrap();
            }
            _ => self.published(buy().build(), &[Ordered]).await,
        }
    }

    /// Every request ended in one of the ways it may.
    pub(crate) fn check(&self, evidence: &Evidence) {
        assert!(!self.sent.is_empty());
        for (request, may) in &self.sent {
            let head = evidence.heads.get(request);
            let status = head.unwrap_or_else(|| panic!("{request} is not stored")).status.kind();
            // An order that could not be taken back in time is the one other end of a cancel.
            let kept = *may == [PurchaseStatus::Canceled] && status == PurchaseStatus::Ordered;
            assert!(may.contains(&status) || kept, "{request} is {status:?}, not one of {may:?}");
        }
    }

    async fn published(&mut self, create: CreatePurchase, may: &'static [PurchaseStatus]) {
        self.customer.publish_create(&create).await.unwrap();
        self.sent.push((create.request_id, may));
    }

    async fn asked(&mut self, create: CreatePurchase, may: &'static [PurchaseStatus]) {
        self.ask(&create).await;
        self.sent.push((create.request_id, may));
    }

    /// The micro service, with the same bytes until it answers.
    async fn ask(&self, create: &CreatePurchase) {
        let what = format!("the micro service answers to {}", create.request_id);
        let reply = wait::until(what, SETTLED, async || {
            let asked = tokio::time::timeout(PATIENCE, self.customer.create(create)).await;
            // "Shutting down" and the like: the next broker may answer otherwise.
            let later =
                |reply: &CommandReply| matches!(reply, CommandReply::Rejected(p) if p.retryable);
            Ok(asked.ok().and_then(Result::ok).filter(|reply| !later(reply)))
        });
        crate::stage::accepted(reply.await.unwrap());
    }

    async fn cancel(&self, request: RequestId) {
        let command_id = CommandId::parse(&format!("cancel-{request}")).unwrap();
        let cancel = CancelPurchase { request_id: request, command_id, reason: None };
        self.customer.publish(Command::Cancel(cancel)).await.unwrap();
    }
}
