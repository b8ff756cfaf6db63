//! What happens to the bridge itself: the server goes, its bucket is full, there are two of it, or
//! the store no longer knows who it is.

use std::collections::BTreeSet;
use std::time::Duration;

use partner_sim::profile::ProfileName::Calm;
use schemas::PartnerId;
use schemas::bucket::BRIDGE_CALLS;
use schemas::event::{DeadLetter, NotificationOutcome};
use schemas::partner::PartnerOutcome;
use schemas::stream::name;
use schemas::subject::partner_callback;
use tests::auditor::Seen;
use tests::harness::{Example, Order, StreamTail, book, wait};

use crate::rogue::{Rogue, json};
use crate::stage::{SOON, Stage, World, prepare_bridge, start_bridge, world};

const ORDER: &str = "POST /orders";
const TOKEN: &str = "POST /token";
const FOUND: &str = r#"{"id": "o-1", "total": 19.99}"#;
const LONG: Duration = Duration::from_secs(20);
const REQUESTS: u64 = 10;
const ALLOWED: &str = "BROKER__BRIDGE__ALLOW_PRIVATE_HOSTS";
const ALL: [Example; 5] =
    [Example::JSON, Example::CALLBACK, Example::XML, Example::POLL, Example::WALK_IN];

fn every_shape(test: &str, seed: u64) -> World {
    ALL.into_iter().fold(world(test, seed), |world, example| world.store(example, Calm))
}

