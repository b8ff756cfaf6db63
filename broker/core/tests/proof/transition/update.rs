//! Update and accept_quote (T9, T10, T22).

use broker_core::event::{Event, Update};
use broker_core::timer::TimerKind;
use schemas::purchase::{Mode, Strategy};
use schemas::subject::PaymentOperation;
use schemas::{Currency, DurationMs, Money};

use crate::support::*;

#[test]
fn an_update_while_searching_only_changes_the_terms() {
    let event = Event::Update(Update {
        max_total: Some(usd(4000)),
        expires_at: Some(at(700_000)),
        strategy: Some(Strategy::Fast),
        ..update()
    });
    assert_shows(
        &Scene::searching().shows(event),
        "
        rows:    -
        status:  v3 searching, max 40.00 USD, expires +700.000s, Fast, sweep 1
        timers:  expiry +700.000s
        effect:  event updated
        ",
    );
}

#[test]
fn raising_the_limit_above_the_quoted_price_buys_it_without_asking_anybody() {
    assert_shows(
        &Scene::quoted().shows(raise_to(3500)),
        "
        rows:    T9 T4 C1 C2 C3
        status:  v4 ordering, max 35.00 USD, sweep 2, notified 1
        attempt: 1 at plain: authorizing until +2.000s, asked 0 times
        timers:  expiry +600.000s, step +2.000s
        effect:  event ordering
        effect:  pay authorize#1 35.00 USD, by +2.000s
        effect:  event updated
        ",
    );
}

#[test]
fn raising_the_limit_too_little_sweeps_again() {
    assert_shows(
        &Scene::quoted().shows(raise_to(3499)),
        "
        rows:    T9
        status:  v4 searching, max 34.99 USD, sweep 2, notified 1
        timers:  expiry +600.000s
        effect:  event updated
        ",
    );
}

#[test]
fn raising_the_limit_sweeps_again_when_the_quoted_offer_has_lapsed() {
    let mut offer = quote("plain", 3500);
    offer.valid_until = at(1000);
    let mut scene = Scene::searching().then(too_dear(1, offer, 7)).after(1000);
    assert_shows(
        &scene.shows(raise_to(3500)),
        "
        rows:    T9
        status:  v4 searching, max 35.00 USD, sweep 2, notified 1
        timers:  expiry +600.000s
        effect:  event updated
        ",
    );
}

#[test]
fn lowering_the_limit_of_a_resting_request_leaves_it_at_rest() {
    assert_shows(
        &Scene::quoted().shows(raise_to(2000)),
        "
        rows:    -
        status:  v4 quoted 35.00 USD at plain, max 20.00 USD, sweep 1, notified 1, told 3500
        timers:  expiry +600.000s
        effect:  event updated
        ",
    );
    assert_shows(
        &Scene::out_of_stock().shows(raise_to(2000)),
        "
        rows:    -
        status:  v4 out_of_stock, max 20.00 USD, sweep 1, notified 1, told that nobody has it
        timers:  expiry +600.000s
        effect:  event updated
        ",
    );
}

#[test]
fn raising_the_limit_when_nobody_had_it_sweeps_again() {
    assert_shows(
        &Scene::out_of_stock().shows(raise_to(3500)),
        "
        rows:    T9
        status:  v4 searching, max 35.00 USD, sweep 2, notified 1
        timers:  expiry +600.000s
        effect:  event updated
        ",
    );
}

#[test]
fn an_update_before_the_point_of_no_return_abandons_the_attempt_and_searches_again() {
    assert_shows(
        &Scene::reserving().shows(raise_to(3500)),
        "
        rows:    T22 C18 T16
        status:  v4 searching, max 35.00 USD, sweep 2
        attempt: 1 at ideal: failed (price_changed)
        undo:    release#1 at ideal, sent 1 times, lapses +122.000s
        timers:  expiry +600.000s, undo +1.000s
        effect:  ideal release#1
        effect:  event updated
        ",
    );
}

#[test]
fn an_update_while_money_is_held_searches_again_once_it_is_proven_back() {
    let mut scene = Scene::authorizing();
    assert_shows(
        &scene.shows(raise_to(3500)),
        "
        rows:    T22 C18
        status:  v4 ordering, max 35.00 USD, sweep 1
        attempt: 1 at plain: failed (price_changed)
        undo:    void#1 at plain, sent 1 times, lapses +2.500s
        timers:  expiry +600.000s, undo +1.000s
        effect:  pay void#1
        effect:  event updated
        ",
    );
    let voided = pays(1, PaymentOperation::Void, broker_core::event::PaymentOutcome::Voided);
    assert_shows(
        &scene.shows(voided),
        "
        rows:    T16
        status:  v5 searching, max 35.00 USD, sweep 2
        attempt: 1 at plain: failed (price_changed)
        timers:  expiry +600.000s
        ",
    );
}

#[test]
fn an_update_after_the_point_of_no_return_is_too_late() {
    assert_shows(
        &Scene::placing().shows(raise_to(3500)),
        "
        too_late: update came after the order was sent; its outcome decides
        ",
    );
    assert_shows(
        &Scene::unknown_at("plain").shows(raise_to(3500)),
        "
        too_late: update came after the order was sent; its outcome decides
        ",
    );
    assert_shows(
        &Scene::completed().shows(raise_to(3500)),
        "
        transition_not_allowed: update is not possible while the request is ordered
        ",
    );
}

