//! The order itself: confirmed, refused, taken back, or turning up where none should be
//! (C9, C10, T15, T20, T21).

use broker_core::event::PartnerOutcome;
use broker_core::request::Incident;
use broker_core::timer::TimerKind;
use schemas::subject::PartnerOperation;

use crate::support::*;

fn place(outcome: PartnerOutcome) -> broker_core::Event {
    says("plain", 1, PartnerOperation::Place, outcome)
}

#[test]
fn a_confirmed_order_is_told_and_its_money_is_taken() {
    assert_shows(
        &Scene::placing().shows(place(confirmed("o-1", 2400))),
        "
        rows:    C9 T15 C15
        status:  v5 ordered, sweep 1, notified 1
        attempt: 1 at plain: capturing, tried 1 times
        holds:   authorized 25.00 USD, intent of v4 cap 25.00 USD until +5.000s, order o-1 24.00 USD
        timers:  step +2.000s
        effect:  event ordered
        effect:  notify 0 ordered
        effect:  pay capture#1 24.00 USD
        ",
    );
}

#[test]
fn an_order_confirmed_after_the_deadline_was_sent_in_time_and_stands() {
    let mut scene = Scene::placing();
    assert_shows(
        &show(&scene.fire(TimerKind::Expiry)),
        "
        rows:    T14
        status:  v5 ordering, sweep 1
        attempt: 1 at plain: placing
        holds:   authorized 25.00 USD, intent of v4 cap 25.00 USD until +5.000s
        timers:  step +1.000s
        ",
    );
    assert_shows(
        &scene.shows(place(confirmed("o-1", 2500))),
        "
        rows:    C9 T15 C15
        status:  v6 ordered, sweep 1, notified 1
        attempt: 1 at plain: capturing, tried 1 times
        holds:   authorized 25.00 USD, intent of v4 cap 25.00 USD until +5.000s, order o-1 25.00 USD
        timers:  step +602.000s
        effect:  event ordered
        effect:  notify 0 ordered
        effect:  pay capture#1 25.00 USD
        ",
    );
}

