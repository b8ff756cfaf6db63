//! Time passing: expiry (T11, T13, T14), copies that were never sent, and timers that are not due.

use broker_core::event::LapsedOperation;
use broker_core::timer::TimerKind;
use schemas::DurationMs;
use schemas::purchase::Mode;
use schemas::subject::PaymentOperation;

use crate::support::*;

#[test]
fn a_search_that_runs_out_of_time_expires() {
    assert_shows(
        &show(&Scene::searching().fire(TimerKind::Expiry)),
        "
        rows:    T11
        status:  v3 expired, sweep 1, notified 1
        timers:  none
        effect:  event expired
        effect:  notify 0 expired
        ",
    );
    assert_shows(
        &show(&Scene::pending().fire(TimerKind::Expiry)),
        "
        rows:    T11
        status:  v2 expired, notified 1
        timers:  none
        effect:  event expired
        effect:  notify 0 expired
        ",
    );
}

#[test]
fn a_resting_one_shot_request_has_had_its_outcome_and_closes_silently() {
    assert_shows(
        &show(&Scene::quoted().fire(TimerKind::Expiry)),
        "
        rows:    T11
        status:  v4 quoted 35.00 USD at plain, sweep 1, notified 1, told 3500, closed +600.000s
        timers:  none
        ",
    );
    assert_shows(
        &show(&Scene::out_of_stock().fire(TimerKind::Expiry)),
        "
        rows:    T11
        status:  v4 out_of_stock, sweep 1, notified 1, told that nobody has it, closed +600.000s
        timers:  none
        ",
    );
}

#[test]
fn a_watched_request_expires_with_a_word() {
    let mut scene = Scene::searching_for(|wanted| wanted.mode = Mode::Watch).then(too_dear(
        1,
        quote("plain", 3500),
        7,
    ));
    assert_shows(
        &show(&scene.fire(TimerKind::Expiry)),
        "
        rows:    T11
        status:  v4 expired, sweep 1, notified 2, told 3500
        timers:  none
        effect:  event expired
        effect:  notify 1 expired
        ",
    );
}

#[test]
fn a_deadline_before_the_point_of_no_return_gives_back_what_is_held() {
    let mut scene = Scene::action_required();
    assert_shows(
        &show(&scene.fire(TimerKind::Expiry)),
        "
        rows:    T13 C18
        status:  v5 expired, sweep 1, notified 2
        attempt: 1 at plain: failed (request_expired)
        undo:    void#1 at plain, sent 1 times, lapses +300.500s, conclusive from v5
        timers:  undo +601.000s
        effect:  pay void#1
        effect:  event expired
        effect:  notify 1 expired
        ",
    );
}

#[test]
fn a_deadline_while_money_is_coming_back_ends_as_expired() {
    assert_shows(
        &show(&Scene::unwinding().fire(TimerKind::Expiry)),
        "
        rows:    T13
        status:  v6 expired, sweep 1, notified 1
        attempt: 1 at plain: failed (partner_rejected), next ideal
        holds:   authorized 25.00 USD, intent of v4 cap 25.00 USD until +5.000s
        undo:    void#1 at plain, sent 1 times, lapses +0.500s
        timers:  undo +1.000s
        effect:  event expired
        effect:  notify 0 expired
        ",
    );
}

#[test]
fn a_timer_that_is_not_set_or_not_due_does_nothing() {
    for mut scene in [Scene::searching(), Scene::placing(), Scene::completed(), Scene::quoted()] {
        for kind in TimerKind::ALL {
            let due = scene.request.timers.get(kind);
            if let Some(due) = due {
                assert!(due > scene.now, "a scene stands before its timers");
            }
            assert_eq!(scene.shows(timer(kind)), "nothing to do: this timer is not due\n");
        }
    }
}

#[test]
fn a_timer_that_fired_does_not_fire_again() {
    let mut scene = Scene::placing();
    scene.fire(TimerKind::Step);
    assert_shows(
        &scene.shows(timer(TimerKind::Step)),
        "
        nothing to do: this timer is not due
        ",
    );
}

#[test]
fn a_reserve_that_lapsed_unsent_fails_the_attempt() {
    let mut scene = Scene::reserving();
    assert_shows(
        &scene.shows(lapsed(1, LapsedOperation::Reserve)),
        "
        rows:    C18 T16
        status:  v4 searching, sweep 2
        attempt: 1 at ideal: failed (partner_timeout)
        undo:    release#1 at ideal, sent 1 times, lapses +122.000s
        timers:  expiry +600.000s, undo +1.000s
        effect:  ideal release#1
        ",
    );
}

#[test]
fn an_order_that_lapsed_unsent_is_unknown_because_an_earlier_copy_may_have_left() {
    let mut scene = Scene::placing().after(5_000);
    assert_shows(
        &scene.shows(lapsed(1, LapsedOperation::Place)),
        "
        rows:    C11 T18
        status:  v5 ordering, sweep 1
        attempt: 1 at plain: unknown since +5.000s, asks 1
        holds:   authorized 25.00 USD, intent of v4 cap 25.00 USD until +5.000s
        timers:  expiry +600.000s, step +5.500s, human +905.000s
        effect:  plain lookup#1
        ",
    );
    assert_shows(
        &scene.shows(lapsed(1, LapsedOperation::Place)),
        "
        nothing to do: the step is over
        ",
    );
}

#[test]
fn a_lapsed_copy_of_another_step_or_attempt_says_nothing() {
    assert_shows(
        &Scene::placing().shows(lapsed(1, LapsedOperation::Reserve)),
        "
        nothing to do: the step is over
        ",
    );
    assert_shows(
        &Scene::placing().shows(lapsed(2, LapsedOperation::Place)),
        "
        nothing to do: another attempt is running
        ",
    );
    assert_shows(
        &Scene::searching().shows(lapsed(1, LapsedOperation::Place)),
        "
        nothing to do: another attempt is running
        ",
    );
}

#[test]
fn an_order_leaves_at_the_last_instant_whose_budget_still_fits() {
    for (early_ms, leaves) in [(600, true), (599, false)] {
        let mut scene = Scene::authorizing();
        scene.now = scene.request.terms.expires_at.saturating_sub(DurationMs(early_ms));
        let next = scene.apply(pays(1, PaymentOperation::Authorize, authorized(2500))).next;
        assert_eq!(next.is_past_no_return(), leaves, "{early_ms} ms before the deadline");
    }
}

#[test]
fn a_closed_request_does_not_search_again_even_if_a_timer_was_left() {
    let mut scene = Scene::quoted();
    scene.request.closed_at = Some(scene.now);
    scene.request.timers.set(TimerKind::Sweep, scene.now);
    let next = scene.apply(timer(TimerKind::Sweep)).next;
    assert_eq!((status(&next), next.sweep), ("quoted 35.00 USD at plain".to_owned(), 1));
}

#[test]
fn nothing_is_bought_again_when_all_attempts_are_used_up() {
    let taken_back = |attempts_max| {
        let mut scene = Scene::rebuying_ordered();
        scene.policy.attempts_max = attempts_max;
        status(&scene.apply(notice("plain", 1, canceled("o-1"))).next)
    };
    assert_eq!(taken_back(1), "failed (partner_canceled)");
    assert_eq!(taken_back(2), "ordering");
}
