//! Canceling orders: standing ones at the customer's wish (C19, T19), rogue ones on our own.

use broker_core::Event;
use broker_core::effect::{Effect, PartnerCommand};
use broker_core::event::{PartnerOutcome, PaymentOutcome};
use broker_core::request::{Incident, KNOWN_ORDERS_MAX, UndoKind};
use broker_core::timer::TimerKind;
use broker_core::transition::Rejection;
use schemas::DurationMs;
use schemas::subject::{PartnerOperation, PaymentOperation};

use crate::support::*;

fn cancel_answer(outcome: PartnerOutcome) -> Event {
    says("plain", 1, PartnerOperation::Cancel, outcome)
}

#[test]
fn a_canceled_order_is_told_and_its_money_follows() {
    let mut scene = Scene::canceling();
    assert_shows(
        &scene.shows(cancel_answer(canceled("o-1"))),
        "
        rows:    T19
        status:  v8 canceled, sweep 1, notified 2, cancel requested
        attempt: 1 at plain: failed (canceled_by_customer)
        holds:   authorized 25.00 USD, intent of v4 cap 25.00 USD until +5.000s, order o-1 25.00 USD
        undo:    void#1 at plain, sent 1 times, lapses +0.500s
        timers:  undo +1.000s
        effect:  event canceled
        effect:  notify 1 canceled
        effect:  pay void#1
        ",
    );
    assert_shows(
        &scene.shows(void(captured(2500))),
        "
        rows:    -
        status:  v9 canceled, sweep 1, notified 2, cancel requested
        attempt: 1 at plain: failed (canceled_by_customer)
        holds:   authorized 25.00 USD, intent of v4 cap 25.00 USD until +5.000s, order o-1 25.00 USD
        undo:    refund#1 at plain, sent 1 times, lapses +0.500s
        timers:  undo +1.000s
        effect:  pay refund#1
        ",
    );
    assert_shows(
        &scene.shows(refund(PaymentOutcome::Refunded)),
        "
        rows:    -
        status:  v10 canceled, sweep 1, notified 2, cancel requested
        attempt: 1 at plain: failed (canceled_by_customer)
        holds:   authorized 25.00 USD, intent of v4 cap 25.00 USD until +5.000s, order o-1 25.00 USD
        timers:  none
        ",
    );
}

#[test]
fn a_cancel_refused_for_good_leaves_the_order_standing_and_paid() {
    let mut scene = Scene::canceling();
    assert_shows(
        &scene.shows(cancel_answer(refused(true))),
        "
        rows:    -
        status:  v8 ordered, sweep 1, notified 1
        attempt: 1 at plain: completed
        holds:   authorized 25.00 USD, intent of v4 cap 25.00 USD until +5.000s, order o-1 25.00 USD
        timers:  none
        effect:  event cancel_refused
        ",
    );
}

#[test]
fn a_cancel_refused_for_good_before_the_capture_is_followed_by_it() {
    let mut scene = Scene::placing().then(cancel()).then(says(
        "plain",
        1,
        PartnerOperation::Place,
        confirmed("o-1", 2500),
    ));
    assert_shows(
        &scene.shows(cancel_answer(refused(true))),
        "
        rows:    C15
        status:  v7 ordered, sweep 1, notified 1
        attempt: 1 at plain: capturing, tried 1 times
        holds:   authorized 25.00 USD, intent of v4 cap 25.00 USD until +5.000s, order o-1 25.00 USD
        timers:  step +2.000s
        effect:  event cancel_refused
        effect:  pay capture#1 25.00 USD
        ",
    );
}

#[test]
fn a_busy_partner_has_not_refused_the_cancel() {
    let mut scene = Scene::canceling();
    assert_shows(
        &scene.shows(cancel_answer(refused(false))),
        "
        nothing to do: not proven canceled; asked again later
        ",
    );
}

#[test]
fn a_refused_cancel_of_a_rogue_order_says_nothing_about_the_standing_one() {
    let mut scene = Scene::rogue_order_beside_a_standing_one();
    assert_shows(
        &head(&scene.request),
        "
        status:  v9 ordered, sweep 1, notified 1, incident LateOrder, tried plain fencing
        attempt: 2 at fencing: capturing, tried 1 times
        holds:   authorized 26.00 USD, intent of v7 cap 26.00 USD until +5.000s, order o-2 26.00 USD
        known:   o-1#1
        undo:    cancelorder#1 at plain, sent 1 times, lapses +0.000s
        timers:  step +2.000s, undo +1.000s
        ",
    );
    assert_shows(
        &scene.shows(cancel_answer(refused(true))),
        "
        nothing to do: not proven canceled; asked again later
        ",
    );
}

