//! Undoing in reverse order, each step until it is proven (C18, C19, T13, T19).

use broker_core::Event;
use broker_core::event::{PartnerOutcome, PaymentOutcome};
use broker_core::timer::TimerKind;
use schemas::subject::{PartnerOperation, PaymentOperation};

use crate::support::*;

fn void(outcome: PaymentOutcome) -> Event {
    pays(1, PaymentOperation::Void, outcome)
}

fn refund(outcome: PaymentOutcome) -> Event {
    pays(1, PaymentOperation::Refund, outcome)
}

fn release(outcome: PartnerOutcome) -> Event {
    says("ideal", 1, PartnerOperation::Release, outcome)
}

fn cancel_answer(outcome: PartnerOutcome) -> Event {
    says("plain", 1, PartnerOperation::Cancel, outcome)
}

/// Canceled while stock and money were (perhaps) held.
fn giving_back() -> Scene {
    Scene::authorizing_reserved().then(cancel())
}

#[test]
fn each_proof_ends_one_compensation_in_any_order() {
    let mut scene = giving_back();
    assert_shows(
        &scene.shows(release(PartnerOutcome::Released)),
        "
        rows:    -
        status:  v6 canceled, sweep 1, notified 1
        attempt: 1 at ideal: failed (canceled_by_customer)
        holds:   reserved until +120.000s
        undo:    void#1 at ideal, sent 1 times, lapses +2.500s
        timers:  undo +1.000s
        ",
    );
    assert_shows(
        &scene.shows(void(PaymentOutcome::Voided)),
        "
        rows:    -
        status:  v7 canceled, sweep 1, notified 1
        attempt: 1 at ideal: failed (canceled_by_customer)
        holds:   reserved until +120.000s
        timers:  none
        ",
    );
    let mut scene = giving_back();
    scene.apply(void(PaymentOutcome::Voided));
    assert_shows(
        &scene.shows(release(PartnerOutcome::Released)),
        "
        rows:    -
        status:  v7 canceled, sweep 1, notified 1
        attempt: 1 at ideal: failed (canceled_by_customer)
        holds:   reserved until +120.000s
        timers:  none
        ",
    );
}

#[test]
fn a_compensation_that_is_done_stays_done() {
    let mut scene =
        giving_back().then(release(PartnerOutcome::Released)).then(void(PaymentOutcome::Voided));
    assert_shows(
        &scene.shows(release(PartnerOutcome::Released)),
        "
        nothing to do: the stock is released already
        ",
    );
    assert_shows(
        &scene.shows(void(PaymentOutcome::Voided)),
        "
        nothing to do: late, and no money is held
        ",
    );
}

#[test]
fn unanswered_compensations_are_repeated_ever_more_slowly_until_a_human_looks() {
    let mut scene = Scene::completed().then(cancel());
    let mut waits = Vec::new();
    for _ in 0..7 {
        let at = scene.request.timers.get(TimerKind::Undo).unwrap();
        waits.push(at.since(scene.now).as_ms());
        scene.fire(TimerKind::Undo);
    }
    assert_eq!(waits, [1000, 2000, 5000, 15_000, 60_000, 300_000, 300_000]);
    assert_shows(
        &show(&scene.fire(TimerKind::Undo)),
        "
        rows:    -
        status:  v15 ordered, sweep 1, notified 1, cancel requested, incident UndoStuck
        attempt: 1 at plain: completed
        holds:   authorized 25.00 USD, intent of v4 cap 25.00 USD until +5.000s, order o-1 25.00 USD
        undo:    cancelorder#1 at plain, sent 9 times, lapses +0.000s
        timers:  undo +1283.000s
        effect:  plain cancel#1
        ",
    );
}

#[test]
fn every_unanswered_compensation_is_in_the_repeat() {
    assert_shows(
        &show(&giving_back().fire(TimerKind::Undo)),
        "
        rows:    -
        status:  v6 canceled, sweep 1, notified 1
        attempt: 1 at ideal: failed (canceled_by_customer)
        holds:   reserved until +120.000s
        undo:    void#1 at ideal, sent 2 times, lapses +2.500s
        undo:    release#1 at ideal, sent 2 times, lapses +120.500s
        timers:  undo +3.000s
        effect:  pay void#1
        effect:  ideal release#1
        ",
    );
}

#[test]
fn a_hold_on_stock_that_must_have_ended_needs_no_release() {
    let mut scene = giving_back().then(void(PaymentOutcome::Voided));
    scene.now = at(120_500);
    assert_shows(
        &scene.shows(timer(TimerKind::Undo)),
        "
        rows:    -
        status:  v7 canceled, sweep 1, notified 1
        attempt: 1 at ideal: failed (canceled_by_customer)
        holds:   reserved until +120.000s
        timers:  none
        ",
    );
}

#[test]
fn nothing_found_ends_a_void_only_with_finality_or_after_the_authorisation_lapsed() {
    assert_shows(
        &giving_back().shows(void(no_payment(false))),
        "
        nothing to do: late, and no money is held
        ",
    );
    assert_shows(
        &giving_back().shows(void(no_payment(true))),
        "
        rows:    -
        status:  v6 canceled, sweep 1, notified 1
        attempt: 1 at ideal: failed (canceled_by_customer)
        holds:   reserved until +120.000s
        undo:    release#1 at ideal, sent 1 times, lapses +120.500s
        timers:  undo +1.000s
        ",
    );
    assert_shows(
        &giving_back().after(2_500).shows(void(no_payment(false))),
        "
        rows:    -
        status:  v6 canceled, sweep 1, notified 1
        attempt: 1 at ideal: failed (canceled_by_customer)
        holds:   reserved until +120.000s
        undo:    release#1 at ideal, sent 1 times, lapses +120.500s
        timers:  undo +3.500s
        ",
    );
}

