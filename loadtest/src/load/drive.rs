//! The load itself, open or closed.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use async_nats::header::NATS_MESSAGE_ID;
use async_nats::{Client, HeaderMap, Request, jetstream};
use schemas::purchase::{CommandReply, CreatePurchase};
use schemas::{CustomerId, json, subject, subject::PurchaseOperation};
use tests::auditor::{Answer, Command, Route, Sent};
use tests::harness::{Cluster, SubLedger, message_id, now};
use tokio::task::JoinSet;

use super::args::Door;
use super::arrivals::Arrivals;
use super::ear::Ear;
use super::plan::{Load, Plan};
use super::shop::Shop;

/// Publishes that wait for their acknowledgement at once.
const PUBLISHES_MAX: usize = 100_000;
/// Silence after a publish that means "unknown": the same bytes are sent again.
const ACK_TIMEOUT: Duration = Duration::from_secs(5);
/// Copies of one publish.
const COPIES_MAX: u32 = 12;
/// Longest wait of a closed loop for one outcome; the drain waits on.
const OUTCOME_WITHIN: Duration = Duration::from_secs(60);
/// Of a closed loop, before anything is measured.
pub(super) const WARM_UP: Duration = Duration::from_secs(2);

/// Everything that sending needs; cheap to copy.
#[derive(Clone)]
struct Counter {
    door: Door,
    client: Client,
    jetstream: jetstream::Context,
    ledger: SubLedger,
    ear: Ear,
}

/// Lets customers come for as long as the plan says; returns when the last one has sent.
pub(super) async fn run(
    plan: &Plan,
    cluster: &Cluster,
    ear: &Ear,
    shop: Shop,
) -> anyhow::Result<()> {
    let jetstream = jetstream::context::ContextBuilder::new()
        .timeout(ACK_TIMEOUT)
        .max_ack_inflight(PUBLISHES_MAX)
        .backpressure_on_inflight(true)
        .build(cluster.client().clone());
    let (client, ledger) = (cluster.client().clone(), cluster.ledger().clone());
    let counter = Counter { door: plan.door, client, jetstream, ledger, ear: ear.clone() };
    match plan.load {
        Load::Open { rate } => open(plan, rate, shop, counter).await,
        Load::Closed { in_flight } => closed(plan, in_flight, shop, counter).await,
    }
}

async fn open(plan: &Plan, rate: u32, mut shop: Shop, counter: Counter) -> anyhow::Result<()> {
    let mut sending = JoinSet::new();
    for intended in Arrivals::new(plan.seed, rate, plan.length) {
        tokio::time::sleep_until((counter.ear.start_instant() + intended).into()).await;
        let (customer, create) = shop.next()?;
        counter.ear.sending(create.request_id, intended);
        let counter = counter.clone();
        sending.spawn(async move { counter.send(customer, create).await });
        while let Some(sent) = sending.try_join_next() {
            sent.context("sending")??;
        }
    }
    while let Some(sent) = sending.join_next().await {
        sent.context("sending")??;
    }
    Ok(())
}

async fn closed(plan: &Plan, in_flight: usize, shop: Shop, counter: Counter) -> anyhow::Result<()> {
    let shop = Arc::new(Mutex::new(shop));
    let mut customers = JoinSet::new();
    let start = counter.ear.start_instant();
    for _ in 0..in_flight {
        let (shop, counter, length) = (Arc::clone(&shop), counter.clone(), plan.length + WARM_UP);
        customers.spawn(async move {
            while start.elapsed() < length {
                let next = shop.lock().unwrap_or_else(PoisonError::into_inner).next();
                let (customer, create) = next?;
                let told = counter.ear.sending_and_waiting(create.request_id, start.elapsed());
                counter.send(customer, create).await?;
                // Whoever is not served in time makes room; the drain tells what became of it.
                drop(tokio::time::timeout(OUTCOME_WITHIN, told).await);
            }
            anyhow::Ok(())
        });
    }
    while let Some(ended) = customers.join_next().await {
        ended.context("a customer")??;
    }
    Ok(())
}

impl Counter {
    async fn send(&self, customer: CustomerId, create: CreatePurchase) -> anyhow::Result<()> {
        match self.door {
            Door::Stream => self.publish(customer, create).await,
            Door::Service => self.ask(customer, create).await,
        }
    }

    /// Asks until the broker has it. Whoever is told to come later does.
    async fn ask(&self, customer: CustomerId, create: CreatePurchase) -> anyhow::Result<()> {
        let request = create.request_id;
        let command = Command::Create(Box::new(create));
        let subject = subject::purchase_api(PurchaseOperation::Create, &customer);
        for _ in 0..COPIES_MAX {
            let at = now();
            let asked = Request::new().payload(command.body()).timeout(Some(ACK_TIMEOUT));
            let reply = self.client.send_request(subject.clone(), asked).await.ok();
            let reply: Option<CommandReply> =
                reply.and_then(|reply| json::decode(&reply.payload, usize::MAX).ok());
            let answer =
                reply.clone().map_or(Answer::Silent, |reply| Answer::Reply(Box::new(reply)));
            let (customer, command) = (customer.clone(), command.clone());
            let (route, answered) = (Route::Service, now());
            self.ledger.record(Sent { customer, command, route, at, answered, answer });
            match reply {
                Some(CommandReply::Accepted { .. }) => return Ok(()),
                Some(CommandReply::Rejected(problem)) => {
                    let Some(later) = problem.retry_after_ms else {
                        anyhow::bail!("request {request} was refused: {}", problem.detail)
                    };
                    tokio::time::sleep(later.into()).await;
                }
                None => {}
            }
        }
        anyhow::bail!("request {request} was not accepted, asked {COPIES_MAX} times")
    }

    /// Publishes until the stream has it, always with the same bytes and id.
    async fn publish(&self, customer: CustomerId, create: CreatePurchase) -> anyhow::Result<()> {
        let request = create.request_id;
        let command = Command::Create(Box::new(create));
        let (body, id) = (command.body(), message_id(&customer, &command));
        let subject = subject::purchase_command(PurchaseOperation::Create, &customer);
        for _ in 0..COPIES_MAX {
            let at = now();
            let mut headers = HeaderMap::new();
            headers.insert(NATS_MESSAGE_ID, id.as_str());
            let sent = self.jetstream.publish_with_headers(subject.clone(), headers, body.clone());
            let ack = match sent.await {
                Ok(ack) => ack.await.ok(),
                Err(_) => None,
            };
            let answer = match &ack {
                Some(ack) => Answer::Stored { sequence: ack.sequence, duplicate: ack.duplicate },
                None => Answer::Silent,
            };
            let (customer, command) = (customer.clone(), command.clone());
            let (route, answered) = (Route::Stream, now());
            self.ledger.record(Sent { customer, command, route, at, answered, answer });
            if ack.is_some() {
                return Ok(());
            }
        }
        anyhow::bail!("request {request} was not stored, sent {COPIES_MAX} times")
    }
}
