//! The file of subscribers: changed while the notifier runs, rotated, broken.

use schemas::event::NotificationOutcome::Ordered;

use crate::stage::{NEW_SECRET, SECRET, SOON, hooked, mailed, notification, prepare, start};

#[tokio::test(flavor = "multi_thread")]
async fn while_a_secret_is_replaced_both_the_old_and_the_new_one_prove_a_call() {
    let stage = start(|hook| hooked("ann", &hook.url(), &[SECRET])).await;
    let url = stage.hook.url();
    let signed = async |n: u32| {
        stage.tell(&notification("ann", n, Ordered)).await;
        let calls = stage.calls(usize::try_from(n).unwrap()).await;
        let last = calls.last().unwrap();
        (last.is_signed_with(SECRET), last.is_signed_with(NEW_SECRET))
    };
    let read_again = async |times: usize| {
        let read = || stage.log().matches("subscribers read again").count();
        stage.until("the file is read", async || (read() == times).then_some(())).await;
    };
    assert_eq!(signed(1).await, (true, false));
    stage.subscribe(&hooked("ann", &url, &[NEW_SECRET, SECRET]));
    read_again(1).await;
    assert_eq!(signed(2).await, (true, true));
    stage.subscribe(&hooked("ann", &url, &[NEW_SECRET]));
    read_again(2).await;
    assert_eq!(signed(3).await, (false, true));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_file_is_refused_and_the_old_one_stays_in_force() {
    let stage = start(|hook| hooked("ann", &hook.url(), &[SECRET])).await;
    stage.tell(&notification("ann", 1, Ordered)).await;
    stage.calls(1).await;
    stage.subscribe("[[subscriber]]\ncustomer_id = \"ann\"\nwebhok = { url = \"https://hush\" }\n");
    stage.log_has("subscribers as they were stay in force").await;
    stage.tell(&notification("ann", 2, Ordered)).await;
    stage.calls(2).await;
    stage.subscribe(&(hooked("ann", &stage.hook.url(), &[SECRET]) + &mailed("bob")));
    stage.log_has("subscribers read again").await;
    stage.tell(&notification("bob", 1, Ordered)).await;
    stage.mails(1).await;
    assert!(!stage.log().contains("hush"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_to_somebody_who_has_left_is_kept_and_not_sent() {
    let stage = start(|hook| hooked("ann", &hook.url(), &[SECRET])).await;
    stage.hook.always(crate::hook::Answer::Status(500));
    stage.tell(&notification("ann", 1, Ordered)).await;
    stage.calls(1).await;
    stage.subscribe(&mailed("bob"));
    let failed = stage.all("ann", 1, "failed").await;
    assert_eq!(failed[0].last_failure.unwrap().why.label(), "not_subscribed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_a_template_or_a_setting_that_cannot_be_used_is_told_at_start() {
    let broken = [
        ("subscribers.toml", "[[subscriber]]\n", "subscribers_file"),
        ("templates/body.txt", "{{ request.nothing }}", "body.txt, line 1"),
    ];
    for (file, text, told) in broken {
        let mut stage = prepare(
            |_| mailed("ann"),
            |config| {
                let dir = config.subscribers_file.as_ref().unwrap().with_file_name("templates");
                std::fs::create_dir(&dir).unwrap();
                config.email.as_mut().unwrap().templates_dir = Some(dir);
            },
        )
        .await;
        std::fs::write(stage.dir.path().join(file), text).unwrap();
        stage.notifier.start().unwrap();
        let ended = stage.notifier.wait_for_end(SOON).await.unwrap();
        assert!(!ended.success());
        assert!(stage.log().contains(told), "{told} in {}", stage.log());
    }
}
