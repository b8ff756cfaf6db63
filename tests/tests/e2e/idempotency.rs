//! The same thing said twice is done once, whoever says it and through whichever door.

use bytes::Bytes;
use partner_sim::delivery::Delivery;
use partner_sim::fault::Permille;
use partner_sim::payment::PaymentSettings;
use partner_sim::profile::ProfileName::Instant;
use schemas::event::NotificationOutcome::{Canceled, Ordered};
use schemas::event::{DeadPayload, PurchaseEventKind};
use schemas::purchase::{CancelPurchase, PurchaseStatus, UpdatePurchase};
use schemas::stream::name;
use schemas::subject::{PurchaseOperation, purchase_command, purchase_event};
use schemas::{CommandId, Currency, Money, RejectReason, RequestId, json};
use tests::auditor::{Command, Evidence};
use tests::harness::{Order, Requester, Scenario, StreamTail, book};

use crate::stage::{SOON, Stage, accepted, books, flat, rejected, start, world};

const PRICE: u64 = 1500;

fn three_stores(test: &str, seed: u64, isbn: schemas::Isbn13) -> Scenario {
    world(test, seed).partners(Instant, 3).price_everywhere(isbn, flat(PRICE))
}

/// One more copy that the server's own deduplication cannot recognise.
async fn publish_copy(stage: &Stage, subject: String, body: Bytes) {
    let jetstream = async_nats::jetstream::new(stage.client().clone());
    jetstream.publish(subject, body).await.unwrap().await.unwrap();
}

