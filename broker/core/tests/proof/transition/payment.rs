//! Money: authorisation before the order, capture after it (C4–C7, C15–C17).

use broker_core::event::{Event, LapsedOperation, PaymentOutcome};
use broker_core::request::UndoKind;
use broker_core::timer::TimerKind;
use broker_core::transition::Rejection;
use schemas::subject::PaymentOperation;
use schemas::{Currency, Money};

use crate::support::*;

fn authorize(outcome: PaymentOutcome) -> Event {
    pays(1, PaymentOperation::Authorize, outcome)
}

#[test]
fn a_declined_payment_ends_the_request_and_holds_no_money() {
    assert_shows(
        &Scene::authorizing_reserved().shows(authorize(PaymentOutcome::Declined)),
        "
        rows:    C4 C18 T17
        status:  v5 failed (payment_declined), sweep 1, notified 1
        attempt: 1 at ideal: failed (payment_declined)
        holds:   reserved until +120.000s
        undo:    release#1 at ideal, sent 1 times, lapses +120.500s
        timers:  undo +1.000s
        effect:  ideal release#1
        effect:  event failed
        effect:  notify 0 failed
        ",
    );
}

#[test]
fn less_money_than_the_order_may_cost_is_given_back_and_nothing_is_ordered() {
    assert_shows(
        &Scene::authorizing().shows(authorize(authorized(2499))),
        "
        rows:    C4 C18 T17
        status:  v4 failed (payment_declined), sweep 1, notified 1
        attempt: 1 at plain: failed (payment_declined)
        holds:   authorized 24.99 USD
        undo:    void#1 at plain, sent 1 times, lapses +2.500s
        timers:  undo +1.000s
        effect:  pay void#1
        effect:  event failed
        effect:  notify 0 failed
        ",
    );
}

#[test]
fn money_of_another_currency_is_given_back_and_nothing_is_ordered() {
    let amount = Money::new(2500, Currency::parse("EUR").unwrap()).unwrap();
    let authorized = PaymentOutcome::Authorized { amount, valid_until: at(600_000) };
    assert_shows(
        &Scene::authorizing().shows(authorize(authorized)),
        "
        rows:    C4 C18 T17
        status:  v4 failed (payment_declined), sweep 1, notified 1
        attempt: 1 at plain: failed (payment_declined)
        holds:   authorized 25.00 EUR
        undo:    void#1 at plain, sent 1 times, lapses +2.500s
        timers:  undo +1.000s
        effect:  pay void#1
        effect:  event failed
        effect:  notify 0 failed
        ",
    );
}

#[test]
fn too_little_money_is_given_back_once_however_often_its_answer_comes() {
    let mut scene = Scene::authorizing();
    scene.apply(authorize(authorized(2499)));
    scene.apply(pays(1, PaymentOperation::Void, PaymentOutcome::Voided));
    let again = scene.try_apply(authorize(authorized(2499)));
    assert!(matches!(again, Err(Rejection::Ignored(_))), "{again:?}");
}

#[test]
fn a_customer_who_must_act_is_told_and_has_a_window() {
    assert_shows(
        &Scene::authorizing().shows(authorize(action_required())),
        "
        rows:    C5
        status:  v4 ordering, sweep 1, notified 1
        attempt: 1 at plain: action_required until +300.000s
        timers:  expiry +600.000s, step +300.000s
        effect:  notify 0 action_required
        ",
    );
}

#[test]
fn the_window_to_act_ends_before_hold_and_deadline_do() {
    let mut scene = Scene::authorizing_reserved();
    let next = scene.apply(authorize(action_required())).next;
    assert_eq!(step(&next.checkout.unwrap().step), "action_required until +119.400s");
    let mut scene = Scene::authorizing().after(LIFE.as_ms() - 1_000);
    let next = scene.apply(authorize(action_required())).next;
    assert_eq!(step(&next.checkout.unwrap().step), "action_required until +599.400s");
    let mut scene = Scene::authorizing().after(LIFE.as_ms() - 600);
    assert_shows(
        &scene.shows(authorize(action_required())),
        "
        rows:    C5 C18 T17
        status:  v4 failed (payment_action_required), sweep 1, notified 1
        attempt: 1 at plain: failed (payment_action_required)
        undo:    void#1 at plain, sent 1 times, lapses +2.500s, conclusive from v4
        timers:  undo +600.400s
        effect:  pay void#1
        effect:  event failed
        effect:  notify 0 failed
        ",
    );
}