#[test]
fn an_unasked_cancel_notice_counts_as_the_answer_to_ours() {
    let mut scene = Scene::canceling();
    let shown = scene.shows(notice("plain", 1, canceled("o-1")));
    assert!(shown.starts_with("rows:    T19"), "{shown}");
}

#[test]
fn a_capture_on_its_way_does_not_stop_the_cancel() {
    let mut scene = Scene::capturing().then(cancel());
    scene.apply(pays(1, PaymentOperation::Capture, captured(2500)));
    assert_shows(
        &scene.shows(cancel_answer(canceled("o-1"))),
        "
        rows:    T19
        status:  v8 canceled, sweep 1, notified 2, cancel requested
        attempt: 1 at plain: failed (canceled_by_customer)
        holds:   authorized 25.00 USD, intent of v4 cap 25.00 USD until +5.000s, order o-1 25.00 USD
        undo:    void#1 at plain, sent 1 times, lapses +0.500s
        timers:  undo +1.000s
        effect:  event canceled
        effect:  notify 1 canceled
        effect:  pay void#1
        ",
    );
}

#[test]
fn a_rogue_order_that_is_gone_lets_the_waiting_attempt_go_on() {
    let mut scene = Scene::unwinding()
        .then(says("plain", 1, PartnerOperation::Place, confirmed("o-1", 2500)))
        .then(void(PaymentOutcome::Voided));
    assert_eq!(status(&scene.request), "ordering");
    assert_shows(
        &scene.shows(cancel_answer(canceled("o-1"))),
        "
        rows:    T16 C1
        status:  v8 ordering, sweep 1, incident LateOrder, tried plain ideal
        attempt: 2 at ideal: reserving until +1.500s
        known:   o-1#1
        timers:  expiry +600.000s, step +1.500s
        effect:  event ordering
        effect:  ideal reserve#2 1 of q-ideal-2600 for 120000 ms, by +1.500s
        ",
    );
}

/// The first order was taken back; the second one is being authorised.
fn bought_again() -> Scene {
    Scene::rebuying().then(void(PaymentOutcome::Voided))
}

fn confirms_again(order: &str) -> Event {
    says("plain", 1, PartnerOperation::Place, confirmed(order, 2500))
}

#[test]
fn a_late_copy_of_an_order_that_was_taken_back_is_no_news() {
    let scene = bought_again();
    assert_eq!(scene.request.checkout.as_ref().unwrap().attempt, 2);
    for copy in [confirms_again("o-1"), notice("plain", 1, confirmed("o-1", 2500))] {
        let rejection = scene.try_apply(copy).unwrap_err();
        assert_eq!(rejection, Rejection::Ignored("this order is known and dealt with"));
    }
}

#[test]
fn a_second_order_of_an_attempt_that_is_over_is_an_incident_and_is_canceled() {
    let next = bought_again().apply(confirms_again("o-9")).next;
    assert_eq!(next.incident, Some(Incident::LateOrder));
    assert_eq!((next.undo[0].kind, next.undo[0].attempt), (UndoKind::CancelOrder, 1));
}

#[test]
fn a_rogue_order_is_canceled_once_however_often_it_is_confirmed() {
    let mut scene = Scene::rogue_order_while_searching();
    let copy = || confirms_again("o-1");
    assert!(scene.try_apply(copy()).is_err(), "while it is being canceled");
    scene.apply(cancel_answer(canceled("o-1")));
    assert!(scene.request.undo.is_empty());
    assert!(scene.try_apply(copy()).is_err(), "once it is canceled");
}

#[test]
fn another_rogue_order_while_one_is_being_canceled_is_left_to_a_human() {
    let mut scene = Scene::above_cap();
    let next = scene.apply(confirms_again("o-2")).next;
    assert_eq!(next.incident, Some(Incident::LateOrder));
    let cancels = next.undo.iter().filter(|undo| undo.kind == UndoKind::CancelOrder).count();
    assert_eq!(cancels, 1);
    assert!(scene.try_apply(confirms_again("o-2")).is_err());
}

