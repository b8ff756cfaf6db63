//! Killed at the worst moments, run twice, cut off from the server: everything arrives, and what
//! arrives twice has the same id.

use std::collections::BTreeSet;

use schemas::event::NotificationOutcome::Ordered;
use schemas::stream::name;

use crate::hook::Answer;
use crate::stage::{SECRET, both, hooked, mailed, notification, notifier, prepare, start};

#[tokio::test(flavor = "multi_thread")]
async fn killed_before_a_call_is_recorded_it_calls_again_under_the_same_id() {
    let mut stage = start(|hook| hooked("ann", &hook.url(), &[SECRET])).await;
    stage.hook.then([Answer::Never]);
    stage.tell(&notification("ann", 1, Ordered)).await;
    stage.calls(1).await;
    stage.notifier.kill_9().unwrap();
    stage.notifier.start().unwrap();
    let calls = stage.calls(2).await;
    assert_eq!(calls[0].id(), calls[1].id());
    assert_eq!(calls[0].body, calls[1].body);
    assert!(calls.iter().all(|call| call.is_signed_with(SECRET)));
    let done = stage.all("ann", 1, "delivered").await;
    assert_eq!(done[0].attempts, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_before_a_mail_is_recorded_it_mails_again_under_the_same_message_id() {
    let mut stage = start(|_| mailed("ann")).await;
    stage.mail.silent(true);
    stage.tell(&notification("ann", 1, Ordered)).await;
    stage.mails(1).await;
    stage.notifier.kill_9().unwrap();
    stage.mail.silent(false);
    stage.notifier.start().unwrap();
    let mails = stage.mails(2).await;
    let id = mails[0].header("Message-ID").unwrap();
    assert!(id.starts_with("<msg_") && id.ends_with("@example.com>"), "{id}");
    assert_eq!(mails[1].header("Message-ID").unwrap(), id);
    stage.all("ann", 1, "delivered").await;
}

/// What a kill between the write of a delivery and the ack leaves behind: every notification comes
/// once more, and its delivery is there.
#[tokio::test(flavor = "multi_thread")]
async fn killed_before_the_ack_it_sends_nothing_twice() {
    let mut stage = start(|hook| both("ann", hook)).await;
    for n in 0..5 {
        stage.tell(&notification("ann", n, Ordered)).await;
    }
    stage.all("ann", 10, "delivered").await;
    stage.notifier.kill_9().unwrap();
    let stream = stage.context.get_stream(name::NOTIFICATIONS).await.unwrap();
    stream.delete_consumer("notifier").await.unwrap();
    stage.notifier.start().unwrap();
    stage.tell(&notification("ann", 5, Ordered)).await;
    stage.all_taken().await;
    stage.all("ann", 12, "delivered").await;
    assert_eq!((stage.hook.received().len(), stage.mail.mails().len()), (6, 6));
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_with_deliveries_waiting_it_goes_on_where_it_was() {
    let mut stage = start(|hook| hooked("ann", &hook.url(), &[SECRET])).await;
    stage.hook.always(Answer::Status(500));
    for n in 0..10 {
        stage.tell(&notification("ann", n, Ordered)).await;
    }
    stage.calls(3).await;
    stage.notifier.kill_9().unwrap();
    stage.hook.always(Answer::Status(204));
    stage.notifier.start().unwrap();
    let done = stage.all("ann", 10, "delivered").await;
    let called: BTreeSet<_> =
        stage.hook.received().iter().map(|call| call.id().to_owned()).collect();
    assert_eq!(called, done.iter().map(|done| done.id.to_string()).collect());
}

#[tokio::test(flavor = "multi_thread")]
async fn two_notifiers_at_once_share_the_work_and_send_nothing_twice() {
    let mut stage = prepare(|hook| both("ann", hook), |_| {}).await;
    let mut second = notifier(&stage.nats, &stage.config, stage.dir.path(), "second");
    stage.notifier.start().unwrap();
    second.start().unwrap();
    for n in 0..40 {
        stage.tell(&notification("ann", n, Ordered)).await;
    }
    stage.all("ann", 80, "delivered").await;
    assert_eq!((stage.hook.received().len(), stage.mail.mails().len()), (40, 40));
    // The other one goes on alone.
    stage.notifier.kill_9().unwrap();
    stage.tell(&notification("ann", 40, Ordered)).await;
    stage.all("ann", 82, "delivered").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_nats_server_loses_no_delivery() {
    let mut stage = start(|hook| both("ann", hook)).await;
    for n in 0..20 {
        stage.tell(&notification("ann", n, Ordered)).await;
    }
    stage.calls(1).await;
    stage.nats.kill_9().unwrap();
    stage.nats.restart().unwrap();
    stage.all("ann", 40, "delivered").await;
    let ids: BTreeSet<_> = stage.hook.received().iter().map(|call| call.id().to_owned()).collect();
    assert_eq!(ids.len(), 20);
    assert!(stage.notifier.is_running());
}

#[tokio::test(flavor = "multi_thread")]
async fn asked_to_stop_it_ends_in_order() {
    let mut stage = start(|hook| both("ann", hook)).await;
    stage.tell(&notification("ann", 1, Ordered)).await;
    stage.all("ann", 2, "delivered").await;
    let ended = stage.notifier.terminate(crate::stage::SOON).await.unwrap();
    assert!(ended.success(), "{}", stage.notifier.log_tail());
}
