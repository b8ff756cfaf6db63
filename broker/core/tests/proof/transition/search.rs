//! Searching: admission, the end of a sweep, late offers and sweeping again (T2, T4–T9).

use broker_core::event::{Event, Finding, PaymentOutcome};
use broker_core::partner::PartnerProfile;
use broker_core::quote::Cost;
use broker_core::request::Status;
use broker_core::timer::TimerKind;
use schemas::destination::Country;
use schemas::purchase::Mode;
use schemas::subject::PaymentOperation;
use schemas::{Condition, Currency, DurationMs};

use crate::support::*;

#[test]
fn admission_starts_the_first_sweep() {
    assert_shows(
        &Scene::pending().shows(Event::Admitted),
        "
        rows:    T2
        status:  v2 searching, sweep 1
        timers:  expiry +600.000s
        ",
    );
}

#[test]
fn admission_happens_once() {
    assert_shows(
        &Scene::searching().shows(Event::Admitted),
        "
        nothing to do: already admitted
        ",
    );
}

#[test]
fn the_cheapest_offer_is_reserved_first_where_stock_can_be_held() {
    let offers = vec![quote("plain", 2600), quote("ideal", 2500)];
    assert_shows(
        &Scene::searching().shows(affordable(1, offers)),
        "
        rows:    T4 C1
        status:  v3 ordering, sweep 1
        attempt: 1 at ideal: reserving until +1.500s, next plain
        timers:  expiry +600.000s, step +1.500s
        effect:  event ordering
        effect:  ideal reserve#1 1 of q-ideal-2500 for 120000 ms, by +1.500s
        ",
    );
}

#[test]
fn without_a_hold_on_stock_the_money_is_authorised_at_once() {
    assert_shows(
        &Scene::searching().shows(affordable(1, vec![quote("plain", 2500)])),
        "
        rows:    T4 C1 C2 C3
        status:  v3 ordering, sweep 1
        attempt: 1 at plain: authorizing until +2.000s, asked 0 times
        timers:  expiry +600.000s, step +2.000s
        effect:  event ordering
        effect:  pay authorize#1 25.00 USD, by +2.000s
        ",
    );
}

#[test]
fn equal_totals_prefer_the_better_copy_then_the_longer_validity_then_the_name() {
    let like_new = |name| {
        let mut offer = quote(name, 2500);
        offer.condition = Condition::LikeNew;
        offer
    };
    let short = |name| {
        let mut offer = quote(name, 2500);
        offer.valid_until = at(10_000);
        offer
    };
    let mut scene = Scene::searching_for(|wanted| wanted.condition = Condition::Good);
    let offers = vec![like_new("fencing"), short("ideal"), quote("trailing", 2500)];
    let next = scene.apply(affordable(1, offers)).next;
    let checkout = next.checkout.unwrap();
    let order: Vec<_> = checkout.runners_up.iter().map(|q| q.partner.as_str()).collect();
    assert_eq!((checkout.quote.partner.as_str(), order), ("trailing", vec!["ideal", "fencing"]));

    let mut scene = Scene::searching();
    let next = scene.apply(affordable(1, vec![quote("plain", 2500), quote("ideal", 2500)])).next;
    assert_eq!(next.checkout.unwrap().quote.partner, partner("ideal"));
}

#[test]
fn an_offer_that_no_longer_fits_is_not_bought() {
    let mut dear = quote("plain", 3001);
    dear.valid_until = at(600_000);
    let mut unknown_shipping = quote("plain", 2500);
    unknown_shipping.shipping = Cost::Unknown;
    let mut lapsed = quote("plain", 2500);
    lapsed.valid_until = T0;
    let mut scarce = quote("plain", 2500);
    scarce.in_stock = 0;
    let mut worn = quote("plain", 2500);
    worn.condition = Condition::LikeNew;
    for offer in [dear, unknown_shipping, lapsed, scarce, worn] {
        let outcome = Scene::searching().shows(affordable(1, vec![offer.clone()]));
        assert_eq!(
            outcome, "nothing to do: no quote is still affordable, valid and in time\n",
            "{offer:?}"
        );
    }
}