#[test]
fn a_customer_who_acted_gets_the_order_sent() {
    assert_shows(
        &Scene::action_required().after(9_000).shows(authorize(authorized(2500))),
        "
        rows:    C6 C4 C8
        status:  v5 ordering, sweep 1, notified 1
        attempt: 1 at plain: placing
        holds:   authorized 25.00 USD, intent of v5 cap 25.00 USD until +14.000s
        timers:  expiry +600.000s, step +10.000s
        effect:  plain place#1 1 of q-plain-2500 cap 25.00 USD, by +14.000s
        ",
    );
}

#[test]
fn a_customer_who_fails_to_authenticate_ends_the_request() {
    assert_shows(
        &Scene::action_required().shows(authorize(PaymentOutcome::Declined)),
        "
        rows:    C6 T17
        status:  v5 failed (payment_declined), sweep 1, notified 2
        attempt: 1 at plain: failed (payment_declined)
        timers:  none
        effect:  event failed
        effect:  notify 1 failed
        ",
    );
}

#[test]
fn a_customer_who_does_nothing_ends_the_request_and_frees_the_money() {
    assert_shows(
        &show(&Scene::action_required().fire(TimerKind::Step)),
        "
        rows:    C5 C18 T17
        status:  v5 failed (payment_action_required), sweep 1, notified 2
        attempt: 1 at plain: failed (payment_action_required)
        undo:    void#1 at plain, sent 1 times, lapses +300.500s
        timers:  undo +301.000s
        effect:  pay void#1
        effect:  event failed
        effect:  notify 1 failed
        ",
    );
}

#[test]
fn an_unanswered_authorisation_is_looked_up_by_its_key() {
    let mut scene = Scene::authorizing();
    assert_shows(
        &show(&scene.fire(TimerKind::Step)),
        "
        rows:    C7
        status:  v4 ordering, sweep 1
        attempt: 1 at plain: authorizing until +2.000s, asked 1 times
        timers:  expiry +600.000s, step +2.500s
        effect:  pay lookup#1
        ",
    );
    let found = pays(1, PaymentOperation::Lookup, authorized(2500));
    assert_shows(
        &scene.shows(found),
        "
        rows:    C4 C8
        status:  v5 ordering, sweep 1
        attempt: 1 at plain: placing
        holds:   authorized 25.00 USD, intent of v5 cap 25.00 USD until +7.000s
        timers:  expiry +600.000s, step +3.000s
        effect:  plain place#1 1 of q-plain-2500 cap 25.00 USD, by +7.000s
        ",
    );
}

#[test]
fn an_authorisation_that_stays_unanswered_is_given_up_and_voided() {
    let mut scene = Scene::authorizing();
    for _ in 0..policy().authorize_asks {
        scene.fire(TimerKind::Step);
    }
    assert_shows(
        &show(&scene.fire(TimerKind::Step)),
        "
        rows:    C7 C18
        status:  v7 ordering, sweep 1
        attempt: 1 at plain: failed (payment_timeout)
        undo:    void#1 at plain, sent 1 times, lapses +2.500s, conclusive from v7
        timers:  expiry +600.000s, undo +6.500s
        effect:  pay void#1
        ",
    );
}

#[test]
fn an_authorisation_that_cannot_come_to_be_any_more_is_given_up_at_once() {
    let mut scene = Scene::authorizing().fired(TimerKind::Step);
    assert_shows(
        &scene.shows(pays(1, PaymentOperation::Lookup, no_payment(true))),
        "
        rows:    C7 T16
        status:  v5 searching, sweep 2
        attempt: 1 at plain: failed (payment_timeout)
        timers:  expiry +600.000s
        ",
    );
}

