//! What is no notification, or somebody else's, reaches nobody and stops nothing.

use schemas::event::NotificationOutcome::Ordered;
use schemas::stream::name;
use schemas::{json, subject};

use crate::stage::{both, customer, notification, start};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_notification_becomes_a_dead_letter_and_the_next_is_delivered() {
    let stage = start(|hook| both("ann", hook)).await;
    let told = notification("ann", 1, Ordered);
    let strange: [&[u8]; 4] = [b"{oops", b"[]", b"\xff\xfe", br#"{"notification_id":"1"}"#];
    for (n, body) in (0..).zip(strange) {
        stage.tell_raw(&told, body.to_vec(), &format!("strange-{n}")).await;
    }
    stage.tell(&told).await;
    stage.all("ann", 2, "delivered").await;
    stage.all_taken().await;
    let mut letters = stage.context.get_stream(name::DEAD_LETTERS).await.unwrap();
    assert_eq!(letters.info().await.unwrap().state.messages, 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notification_on_the_subject_of_another_customer_reaches_neither() {
    let stage = start(|hook| both("ann", hook) + &both("bob", hook)).await;
    let of_ann = notification("ann", 1, Ordered);
    let of_bob = subject::notification(&customer("bob"), "ordered");
    let stored = stage.context.publish(of_bob, json::encode(&of_ann).into()).await.unwrap();
    stored.await.unwrap();
    stage.tell(&notification("bob", 2, Ordered)).await;
    stage.all("bob", 2, "delivered").await;
    stage.all_taken().await;
    assert_eq!((stage.hook.received().len(), stage.mail.mails().len()), (1, 1));
    let mut letters = stage.context.get_stream(name::DEAD_LETTERS).await.unwrap();
    assert_eq!(letters.info().await.unwrap().state.messages, 1);
}