#[test]
fn worst_cases_count_not_hopes() {
    let mut offer = quote("plain", 2500);
    offer.shipping = Cost::AtMost(500);
    let next = Scene::searching().apply(affordable(1, vec![offer.clone()])).next;
    assert_eq!(status(&next), "ordering");
    offer.fee = Cost::AtMost(1);
    assert!(Scene::searching().try_apply(affordable(1, vec![offer])).is_err());
}

#[test]
fn nothing_is_bought_when_a_whole_purchase_no_longer_fits_before_the_deadline() {
    let offer = || affordable(1, vec![quote("plain", 2500)]);
    let latest = LIFE.as_ms() - policy().placement_budget.as_ms();
    assert!(Scene::searching().after(latest).try_apply(offer()).is_ok());
    assert_shows(
        &Scene::searching().after(latest + 1).shows(offer()),
        "
        nothing to do: no quote is still affordable, valid and in time
        ",
    );
}

#[test]
fn a_best_price_above_the_limit_is_told_with_a_token_to_accept_it() {
    assert_shows(
        &Scene::searching().shows(too_dear(1, quote("plain", 3500), 7)),
        "
        rows:    T5
        status:  v3 quoted 35.00 USD at plain, sweep 1, notified 1, told 3500
        timers:  expiry +600.000s
        effect:  event quoted
        effect:  notify 0 quoted with a token
        ",
    );
}

#[test]
fn a_watched_request_is_told_again_only_when_the_price_got_better() {
    let mut scene = Scene::searching_for(|wanted| wanted.mode = Mode::Watch)
        .then(too_dear(1, quote("plain", 3500), 7))
        .fired(TimerKind::Sweep);
    assert_shows(
        &scene.shows(too_dear(2, quote("plain", 3500), 8)),
        "
        rows:    T5
        status:  v5 quoted 35.00 USD at plain, sweep 2, notified 1, told 3500
        timers:  expiry +600.000s, sweep +120.000s
        effect:  event quoted
        ",
    );
    scene.fire(TimerKind::Sweep);
    assert_shows(
        &scene.shows(too_dear(3, quote("plain", 3400), 9)),
        "
        rows:    T5
        status:  v7 quoted 34.00 USD at plain, sweep 3, notified 2, told 3400
        timers:  expiry +600.000s, sweep +180.000s
        effect:  event quoted
        effect:  notify 1 quoted with a token
        ",
    );
}

#[test]
fn no_stock_anywhere_is_told_once() {
    let mut scene = Scene::searching_for(|wanted| wanted.mode = Mode::Watch);
    assert_shows(
        &scene.shows(sweep(1, Finding::NoStock)),
        "
        rows:    T6
        status:  v3 out_of_stock, sweep 1, notified 1, told that nobody has it
        timers:  expiry +600.000s, sweep +60.000s
        effect:  event out_of_stock
        effect:  notify 0 out_of_stock
        ",
    );
    scene.fire(TimerKind::Sweep);
    assert_shows(
        &scene.shows(sweep(2, Finding::NoStock)),
        "
        rows:    T6
        status:  v5 out_of_stock, sweep 2, notified 1, told that nobody has it
        timers:  expiry +600.000s, sweep +120.000s
        effect:  event out_of_stock
        ",
    );
}

#[test]
fn what_comes_of_an_attempt_is_told_whatever_was_told_before_it() {
    let mut scene = Scene::quoted();
    scene.apply(raise_to(3500));
    scene.apply(pays(
        1,
        PaymentOperation::Lookup,
        PaymentOutcome::NotFound { final_for_key: true },
    ));
    let sweep_number = scene.request.sweep;
    let shown = scene.shows(sweep(sweep_number, Finding::NoStock));
    assert!(shown.contains("notify 1 out_of_stock"), "{shown}");
}

#[test]
fn a_first_price_after_no_stock_is_an_improvement() {
    let mut scene = Scene::searching_for(|wanted| wanted.mode = Mode::Watch)
        .then(sweep(1, Finding::NoStock))
        .fired(TimerKind::Sweep);
    assert_shows(
        &scene.shows(too_dear(2, quote("plain", 3500), 8)),
        "
        rows:    T5
        status:  v5 quoted 35.00 USD at plain, sweep 2, notified 2, told 3500
        timers:  expiry +600.000s, sweep +120.000s
        effect:  event quoted
        effect:  notify 1 quoted with a token
        ",
    );
}

