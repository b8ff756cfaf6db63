//! What has failed is kept, shown, and sent again when an operator says so.

use schemas::event::NotificationOutcome::Ordered;
use serde_json::Value;

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
