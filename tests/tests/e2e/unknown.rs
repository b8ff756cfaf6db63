//! An order without an answer: found out about, never replaced by a purchase elsewhere.

use broker::config::PolicyOverrides;
use partner_sim::ledger::OrderState;
use partner_sim::profile::ProfileName::{Calm, Eventual, Instant};
use schemas::DurationMs;
use schemas::event::NotificationOutcome::{Incident, Ordered};
use schemas::partner::{PartnerOutcome, PartnerReply, Place, ReplyHeader};
use schemas::purchase::Strategy;
use schemas::subject::{PartnerOperation, PartnerReplyKind, parse_partner_command, partner_reply};
use schemas::text::Text;
use tests::harness::{Order, Scenario, book};

use crate::stage::{Stage, books, flat, quick, start, world};

const CHEAP: u64 = 1000;
const DEAR: u64 = 1100;
/// Both are affordable, so a broker that gives up too early has somewhere else to buy.
const LIMIT: u64 = 1150;

/// A cheap store with a flaw and a dearer one without.
fn two_stores(test: &str, seed: u64, isbn: schemas::Isbn13, flaw: toml::Table) -> Scenario {
    world(test, seed)
        .partner_with("flawed", Instant, flaw)
        .partner("sound", Instant)
        .price("flawed", isbn, flat(CHEAP))
        .price("sound", isbn, flat(DEAR))
}

