//! `watch`: the broker goes on looking until the deadline and buys when the world has changed.

use std::time::Duration;

use partner_sim::config::{PriceScript, StockScript};
use partner_sim::profile::ProfileName::Instant;
use schemas::event::NotificationOutcome;
use tests::harness::{Order, book};

use crate::stage::{books, flat, start, world};

#[tokio::test(flavor = "multi_thread")]
async fn a_watched_book_is_bought_when_its_price_drops() {
    let isbn = book(201);
    let scenario = world("price drops", 31).partners(Instant, 3).price_everywhere(isbn, flat(2500));
    let mut stage = start(scenario).await;
    let create = Order::of(isbn).max_total(2000).watch().build();
    stage.requester("ann").publish_create(&create).await.unwrap();
    stage.told(create.request_id, NotificationOutcome::Quoted).await;
    stage
        .reopen_stores(|config| {
            let cheaper =
                PriceScript { partner: None, isbn, item: 1900, shipping: 0, tax: 0, fee: 0 };
            config.price.push(cheaper);
        })
        .await;
    let ordered = stage.told_later(create.request_id, NotificationOutcome::Ordered).await;
    assert_eq!(ordered.number, 1, "the same price again is not told again");
    let evidence = stage.judge().await;
    assert_eq!(books(&evidence, &create).paid(), 1900);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watched_book_is_bought_when_a_copy_turns_up() {
    let isbn = book(202);
    let scenario = world("stock appears", 32)
        .partners(Instant, 3)
        .price_everywhere(isbn, flat(1500))
        .stock_everywhere(isbn, 0);
    let mut stage = start(scenario).await;
    let create = Order::of(isbn).max_total(2000).watch().build();
    stage.requester("ann").publish_create(&create).await.unwrap();
    stage.told(create.request_id, NotificationOutcome::OutOfStock).await;
    stage
        .reopen_stores(|config| {
            config.stock.push(StockScript { partner: None, isbn, on_hand: 1 });
        })
        .await;
    stage.told_later(create.request_id, NotificationOutcome::Ordered).await;
    let evidence = stage.judge().await;
    assert_eq!(books(&evidence, &create).paid(), 1500);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_that_finds_nothing_ends_as_expired() {
    let isbn = book(203);
    let scenario =
        world("watch expires", 33).partners(Instant, 3).price_everywhere(isbn, flat(2500));
    let mut stage = start(scenario).await;
    let create = Order::of(isbn).max_total(2000).watch().expires_in(Duration::from_secs(4)).build();
    stage.requester("ann").publish_create(&create).await.unwrap();
    stage.told(create.request_id, NotificationOutcome::Quoted).await;
    stage.told_later(create.request_id, NotificationOutcome::Expired).await;
    let evidence = stage.judge().await;
    assert_eq!(books(&evidence, &create).standing(), []);
}