#[test]
fn silence_is_asked_again_and_then_fails_but_never_means_no_stock() {
    let mut scene = Scene::searching();
    assert_shows(
        &scene.shows(sweep(1, Finding::NoAnswer)),
        "
        rows:    T7
        status:  v3 searching, sweep 2, fruitless 1
        timers:  expiry +600.000s, sweep +0.500s
        ",
    );
    assert_shows(
        &show(&scene.fire(TimerKind::Sweep)),
        "
        rows:    T7
        status:  v4 searching, sweep 2, fruitless 1
        timers:  expiry +600.000s
        ",
    );
    assert_shows(
        &scene.shows(sweep(2, Finding::NoAnswer)),
        "
        rows:    T8
        status:  v5 failed (partner_unavailable), sweep 2, fruitless 1, notified 1
        timers:  none
        effect:  event failed
        effect:  notify 0 failed
        ",
    );
}

#[test]
fn a_request_that_no_store_can_serve_fails_at_once_by_what_it_is_about() {
    for (change, reason) in NOBODY {
        let mut profile = plain("plain");
        change(&mut profile);
        let mut scene = Scene::searching();
        scene.policy.partners = policy_with(vec![profile]).partners;
        assert_shows(
            &scene.shows(sweep(1, Finding::NoAnswer)),
            &format!(
                "
                rows:    T8
                status:  v3 failed ({reason}), sweep 1, notified 1
                timers:  none
                effect:  event failed
                effect:  notify 0 failed
                "
            ),
        );
        let mut watching = Scene::searching_for(|wanted| wanted.mode = Mode::Watch);
        watching.policy.partners = scene.policy.partners;
        let next = watching.apply(sweep(1, Finding::NoAnswer)).next;
        assert_eq!(next.status, Status::Searching, "the directory may grow while it watches");
    }
}

type Change = fn(&mut PartnerProfile);

/// How a store cannot serve a request for dollars and the United States, and what that is called.
const NOBODY: [(Change, &str); 2] = [
    (
        |profile| profile.destinations = vec![Country::parse("DE").unwrap()],
        "destination_unserviceable",
    ),
    (|profile| profile.currencies = vec![Currency::EUR], "currency_unsupported"),
];

#[test]
fn a_watched_request_outlives_any_number_of_silent_sweeps() {
    let mut scene = Scene::searching_for(|wanted| wanted.mode = Mode::Watch)
        .then(sweep(1, Finding::NoAnswer))
        .fired(TimerKind::Sweep);
    assert_shows(
        &scene.shows(sweep(2, Finding::NoAnswer)),
        "
        rows:    T7
        status:  v5 searching, sweep 3, fruitless 1
        timers:  expiry +600.000s, sweep +60.500s
        ",
    );
}

#[test]
fn the_end_of_another_sweep_changes_nothing() {
    let over = sweep(2, Finding::NoStock);
    assert_shows(
        &Scene::searching().shows(over.clone()),
        "
        nothing to do: another sweep is running
        ",
    );
    assert_shows(
        &Scene::authorizing().shows(over),
        "
        nothing to do: not searching any more
        ",
    );
}

#[test]
fn a_watched_request_sweeps_again_from_its_rest() {
    let mut scene = Scene::searching_for(|wanted| wanted.mode = Mode::Watch).then(too_dear(
        1,
        quote("plain", 3500),
        7,
    ));
    assert_shows(
        &show(&scene.fire(TimerKind::Sweep)),
        "
        rows:    T9
        status:  v4 searching, sweep 2, notified 1, told 3500
        timers:  expiry +600.000s
        ",
    );
}