async fn bought_at_the_flawed_store(
    mut stage: Stage,
    isbn: schemas::Isbn13,
    copies: std::ops::RangeInclusive<u32>,
) {
    let create = Order::of(isbn).max_total(LIMIT).build();
    stage.requester("ann").publish_create(&create).await.unwrap();
    stage.told(create.request_id, Ordered).await;
    let evidence = stage.judge().await;
    let books = books(&evidence, &create);
    assert_eq!(books.standing(), [("flawed".to_owned(), CHEAP)]);
    assert_eq!((books.ever_ordered().len(), books.paid()), (1, CHEAP));
    let order = evidence.partners.orders_of(create.request_id).next().unwrap();
    assert!(copies.contains(&order.copies), "{} copies of the order", order.copies);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_confirmation_is_told_again_when_the_same_order_is_sent_again() {
    let isbn = book(901);
    let flaw = toml::toml! {
        faults = { accepted_without_answer_permille = 1000 }
    };
    let stage = start(two_stores("lost confirmation", 121, isbn, flaw)).await;
    bought_at_the_flawed_store(stage, isbn, 2..=u32::MAX).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_may_take_two_copies_for_two_orders_is_only_looked_up() {
    let isbn = book(902);
    let flaw = toml::toml! {
        key_first = false
        faults = { accepted_without_answer_permille = 1000 }
    };
    let stage = start(two_stores("look-up only", 122, isbn, flaw)).await;
    bought_at_the_flawed_store(stage, isbn, 1..=1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_shows_up_late_in_look_ups_is_waited_for() {
    let isbn = book(903);
    let flaw = toml::toml! {
        key_first = false
        lookup = "eventual"
        settle_ms = 1500
        fences_lookup = false
        fences_cancel = false
        faults = { accepted_without_answer_permille = 1000 }
    };
    let stage = start(two_stores("eventual look-up", 123, isbn, flaw)).await;
    bought_at_the_flawed_store(stage, isbn, 1..=1).await;
}

/// Orders and questions get lost at the flawed store; each request must end with one order, at
/// the flawed store if that took it, elsewhere if it provably did not.
async fn lost_orders_are_proven_absent(mut stage: Stage, isbn: schemas::Isbn13, requests: usize) {
    let ann = stage.requester("ann");
    let creates: Vec<_> = (0..requests)
        .map(|_| Order::of(isbn).max_total(LIMIT).strategy(Strategy::Cheapest).build())
        .collect();
    for create in &creates {
        ann.publish_create(create).await.unwrap();
    }
    for create in &creates {
        stage.told(create.request_id, Ordered).await;
    }
    let evidence = stage.judge().await;
    let mut elsewhere = 0;
    for create in &creates {
        let standing = books(&evidence, create).standing();
        assert_eq!(standing.len(), 1, "{standing:?}");
        elsewhere += usize::from(standing[0].0 == "sound");
    }
    assert!(elsewhere > 0, "no order was lost; another seed is needed");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_never_arrived_is_proven_absent_and_bought_elsewhere() {
    let isbn = book(904);
    let flaw = toml::toml! {
        key_first = false
        reservation = false
        faults = { lost_permille = 500 }
    };
    let stage = start(two_stores("lost order", 124, isbn, flaw)).await;
    lost_orders_are_proven_absent(stage, isbn, 12).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_tombstones_absence_is_believed_only_after_the_order_has_lapsed() {
    let isbn = book(905);
    let flaw = toml::toml! {
        key_first = false
        reservation = false
        settle_ms = 500
        fences_lookup = false
        fences_cancel = false
        faults = { lost_permille = 500, accepted_without_answer_permille = 500 }
    };
    let scenario = world("no tombstones", 125)
        .partner_with("flawed", Eventual, flaw)
        .partner("sound", Instant)
        .price("flawed", isbn, flat(CHEAP))
        .price("sound", isbn, flat(DEAR));
    let stage = start(scenario).await;
    lost_orders_are_proven_absent(stage, isbn, 12).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_of_one_copy_is_not_a_refusal_of_the_order() {
    let isbn = book(906);
    let slow = toml::toml! {
        commands = { latency = { p50_ms = 300, p99_ms = 400 } }
    };
    let scenario = world("one copy refused", 126)
        .partner_with("flawed", Calm, slow)
        .partner("sound", Instant)
        .price("flawed", isbn, flat(CHEAP))
        .price("sound", isbn, flat(DEAR));
    let stage = start(scenario).await;
    let place = PartnerOperation::Place;
    let refuse = async {
        let seen = stage.heard_order().await;
        let order: Place = serde_json::from_slice(&seen.body).unwrap();
        // What a second copy would be told that arrived late: it says nothing about the first.
        let reply = PartnerReply {
            header: ReplyHeader {
                in_reply_to: order.header.id,
                request_id: order.header.request_id,
                attempt: order.header.attempt,
            },
            outcome: PartnerOutcome::Refused {
                reason: Text::parse("arrived after its not_after").unwrap(),
                final_for_key: false,
            },
        };
        let (partner, _) = parse_partner_command(&seen.subject).unwrap();
        let subject = partner_reply(&partner, PartnerReplyKind::Command(place));
        let jetstream = async_nats::jetstream::new(stage.client().clone());
        let body = schemas::json::encode(&reply).into();
        jetstream.publish(subject, body).await.unwrap().await.unwrap();
    };
    let create = Order::of(isbn).max_total(LIMIT).build();
    let ann = stage.requester("ann");
    let (_, published) = tokio::join!(refuse, ann.publish_create(&create));
    published.unwrap();
    let mut stage = stage;
    stage.told(create.request_id, Ordered).await;
    let evidence = stage.judge().await;
    let books = books(&evidence, &create);
    assert_eq!(books.standing(), [("flawed".to_owned(), CHEAP)]);
    assert_eq!((books.ever_ordered().len(), books.paid()), (1, CHEAP));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_nobody_can_look_up_becomes_an_incident_and_is_never_bought_elsewhere() {
    let isbn = book(907);
    let flaw = toml::toml! {
        key_first = false
        reservation = false
        lookup = "none"
        fences_lookup = false
        fences_cancel = false
        faults = { accepted_without_answer_permille = 1000 }
    };
    let policy = PolicyOverrides { human_after_ms: Some(DurationMs(1500)), ..quick() };
    let scenario = two_stores("human", 127, isbn, flaw).policy(policy);
    let mut stage = start(scenario).await;
    let create = Order::of(isbn).max_total(LIMIT).build();
    stage.requester("ann").publish_create(&create).await.unwrap();
    stage.told(create.request_id, Incident).await;
    let evidence = stage.judge().await;
    assert_eq!(books(&evidence, &create).standing(), [("flawed".to_owned(), CHEAP)]);
    let accepted = |state: &OrderState| matches!(state, OrderState::Accepted { .. });
    assert_eq!(evidence.partners.orders.iter().filter(|order| accepted(&order.state)).count(), 1);
    assert_eq!(books(&evidence, &create).paid(), 0, "no capture before the order is known");
}
