//! Taking the money of a standing order (C15–C17).

use broker_core::Event;
use broker_core::event::PaymentOutcome;
use broker_core::timer::TimerKind;
use schemas::subject::{PartnerOperation, PaymentOperation};

use crate::support::*;

fn capture(outcome: PaymentOutcome) -> Event {
    pays(1, PaymentOperation::Capture, outcome)
}

#[test]
fn captured_money_completes_the_purchase() {
    assert_shows(
        &Scene::capturing().shows(capture(captured(2500))),
        "
        rows:    C16
        status:  v6 ordered, sweep 1, notified 1
        attempt: 1 at plain: completed
        holds:   authorized 25.00 USD, intent of v4 cap 25.00 USD until +5.000s, order o-1 25.00 USD
        timers:  none
        effect:  event completed
        ",
    );
}

#[test]
fn another_amount_than_the_orders_is_an_incident() {
    assert_shows(
        &Scene::capturing().shows(capture(captured(2400))),
        "
        rows:    C16
        status:  v6 ordered, sweep 1, notified 1, incident CaptureFailed
        attempt: 1 at plain: completed
        holds:   authorized 25.00 USD, intent of v4 cap 25.00 USD until +5.000s, order o-1 25.00 USD
        timers:  none
        effect:  event incident
        effect:  event completed
        ",
    );
}

#[test]
fn an_unanswered_capture_is_sent_again_and_a_human_is_told_after_a_few() {
    let mut scene = Scene::capturing();
    assert_shows(
        &show(&scene.fire(TimerKind::Step)),
        "
        rows:    C17
        status:  v6 ordered, sweep 1, notified 1
        attempt: 1 at plain: capturing, tried 2 times
        holds:   authorized 25.00 USD, intent of v4 cap 25.00 USD until +5.000s, order o-1 25.00 USD
        timers:  step +4.000s
        effect:  pay capture#1 25.00 USD
        ",
    );
    for _ in 2..policy().capture_tries {
        scene.fire(TimerKind::Step);
    }
    assert_shows(
        &show(&scene.fire(TimerKind::Step)),
        "
        rows:    C17
        status:  v10 ordered, sweep 1, notified 1, incident CaptureFailed
        attempt: 1 at plain: capturing, tried 6 times
        holds:   authorized 25.00 USD, intent of v4 cap 25.00 USD until +5.000s, order o-1 25.00 USD
        timers:  step +310.000s
        effect:  event incident
        effect:  pay capture#1 25.00 USD
        ",
    );
    assert_shows(
        &scene.shows(capture(captured(2500))),
        "
        rows:    C16
        status:  v11 ordered, sweep 1, notified 1
        attempt: 1 at plain: completed
        holds:   authorized 25.00 USD, intent of v4 cap 25.00 USD until +5.000s, order o-1 25.00 USD
        timers:  none
        effect:  event completed
        ",
    );
}

#[test]
fn a_busy_provider_does_not_end_a_capture() {
    for outcome in [PaymentOutcome::Failed, no_payment(false)] {
        let shown = Scene::capturing().shows(capture(outcome));
        assert_eq!(shown, "nothing to do: not captured yet; asked again later\n");
    }
}

#[test]
fn money_that_cannot_be_taken_gives_the_order_back() {
    for outcome in [PaymentOutcome::Declined, PaymentOutcome::Voided, no_payment(true)] {
        assert_shows(
            &Scene::capturing().shows(capture(outcome)),
            "
        rows:    C17
        status:  v6 ordered, sweep 1, notified 1, incident CaptureFailed
        attempt: 1 at plain: failed (capture_failed)
        holds:   authorized 25.00 USD, intent of v4 cap 25.00 USD until +5.000s, order o-1 25.00 USD
        undo:    cancelorder#1 at plain, sent 1 times, lapses +0.000s
        timers:  undo +1.000s
        effect:  event incident
        effect:  plain cancel#1
        ",
        );
    }
}

#[test]
fn an_order_that_can_be_neither_paid_nor_given_back_stands_as_an_incident() {
    let mut scene = Scene::capturing_at("mute");
    assert_shows(
        &scene.shows(capture(PaymentOutcome::Declined)),
        "
        rows:    C17
        status:  v6 ordered, sweep 1, notified 1, incident CaptureFailed
        attempt: 1 at mute: failed (capture_failed)
        holds:   authorized 25.00 USD, intent of v4 cap 25.00 USD until +5.000s, order o-1 25.00 USD
        timers:  none
        effect:  event incident
        ",
    );
}

#[test]
fn an_unpaid_order_that_is_given_back_ends_as_failed_and_keeps_no_hold() {
    let gone = says("plain", 1, PartnerOperation::Cancel, canceled("o-1"));
    assert_shows(
        &Scene::capture_failed().shows(gone),
        "
        rows:    -
        status:  v7 failed (capture_failed), sweep 1, notified 2, incident CaptureFailed
        attempt: 1 at plain: failed (capture_failed)
        holds:   authorized 25.00 USD, intent of v4 cap 25.00 USD until +5.000s, order o-1 25.00 USD
        undo:    void#1 at plain, sent 1 times, lapses +0.500s
        timers:  undo +1.000s
        effect:  event failed
        effect:  notify 1 failed
        effect:  pay void#1
        ",
    );
}
