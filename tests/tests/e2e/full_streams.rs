//! A stream that is full: what it refuses waits, and nothing else does.

use std::collections::BTreeSet;

use async_nats::jetstream::{self, stream::Config};
use broker::config::{Limits, StreamsConfig};
use broker::store::{FjallOptions, FjallStore, Incarnation, Store};
use broker::wire::outgoing::stream_of;
use partner_sim::profile::ProfileName::Instant;
use schemas::DurationMs;
use schemas::event::NotificationOutcome::Ordered;
use schemas::purchase::{CreatePurchase, PurchaseStatus};
use schemas::stream::name::{NOTIFICATIONS, PURCHASE_EVENTS};
use tests::harness::{Order, Scenario, StreamTail, book, wait};

use crate::stage::{SOON, Stage, accepted, start, world};
use crate::surfaces::metric;

/// Several times as many outcomes as egress keeps open.
const REQUESTS: u32 = 40;
const IN_FLIGHT_MAX: usize = 2;
const ROOM_BYTES: u64 = 1024 * 1024;
const REFUSES: &str = "broker_outbox_refused{stream=\"NOTIFICATIONS\"} 1";
const TAKES: &str = "broker_outbox_refused{stream=\"NOTIFICATIONS\"} 0";

fn narrow(test: &str, seed: u64) -> Scenario {
    // Nothing leaves twice in one life because a busy server was slow to acknowledge.
    let publish_ack_timeout_ms = DurationMs(60_000);
    let publish_in_flight_max = IN_FLIGHT_MAX;
    let limits = Limits { publish_in_flight_max, publish_ack_timeout_ms, ..Limits::default() };
    let streams = StreamsConfig { notifications_max_bytes: ROOM_BYTES, ..StreamsConfig::default() };
    world(test, seed).partners(Instant, 1).limits(limits).streams(streams)
}

#[tokio::test(flavor = "multi_thread")]
async fn while_nobody_can_be_told_everybody_gets_the_book_and_is_told_once_there_is_room() {
    let mut stage = start(narrow("full notifications", 151)).await;
    first_outcome(&mut stage).await;
    let config = stream(&stage).await;
    assert_eq!(config.max_bytes, i64::try_from(ROOM_BYTES).unwrap());
    let room = fill(&stage, config).await;
    let creates = order_all(&stage).await;
    metric(&stage, REFUSES).await;
    assert_eq!(outcomes(&stage).await.len(), 1);

    set(&stage, room).await;
    told_exactly_once(&mut stage, &creates).await;
    metric(&stage, TAKES).await;
    stage.judge().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn outcomes_that_wait_for_room_survive_a_kill_and_what_had_left_is_not_sent_again() {
    let mut stage = start(narrow("full notifications, killed", 152)).await;
    first_outcome(&mut stage).await;
    fill(&stage, stream(&stage).await).await;
    let creates = order_all(&stage).await;
    metric(&stage, REFUSES).await;
    stage.broker.kill_9().unwrap();
    let unsettled = events_after_the_mark(&stage);
    // The start gives the stream the room that the configuration says.
    stage.broker.start().await.unwrap();
    told_exactly_once(&mut stage, &creates).await;
    let mut heard = BTreeSet::new();
    let events = stage.tap.heard().into_iter().filter(|seen| is_event(&seen.subject));
    let again: BTreeSet<_> =
        events.filter_map(|seen| seen.message_id).filter(|id| !heard.insert(id.clone())).collect();
    let wrong: Vec<_> = again.difference(&unsettled).collect();
    assert!(wrong.is_empty(), "durably sent, and sent again: {wrong:?}");
    stage.judge().await;
}

fn is_event(subject: &str) -> bool {
    subject.starts_with("purchase.event.")
}

/// Message ids of the events of which the store of a broker that is down does not know that the
/// server has them: these alone leave again.
fn events_after_the_mark(stage: &Stage) -> BTreeSet<String> {
    let options = FjallOptions::standard(Incarnation(1));
    let store = FjallStore::open(stage.broker.store_dir(), &options).unwrap();
    let reader = store.reader();
    let meta = reader.meta().unwrap();
    let settled = meta.stream(PURCHASE_EVENTS).and_then(|mark| mark.settled).unwrap();
    let rows = reader.outbox_after(settled, usize::MAX).unwrap();
    let events = rows.iter().filter(|row| stream_of(row) == PURCHASE_EVENTS);
    let ids = events.map(|row| row.message_id(meta.incarnation).to_string()).collect();
    drop(reader);
    Box::new(store).close().unwrap();
    ids
}

async fn first_outcome(stage: &mut Stage) {
    let create = Order::of(book(1500)).build();
    accepted(stage.requester("ann").create(&create).await.unwrap());
    stage.told(create.request_id, Ordered).await;
}

async fn stream(stage: &Stage) -> Config {
    let jetstream = jetstream::new(stage.client().clone());
    jetstream.get_stream(NOTIFICATIONS).await.unwrap().cached_info().config.clone()
}

async fn set(stage: &Stage, config: Config) {
    jetstream::new(stage.client().clone()).update_stream(config).await.unwrap();
}

/// Leaves the stream no room for another message; gives how it was.
async fn fill(stage: &Stage, config: Config) -> Config {
    set(stage, Config { max_messages: 1, ..config.clone() }).await;
    config
}

/// Every request is bought, although nothing about it can be told.
async fn order_all(stage: &Stage) -> Vec<CreatePurchase> {
    let ann = stage.requester("ann");
    let mut creates = Vec::new();
    for n in 0..REQUESTS {
        let create = Order::of(book(1501 + n)).build();
        accepted(ann.create(&create).await.unwrap());
        creates.push(create);
    }
    for create in &creates {
        wait::until(format!("{} is ordered", create.request_id), SOON, async || {
            let found = ann.get(create.request_id).await?;
            Ok(found.filter(|view| view.status == PurchaseStatus::Ordered).map(drop))
        })
        .await
        .unwrap();
    }
    creates
}

/// Message ids of everything that the stream has.
async fn outcomes(stage: &Stage) -> Vec<String> {
    let mut tail = StreamTail::new(stage.client(), NOTIFICATIONS);
    tail.poll().await.unwrap();
    tail.seen().iter().filter_map(|seen| seen.message_id.clone()).collect()
}

async fn told_exactly_once(stage: &mut Stage, creates: &[CreatePurchase]) {
    for create in creates {
        stage.told(create.request_id, Ordered).await;
    }
    let mut ids = outcomes(stage).await;
    let stored = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!((stored, ids.len()), (creates.len() + 1, creates.len() + 1), "{ids:?}");
}