#[test]
fn a_late_offer_buys_from_the_rest() {
    let offer = || Event::LateOffer(quote("queued", 2800));
    assert_shows(
        &Scene::quoted().shows(offer()),
        "
        rows:    T9 T4 C1 C2 C3
        status:  v4 ordering, sweep 2, notified 1
        attempt: 1 at queued: authorizing until +2.000s, asked 0 times
        timers:  expiry +600.000s, step +2.000s
        effect:  event ordering
        effect:  pay authorize#1 28.00 USD, by +2.000s
        ",
    );
    assert_shows(
        &Scene::out_of_stock().shows(offer()),
        "
        rows:    T9 T4 C1 C2 C3
        status:  v4 ordering, sweep 2, notified 1
        attempt: 1 at queued: authorizing until +2.000s, asked 0 times
        timers:  expiry +600.000s, step +2.000s
        effect:  event ordering
        effect:  pay authorize#1 28.00 USD, by +2.000s
        ",
    );
}

#[test]
fn a_late_offer_that_cannot_be_bought_or_that_nobody_waits_for_is_ignored() {
    let dear = Event::LateOffer(quote("queued", 3100));
    assert_shows(
        &Scene::quoted().shows(dear),
        "
        nothing to do: the late offer cannot be bought
        ",
    );
    let cheap = || Event::LateOffer(quote("queued", 2800));
    let at_the_end = LIFE.as_ms() - policy().placement_budget.as_ms() + 1;
    assert_shows(
        &Scene::quoted().after(at_the_end).shows(cheap()),
        "
        nothing to do: the late offer cannot be bought
        ",
    );
    for mut scene in [
        Scene::pending(),
        Scene::searching(),
        Scene::authorizing(),
        Scene::completed(),
        Scene::canceled(),
        Scene::declined(),
        Scene::expired(),
        Scene::quoted().fired(TimerKind::Expiry),
    ] {
        assert_eq!(scene.shows(cheap()), "nothing to do: nobody waits for this offer\n");
    }
}

#[test]
fn nothing_is_bought_beside_an_order_that_is_not_proven_gone() {
    let mut scene = Scene::rogue_order_while_searching();
    let next_sweep = scene.request.sweep;
    assert_shows(
        &scene.shows(affordable(next_sweep, vec![quote("ideal", 2000)])),
        "
        rows:    T7
        status:  v8 searching, sweep 3, incident LateOrder
        attempt: 1 at plain: failed (partner_rejected)
        holds:   authorized 25.00 USD, intent of v4 cap 25.00 USD until +5.000s
        known:   o-1#1
        undo:    cancelorder#1 at plain, sent 1 times, lapses +0.000s
        timers:  expiry +600.000s, sweep +0.500s, undo +1.000s
        ",
    );
}

#[test]
fn time_between_sweeps_is_the_policys() {
    let policy = policy();
    assert_eq!(policy.sweep_retry_delay, DurationMs(500));
    assert_eq!(policy.watch_interval, DurationMs(60_000));
}

/// A watching request with so long a life, after so long a time: when it looks again, in seconds.
fn looks_again_after(life_s: u64, age_s: u64) -> u64 {
    let mut scene = Scene::searching_for(|wanted| {
        wanted.mode = Mode::Watch;
        wanted.terms.expires_at = at(life_s * 1000);
    });
    scene.now = at(age_s * 1000);
    scene.apply(sweep(1, Finding::NoStock));
    let next = scene.request.timers.get(TimerKind::Sweep).unwrap();
    next.since(scene.now).as_ms() / 1000
}

#[test]
fn a_watching_request_is_looked_after_the_more_seldom_the_older_it_is() {
    const DAY: u64 = 24 * 3600;
    assert_eq!(looks_again_after(30 * DAY, 0), 60);
    assert_eq!(looks_again_after(30 * DAY, 600), 60);
    assert_eq!(looks_again_after(30 * DAY, 2 * 3600), 720);
    assert_eq!(looks_again_after(30 * DAY, 9 * DAY), 3600);
}

#[test]
fn before_its_deadline_a_watching_request_has_a_last_chance_in_time_to_buy() {
    const DAY: u64 = 24 * 3600;
    let left = 1800;
    let last = looks_again_after(DAY, DAY - left);
    assert!((left - 36..=left - 6).contains(&last), "{last} s of {left} s");
}