#[test]
fn an_update_that_names_another_version_currency_or_a_deadline_too_far_is_refused() {
    let version = |wanted| Event::Update(Update { if_version: Some(wanted), ..update() });
    assert!(Scene::searching().try_apply(version(2)).is_ok());
    assert_shows(
        &Scene::searching().shows(version(1)),
        "
        version_conflict: if_version is 1, the request has version 2
        ",
    );
    let euros = Some(Money::new(5000, Currency::EUR).unwrap());
    let event = Event::Update(Update { max_total: euros, ..update() });
    assert_shows(
        &Scene::searching().shows(event),
        "
        currency_unsupported: max_total must stay in USD
        ",
    );
    let last = T0.saturating_add(policy().expiry_max);
    assert!(Scene::searching().try_apply(expire_at(last)).is_ok());
    let beyond = last.saturating_add(DurationMs(1));
    assert_shows(
        &Scene::searching().shows(expire_at(beyond)),
        "
        expiry_out_of_range: expires_at may be at most 2026-12-20T14:13:20.000Z
        ",
    );
}

#[test]
fn an_update_that_moves_the_deadline_into_the_past_expires_the_request() {
    assert_shows(
        &Scene::searching().after(1000).shows(expire_at(at(1000))),
        "
        rows:    T11
        status:  v3 expired, expires +1.000s, sweep 1, notified 1
        timers:  none
        effect:  event updated
        effect:  event expired
        effect:  notify 0 expired
        ",
    );
    assert_shows(
        &Scene::authorizing().after(1000).shows(expire_at(at(900))),
        "
        rows:    T22 C18 T13
        status:  v4 expired, expires +0.900s, sweep 1, notified 1
        attempt: 1 at plain: failed (price_changed)
        undo:    void#1 at plain, sent 1 times, lapses +2.500s
        timers:  undo +2.000s
        effect:  pay void#1
        effect:  event updated
        effect:  event expired
        effect:  notify 0 expired
        ",
    );
    assert_shows(&Scene::quoted().after(1000).shows(expire_at(at(1000))), "
        rows:    T11
        status:  v4 quoted 35.00 USD at plain, expires +1.000s, sweep 1, notified 1, told 3500, closed +1.000s
        timers:  none
        effect:  event updated
        ");
}

#[test]
fn accepting_the_quote_raises_the_limit_to_its_price_and_buys_it() {
    assert_shows(
        &Scene::quoted().shows(accept(7)),
        "
        rows:    T10 C1 C2 C3
        status:  v4 ordering, max 35.00 USD, sweep 2, notified 1
        attempt: 1 at plain: authorizing until +2.000s, asked 0 times
        timers:  expiry +600.000s, step +2.000s
        effect:  event ordering
        effect:  pay authorize#1 35.00 USD, by +2.000s
        ",
    );
}

#[test]
fn accepting_a_lapsed_quote_asks_again_at_the_accepted_price() {
    let mut offer = quote("plain", 3500);
    offer.valid_until = at(1000);
    let mut scene = Scene::searching().then(too_dear(1, offer, 7)).after(1000);
    assert_shows(
        &scene.shows(accept(7)),
        "
        rows:    T10 T9
        status:  v4 searching, max 35.00 USD, sweep 2, notified 1
        timers:  expiry +600.000s
        ",
    );
}

#[test]
fn what_a_search_at_the_customers_wish_finds_is_told_even_if_it_is_no_better() {
    for wish in [raise_to(3499), accept(7)] {
        let mut offer = quote("plain", 3500);
        offer.valid_until = at(1000);
        let mut scene = Scene::searching().then(too_dear(1, offer, 7)).after(1000).then(wish);
        let shown = scene.shows(too_dear(2, quote("plain", 3600), 8));
        assert!(shown.ends_with("effect:  notify 1 quoted with a token\n"), "{shown}");
    }
}

#[test]
fn accepting_needs_the_right_token_a_quote_on_offer_and_time_to_buy() {
    assert_shows(
        &Scene::quoted().shows(accept(8)),
        "
        token_invalid: accept_token does not name the quote on offer
        ",
    );
    assert_shows(
        &Scene::out_of_stock().shows(accept(7)),
        "
        transition_not_allowed: accept_quote is not possible while the request is out_of_stock
        ",
    );
    let at_the_end = LIFE.as_ms() - policy().placement_budget.as_ms() + 1;
    assert_shows(
        &Scene::quoted().after(at_the_end).shows(accept(7)),
        "
        request_expired: too little time is left before expires_at
        ",
    );
}

#[test]
fn a_watched_quote_stays_acceptable_after_the_next_sweep_found_the_same() {
    let mut scene = Scene::searching_for(|wanted| wanted.mode = Mode::Watch)
        .then(too_dear(1, quote("plain", 3500), 7))
        .fired(TimerKind::Sweep)
        .then(too_dear(2, quote("plain", 3500), 7));
    assert!(scene.shows(accept(7)).starts_with("rows:    T10 C1"));
}