#[test]
fn a_second_order_beside_a_standing_unpaid_one_is_never_canceled_by_their_common_key() {
    let mut scene = Scene::capturing_at("trailing").then(pays(
        1,
        PaymentOperation::Capture,
        PaymentOutcome::Declined,
    ));
    assert_eq!(scene.request.incident, Some(Incident::CaptureFailed));
    let second = says("trailing", 1, PartnerOperation::Place, confirmed("o-2", 2500));
    let transition = scene.apply(second);
    assert_eq!(transition.next.incident, Some(Incident::LateOrder));
    assert!(transition.next.undo.is_empty());
}

#[test]
fn a_store_that_goes_on_inventing_orders_does_not_fill_the_head() {
    let mut scene = bought_again();
    for number in 0..2 * KNOWN_ORDERS_MAX {
        scene.apply(confirms_again(&format!("o-x{number}")));
    }
    assert_eq!(scene.request.known_orders.len(), KNOWN_ORDERS_MAX);
}

/// A rogue order at the named store, canceled until it is left to a human.
fn left_to_a_human_at(name: &str) -> Scene {
    let mut scene = Scene::placing_at(name).then(says(
        name,
        1,
        PartnerOperation::Place,
        confirmed("o-1", 2600),
    ));
    assert_eq!(scene.request.incident, Some(Incident::PriceAboveCap));
    for _ in 1..scene.policy.cancel_copies_max {
        let sent = scene.fire(TimerKind::Undo).effects;
        let canceled = sent.iter().any(|effect| {
            matches!(effect, Effect::Partner { command: PartnerCommand::Cancel, .. })
        });
        assert!(canceled, "{sent:?}");
    }
    scene
}

#[test]
fn an_order_that_nobody_can_cancel_is_left_to_a_human_and_only_asked_about_now_and_then() {
    let mut scene = left_to_a_human_at("trailing");
    assert_eq!(scene.request.incident, Some(Incident::UndoStuck));
    for _ in 0..300 {
        let before = scene.now;
        let asked = scene.fire(TimerKind::Undo);
        assert_eq!(scene.now.since(before), DurationMs(6 * 3600 * 1000));
        let lines: Vec<_> = asked.effects.iter().map(|e| effect_line(e, &asked.next)).collect();
        assert_eq!(lines, ["trailing lookup#1"]);
    }
    assert!(scene.request.is_active() && !scene.request.undo.is_empty(), "it is never lost");
    let seen_to = says("trailing", 1, PartnerOperation::Lookup, canceled("o-1"));
    let next = scene.apply(seen_to).next;
    assert_eq!(next.undo[0].kind, UndoKind::Void, "once it is gone the money follows");
}

#[test]
fn a_store_that_can_cancel_is_asked_to_again_and_again_but_slowly() {
    let mut scene = left_to_a_human_at("plain");
    let before = scene.now;
    let sent = scene.fire(TimerKind::Undo);
    assert_eq!(scene.now.since(before), scene.policy.cancel_pause);
    let lines: Vec<_> = sent.effects.iter().map(|e| effect_line(e, &sent.next)).collect();
    assert_eq!(lines, ["plain cancel#1"]);
}

#[test]
fn money_of_another_attempt_is_not_slowed_down_by_an_order_left_to_a_human() {
    let mut scene = left_to_a_human_at("trailing");
    let mut void = scene.request.undo.iter().find(|u| u.kind == UndoKind::Void).unwrap().clone();
    (void.attempt, void.tries) = (2, 1);
    scene.request.tried.push(partner("plain"));
    scene.request.undo.push(void);
    let soon = scene.now.saturating_add(DurationMs(1));
    scene.request.timers.set(TimerKind::Undo, soon);
    let sent = scene.fire(TimerKind::Undo);
    let lines: Vec<_> = sent.effects.iter().map(|e| effect_line(e, &sent.next)).collect();
    assert_eq!(lines, ["pay void#2"]);
    let pause = sent.next.timers.get(TimerKind::Undo).unwrap().since(scene.now);
    assert_eq!(pause, scene.policy.undo_ladder[1]);
}
