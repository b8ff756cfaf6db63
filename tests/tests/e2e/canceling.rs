//! A cancel at every point of a request's life.

use partner_sim::profile::ProfileName::{Calm, Instant, NoReservation};
use schemas::RejectReason;
use schemas::event::NotificationOutcome;
use schemas::purchase::PurchaseStatus;
use tests::harness::{Order, book};

use crate::stage::{SOON, accepted, asks_about, books, flat, rejected, start, world};

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_while_searching_ends_the_search() {
    let isbn = book(401);
    let slow = toml::toml! {
        response_ms = 2500
        quotes = { latency = { p50_ms = 2000, p99_ms = 2200 } }
    };
    let scenario = world("cancel searching", 51).partner_with("slow", Calm, slow);
    let mut stage = start(scenario).await;
    let ann = stage.requester("ann");
    let create = Order::of(isbn).build();
    accepted(ann.create(&create).await.unwrap());
    stage.heard("the store is asked", |seen| asks_about(seen, isbn)).await;
    let (_, view) = accepted(ann.cancel(create.request_id).await.unwrap());
    assert_eq!(view.status, PurchaseStatus::Canceled);
    stage.told(create.request_id, NotificationOutcome::Canceled).await;
    let evidence = stage.judge().await;
    assert_eq!(books(&evidence, &create).ever_ordered(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_before_the_order_gives_money_and_stock_back() {
    let isbn = book(402);
    let scenario =
        world("cancel authorizing", 52).partner("alpha", Instant).stock("alpha", isbn, 1);
    let mut stage = start(scenario).await;
    let ann = stage.requester("ann");
    let create = Order::of(isbn).payment_token("tok_action_abandoned").build();
    ann.publish_create(&create).await.unwrap();
    stage.told(create.request_id, NotificationOutcome::ActionRequired).await;
    let (_, view) = accepted(ann.cancel(create.request_id).await.unwrap());
    assert_eq!(view.status, PurchaseStatus::Canceled);
    stage.told_later(create.request_id, NotificationOutcome::Canceled).await;

    // The only copy is on the shelf again.
    stage.settle(SOON).await.unwrap();
    let next = Order::of(isbn).build();
    ann.publish_create(&next).await.unwrap();
    stage.told(next.request_id, NotificationOutcome::Ordered).await;
    let evidence = stage.judge().await;
    assert_eq!(books(&evidence, &create).ever_ordered(), []);
    assert!(books(&evidence, &create).nothing_held());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_after_the_order_makes_the_store_take_it_back_and_refunds() {
    let isbn = book(403);
    let scenario =
        world("cancel ordered", 53).partner("alpha", Instant).price_everywhere(isbn, flat(800));
    let mut stage = start(scenario).await;
    let ann = stage.requester("ann");
    // The first void or refund fails, and is tried again.
    let create = Order::of(isbn).payment_token("tok_refund_fails_once").build();
    ann.publish_create(&create).await.unwrap();
    stage.told(create.request_id, NotificationOutcome::Ordered).await;
    stage.settle(SOON).await.unwrap();
    let (_, view) = accepted(ann.cancel(create.request_id).await.unwrap());
    assert!(view.cancel_requested);
    let canceled = stage.told_later(create.request_id, NotificationOutcome::Canceled).await;
    assert_eq!(canceled.number, 1);
    let evidence = stage.judge().await;
    let books = books(&evidence, &create);
    assert_eq!((books.standing(), books.ever_ordered().len(), books.paid()), (vec![], 1, 0));
    assert!(books.nothing_held());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_after_an_order_that_cannot_be_taken_back_is_too_late() {
    let isbn = book(404);
    let scenario = world("cancel too late", 54)
        .partner("walk-in", NoReservation)
        .price_everywhere(isbn, flat(800));
    let mut stage = start(scenario).await;
    let ann = stage.requester("ann");
    let create = Order::of(isbn).build();
    ann.publish_create(&create).await.unwrap();
    stage.told(create.request_id, NotificationOutcome::Ordered).await;
    let (reason, _) = rejected(ann.cancel(create.request_id).await.unwrap());
    assert_eq!(reason, RejectReason::TooLate);
    let evidence = stage.judge().await;
    assert_eq!(books(&evidence, &create).paid(), 800);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancel_while_the_order_is_out_waits_for_its_answer_and_follows_the_truth() {
    let isbn = book(405);
    let slow = toml::toml! { commands = { latency = { p50_ms = 500, p99_ms = 600 } } };
    let scenario = world("cancel racing order", 55)
        .partner_with("alpha", Calm, slow)
        .price_everywhere(isbn, flat(800));
    let mut stage = start(scenario).await;
    let ann = stage.requester("ann");
    let create = Order::of(isbn).build();
    ann.publish_create(&create).await.unwrap();
    stage.heard_order().await;
    let (_, view) = accepted(ann.cancel(create.request_id).await.unwrap());
    assert!(view.cancel_requested, "{view:?}");
    stage.told_later(create.request_id, NotificationOutcome::Canceled).await;
    let evidence = stage.judge().await;
    let books = books(&evidence, &create);
    assert_eq!((books.standing(), books.paid()), (vec![], 0));
    assert!(books.nothing_held());
}