/// Different events of one kind about one request.
fn events(
    evidence: &Evidence,
    customer: &Requester,
    request: RequestId,
    kind: PurchaseEventKind,
) -> usize {
    let subject = purchase_event(customer.customer(), request, kind.label());
    let of_kind = evidence.messages.iter().filter(|seen| seen.subject == subject);
    of_kind.map(|seen| &seen.message_id).collect::<std::collections::BTreeSet<_>>().len()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_create_through_both_doors_is_one_request_with_one_answer() {
    let isbn = book(801);
    let mut stage = start(three_stores("same create", 91, isbn)).await;
    let ann = stage.requester("ann");
    let create = Order::of(isbn).build();
    let (replayed, first) = accepted(ann.create(&create).await.unwrap());
    assert!(!replayed);
    let (replayed, second) = accepted(ann.create(&create).await.unwrap());
    assert!(replayed);
    assert_eq!(second.created_at, first.created_at);
    ann.publish_create(&create).await.unwrap();
    let door = purchase_command(PurchaseOperation::Create, ann.customer());
    publish_copy(&stage, door, json::encode(&create).into()).await;
    stage.told(create.request_id, Ordered).await;
    let (replayed, last) = accepted(ann.create(&create).await.unwrap());
    assert!(replayed);
    assert_eq!(last.status, PurchaseStatus::Ordered);
    let evidence = stage.judge().await;
    assert_eq!(events(&evidence, &ann, create.request_id, PurchaseEventKind::Created), 1);
    let books = books(&evidence, &create);
    assert_eq!((books.ever_ordered().len(), books.paid()), (1, PRICE));
}

#[tokio::test(flavor = "multi_thread")]
async fn another_body_under_the_same_id_is_a_conflict_and_changes_nothing() {
    let isbn = book(802);
    let mut stage = start(three_stores("conflict", 92, isbn)).await;
    let (ann, bob) = (stage.requester("ann"), stage.requester("bob"));
    let create = Order::of(isbn).max_total(2 * PRICE).build();
    accepted(ann.create(&create).await.unwrap());
    let other = Order::of(isbn).max_total(3 * PRICE).id(create.request_id).build();
    let (reason, _) = rejected(ann.create(&other).await.unwrap());
    assert_eq!(reason, RejectReason::Conflict);
    let (reason, _) = rejected(bob.create(&create).await.unwrap());
    assert_eq!(reason, RejectReason::Conflict, "somebody else's id");
    ann.publish_create(&other).await.unwrap();
    let letter =
        stage.dead_letter("the conflict", |letter| letter.reason == RejectReason::Conflict).await;
    assert_eq!(letter.stream, name::PURCHASE_CREATES);
    let body = String::from_utf8(json::encode(&other)).unwrap();
    assert_eq!(letter.payload, DeadPayload::Text(body));
    stage.told(create.request_id, Ordered).await;
    let evidence = stage.judge().await;
    assert_eq!(books(&evidence, &create).paid(), PRICE);
    assert_eq!(evidence.heads.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_command_is_applied_once_and_its_id_with_another_body_is_a_conflict() {
    let isbn = book(803);
    let mut stage = start(three_stores("same command", 93, isbn)).await;
    let ann = stage.requester("ann");
    let create = Order::of(isbn).max_total(100).build();
    ann.publish_create(&create).await.unwrap();
    let quoted = stage.outcome(create.request_id, SOON).await.unwrap();
    let raise = |minor: u64| {
        Command::Update(UpdatePurchase {
            request_id: create.request_id,
            command_id: CommandId::parse("raise-1").unwrap(),
            if_version: None,
            max_total: Some(Money::new(minor, Currency::USD).unwrap()),
            expires_at: None,
            strategy: None,
        })
    };
    let (replayed, changed) = accepted(ann.request(raise(200)).await.unwrap());
    assert!(!replayed && changed.version > quoted.request.version);
    let (replayed, again) = accepted(ann.request(raise(200)).await.unwrap());
    assert!(replayed);
    assert_eq!(again.max_total.minor(), 200);
    ann.publish(raise(200)).await.unwrap();
    let (reason, _) = rejected(ann.request(raise(PRICE)).await.unwrap());
    assert_eq!(reason, RejectReason::Conflict);

    let cancel = CancelPurchase {
        request_id: create.request_id,
        command_id: CommandId::parse("cancel-1").unwrap(),
        reason: None,
    };
    let door = purchase_command(PurchaseOperation::Cancel, ann.customer());
    ann.publish(Command::Cancel(cancel.clone())).await.unwrap();
    publish_copy(&stage, door, json::encode(&cancel).into()).await;
    stage.told_later(create.request_id, Canceled).await;
    let (replayed, _) = accepted(ann.request(Command::Cancel(cancel)).await.unwrap());
    assert!(replayed);
    let evidence = stage.judge().await;
    assert_eq!(events(&evidence, &ann, create.request_id, PurchaseEventKind::Updated), 1);
    assert_eq!(events(&evidence, &ann, create.request_id, PurchaseEventKind::Canceled), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_customers_request_is_not_found() {
    let isbn = book(804);
    let mut stage = start(three_stores("stranger", 94, isbn)).await;
    let (ann, eve) = (stage.requester("ann"), stage.requester("eve"));
    let create = Order::of(isbn).max_total(100).build();
    ann.publish_create(&create).await.unwrap();
    let quoted = stage.outcome(create.request_id, SOON).await.unwrap();
    assert_eq!(eve.get(create.request_id).await.unwrap(), None);
    for reply in [
        eve.cancel(create.request_id).await.unwrap(),
        eve.raise_limit(create.request_id, 2 * PRICE).await.unwrap(),
        eve.accept_quote(&quoted).await.unwrap(),
    ] {
        assert_eq!(rejected(reply).0, RejectReason::NotFound);
    }
    let view = ann.get(create.request_id).await.unwrap().unwrap();
    assert_eq!((view.version, view.status), (quoted.request.version, PurchaseStatus::Quoted));
    stage.judge().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn doubled_reordered_and_replayed_answers_change_nothing() {
    let isbn = book(805);
    let noisy = toml::toml! {
        quotes = { duplicate_permille = 1000, duplicate_within_ms = 60, reorder_permille = 500, reorder_within_ms = 150 }
        commands = { duplicate_permille = 1000, duplicate_within_ms = 60, reorder_permille = 500, reorder_within_ms = 150 }
    };
    let answers = Delivery {
        duplicate_permille: Permille::ALWAYS,
        duplicate_within_ms: 60,
        reorder_permille: Permille::new(500),
        reorder_within_ms: 150,
        ..Delivery::default()
    };
    let scenario = world("doubled answers", 95)
        .partner_with("noisy-a", Instant, noisy.clone())
        .partner_with("noisy-b", Instant, noisy)
        .price_everywhere(isbn, flat(PRICE))
        .payment(PaymentSettings { answers, ..PaymentSettings::default() });
    let mut stage = start(scenario).await;
    let ann = stage.requester("ann");
    let creates: Vec<_> = (0..6).map(|_| Order::of(isbn).build()).collect();
    for create in &creates {
        ann.publish_create(create).await.unwrap();
    }
    for create in &creates {
        stage.told(create.request_id, Ordered).await;
    }
    stage.settle(SOON).await.unwrap();
    let before = views(&ann, &creates).await;
    for stream in [name::PARTNER_REPLIES, name::PAYMENT_REPLIES] {
        let mut tail = StreamTail::new(stage.client(), stream);
        tail.poll().await.unwrap();
        assert!(tail.seen().len() >= 2 * creates.len(), "{stream}");
        for seen in tail.into_seen() {
            publish_copy(&stage, seen.subject, seen.body).await;
        }
    }
    stage.settle(SOON).await.unwrap();
    assert_eq!(views(&ann, &creates).await, before);
    let evidence = stage.judge().await;
    for create in &creates {
        assert_eq!(books(&evidence, create).paid(), PRICE);
    }
}

async fn views(
    customer: &Requester,
    creates: &[schemas::purchase::CreatePurchase],
) -> Vec<schemas::purchase::PurchaseView> {
    let mut views = Vec::new();
    for create in creates {
        views.push(customer.get(create.request_id).await.unwrap().unwrap());
    }
    views
}
