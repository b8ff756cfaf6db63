//! Deadlines: nothing is ordered at or after them, and the customer is told.

use std::time::Duration;

use broker::config::PolicyOverrides;
use partner_sim::profile::ProfileName::{Calm, Instant};
use schemas::event::NotificationOutcome;
use schemas::purchase::UpdatePurchase;
use schemas::{CommandId, DurationMs, RejectReason, Timestamp};
use tests::auditor::Command;
use tests::harness::{Order, book};

use crate::stage::{accepted, books, flat, quick, rejected, start, world};

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_no_store_answers_expires_and_its_customer_is_told() {
    let isbn = book(301);
    let mute = toml::toml! { quotes = { silent_permille = 1000 } };
    let policy = PolicyOverrides { placement_budget_ms: Some(DurationMs(300)), ..quick() };
    let scenario = world("nobody answers", 41)
        .partner_with("mute-a", Calm, mute.clone())
        .partner_with("mute-b", Calm, mute)
        .policy(policy);
    let mut stage = start(scenario).await;
    let create = Order::of(isbn).expires_in(Duration::from_millis(1500)).build();
    stage.requester("ann").publish_create(&create).await.unwrap();
    let told = stage.told(create.request_id, NotificationOutcome::Expired).await;
    assert!(told.at >= create.expires_at, "not before the deadline");
    let evidence = stage.judge().await;
    assert_eq!(evidence.payments.payments_of(create.request_id).count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_is_not_out_of_stock() {
    let isbn = book(302);
    let mute = toml::toml! {
        response_ms = 300
        quotes = { silent_permille = 1000 }
    };
    let scenario = world("silence", 42)
        .partner_with("mute-a", Calm, mute.clone())
        .partner_with("mute-b", Calm, mute)
        .partner("empty", Instant)
        .stock("empty", isbn, 0);
    let mut stage = start(scenario).await;
    let create = Order::of(isbn).build();
    stage.requester("ann").publish_create(&create).await.unwrap();
    let told = stage.told(create.request_id, NotificationOutcome::Failed).await;
    assert_eq!(told.request.failure, Some(RejectReason::PartnerUnavailable));
    stage.judge().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_too_close_to_buy_in_time_buys_nothing() {
    let isbn = book(303);
    let scenario = world("too close", 43).partners(Instant, 2).price_everywhere(isbn, flat(500));
    let mut stage = start(scenario).await;
    let create = Order::of(isbn).expires_in(Duration::from_secs(1)).build();
    stage.requester("ann").publish_create(&create).await.unwrap();
    stage.told(create.request_id, NotificationOutcome::Expired).await;
    let evidence = stage.judge().await;
    assert_eq!(books(&evidence, &create).ever_ordered(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_in_the_past_is_refused_at_the_door() {
    let isbn = book(304);
    let stage = start(world("past", 44).partners(Instant, 1)).await;
    let mut create = Order::of(isbn).build();
    create.expires_at = Timestamp::from_unix_ms(create.request_id.unix_ms());
    let reply = stage.requester("ann").create(&create).await.unwrap();
    let (reason, detail) = rejected(reply);
    assert_eq!(reason, RejectReason::ExpiryOutOfRange, "{detail}");
    stage.judge().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_moved_into_the_past_expires_the_request() {
    let isbn = book(306);
    let scenario =
        world("shortened deadline", 46).partners(Instant, 2).price_everywhere(isbn, flat(2500));
    let mut stage = start(scenario).await;
    let ann = stage.requester("ann");
    let create = Order::of(isbn).max_total(2000).watch().build();
    ann.publish_create(&create).await.unwrap();
    stage.told(create.request_id, NotificationOutcome::Quoted).await;
    let update = UpdatePurchase {
        request_id: create.request_id,
        command_id: CommandId::parse("hurry-1").unwrap(),
        if_version: None,
        max_total: None,
        expires_at: Some(Timestamp::from_unix_ms(create.request_id.unix_ms())),
        strategy: None,
    };
    accepted(ann.request(Command::Update(update)).await.unwrap());
    stage.told_later(create.request_id, NotificationOutcome::Expired).await;
    stage.judge().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn expiry_while_authorizing_gives_money_and_stock_back() {
    let isbn = book(305);
    let scenario = world("expiry while authorizing", 45)
        .partner("alpha", Instant)
        .price_everywhere(isbn, flat(500));
    let mut stage = start(scenario).await;
    // The money is held and nobody says so until it is too late to order.
    let create = Order::of(isbn)
        .payment_token("tok_silent_once")
        .expires_in(Duration::from_millis(2500))
        .build();
    stage.requester("ann").publish_create(&create).await.unwrap();
    stage.told(create.request_id, NotificationOutcome::Expired).await;
    let evidence = stage.judge().await;
    assert_eq!(evidence.payments.payments_of(create.request_id).count(), 1);
    let books = books(&evidence, &create);
    assert_eq!(books.ever_ordered(), []);
    assert!(books.nothing_held());
}