#[test]
fn a_provider_that_knows_nothing_yet_or_is_busy_is_asked_again_later() {
    for outcome in [no_payment(false), PaymentOutcome::Failed] {
        let shown = Scene::authorizing().shows(authorize(outcome));
        assert_eq!(shown, "nothing to do: the authorisation is still open; asked again later\n");
    }
}

#[test]
fn a_provider_that_captured_what_was_only_to_be_held_is_refused() {
    for outcome in [captured(2500), PaymentOutcome::Voided, PaymentOutcome::Refunded] {
        let shown = Scene::authorizing().shows(authorize(outcome));
        assert_eq!(shown, "not_asked: only an authorisation was asked for\n");
    }
}

#[test]
fn payment_answers_nobody_waits_for_change_nothing() {
    for mut scene in [Scene::reserving(), Scene::placing(), Scene::unknown_at("plain")] {
        let shown = scene.shows(authorize(authorized(2500)));
        assert_eq!(shown, "nothing to do: no payment answer is awaited\n");
    }
    assert_shows(
        &Scene::authorizing().shows(pays(2, PaymentOperation::Void, captured(1))),
        "
        not_asked: attempt 2 was never begun
        ",
    );
}

#[test]
fn only_operations_that_were_asked_for_are_answered() {
    use PaymentOperation::{Authorize, Capture, Lookup, Refund, Void};
    for (scene, unasked) in [
        (Scene::authorizing(), vec![Capture, Void, Refund]),
        (Scene::action_required(), vec![Capture, Void, Refund]),
        (Scene::capturing(), vec![Void, Refund]),
    ] {
        for operation in [Authorize, Capture, Void, Refund, Lookup] {
            let outcome = scene.try_apply(pays(1, operation, PaymentOutcome::Declined));
            let refused = result(&outcome).starts_with("not_asked: no ");
            assert_eq!(refused, unasked.contains(&operation), "{}", result(&outcome));
        }
    }
    let shown = Scene::capturing().shows(authorize(PaymentOutcome::Declined));
    assert_eq!(shown, "nothing to do: the money was authorised before\n");
}

#[test]
fn money_held_after_a_decline_is_freed_again() {
    assert_shows(
        &Scene::declined().shows(authorize(authorized(2500))),
        "
        rows:    T20
        status:  v5 failed (payment_declined), sweep 1, notified 1
        attempt: 1 at plain: failed (payment_declined)
        undo:    void#1 at plain, sent 1 times, lapses +0.000s, conclusive from v5
        timers:  undo +1.000s
        effect:  pay void#1
        ",
    );
}

#[test]
fn an_authorisation_that_lapsed_unsent_is_looked_up_once() {
    let mut scene = Scene::authorizing();
    assert_shows(
        &scene.shows(lapsed(1, LapsedOperation::Authorize)),
        "
        rows:    C7
        status:  v4 ordering, sweep 1
        attempt: 1 at plain: authorizing until +2.000s, asked 1 times
        timers:  expiry +600.000s, step +0.500s
        effect:  pay lookup#1
        ",
    );
    assert_shows(
        &scene.shows(lapsed(1, LapsedOperation::Authorize)),
        "
        nothing to do: the step is over
        ",
    );
}

#[test]
fn money_held_after_a_decline_is_freed_once_whatever_else_is_being_undone() {
    let late = || authorize(authorized(2500));
    let mut scene = Scene::authorizing_reserved().then(authorize(PaymentOutcome::Declined));
    assert_eq!(scene.request.undo.len(), 1, "the stock is being released");
    let next = scene.apply(late()).next;
    let kinds: Vec<_> = next.undo.iter().map(|undo| undo.kind).collect();
    assert_eq!(kinds, [UndoKind::Release, UndoKind::Void]);
    assert!(scene.try_apply(late()).is_err(), "the void is on its way");
}
