//! The attempt up to the order (C1–C3, C8) and what follows its definite failure (T16, T17).

use broker_core::event::{Event, PaymentOutcome};
use broker_core::timer::TimerKind;
use schemas::DurationMs;
use schemas::subject::{PartnerOperation, PaymentOperation};

use crate::support::*;

fn voided(attempt: u8) -> Event {
    pays(attempt, PaymentOperation::Void, PaymentOutcome::Voided)
}

#[test]
fn a_hold_on_stock_is_followed_by_one_on_money() {
    let answer = says("ideal", 1, PartnerOperation::Reserve, reserved(120_000));
    assert_shows(
        &Scene::reserving().shows(answer),
        "
        rows:    C2 C3
        status:  v4 ordering, sweep 1
        attempt: 1 at ideal: authorizing until +2.000s, asked 0 times
        holds:   reserved until +120.000s
        timers:  expiry +600.000s, step +2.000s
        effect:  pay authorize#1 25.00 USD, by +2.000s
        ",
    );
}

#[test]
fn a_final_refusal_to_reserve_moves_on_at_once_with_nothing_to_undo() {
    let mut scene = Scene::ordering(vec![quote("ideal", 2500), quote("plain", 2600)]);
    let answer = says("ideal", 1, PartnerOperation::Reserve, refused(true));
    assert_shows(
        &scene.shows(answer),
        "
        rows:    C2 T16 C1 C2 C3
        status:  v4 ordering, sweep 1, tried ideal plain
        attempt: 2 at plain: authorizing until +2.000s, asked 0 times
        timers:  expiry +600.000s, step +2.000s
        effect:  event ordering
        effect:  pay authorize#2 26.00 USD, by +2.000s
        ",
    );
}

#[test]
fn a_refusal_of_one_copy_moves_on_and_releases_what_another_copy_may_have_held() {
    let mut scene = Scene::ordering(vec![quote("ideal", 2500), quote("plain", 2600)]);
    let answer = says("ideal", 1, PartnerOperation::Reserve, refused(false));
    assert_shows(
        &scene.shows(answer),
        "
        rows:    C18 T16 C1 C2 C3
        status:  v4 ordering, sweep 1, tried ideal plain
        attempt: 2 at plain: authorizing until +2.000s, asked 0 times
        undo:    release#1 at ideal, sent 1 times, lapses +122.000s
        timers:  expiry +600.000s, step +2.000s, undo +1.000s
        effect:  ideal release#1
        effect:  event ordering
        effect:  pay authorize#2 26.00 USD, by +2.000s
        ",
    );
}

#[test]
fn silence_after_reserve_moves_on_and_releases() {
    let mut scene = Scene::ordering(vec![quote("ideal", 2500), quote("plain", 2600)]);
    assert_shows(
        &show(&scene.fire(TimerKind::Step)),
        "
        rows:    C18 T16 C1 C2 C3
        status:  v4 ordering, sweep 1, tried ideal plain
        attempt: 2 at plain: authorizing until +3.500s, asked 0 times
        undo:    release#1 at ideal, sent 1 times, lapses +122.000s
        timers:  expiry +600.000s, step +3.500s, undo +2.500s
        effect:  ideal release#1
        effect:  event ordering
        effect:  pay authorize#2 26.00 USD, by +3.500s
        ",
    );
}

#[test]
fn a_reserve_answer_that_is_none_is_refused() {
    for outcome in [confirmed("o-1", 2500), not_found(true)] {
        let shown = Scene::reserving().shows(says("ideal", 1, PartnerOperation::Reserve, outcome));
        assert_eq!(shown, "not_asked: a reserve is answered by reserved or refused\n");
    }
}

#[test]
fn a_late_hold_is_left_to_the_release_that_is_on_its_way() {
    let mut scene = Scene::reserving().fired(TimerKind::Step);
    let answer = says("ideal", 1, PartnerOperation::Reserve, reserved(120_000));
    assert_shows(
        &scene.shows(answer),
        "
        nothing to do: no reservation is awaited
        ",
    );
}

#[test]
fn money_is_not_authorised_when_no_order_could_follow_in_time() {
    let mut scene = Scene::reserving();
    let latest = LIFE.as_ms() - policy().place_budget.as_ms();
    scene.now = at(latest);
    let answer = says("ideal", 1, PartnerOperation::Reserve, reserved(700_000));
    assert_shows(
        &scene.shows(answer),
        "
        rows:    C2 C18 T13
        status:  v4 expired, sweep 1, notified 1
        attempt: 1 at ideal: failed (request_expired)
        holds:   reserved until +700.000s
        undo:    release#1 at ideal, sent 1 times, lapses +700.500s
        timers:  undo +600.400s
        effect:  ideal release#1
        effect:  event expired
        effect:  notify 0 expired
        ",
    );
}

