//! A message at which the broker panics ends the process three times, by the broker's own count,
//! and is set aside then.

use std::time::Duration;

use broker::quarantine::PANICS_MAX;
use partner_sim::profile::ProfileName::Instant;
use schemas::event::DeadPayload;
use schemas::stream::name;
use schemas::{RejectReason, json};
use tests::harness::{Order, book};

use crate::dead_letters::still_buys;
use crate::stage::{start, world};

/// A debug build has a backtrace to print.
const ENDS_WITHIN: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread")]
async fn a_message_at_which_the_broker_panics_is_set_aside_and_others_are_served() {
    let mut stage = start(world("poison", 155).partners(Instant, 2)).await;
    stage.broker.terminate().await.unwrap();
    // The first of a new stream.
    stage.broker.poison(&format!("{}:1", name::PURCHASE_CREATES));
    let create = Order::of(book(1401)).build();
    stage.requester("ann").publish_create(&create).await.unwrap();
    for _ in 0..PANICS_MAX {
        stage.broker.process.start().unwrap();
        let ended = stage.broker.process.wait_for_end(ENDS_WITHIN).await.unwrap();
        assert!(!ended.success(), "{ended}");
        // The server's count is a hint: that of a new consumer starts anew.
        let jetstream = async_nats::jetstream::new(stage.client().clone());
        let stream = jetstream.get_stream(name::PURCHASE_CREATES).await.unwrap();
        stream.delete_consumer("broker_creates").await.unwrap();
    }
    stage.broker.start().await.unwrap();
    let set_aside =
        |letter: &schemas::event::DeadLetter| letter.reason == RejectReason::Quarantined;
    let letter = stage.dead_letter("the poison", set_aside).await;
    assert_eq!(letter.stream, name::PURCHASE_CREATES);
    let bytes = String::from_utf8(json::encode(&create)).unwrap();
    assert_eq!(letter.payload, DeadPayload::Text(bytes));
    still_buys(&mut stage, book(1402)).await;
    stage.judge().await;
}
