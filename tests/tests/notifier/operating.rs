//! What has failed is kept, shown, and sent again when an operator says so.

use schemas::event::NotificationOutcome::Ordered;
use serde_json::Value;

use broker_notifier::record::Why;
use schemas::DurationMs;
use schemas::bucket::NOTIFIER_DELIVERIES;
use schemas::stream::name;

use crate::hook::Answer;
use crate::stage::{SECRET, hooked, notification, start_with};

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_that_failed_for_good_is_kept_shown_and_replayed_under_its_id() {
    let stage = start_with(
        |hook| hooked("ann", &hook.url(), &[SECRET]),
        |config| config.webhook.schedule_ms.truncate(3),
    )
    .await;
    stage.hook.always(Answer::Status(500));
    stage.tell(&notification("ann", 1, Ordered)).await;
    let failed = stage.all("ann", 1, "failed").await;
    let id = failed[0].id.to_string();
    assert_eq!(stage.hook.received().len(), 3);

    let list = stage.broker(&["webhooks", "list", "--status", "failed"]).await;
    assert!(list.contains(&id) && list.contains("status 500"), "{list}");
    let listed: Value =
        serde_json::from_str(&stage.broker(&["webhooks", "list", "--json"]).await).unwrap();
    assert_eq!(listed[0]["id"], id.as_str());
    assert_eq!(listed[0]["notification"], Value::Null, "a list shows no contents");
    let shown: Value =
        serde_json::from_str(&stage.broker(&["webhooks", "show", &id, "--json"]).await).unwrap();
    assert_eq!(shown["notification"]["customer_id"], "ann");

    stage.hook.always(Answer::Status(204));
    let said = stage.broker(&["webhooks", "replay", &id]).await;
    assert!(said.contains("is due again"), "{said}");
    stage.all("ann", 1, "delivered").await;
    let calls = stage.hook.received();
    assert_eq!(calls.len(), 4);
    assert!(calls.iter().all(|call| call.id() == id));
    let said = stage.broker(&["webhooks", "replay", &id]).await;
    assert!(said.contains("is delivered already"), "{said}");
    stage.all("ann", 1, "delivered").await;
    assert_eq!(stage.hook.received().len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_that_grows_too_old_is_given_up_and_kept() {
    let stage = start_with(
        |hook| hooked("ann", &hook.url(), &[SECRET]),
        |config| config.age_max_ms = DurationMs(400),
    )
    .await;
    stage.hook.always(Answer::Status(500));
    stage.tell(&notification("ann", 1, Ordered)).await;
    let failed = stage.all("ann", 1, "failed").await;
    assert_eq!(failed[0].last_failure.unwrap().why, Why::TooOld);
    assert!(failed[0].notification.is_some());
}

/// Enough that the records of all of them have no room at once.
const MANY: u32 = 1600;
const BUCKET_BYTES: u64 = 4 * 1024 * 1024;

#[tokio::test(flavor = "multi_thread")]
async fn without_room_notifications_stay_in_their_stream_and_follow_when_there_is_some() {
    let stage = start_with(
        |hook| hooked("ann", &hook.url(), &[SECRET]),
        |config| {
            config.bucket_bytes_max = BUCKET_BYTES;
            config.webhook.endpoint_concurrency_max = 8;
            config.webhook.retry_after_max_ms = DurationMs(1000);
        },
    )
    .await;
    stage.hook.always(Answer::With(503, "retry-after", "1".to_owned()));
    for n in 0..MANY {
        stage.tell(&notification("ann", n, Ordered)).await;
    }
    stage.log_has("there is no room for its deliveries").await;
    let bytes = async || {
        let bucket = stage.context.get_key_value(NOTIFIER_DELIVERIES.name).await.ok()?;
        Some(bucket.status().await.ok()?.info.state.bytes)
    };
    let filled = bytes().await.unwrap();
    assert!(filled < BUCKET_BYTES / 100 * 85, "{filled} of {BUCKET_BYTES} bytes");
    let stream = stage.context.get_stream(name::NOTIFICATIONS).await.unwrap();
    let place = stream.consumer_info("notifier").await.unwrap();
    assert!(place.num_pending > 0 || place.num_ack_pending > 0, "{place:?}");
    stage.hook.always(Answer::Status(204));
    stage.all("ann", usize::try_from(MANY).unwrap(), "delivered").await;
    stage.all_taken().await;
}
