//! Undoing in reverse order, each step until it is proven (C18, C19, T13, T19).

use broker_core::Event;
use broker_core::event::{PartnerOutcome, PaymentOutcome};
use broker_core::request::{UndoKind, Version};
use broker_core::timer::TimerKind;
use broker_core::transition::Rejection;
use schemas::subject::{PartnerOperation, PaymentOperation};

use crate::support::*;

fn release(outcome: PartnerOutcome) -> Event {
    says("ideal", 1, PartnerOperation::Release, outcome)
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
        &voided_after_the_lapse().shows(void(no_payment(false))),
        "
        rows:    -
        status:  v8 canceled, sweep 1, notified 1
        attempt: 1 at ideal: failed (canceled_by_customer)
        holds:   reserved until +120.000s
        undo:    release#1 at ideal, sent 3 times, lapses +120.500s
        timers:  undo +8.000s
        ",
    );
}

/// A copy of the void went out when no authorisation could be accepted any more.
fn voided_after_the_lapse() -> Scene {
    giving_back().fired(TimerKind::Undo).fired(TimerKind::Undo)
}

#[test]
fn nothing_found_counts_from_when_it_was_asked_not_from_when_it_arrives() {
    let asked_at = |version| pays_to(Some(version), 1, PaymentOperation::Void, no_payment(false));
    let scene = voided_after_the_lapse();
    let conclusive = scene.request.version;
    for early in [Version(5), Version(conclusive.0 - 1)] {
        let rejection = scene.try_apply(asked_at(early)).unwrap_err();
        assert_eq!(rejection, Rejection::Ignored("late, and no money is held"), "{early:?}");
    }
    let next = scene.then(asked_at(conclusive)).request;
    assert!(!next.is_money_open());
    // Before any copy went out late enough, even an answer that arrives late proves nothing.
    assert!(giving_back().after(60_000).try_apply(asked_at(Version(5))).is_err());
}

#[test]
fn a_refund_asks_anew_whether_there_is_money() {
    let mut scene = voided_after_the_lapse();
    let asked_as_void = Some(scene.request.version);
    scene.apply(void(captured(2500)));
    let late = pays_to(asked_as_void, 1, PaymentOperation::Void, no_payment(false));
    assert!(scene.try_apply(late).is_err());
    assert!(!scene.clone().apply(refund(no_payment(false))).next.is_money_open());
}

#[test]
fn an_answer_recorded_before_answers_named_their_question_is_read_by_its_arrival() {
    let old = pays_to(None, 1, PaymentOperation::Void, no_payment(false));
    assert!(giving_back().after(2_499).try_apply(old.clone()).is_err());
    assert!(!giving_back().after(2_500).apply(old).next.is_money_open());
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
fn every_attempt_gives_its_own_stock_back() {
    let refused_for_now =
        |attempt| says("ideal", attempt, PartnerOperation::Reserve, refused(false));
    let mut scene = Scene::reserving().then(refused_for_now(1));
    scene.apply(affordable(2, vec![quote("ideal", 2500)]));
    let next = scene.apply(refused_for_now(2)).next;
    let releases: Vec<_> = next.undo.iter().map(|undo| (undo.kind, undo.attempt)).collect();
    assert_eq!(releases, [(UndoKind::Release, 1), (UndoKind::Release, 2)]);
}

#[test]
fn nothing_found_proves_nothing_while_a_clock_that_jumped_may_have_shortened_the_wait() {
    let mut scene = giving_back();
    scene.wait(60_000);
    scene.in_doubt = true;
    scene.fire(TimerKind::Undo);
    assert!(scene.try_apply(void(no_payment(false))).is_err());
    scene.in_doubt = false;
    scene.fire(TimerKind::Undo);
    assert!(!scene.then(void(no_payment(false))).request.is_money_open());
}