#[test]
fn the_order_leaves_with_cap_and_last_instant_once_its_intent_is_part_of_the_request() {
    let paid = pays(1, PaymentOperation::Authorize, authorized(2500));
    assert_shows(&Scene::authorizing_reserved().shows(paid), "
        rows:    C4 C8
        status:  v5 ordering, sweep 1
        attempt: 1 at ideal: placing
        holds:   reserved until +120.000s, authorized 25.00 USD, intent of v5 cap 25.00 USD until +5.000s
        timers:  expiry +600.000s, step +1.000s
        effect:  ideal place#1 1 reserved of q-ideal-2500 cap 25.00 USD, by +5.000s
        ");
}

#[test]
fn no_order_may_be_accepted_after_hold_reservation_or_deadline_end() {
    let paid = || pays(1, PaymentOperation::Authorize, authorized(2500));
    let margin = policy().clock_margin.as_ms();
    let window = |mut scene: Scene| {
        let next = scene.apply(paid()).next;
        next.checkout.unwrap().intent.unwrap().not_after
    };
    let reserved_for = |ms| {
        let answer = says("ideal", 1, PartnerOperation::Reserve, reserved(ms));
        Scene::reserving().then(answer)
    };
    assert_eq!(window(reserved_for(120_000)), at(5_000));
    assert_eq!(window(reserved_for(4_000)), at(4_000 - margin));
    let late = Scene::authorizing().after(LIFE.as_ms() - 2_000);
    assert_eq!(window(late), at(LIFE.as_ms() - margin));
}

#[test]
fn no_order_is_sent_when_its_budget_would_cross_the_deadline() {
    let paid = || pays(1, PaymentOperation::Authorize, authorized(2500));
    let latest = LIFE.as_ms() - policy().place_budget.as_ms();
    assert!(Scene::authorizing().after(latest).try_apply(paid()).is_ok());
    assert_shows(
        &Scene::authorizing().after(latest + 1).shows(paid()),
        "
        rows:    C4 C18 T13
        status:  v4 expired, sweep 1, notified 1
        attempt: 1 at plain: failed (request_expired)
        holds:   authorized 25.00 USD
        undo:    void#1 at plain, sent 1 times, lapses +2.500s, conclusive from v4
        timers:  undo +600.401s
        effect:  pay void#1
        effect:  event expired
        effect:  notify 0 expired
        ",
    );
}

#[test]
fn no_order_is_sent_against_a_reservation_that_is_about_to_end() {
    let paid = pays(1, PaymentOperation::Authorize, authorized(2500));
    let mut scene = Scene::reserving()
        .then(says("ideal", 1, PartnerOperation::Reserve, reserved(500)))
        .then(paid);
    assert_shows(
        &head(&scene.request),
        "
        status:  v5 ordering, sweep 1
        attempt: 1 at ideal: failed (reservation_expired)
        holds:   reserved until +0.500s, authorized 25.00 USD
        undo:    void#1 at ideal, sent 1 times, lapses +2.500s
        undo:    release#1 at ideal, sent 1 times, lapses +1.000s
        timers:  expiry +600.000s, undo +1.000s
        ",
    );
    assert_shows(
        &scene.shows(voided(1)),
        "
        rows:    T16
        status:  v6 searching, sweep 2
        attempt: 1 at ideal: failed (reservation_expired)
        holds:   reserved until +0.500s, authorized 25.00 USD
        undo:    release#1 at ideal, sent 1 times, lapses +1.000s
        timers:  expiry +600.000s, undo +1.000s
        ",
    );
}

#[test]
fn the_next_best_quote_is_bought_once_the_money_is_proven_back() {
    let mut scene = Scene::unwinding();
    assert_shows(
        &scene.shows(voided(1)),
        "
        rows:    T16 C1
        status:  v6 ordering, sweep 1, tried plain ideal
        attempt: 2 at ideal: reserving until +1.500s
        timers:  expiry +600.000s, step +1.500s
        effect:  event ordering
        effect:  ideal reserve#2 1 of q-ideal-2600 for 120000 ms, by +1.500s
        ",
    );
}

#[test]
fn without_another_good_quote_the_search_begins_again() {
    let mut scene = Scene::placing().then(says("plain", 1, PartnerOperation::Place, refused(true)));
    assert_shows(
        &scene.shows(voided(1)),
        "
        rows:    T16
        status:  v6 searching, sweep 2
        attempt: 1 at plain: failed (partner_rejected)
        holds:   authorized 25.00 USD, intent of v4 cap 25.00 USD until +5.000s
        timers:  expiry +600.000s
        ",
    );
}

#[test]
fn a_store_that_has_just_refused_comes_last_in_the_next_choice() {
    let mut scene = Scene::placing()
        .then(says("plain", 1, PartnerOperation::Place, refused(true)))
        .then(voided(1));
    let offers = vec![quote("plain", 2500), quote("ideal", 2900)];
    let next = scene.apply(affordable(2, offers)).next;
    let checkout = next.checkout.unwrap();
    assert_eq!(checkout.quote.partner, partner("ideal"));
    assert_eq!(checkout.runners_up[0].partner, partner("plain"));
}

#[test]
fn a_store_that_has_just_refused_is_still_bought_from_when_nobody_else_is_affordable() {
    let mut scene = Scene::placing()
        .then(says("plain", 1, PartnerOperation::Place, refused(true)))
        .then(voided(1));
    let next = scene.apply(affordable(2, vec![quote("plain", 2500)])).next;
    assert_eq!(next.checkout.unwrap().quote.partner, partner("plain"));
}

#[test]
fn a_runner_up_that_lapsed_meanwhile_is_not_bought() {
    let mut second = quote("ideal", 2600);
    second.valid_until = at(100);
    let mut scene = Scene::ordering(vec![quote("plain", 2500), second])
        .then(pays(1, PaymentOperation::Authorize, authorized(2500)))
        .then(says("plain", 1, PartnerOperation::Place, refused(true)))
        .after(100);
    let next = scene.apply(voided(1)).next;
    assert_eq!((status(&next), next.sweep), ("searching".to_owned(), 2));
}

#[test]
fn a_partner_that_failed_is_not_tried_again_from_the_same_list() {
    let offers = vec![quote("plain", 2500), quote("plain", 2600)];
    let mut scene = Scene::ordering(offers)
        .then(pays(1, PaymentOperation::Authorize, authorized(2500)))
        .then(says("plain", 1, PartnerOperation::Place, refused(true)));
    let next = scene.apply(voided(1)).next;
    assert_eq!((status(&next), next.sweep), ("searching".to_owned(), 2));
}

#[test]
fn attempts_are_limited() {
    let refuse = |scene: Scene, name: &str, attempt| {
        scene.then(pays(attempt, PaymentOperation::Authorize, authorized(2700))).then(says(
            name,
            attempt,
            PartnerOperation::Place,
            refused(true),
        ))
    };
    let offers = vec![quote("plain", 2500), quote("trailing", 2600), quote("fencing", 2700)];
    let scene = refuse(Scene::ordering(offers), "plain", 1).then(voided(1));
    let scene = refuse(scene, "trailing", 2).then(voided(2));
    let mut scene = scene.then(pays(3, PaymentOperation::Authorize, authorized(2700)));
    assert_shows(
        &scene.shows(says("fencing", 3, PartnerOperation::Place, refused(true))),
        "
        rows:    C10 C18 T17
        status:  v11 failed (partner_rejected), sweep 1, notified 1, tried plain trailing fencing
        attempt: 3 at fencing: failed (partner_rejected)
        holds:   authorized 27.00 USD, intent of v10 cap 27.00 USD until +5.000s
        undo:    void#3 at fencing, sent 1 times, lapses +0.500s
        timers:  undo +1.000s
        effect:  pay void#3
        effect:  event failed
        effect:  notify 0 failed
        ",
    );
}

#[test]
fn a_failure_that_leaves_no_time_for_another_purchase_is_the_end() {
    let mut scene = Scene::unwinding();
    scene.now = at(LIFE.as_ms() - policy().placement_budget.as_ms() + 1);
    assert_shows(
        &scene.shows(voided(1)),
        "
        rows:    T17
        status:  v6 failed (partner_rejected), sweep 1, notified 1
        attempt: 1 at plain: failed (partner_rejected), next ideal
        holds:   authorized 25.00 USD, intent of v4 cap 25.00 USD until +5.000s
        timers:  none
        effect:  event failed
        effect:  notify 0 failed
        ",
    );
}

#[test]
fn a_failure_after_the_deadline_ends_as_expired() {
    let mut scene = Scene::placing().fired(TimerKind::Expiry);
    assert_shows(
        &scene.shows(says("plain", 1, PartnerOperation::Place, refused(true))),
        "
        rows:    C10 C18 T13
        status:  v6 expired, sweep 1, notified 1
        attempt: 1 at plain: failed (partner_rejected)
        holds:   authorized 25.00 USD, intent of v4 cap 25.00 USD until +5.000s
        undo:    void#1 at plain, sent 1 times, lapses +600.500s
        timers:  undo +601.000s
        effect:  pay void#1
        effect:  event expired
        effect:  notify 0 expired
        ",
    );
}

#[test]
fn an_authorisation_that_is_over_already_ends_the_attempt_by_its_own_name() {
    let mut scene = Scene::authorizing();
    let soon = scene.now.saturating_add(DurationMs(50));
    let answer = pays(
        1,
        PaymentOperation::Authorize,
        PaymentOutcome::Authorized { amount: usd(2500), valid_until: soon },
    );
    assert_shows(
        &scene.shows(answer),
        "
        rows:    C4 C18
        status:  v4 ordering, sweep 1
        attempt: 1 at plain: failed (authorization_expired)
        holds:   authorized 25.00 USD
        undo:    void#1 at plain, sent 1 times, lapses +2.500s
        timers:  expiry +600.000s, undo +1.000s
        effect:  pay void#1
        ",
    );
}