#[test]
fn a_final_refusal_frees_money_and_stock() {
    let refusal = says("ideal", 1, PartnerOperation::Place, refused(true));
    assert_shows(&Scene::placing_reserved().shows(refusal), "
        rows:    C10 C18
        status:  v6 ordering, sweep 1
        attempt: 1 at ideal: failed (partner_rejected)
        holds:   reserved until +120.000s, authorized 25.00 USD, intent of v5 cap 25.00 USD until +5.000s
        undo:    void#1 at ideal, sent 1 times, lapses +0.500s
        undo:    release#1 at ideal, sent 1 times, lapses +120.500s
        timers:  expiry +600.000s, undo +1.000s
        effect:  pay void#1
        effect:  ideal release#1
        ");
}

#[test]
fn an_order_canceled_in_the_same_breath_frees_the_money() {
    assert_shows(
        &Scene::placing().shows(place(canceled("o-1"))),
        "
        rows:    C10 C18
        status:  v5 ordering, sweep 1
        attempt: 1 at plain: failed (partner_canceled)
        holds:   authorized 25.00 USD, intent of v4 cap 25.00 USD until +5.000s
        known:   o-1#1
        undo:    void#1 at plain, sent 1 times, lapses +0.500s
        timers:  expiry +600.000s, undo +1.000s
        effect:  pay void#1
        ",
    );
}

#[test]
fn a_confirmation_above_the_cap_is_an_incident_and_is_undone_order_first() {
    let mut scene = Scene::placing();
    assert_shows(
        &scene.shows(place(confirmed("o-1", 2501))),
        "
        rows:    C9 T17
        status:  v5 failed (price_changed), sweep 1, notified 1, incident PriceAboveCap
        attempt: 1 at plain: failed (price_changed)
        holds:   authorized 25.00 USD, intent of v4 cap 25.00 USD until +5.000s, order o-1 25.01 USD
        undo:    cancelorder#1 at plain, sent 1 times, lapses +0.000s
        undo:    void#1 at plain, sent 0 times, lapses +0.500s
        timers:  undo +1.000s
        effect:  plain cancel#1
        effect:  event failed
        effect:  notify 0 failed
        effect:  event incident
        ",
    );
    let gone = says("plain", 1, PartnerOperation::Cancel, canceled("o-1"));
    assert_shows(
        &scene.shows(gone),
        "
        rows:    -
        status:  v6 failed (price_changed), sweep 1, notified 1, incident PriceAboveCap
        attempt: 1 at plain: failed (price_changed)
        holds:   authorized 25.00 USD, intent of v4 cap 25.00 USD until +5.000s, order o-1 25.01 USD
        undo:    void#1 at plain, sent 1 times, lapses +0.500s
        timers:  undo +1.000s
        effect:  pay void#1
        ",
    );
}

#[test]
fn answers_that_say_nothing_about_the_order_are_ignored() {
    for outcome in [not_found(true), not_found(false), reserved(1), PartnerOutcome::Released] {
        let shown = Scene::placing().shows(place(outcome));
        assert_eq!(shown, "nothing to do: says nothing about the order\n");
    }
}

#[test]
fn a_word_on_an_order_that_was_never_sent_is_refused() {
    for mut scene in [Scene::authorizing(), Scene::action_required()] {
        let shown = scene.shows(notice("plain", 1, confirmed("o-1", 2500)));
        assert_eq!(shown, "not_asked: no order was sent in this attempt\n");
    }
}

#[test]
fn only_the_partner_of_the_attempt_speaks_about_it() {
    let foreign = |attempt| says("ideal", attempt, PartnerOperation::Place, confirmed("o-1", 1));
    assert_shows(
        &Scene::placing().shows(foreign(1)),
        "
        wrong_sender: ideal was not asked in attempt 1
        ",
    );
    assert_shows(
        &Scene::placing().shows(foreign(2)),
        "
        wrong_sender: ideal was not asked in attempt 2
        ",
    );
    assert_shows(
        &Scene::placing().shows(foreign(0)),
        "
        wrong_sender: ideal was not asked in attempt 0
        ",
    );
}

#[test]
fn a_second_confirmation_of_the_same_order_changes_nothing() {
    for mut scene in [Scene::capturing(), Scene::completed()] {
        let shown = scene.shows(place(confirmed("o-1", 2500)));
        assert_eq!(shown, "nothing to do: confirmed before\n");
    }
}

#[test]
fn a_second_order_under_one_key_is_an_incident() {
    let mut scene = Scene::completed();
    let second = place(confirmed("o-2", 2500));
    assert_shows(
        &scene.shows(second.clone()),
        "
        rows:    T20
        status:  v7 ordered, sweep 1, notified 1, incident LateOrder
        attempt: 1 at plain: completed
        holds:   authorized 25.00 USD, intent of v4 cap 25.00 USD until +5.000s, order o-1 25.00 USD
        known:   o-2#1
        timers:  none
        effect:  event incident
        ",
    );
    assert_shows(
        &scene.shows(second),
        "
        nothing to do: a human knows of the second order
        ",
    );
}

#[test]
fn a_copy_of_a_second_order_is_no_late_one_after_the_first_was_taken_back() {
    let second = place(confirmed("o-2", 2500));
    let mut scene =
        Scene::completed().then(second.clone()).then(notice("plain", 1, canceled("o-1")));
    assert_eq!(status(&scene.request), "failed (partner_canceled)");
    let shown = scene.shows(second);
    assert_eq!(shown, "nothing to do: this order is known and dealt with\n");
}

#[test]
fn a_late_refusal_does_not_shake_a_confirmed_order() {
    for outcome in [refused(true), refused(false), not_found(true)] {
        let shown = Scene::completed().shows(place(outcome));
        assert_eq!(shown, "nothing to do: the order was confirmed before\n");
    }
}

#[test]
fn an_order_that_the_partner_takes_back_is_refunded_and_told() {
    let mut scene = Scene::completed();
    assert_shows(
        &scene.shows(notice("plain", 1, canceled("o-1"))),
        "
        rows:    T21
        status:  v7 failed (partner_canceled), sweep 1, notified 2
        attempt: 1 at plain: failed (partner_canceled)
        holds:   authorized 25.00 USD, intent of v4 cap 25.00 USD until +5.000s, order o-1 25.00 USD
        undo:    void#1 at plain, sent 1 times, lapses +0.500s
        timers:  undo +1.000s
        effect:  pay void#1
        effect:  event failed
        effect:  notify 1 failed
        ",
    );
}

#[test]
fn a_customer_who_wants_it_gets_another_copy_after_the_money_is_back() {
    let mut scene = Scene::completed_for(|wanted| wanted.rebuy = true);
    assert_shows(
        &scene.shows(notice("plain", 1, canceled("o-1"))),
        "
        rows:    T21
        status:  v7 ordering, sweep 1, notified 1
        attempt: 1 at plain: failed (partner_canceled), next ideal
        holds:   authorized 25.00 USD, intent of v4 cap 25.00 USD until +5.000s, order o-1 25.00 USD
        undo:    void#1 at plain, sent 1 times, lapses +0.500s
        timers:  expiry +600.000s, undo +1.000s
        effect:  pay void#1
        effect:  event ordering
        ",
    );
    let back = pays(
        1,
        schemas::subject::PaymentOperation::Refund,
        broker_core::event::PaymentOutcome::Refunded,
    );
    assert_shows(
        &scene.shows(back),
        "
        rows:    T16 C1
        status:  v8 ordering, sweep 1, notified 1, tried plain ideal
        attempt: 2 at ideal: reserving until +1.500s
        known:   o-1#1
        timers:  expiry +600.000s, step +1.500s
        effect:  event ordering
        effect:  ideal reserve#2 1 of q-ideal-2600 for 120000 ms, by +1.500s
        ",
    );
}

#[test]
fn after_an_order_was_taken_back_any_outcome_of_the_new_search_is_told() {
    let search_again = |wanted: &mut broker_core::request::Submission| wanted.rebuy = true;
    let mut scene = Scene::searching_for(search_again)
        .then(too_dear(1, quote("plain", 3500), 7))
        .then(accept(7))
        .then(pays(1, schemas::subject::PaymentOperation::Authorize, authorized(3500)))
        .then(place(confirmed("o-1", 3500)))
        .then(notice("plain", 1, canceled("o-1")))
        .then(pays(
            1,
            schemas::subject::PaymentOperation::Void,
            broker_core::event::PaymentOutcome::Voided,
        ));
    let shown = scene.shows(sweep(3, broker_core::event::Finding::NoStock));
    assert!(shown.ends_with("effect:  notify 2 out_of_stock\n"), "{shown}");
}

#[test]
fn an_order_that_turns_up_after_its_failure_is_canceled_as_an_incident() {
    let mut scene = Scene::unwinding();
    let late = place(confirmed("o-1", 2500));
    assert_shows(
        &scene.shows(late.clone()),
        "
        rows:    T20
        status:  v6 ordering, sweep 1, incident LateOrder
        attempt: 1 at plain: failed (partner_rejected), next ideal
        holds:   authorized 25.00 USD, intent of v4 cap 25.00 USD until +5.000s
        known:   o-1#1
        undo:    cancelorder#1 at plain, sent 1 times, lapses +0.000s
        undo:    void#1 at plain, sent 1 times, lapses +0.500s
        timers:  expiry +600.000s, undo +1.000s
        effect:  event incident
        effect:  plain cancel#1
        ",
    );
    assert_shows(
        &scene.shows(late),
        "
        nothing to do: this order is known and dealt with
        ",
    );
}

#[test]
fn an_order_that_turns_up_after_the_end_never_makes_it_ordered() {
    let gone = place(refused(true));
    let mut scene = Scene::placing().fired(TimerKind::Expiry).then(gone);
    assert_eq!(status(&scene.request), "expired");
    assert_shows(
        &scene.shows(place(confirmed("o-1", 2500))),
        "
        rows:    T20
        status:  v7 expired, sweep 1, notified 1, incident LateOrder
        attempt: 1 at plain: failed (partner_rejected)
        holds:   authorized 25.00 USD, intent of v4 cap 25.00 USD until +5.000s
        known:   o-1#1
        undo:    cancelorder#1 at plain, sent 1 times, lapses +600.000s
        undo:    void#1 at plain, sent 1 times, lapses +600.500s
        timers:  undo +601.000s
        effect:  event incident
        effect:  plain cancel#1
        ",
    );
}

#[test]
fn a_confirmation_that_its_own_cancel_overtook_is_no_late_order() {
    let mut scene = Scene::placing().then(notice("plain", 1, canceled("o-1")));
    assert_eq!(scene.request.known_orders.len(), 1);
    let shown = scene.shows(place(confirmed("o-1", 2500)));
    assert_eq!(shown, "nothing to do: this order is known and dealt with\n");
}

#[test]
fn a_cancel_that_comes_late_is_kept_for_the_confirmation_it_overtook() {
    let mut scene = Scene::unwinding();
    assert_shows(
        &scene.shows(notice("plain", 1, canceled("o-1"))),
        "
        rows:    -
        status:  v6 ordering, sweep 1
        attempt: 1 at plain: failed (partner_rejected), next ideal
        holds:   authorized 25.00 USD, intent of v4 cap 25.00 USD until +5.000s
        known:   o-1#1
        undo:    void#1 at plain, sent 1 times, lapses +0.500s
        timers:  expiry +600.000s, undo +1.000s
        ",
    );
    for copy in [canceled("o-1"), confirmed("o-1", 2500)] {
        let shown = scene.shows(notice("plain", 1, copy));
        assert!(shown.starts_with("nothing to do: "), "{shown}");
    }
}

#[test]
fn a_cancel_of_another_order_leaves_the_confirmed_one_standing_and_calls_a_human() {
    let mut scene = Scene::completed().then(notice("plain", 1, canceled("o-2")));
    assert_eq!(status(&scene.request), "ordered");
    assert_eq!(scene.request.known_orders.len(), 1);
    assert_eq!(scene.request.incident, Some(Incident::LateOrder));
    let shown = scene.shows(notice("plain", 1, canceled("o-2")));
    assert!(shown.starts_with("nothing to do: another order was canceled"), "{shown}");
}

#[test]
fn a_store_that_cancels_ever_new_orders_fills_no_memory() {
    let mut scene = Scene::unwinding();
    for order in 0..broker_core::request::KNOWN_ORDERS_MAX {
        scene.apply(notice("plain", 1, canceled(&format!("o-{order}"))));
    }
    let shown = scene.shows(notice("plain", 1, canceled("o-another")));
    assert_eq!(shown, "nothing to do: late, and no order\n");
}

#[test]
fn late_words_without_an_order_are_ignored() {
    for outcome in [refused(true), not_found(true)] {
        let shown = Scene::unwinding().shows(place(outcome));
        assert_eq!(shown, "nothing to do: late, and no order\n");
    }
}

#[test]
fn a_rogue_order_of_an_earlier_attempt_stops_the_next_one_before_its_money() {
    let mut scene = Scene::ordering(vec![quote("plain", 2500), quote("ideal", 2600)])
        .then(pays(1, schemas::subject::PaymentOperation::Authorize, authorized(2500)))
        .then(place(refused(true)))
        .then(pays(
            1,
            schemas::subject::PaymentOperation::Void,
            broker_core::event::PaymentOutcome::Voided,
        ))
        .then(place(confirmed("o-1", 2500)));
    assert_shows(
        &head(&scene.request),
        "
        status:  v7 ordering, sweep 1, incident LateOrder, tried plain ideal
        attempt: 2 at ideal: reserving until +1.500s
        known:   o-1#1
        undo:    cancelorder#1 at plain, sent 1 times, lapses +0.000s
        timers:  expiry +600.000s, step +1.500s, undo +1.000s
        ",
    );
    let held = says("ideal", 2, PartnerOperation::Reserve, reserved(120_000));
    assert_shows(
        &scene.shows(held),
        "
        rows:    C2 C18
        status:  v8 ordering, sweep 1, incident LateOrder, tried plain ideal
        attempt: 2 at ideal: failed (partner_timeout)
        holds:   reserved until +120.000s
        known:   o-1#1
        undo:    cancelorder#1 at plain, sent 1 times, lapses +0.000s
        undo:    release#2 at ideal, sent 1 times, lapses +120.500s
        timers:  expiry +600.000s, undo +1.000s
        effect:  ideal release#2
        ",
    );
}

#[test]
fn a_rogue_order_of_an_earlier_attempt_stops_the_next_one_before_its_order() {
    use broker_core::event::PaymentOutcome;
    use schemas::subject::PaymentOperation;
    let mut scene = Scene::ordering(vec![quote("plain", 2500), quote("fencing", 2600)])
        .then(pays(1, PaymentOperation::Authorize, authorized(2500)))
        .then(place(refused(true)))
        .then(pays(1, PaymentOperation::Void, PaymentOutcome::Voided))
        .then(place(confirmed("o-1", 2500)));
    let paid = pays(2, PaymentOperation::Authorize, authorized(2600));
    assert_shows(
        &scene.shows(paid),
        "
        rows:    C4 C18
        status:  v8 ordering, sweep 1, incident LateOrder, tried plain fencing
        attempt: 2 at fencing: failed (partner_timeout)
        holds:   authorized 26.00 USD
        known:   o-1#1
        undo:    cancelorder#1 at plain, sent 1 times, lapses +0.000s
        undo:    void#2 at fencing, sent 1 times, lapses +2.500s
        timers:  expiry +600.000s, undo +1.000s
        effect:  pay void#2
        ",
    );
}
