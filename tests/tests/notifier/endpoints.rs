//! Endpoints as they are: silent, busy, gone, elsewhere, or somebody else's.

use broker_notifier::record::{State, Why};
use schemas::DurationMs;
use schemas::event::NotificationOutcome::Ordered;

use crate::hook::{Answer, Hook};
use crate::stage::{SECRET, calls, hooked, notification, prepare, start, start_with};

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_never_answers_holds_its_few_places_and_delays_nobody() {
    let silent = Hook::start().await;
    silent.always(Answer::Never);
    let stage = start_with(
        |hook| hooked("slow", &silent.url(), &[SECRET]) + &hooked("ann", &hook.url(), &[SECRET]),
        // Longer than the test: what hangs, hangs.
        |config| config.webhook.timeout_ms = DurationMs::from_secs(120),
    )
    .await;
    for n in 0..20 {
        stage.tell(&notification("slow", n, Ordered)).await;
    }
    calls(&silent, 2, &stage.notifier).await;
    for n in 0..20 {
        stage.tell(&notification("ann", n, Ordered)).await;
    }
    stage.all("ann", 20, "delivered").await;
    assert_eq!(silent.received().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_without_an_answer_is_repeated_after_its_time_out() {
    let stage = start(|hook| hooked("ann", &hook.url(), &[SECRET])).await;
    stage.hook.then([Answer::Never]);
    stage.tell(&notification("ann", 1, Ordered)).await;
    let done = stage.all("ann", 1, "delivered").await;
    assert_eq!((done[0].attempts, done[0].last_failure.unwrap().why), (2, Why::TimedOut));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_endpoint_is_left_alone_as_long_as_it_asks() {
    let stage = start(|hook| hooked("ann", &hook.url(), &[SECRET])).await;
    stage.hook.then([Answer::With(429, "retry-after", "2".to_owned())]);
    stage.tell(&notification("ann", 1, Ordered)).await;
    let done = stage.all("ann", 1, "delivered").await;
    let failure = done[0].last_failure.unwrap();
    assert_eq!((done[0].attempts, failure.why, failure.code), (2, Why::Status, Some(429)));
    let State::Delivered { at } = done[0].state else { panic!("{done:?}") };
    assert!(at.since(failure.at) >= DurationMs(2000), "{:?}", at.since(failure.at));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_is_a_failure_and_is_not_followed() {
    let elsewhere = Hook::start().await;
    let stage = start(|hook| hooked("ann", &hook.url(), &[SECRET])).await;
    stage.hook.then([302, 307].map(|code| Answer::With(code, "location", elsewhere.url())));
    stage.tell(&notification("ann", 1, Ordered)).await;
    let done = stage.all("ann", 1, "delivered").await;
    let failure = done[0].last_failure.unwrap();
    assert_eq!((failure.why, failure.code), (Why::Redirected, Some(307)));
    assert_eq!(elsewhere.received().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_of_the_own_network_is_not_called_unless_it_is_allowed_by_name() {
    let stage = start_with(
        |hook| {
            let url = hook.url().replace("http://127.0.0.1", "https://localhost");
            hooked("ann", &url, &[SECRET])
        },
        |config| {
            config.webhook.allow_private_hosts.clear();
            config.webhook.schedule_ms.truncate(3);
        },
    )
    .await;
    stage.tell(&notification("ann", 1, Ordered)).await;
    let failed = stage.all("ann", 1, "failed").await;
    assert_eq!((failed[0].attempts, failed[0].last_failure.unwrap().why), (3, Why::AddressRefused));
    assert_eq!(stage.hook.received().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_is_gone_is_disabled_until_an_operator_enables_it() {
    let mut stage = start(|hook| hooked("ann", &hook.url(), &[SECRET])).await;
    stage.hook.then([Answer::Status(410)]);
    stage.tell(&notification("ann", 1, Ordered)).await;
    let failed = stage.all("ann", 1, "failed").await;
    assert_eq!(failed[0].last_failure.unwrap().why, Why::Gone);
    // The next life knows it, too.
    stage.notifier.kill_9().unwrap();
    stage.notifier.start().unwrap();
    stage.tell(&notification("ann", 2, Ordered)).await;
    let failed = stage.all("ann", 2, "failed").await;
    assert_eq!(failed[0].last_failure.unwrap().why, Why::EndpointDisabled);
    assert_eq!(stage.hook.received().len(), 1);

    let shown = stage.broker(&["webhooks", "endpoints"]).await;
    assert!(
        shown.contains("ann") && shown.contains("disabled") && shown.contains("gone"),
        "{shown}"
    );
    let enabled = stage.broker(&["webhooks", "enable", "--customer", "ann"]).await;
    assert!(enabled.contains("is enabled"), "{enabled}");
    stage.broker(&["webhooks", "replay", "--failed", "--customer", "ann"]).await;
    stage.all("ann", 2, "delivered").await;
    assert_eq!(stage.hook.received().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_fails_for_days_is_disabled() {
    let mut stage = prepare(
        |hook| hooked("ann", &hook.url(), &[SECRET]),
        |config| {
            config.webhook.disable_after_ms = DurationMs(500);
            config.breaker_open_ms = DurationMs(50);
        },
    )
    .await;
    stage.hook.always(Answer::Status(500));
    stage.notifier.start().unwrap();
    for n in 0..10 {
        stage.tell(&notification("ann", n, Ordered)).await;
    }
    let failed = stage.all("ann", 10, "failed").await;
    let disabled = |why| why == Why::EndpointDisabled;
    assert!(failed.iter().all(|failed| failed.last_failure.is_some_and(|f| disabled(f.why))));
    stage.log_has("an endpoint is disabled").await;
}