/// Ten requests are published; each of them ends as an order, and the auditor finds no second one.
async fn all_ordered(mut stage: Stage, between: impl AsyncFnOnce(&mut Stage)) {
    let creates: Vec<_> = (0..REQUESTS).map(|n| Order::of(book(n as u32 + 1)).build()).collect();
    for create in &creates {
        stage.requester("ann").publish_create(create).await.unwrap();
    }
    stage.told(creates[0].request_id, NotificationOutcome::Ordered).await;
    between(&mut stage).await;
    for create in &creates {
        stage.told(create.request_id, NotificationOutcome::Ordered).await;
    }
    stage.judge().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_bridges_share_the_work_and_one_of_them_may_die() {
    let stage = every_shape("two bridges", 61).start().await;
    let mut second = prepare_bridge(&stage, "bridge-2");
    start_bridge(&mut second).await;
    all_ordered(stage, async move |stage| {
        stage.bridge.kill_9().unwrap();
        stage.bridge = second;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bridge_goes_on_when_the_server_comes_back() {
    let stage = every_shape("server restarted", 62).start().await;
    all_ordered(stage, async |stage| {
        stage.kill_nats().unwrap();
        stage.restart_nats().await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_room_for_its_record_no_order_is_sent_and_with_room_it_is() {
    let rogue = Rogue::start(|_, _| json(200, FOUND)).await;
    let file = rogue.file("json", "");
    let mut stage = world("full bucket", 63).file("rogue.toml", file).prepare().await;
    stage.bridge.set_env("BROKER__BRIDGE__CALLS_BYTES_MAX", (1 << 20).to_string());
    start_bridge(&mut stage.bridge).await;
    let jetstream = async_nats::jetstream::new(stage.client().clone());
    let bucket = jetstream.get_key_value(BRIDGE_CALLS.name).await.unwrap();
    let filler = || bytes::Bytes::from(vec![b'x'; 8 * 1024]);
    let mut filled = 0;
    while bucket.put(format!("filler.{filled}"), filler()).await.is_ok() {
        filled += 1;
    }
    // What is left takes no record either.
    while bucket.put(format!("filler.{filled}"), "x".into()).await.is_ok() {
        filled += 1;
    }
    stage.place("k1", 1, LONG).await;
    stage.bridge_says("a command is put off").await;
    assert_eq!(rogue.calls(ORDER), 0);
    jetstream.get_stream(format!("KV_{}", BRIDGE_CALLS.name)).await.unwrap().purge().await.unwrap();
    let told = stage.answered("test-place-1").await;
    assert!(matches!(told, PartnerOutcome::Confirmed { .. }), "{told:?}");
    assert_eq!(rogue.calls(ORDER), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_the_store_no_longer_takes_is_renewed_and_the_order_sent() {
    let rogue = Rogue::start(|what, before| match (what, before) {
        (TOKEN, _) => json(200, r#"{"access_token": "t", "expires_in": 3600}"#),
        (ORDER, 0) => json(401, "{}"),
        _ => json(200, FOUND),
    })
    .await;
    let auth = "[auth]\nkind = \"oauth2_client_credentials\"\ntoken_url = \"/token\"\n\
                client_id = \"broker\"\nclient_secret = \"word\"\n[limits]";
    let file = rogue.file("json", "").replace("[limits]", auth);
    let stage = world("token", 64).file("rogue.toml", file).start().await;
    stage.place("k1", 1, LONG).await;
    let told = stage.answered("test-place-1").await;
    assert!(matches!(told, PartnerOutcome::Confirmed { .. }), "{told:?}");
    assert_eq!((rogue.calls(TOKEN), rogue.calls(ORDER)), (2, 2));
}

/// It does not start, and says why.
async fn refuses(mut stage: Stage, why: &[&str]) {
    stage.bridge.start().unwrap();
    wait::until("the bridge has given up", SOON, async || {
        Ok(stage.bridge.check_alive().is_err().then_some(()))
    })
    .await
    .unwrap();
    let log = stage.bridge.log_tail();
    for part in why {
        assert!(log.contains(part), "{part} is not in\n{log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_template_that_cannot_be_filled_in_is_told_at_start_with_file_and_key() {
    let rogue = Rogue::start(|_, _| json(200, FOUND)).await;
    let file = rogue.file("json", "").replace("/orders/{{ key }}", "/orders/{{ keey }}");
    let stage = world("template", 65).file("rogue.toml", file).prepare().await;
    refuses(stage, &["rogue.toml", "lookup.request.url", "keey"]).await;
    assert_eq!(rogue.calls(ORDER), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_at_a_private_address_that_nobody_allowed_is_refused_at_start() {
    let rogue = Rogue::start(|_, _| json(200, FOUND)).await;
    let file = rogue.file("json", "");
    let mut stage = world("private", 66).file("rogue.toml", file).prepare().await;
    stage.bridge.set_env(ALLOWED, "[]");
    refuses(stage, &["127.0.0.1", "bridge.allow_private_hosts"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_whose_name_leads_to_a_private_address_is_not_called() {
    let rogue = Rogue::start(|_, _| json(200, FOUND)).await;
    let file = rogue.file("json", "").replace("127.0.0.1", "localhost");
    let mut stage = world("private name", 67).file("rogue.toml", file).prepare().await;
    stage.bridge.set_env(ALLOWED, "[]");
    start_bridge(&mut stage.bridge).await;
    stage.place("k1", 1, Duration::from_secs(2)).await;
    let told = stage.answered("test-place-1").await;
    assert!(matches!(told, PartnerOutcome::Refused { final_for_key: true, .. }), "{told:?}");
    assert_eq!(rogue.calls(ORDER), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_back_that_nobody_can_use_becomes_a_dead_letter() {
    let stage = world("call-backs", 68).store(Example::CALLBACK, Calm).start().await;
    let jetstream = async_nats::jetstream::new(stage.client().clone());
    let stray = r#"{"type": "order.canceled", "data": {"reference": "k1"}}"#;
    for (store, body) in [("callisto", "{oops"), ("callisto", stray), ("nobody", "{}")] {
        let subject = partner_callback(&PartnerId::parse(store).unwrap());
        jetstream.publish(subject, body.into()).await.unwrap().await.unwrap();
    }
    let mut letters = StreamTail::new(stage.client(), name::DEAD_LETTERS);
    let reasons = wait::until("three dead letters", SOON, async || {
        letters.poll().await?;
        let letter = |seen: &Seen| serde_json::from_slice::<DeadLetter>(&seen.body).unwrap();
        let all: Vec<_> = letters.seen().iter().map(letter).collect();
        Ok((all.len() == 3).then_some(all))
    });
    let reasons: BTreeSet<_> = reasons.await.unwrap().iter().map(|l| l.reason.label()).collect();
    assert_eq!(reasons, ["malformed", "not_asked", "unknown_partner"].into());
    stage.judge().await;
}
