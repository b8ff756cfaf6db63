//! The shipped permissions are enough for the notifier and for the operator.

use async_nats::ConnectOptions;
use schemas::event::NotificationOutcome::Ordered;
use tests::nats_server::shipped::permissions;

use crate::hook::Answer;
use crate::stage::{SECRET, hooked, notification, prepare_on};

fn login(user: &str) -> ConnectOptions {
    ConnectOptions::with_user_and_password(user.to_owned(), format!("pw-{user}"))
        .custom_inbox_prefix(format!("_INBOX.{user}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_shipped_permissions_let_notifier_and_operator_do_their_work() {
    let mut stage = prepare_on(
        permissions().unwrap(),
        async |url| login("broker").connect(url).await.unwrap(),
        |hook| hooked("alice", &hook.url(), &[SECRET]),
        |config| config.webhook.schedule_ms.truncate(1),
    )
    .await;
    stage.notifier.set_env("BROKER__NATS__USER", "notifier");
    stage.notifier.set_env("BROKER__NATS__PASSWORD", "pw-notifier");
    stage.notifier.set_env("BROKER__NATS__INBOX_PREFIX", "_INBOX.notifier");
    stage.hook.then([Answer::Status(500)]);
    stage.notifier.start().unwrap();
    stage.tell(&notification("alice", 1, Ordered)).await;
    stage.tell_raw(&notification("alice", 2, Ordered), b"{oops".to_vec(), "oops").await;
    stage.log_has("state=\"failed\"").await;
    stage.all("alice", 1, "failed").await;
    stage.all_taken().await;
    let operator = ["--user", "operator", "--password", "pw-operator", "--inbox-prefix"];
    let operator = [&operator[..], &["_INBOX.operator"]].concat();
    let replay = ["webhooks", "replay", "--failed", "--customer", "alice"];
    let said = stage.broker(&[&replay[..], &operator[..]].concat()).await;
    assert!(said.contains("is due again"), "{said}");
    stage.all("alice", 1, "delivered").await;
    assert!(!stage.log().contains("ermissions"), "{}", stage.log());
}
