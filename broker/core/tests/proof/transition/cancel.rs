//! Cancel before, after and beyond the point of no return (T12–T14, C19).

use broker_core::timer::TimerKind;
use schemas::subject::PartnerOperation;

use crate::support::*;

#[test]
fn cancel_before_anything_was_ordered_ends_the_request() {
    assert_shows(
        &Scene::pending().shows(cancel()),
        "
        rows:    T12
        status:  v2 canceled, notified 1
        timers:  none
        effect:  event canceled
        effect:  notify 0 canceled
        ",
    );
    assert_shows(
        &Scene::searching().shows(cancel()),
        "
        rows:    T12
        status:  v3 canceled, sweep 1, notified 1
        timers:  none
        effect:  event canceled
        effect:  notify 0 canceled
        ",
    );
    assert_shows(
        &Scene::quoted().shows(cancel()),
        "
        rows:    T12
        status:  v4 canceled, sweep 1, notified 2, told 3500
        timers:  none
        effect:  event canceled
        effect:  notify 1 canceled
        ",
    );
    assert_shows(
        &Scene::out_of_stock().shows(cancel()),
        "
        rows:    T12
        status:  v4 canceled, sweep 1, notified 2, told that nobody has it
        timers:  none
        effect:  event canceled
        effect:  notify 1 canceled
        ",
    );
}

#[test]
fn cancel_before_the_point_of_no_return_gives_back_what_is_held() {
    assert_shows(
        &Scene::reserving().shows(cancel()),
        "
        rows:    T13 C18
        status:  v4 canceled, sweep 1, notified 1
        attempt: 1 at ideal: failed (canceled_by_customer)
        undo:    release#1 at ideal, sent 1 times, lapses +122.000s
        timers:  undo +1.000s
        effect:  ideal release#1
        effect:  event canceled
        effect:  notify 0 canceled
        ",
    );
    assert_shows(
        &Scene::authorizing_reserved().shows(cancel()),
        "
        rows:    T13 C18
        status:  v5 canceled, sweep 1, notified 1
        attempt: 1 at ideal: failed (canceled_by_customer)
        holds:   reserved until +120.000s
        undo:    void#1 at ideal, sent 1 times, lapses +2.500s
        undo:    release#1 at ideal, sent 1 times, lapses +120.500s
        timers:  undo +1.000s
        effect:  pay void#1
        effect:  ideal release#1
        effect:  event canceled
        effect:  notify 0 canceled
        ",
    );
    assert_shows(
        &Scene::action_required().shows(cancel()),
        "
        rows:    T13 C18
        status:  v5 canceled, sweep 1, notified 2
        attempt: 1 at plain: failed (canceled_by_customer)
        undo:    void#1 at plain, sent 1 times, lapses +300.500s
        timers:  undo +1.000s
        effect:  pay void#1
        effect:  event canceled
        effect:  notify 1 canceled
        ",
    );
}

#[test]
fn cancel_after_the_point_of_no_return_waits_for_the_outcome() {
    let mut scene = Scene::placing();
    assert_shows(
        &scene.shows(cancel()),
        "
        rows:    T14
        status:  v5 ordering, sweep 1, cancel requested
        attempt: 1 at plain: placing
        holds:   authorized 25.00 USD, intent of v4 cap 25.00 USD until +5.000s
        timers:  expiry +600.000s, step +1.000s
        effect:  event cancel_requested
        ",
    );
    assert_shows(
        &scene.shows(cancel()),
        "
        nothing to do: cancel was requested before
        ",
    );
}

#[test]
fn a_waiting_cancel_is_sent_to_the_partner_once_the_order_is_confirmed() {
    let mut scene = Scene::placing().then(cancel());
    let confirmation = says("plain", 1, PartnerOperation::Place, confirmed("o-1", 2500));
    assert_shows(
        &scene.shows(confirmation),
        "
        rows:    C9 T15 C19
        status:  v6 ordered, sweep 1, notified 1, cancel requested
        attempt: 1 at plain: capturing, tried 0 times
        holds:   authorized 25.00 USD, intent of v4 cap 25.00 USD until +5.000s, order o-1 25.00 USD
        undo:    cancelorder#1 at plain, sent 1 times, lapses +0.000s
        timers:  undo +1.000s
        effect:  event ordered
        effect:  notify 0 ordered
        effect:  plain cancel#1
        ",
    );
}

#[test]
fn a_waiting_cancel_is_moot_when_the_partner_takes_none() {
    let mut scene = Scene::placing_at("mute").then(cancel());
    let confirmation = says("mute", 1, PartnerOperation::Place, confirmed("o-1", 2500));
    assert_shows(
        &scene.shows(confirmation),
        "
        rows:    C9 T15 C15
        status:  v6 ordered, sweep 1, notified 1
        attempt: 1 at mute: capturing, tried 1 times
        holds:   authorized 25.00 USD, intent of v4 cap 25.00 USD until +5.000s, order o-1 25.00 USD
        timers:  step +2.000s
        effect:  event ordered
        effect:  notify 0 ordered
        effect:  pay capture#1 25.00 USD
        ",
    );
}

#[test]
fn a_waiting_cancel_wins_when_the_order_is_refused() {
    let mut scene = Scene::placing().then(cancel());
    assert_shows(
        &scene.shows(says("plain", 1, PartnerOperation::Place, refused(true))),
        "
        rows:    C10 C18
        status:  v6 canceled, sweep 1, notified 1, cancel requested
        attempt: 1 at plain: failed (partner_rejected)
        holds:   authorized 25.00 USD, intent of v4 cap 25.00 USD until +5.000s
        undo:    void#1 at plain, sent 1 times, lapses +0.500s
        timers:  undo +1.000s
        effect:  pay void#1
        effect:  event canceled
        effect:  notify 0 canceled
        ",
    );
}

#[test]
fn cancel_of_a_standing_order_is_asked_of_the_partner() {
    let mut scene = Scene::completed();
    assert_shows(
        &scene.shows(cancel()),
        "
        rows:    C19
        status:  v7 ordered, sweep 1, notified 1, cancel requested
        attempt: 1 at plain: completed
        holds:   authorized 25.00 USD, intent of v4 cap 25.00 USD until +5.000s, order o-1 25.00 USD
        undo:    cancelorder#1 at plain, sent 1 times, lapses +0.000s
        timers:  undo +1.000s
        effect:  event cancel_requested
        effect:  plain cancel#1
        ",
    );
    assert_shows(
        &scene.shows(cancel()),
        "
        nothing to do: cancel was requested before
        ",
    );
}

#[test]
fn cancel_of_an_order_that_the_partner_does_not_take_back_is_too_late() {
    assert_shows(
        &Scene::capturing_at("mute").shows(cancel()),
        "
        too_late: cancel came after the order was sent; its outcome decides
        ",
    );
}

#[test]
fn what_has_ended_cannot_be_canceled_or_updated() {
    for (mut scene, ended) in [
        (Scene::canceled(), "canceled"),
        (Scene::expired(), "expired"),
        (Scene::declined(), "failed"),
        (Scene::quoted().fired(TimerKind::Expiry), "quoted"),
        (Scene::out_of_stock().fired(TimerKind::Expiry), "out_of_stock"),
    ] {
        let told = |what| {
            format!("transition_not_allowed: {what} is not possible while the request is {ended}\n")
        };
        assert_eq!(scene.shows(cancel()), told("cancel"));
        assert_eq!(scene.shows(raise_to(9000)), told("update"));
        assert_eq!(scene.shows(accept(7)), told("accept_quote"));
    }
}