#[test]
fn nothing_found_ends_a_release_only_with_finality_or_after_the_hold_ended() {
    assert_shows(
        &giving_back().shows(release(not_found(false))),
        "
        nothing to do: not proven released; asked again later
        ",
    );
    assert_shows(
        &giving_back().shows(release(refused(false))),
        "
        nothing to do: not proven released; asked again later
        ",
    );
    assert_shows(
        &giving_back().shows(release(not_found(true))),
        "
        rows:    -
        status:  v6 canceled, sweep 1, notified 1
        attempt: 1 at ideal: failed (canceled_by_customer)
        holds:   reserved until +120.000s
        undo:    void#1 at ideal, sent 1 times, lapses +2.500s
        timers:  undo +1.000s
        ",
    );
    assert_shows(
        &giving_back().after(120_500).shows(release(not_found(false))),
        "
        rows:    -
        status:  v6 canceled, sweep 1, notified 1
        attempt: 1 at ideal: failed (canceled_by_customer)
        holds:   reserved until +120.000s
        undo:    void#1 at ideal, sent 1 times, lapses +2.500s
        timers:  undo +121.500s
        ",
    );
}

#[test]
fn money_that_was_captured_after_all_is_refunded_instead_of_voided() {
    let mut scene = giving_back();
    assert_shows(
        &scene.shows(void(captured(2500))),
        "
        rows:    -
        status:  v6 canceled, sweep 1, notified 1
        attempt: 1 at ideal: failed (canceled_by_customer)
        holds:   reserved until +120.000s
        undo:    refund#1 at ideal, sent 1 times, lapses +2.500s
        undo:    release#1 at ideal, sent 1 times, lapses +120.500s
        timers:  undo +1.000s
        effect:  pay refund#1
        ",
    );
    assert_shows(
        &scene.shows(void(captured(2500))),
        "
        nothing to do: late, and no money is held
        ",
    );
    assert_shows(
        &scene.shows(refund(PaymentOutcome::Refunded)),
        "
        rows:    -
        status:  v7 canceled, sweep 1, notified 1
        attempt: 1 at ideal: failed (canceled_by_customer)
        holds:   reserved until +120.000s
        undo:    release#1 at ideal, sent 1 times, lapses +120.500s
        timers:  undo +1.000s
        ",
    );
}

#[test]
fn a_hold_that_was_never_captured_is_voided_instead_of_refunded() {
    let mut scene = giving_back().then(void(captured(2500)));
    assert_shows(
        &scene.shows(refund(authorized(2500))),
        "
        rows:    -
        status:  v7 canceled, sweep 1, notified 1
        attempt: 1 at ideal: failed (canceled_by_customer)
        holds:   reserved until +120.000s
        undo:    void#1 at ideal, sent 1 times, lapses +2.500s
        undo:    release#1 at ideal, sent 1 times, lapses +120.500s
        timers:  undo +1.000s
        effect:  pay void#1
        ",
    );
}

#[test]
fn a_declined_authorisation_needs_no_void_but_a_declined_capture_does() {
    let declined = PaymentOutcome::Declined;
    let scene = giving_back();
    assert!(rows_of(&scene, pays(1, PaymentOperation::Authorize, declined.clone())).is_some());
    assert!(rows_of(&scene, void(declined.clone())).is_some());
    assert!(rows_of(&scene, pays(1, PaymentOperation::Capture, declined)).is_none());
}

fn rows_of(scene: &Scene, event: Event) -> Option<String> {
    scene.try_apply(event).ok().map(|transition| rows(&transition))
}

#[test]
fn a_busy_provider_is_asked_again() {
    let shown = giving_back().shows(void(PaymentOutcome::Failed));
    assert_shows(
        &shown,
        "
        nothing to do: late, and no money is held
        ",
    );
}

#[test]
fn a_canceled_order_is_told_and_its_money_follows() {
    let mut scene = Scene::canceling();
    assert_shows(
        &scene.shows(cancel_answer(PartnerOutcome::Canceled)),
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
    let shown = scene.shows(notice("plain", 1, PartnerOutcome::Canceled));
    assert!(shown.starts_with("rows:    T19"), "{shown}");
}

#[test]
fn a_capture_on_its_way_does_not_stop_the_cancel() {
    let mut scene = Scene::capturing().then(cancel());
    scene.apply(pays(1, PaymentOperation::Capture, captured(2500)));
    assert_shows(
        &scene.shows(cancel_answer(PartnerOutcome::Canceled)),
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
        &scene.shows(cancel_answer(PartnerOutcome::Canceled)),
        "
        rows:    T16 C1
        status:  v8 ordering, sweep 1, incident LateOrder, tried plain ideal
        attempt: 2 at ideal: reserving until +1.500s
        timers:  expiry +600.000s, step +1.500s
        effect:  event ordering
        effect:  ideal reserve#2 1 of q-ideal-2600 for 120000 ms, by +1.500s
        ",
    );
}
