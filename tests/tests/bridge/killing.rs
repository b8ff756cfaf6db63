//! The bridge is killed while an order is under way.

use partner_sim::profile::ProfileName::Instant;
use schemas::event::NotificationOutcome;
use tests::harness::{Example, Order, book, wait};

use crate::stage::{SOON, start_bridge, world};

/// The store has taken the order and is slow to say so when the bridge dies.
async fn survives(test: &str, seed: u64, example: Example, sent_again: bool) {
    let isbn = book(1);
    let slow = toml::toml! {
        commands = { latency = { p50_ms = 1200, p99_ms = 1300 } }
    };
    let world = world(test, seed).store_with(example, Instant, slow);
    let mut stage = world.start().await;
    let create = Order::of(isbn).build();
    stage.requester("ann").publish_create(&create).await.unwrap();
    wait::until("the store has the order", SOON, async || {
        let ledger = stage.partners.partner_ledger().await?;
        let taken = ledger.orders_of(create.request_id).any(|order| order.accepted_at().is_some());
        Ok(taken.then_some(()))
    })
    .await
    .unwrap();
    stage.bridge.kill_9().unwrap();
    start_bridge(&mut stage.bridge).await;
    stage.told(create.request_id, NotificationOutcome::Ordered).await;
    let evidence = stage.judge().await;
    let orders: Vec<_> = evidence.partners.orders_of(create.request_id).collect();
    assert_eq!(orders.len(), 1);
    if !sent_again {
        assert_eq!(orders[0].copies, 1, "a store that cannot tell copies gets one");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_at_an_idempotent_store_survives_the_death_of_the_bridge() {
    survives("killed at json", 21, Example::JSON, true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_not_idempotent_gets_no_second_order_when_the_bridge_dies() {
    survives("killed at walk-in", 22, Example::WALK_IN, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_back_that_comes_while_the_bridge_is_dead_is_heard_by_the_next_one() {
    survives("killed at callback", 23, Example::CALLBACK, true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_asked_after_by_the_next_bridge() {
    survives("killed at poll", 24, Example::POLL, true).await;
}
