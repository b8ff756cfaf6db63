//! What operators and customers find without being told: the micro service, the pages, the
//! streams, and what an acknowledgement is worth.

use async_nats::jetstream::stream::{RetentionPolicy, StorageType};
use broker::config::Limits;
use futures_util::future::join_all;
use partner_sim::profile::ProfileName::Instant;
use schemas::RejectReason;
use schemas::event::NotificationOutcome::Ordered;
use schemas::purchase::{CommandReply, ListPurchases, ListReply, PurchaseStatus, ReceiptReply};
use schemas::stream;
use schemas::subject::{PurchaseOperation, purchase_api_endpoint};
use tests::harness::{Order, book, wait};
use tests::nats_server::{NatsServerOptions, SyncInterval};

use crate::stage::{SOON, Stage, accepted, start, world};

#[tokio::test(flavor = "multi_thread")]
async fn the_micro_service_is_found_by_asking_around() {
    let stage = start(world("discovery", 141).partners(Instant, 1)).await;
    let info = stage.client().request("$SRV.INFO.broker", "".into()).await.unwrap();
    let info: serde_json::Value = serde_json::from_slice(&info.payload).unwrap();
    let endpoints = info["endpoints"].as_array().unwrap();
    for operation in PurchaseOperation::ALL {
        let subject = purchase_api_endpoint(operation);
        let found = endpoints.iter().find(|endpoint| endpoint["subject"] == subject.as_str());
        assert_eq!(found.unwrap()["name"], operation.label());
    }
    let pong = stage.client().request("$SRV.PING.broker", "".into()).await.unwrap();
    assert!(!pong.payload.is_empty());
    stage.judge().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_lists_their_own_requests_newest_first() {
    let mut stage = start(world("list", 142).partners(Instant, 1)).await;
    let (ann, bob) = (stage.requester("ann"), stage.requester("bob"));
    let mut mine = Vec::new();
    for n in 0..5 {
        let create = Order::of(book(1300 + n)).build();
        ann.publish_create(&create).await.unwrap();
        stage.told(create.request_id, Ordered).await;
        mine.push(create.request_id);
    }
    mine.reverse();
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let page = ListPurchases { status: Some(PurchaseStatus::Ordered), after, limit: Some(2) };
        let ListReply::Page { requests, next } = ann.list(&page).await.unwrap() else {
            panic!("a page");
        };
        seen.extend(requests.iter().map(|view| view.request_id));
        after = next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen, mine);
    let all = ListPurchases { status: None, after: None, limit: None };
    let ListReply::Page { requests, .. } = bob.list(&all).await.unwrap() else { panic!("a page") };
    assert_eq!(requests, []);
    stage.judge().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_sees_offers_while_others_are_still_awaited() {
    let slow = toml::toml! {
        response_ms = 3000
        quotes = { latency = { p50_ms = 2800, p99_ms = 2800 } }
    };
    let world = world("running sweep", 147).partner("near", Instant);
    let stage = start(world.partner_with("far", Instant, slow)).await;
    let create = Order::of(book(1321)).max_total(1).build();
    let ann = stage.requester("ann");
    ann.publish_create(&create).await.unwrap();
    let sweep = wait::until("an offer of a sweep under way", SOON, async || {
        let found = ann.receipt(create.request_id).await?;
        let ReceiptReply::Found { running, .. } = found else { return Ok(None) };
        Ok(running.filter(|running| !running.offers.is_empty()))
    });
    let sweep = sweep.await.unwrap();
    assert_eq!((sweep.sweep, sweep.eligible, sweep.asked, sweep.answered), (1, 2, 2, 1));
    let [offer] = &sweep.offers[..] else { panic!("{sweep:?}") };
    assert_eq!(offer.partner_id.as_str(), "near");
    assert!(!offer.affordable && offer.total.is_some(), "{offer:?}");
    assert!(sweep.started_at <= offer.offered_at && offer.offered_at < sweep.ends_by);
    let refused = stage.requester("bob").receipt(create.request_id).await.unwrap();
    assert!(matches!(refused, ReceiptReply::Rejected(_)), "{refused:?}");
    ann.cancel(create.request_id).await.unwrap();
    stage.judge().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_reads_the_receipt_of_an_own_request_and_of_no_other() {
    let mut stage = start(world("receipt", 146).partners(Instant, 2)).await;
    let create = Order::of(book(1320)).build();
    stage.requester("ann").publish_create(&create).await.unwrap();
    let told = stage.told(create.request_id, Ordered).await.receipt.unwrap();
    let found = stage.requester("ann").receipt(create.request_id).await.unwrap();
    let receipt = Some(Box::new(told));
    let request_id = create.request_id;
    assert_eq!(found, ReceiptReply::Found { request_id, receipt, running: None });
    let refused = stage.requester("bob").receipt(create.request_id).await.unwrap();
    let ReceiptReply::Rejected(problem) = refused else { panic!("{refused:?}") };
    assert_eq!(problem.code, RejectReason::NotFound);
    stage.judge().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pages_say_how_the_broker_is() {
    let mut stage = start(world("pages", 143).partners(Instant, 1)).await;
    let create = Order::of(book(1310)).build();
    stage.requester("ann").publish_create(&create).await.unwrap();
    stage.told(create.request_id, Ordered).await;
    for page in ["/live", "/ready"] {
        let (code, _) = stage.broker.page(page).await.unwrap();
        assert_eq!(code, 200, "{page}");
    }
    for line in ["broker_ready 1", "broker_nats_connected 1", "broker_nats_ack_is_durable 1"] {
        metric(&stage, line).await;
    }
    // For `ops/test.sh`, which has Prometheus' own tool judge it.
    if let Some(path) = std::env::var_os("METRICS_PAGE_TO") {
        let (_, page) = stage.broker.page("/metrics").await.unwrap();
        std::fs::write(path, page).unwrap();
    }
    let (code, _) = stage.broker.page("/nothing").await.unwrap();
    assert_eq!(code, 404);
    stage.judge().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_says_it_is_ready_answers_at_once() {
    let mut stage = start(world("ready", 146).partners(Instant, 1)).await;
    let ann = stage.requester("ann");
    for n in 0..5 {
        let create = Order::of(book(1320 + n)).build();
        accepted(ann.create(&create).await.unwrap());
        stage.told(create.request_id, Ordered).await;
        stage.broker.terminate().await.unwrap();
        stage.broker.start().await.unwrap();
    }
    stage.judge().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_finds_no_place_at_the_micro_service_is_told_when_to_come_back() {
    let limits = Limits { service_in_flight_max: 1, ..Limits::default() };
    let mut stage = start(world("one place", 153).partners(Instant, 1).limits(limits)).await;
    let ann = stage.requester("ann");
    let creates: Vec<_> = (0..64).map(|n| Order::of(book(1330 + n)).build()).collect();
    let replies = join_all(creates.iter().map(|create| ann.create(create))).await;
    let mut refused = 0;
    for (create, reply) in creates.iter().zip(replies) {
        if let CommandReply::Rejected(problem) = reply.unwrap() {
            assert_eq!(problem.code, RejectReason::Overloaded);
            assert!(problem.retry_after_ms.is_some(), "{problem:?}");
            refused += 1;
        } else {
            stage.told(create.request_id, Ordered).await;
        }
    }
    assert!(refused > 0, "64 calls at once found one place");
    stage.judge().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_stream_keeps_its_messages_by_limits_whoever_consumed_them() {
    let stage = start(world("streams", 144).partners(Instant, 1)).await;
    let jetstream = async_nats::jetstream::new(stage.client().clone());
    for spec in stream::all() {
        let config = jetstream.get_stream(spec.name).await.unwrap().cached_info().config.clone();
        assert_eq!(config.retention, RetentionPolicy::Limits, "{}", spec.name);
        assert_eq!(config.storage, StorageType::File, "{}", spec.name);
        let window = std::time::Duration::from(spec.duplicate_window);
        assert_eq!(config.duplicate_window, window, "{}", spec.name);
        assert_eq!(config.max_bytes, i64::try_from(spec.max_bytes).unwrap(), "{}", spec.name);
    }
    stage.judge().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn acknowledgements_of_a_server_that_syncs_later_are_announced_as_weak() {
    let options = NatsServerOptions { sync: SyncInterval::Default, ..NatsServerOptions::default() };
    let stage = start(world("weak acks", 145).partners(Instant, 1).nats(options)).await;
    metric(&stage, "broker_nats_ack_is_durable 0").await;
    let log = std::fs::read_to_string(stage.broker.process.log_path()).unwrap();
    assert!(log.contains("publish-acks are weak"), "{log}");
    stage.judge().await;
}

/// Waits until the page of metrics has this line.
pub(crate) async fn metric(stage: &Stage, wanted: &str) {
    wait::until(format!("/metrics says {wanted}"), SOON, async || {
        let (_, page) = stage.broker.page("/metrics").await?;
        Ok(page.lines().any(|line| line == wanted).then_some(()))
    })
    .await
    .unwrap();
}
