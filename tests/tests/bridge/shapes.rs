//! The same purchase at each of the five shapes of store.

use partner_sim::profile::ProfileName::{Calm, Instant};
use schemas::event::NotificationOutcome;
use schemas::purchase::{CreatePurchase, Strategy};
use tests::auditor::Evidence;
use tests::harness::{Example, Order, book, now};

use crate::stage::world;

fn flat(minor: u64) -> partner_sim::price::ScriptedPrice {
    partner_sim::price::ScriptedPrice { item: minor, shipping: 250, tax: 99, fee: 1 }
}

fn standing(evidence: &Evidence, create: &CreatePurchase) -> Vec<(String, u64)> {
    let live = evidence.partners.live_orders(create.request_id, now());
    live.iter().map(|o| (o.partner.to_string(), o.total().unwrap().minor())).collect()
}

/// From a request on NATS to an order over HTTP, and the auditor agrees.
async fn buys(test: &str, seed: u64, example: Example) {
    let isbn = book(1);
    let mut world = world(test, seed).store(example, Calm);
    world.scenario = world.scenario.price_everywhere(isbn, flat(1500));
    let mut stage = world.start().await;
    let create = Order::of(isbn).max_total(2000).build();
    stage.requester("ann").publish_create(&create).await.unwrap();
    stage.told(create.request_id, NotificationOutcome::Ordered).await;
    let evidence = stage.judge().await;
    assert_eq!(standing(&evidence, &create), [(example.partner.to_owned(), 1850)]);
    let held = evidence.partners.reservations.len();
    assert_eq!(held > 0, example.reserves, "{held} holds");
    let orders: Vec<_> = evidence.partners.orders_of(create.request_id).collect();
    assert_eq!(orders.iter().map(|order| order.copies).sum::<u32>(), 1, "sent once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_book_is_bought_at_a_store_that_answers_in_json() {
    buys("json", 1, Example::JSON).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_book_is_bought_at_a_store_that_calls_back() {
    buys("callback", 2, Example::CALLBACK).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_book_is_bought_at_a_store_that_speaks_xml() {
    buys("xml", 3, Example::XML).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_book_is_bought_at_a_store_that_is_asked_again_and_again() {
    buys("poll", 4, Example::POLL).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_book_is_bought_at_a_store_that_holds_nothing() {
    buys("no reservation", 5, Example::WALK_IN).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cheapest_of_all_shapes_sells_the_book_and_a_sold_out_store_is_heard() {
    let isbn = book(2);
    let mut world = world("all shapes", 6);
    for example in [Example::JSON, Example::CALLBACK, Example::XML, Example::POLL, Example::WALK_IN]
    {
        world = world.store(example, Instant);
    }
    world.scenario = world
        .scenario
        .price_everywhere(isbn, flat(1500))
        .price(Example::XML.partner, isbn, flat(1200))
        .price(Example::POLL.partner, isbn, flat(900))
        .stock(Example::POLL.partner, isbn, 0);
    let mut stage = world.start().await;
    let create = Order::of(isbn).max_total(2000).strategy(Strategy::Cheapest).build();
    stage.requester("ann").publish_create(&create).await.unwrap();
    stage.told(create.request_id, NotificationOutcome::Ordered).await;
    let notified = stage.outcome(create.request_id, crate::stage::SOON).await.unwrap();
    let receipt = notified.receipt.unwrap();
    assert_eq!((receipt.asked, receipt.answered), (5, 5));
    let evidence = stage.judge().await;
    assert_eq!(standing(&evidence, &create), [(Example::XML.partner.to_owned(), 1550)]);
}

/// Stores that lose, delay, refuse for want of time and answer late: every request comes to a
/// right end.
#[tokio::test(flavor = "multi_thread")]
async fn flaky_stores_of_every_shape_cost_patience_and_no_order() {
    let isbn = book(3);
    let faults = || {
        toml::toml! {
            commands = { latency = { p50_ms = 20, p99_ms = 100 }, silent_permille = 100 }
            quotes = { latency = { p50_ms = 20, p99_ms = 100 } }
            faults = { busy_permille = 150, lost_permille = 50, no_stock_permille = 100, accepted_without_answer_permille = 200 }
        }
    };
    let mut world = world("flaky shapes", 7);
    for example in [Example::JSON, Example::CALLBACK, Example::XML, Example::POLL, Example::WALK_IN]
    {
        world = world.store_with(example, Instant, faults());
    }
    world.scenario = world.scenario.price_everywhere(isbn, flat(1500));
    let mut stage = world.start().await;
    let ann = stage.requester("ann");
    let mut requests = Vec::new();
    for _ in 0..15 {
        let create = Order::of(isbn).max_total(2000).build();
        ann.publish_create(&create).await.unwrap();
        requests.push(create.request_id);
    }
    for request in requests {
        stage.outcome(request, crate::stage::SOON).await.unwrap();
    }
    stage.judge().await;
}
