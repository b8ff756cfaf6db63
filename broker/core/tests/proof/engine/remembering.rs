//! Offers that are known: a store that has just said what it asks is not asked again, if it has
//! plenty and keeps its word; what it said is never a reason to buy without it agreeing once more.

use broker_core::engine::input::QuoteOutcome;
use broker_core::partner::PartnerProfile;
use broker_core::quote::Quote;
use broker_core::receipt::search::{Came, Source};
use broker_core::request::Submission;
use schemas::DurationMs;
use schemas::purchase::Strategy;

use super::rig::Rig;
use crate::support::*;

fn wanted(number: u64) -> Submission {
    let mut wanted = submission();
    wanted.id = request_id(number);
    wanted
}

fn plenty(total: u64) -> Quote {
    Quote { in_stock: 500, ..quote("y", total) }
}

/// The store has just made this offer to somebody else.
fn told(profile: PartnerProfile, offer: Quote) -> Rig {
    let mut rig = Rig::new(vec![profile]);
    rig.create(wanted(1));
    rig.offers_quote("y", offer);
    rig
}

#[test]
fn a_store_with_plenty_is_not_asked_again_within_half_a_minute() {
    let mut rig = told(sharing("y"), plenty(2000));
    rig.play_along();
    rig.wait(29_000);
    rig.asked.clear();
    rig.create(wanted(2));
    assert!(rig.asked.is_empty());
    assert_eq!(rig.status(request_id(2)), "ordering");
    let search = rig.disk.receipts.last().and_then(|receipt| receipt.search.clone()).unwrap();
    let asked = &search.rounds[0].asked[0];
    let age = DurationMs(29_000);
    assert_eq!((asked.came, asked.source), (Came::Offer, Source::Remembered { age }));
    rig.play_along();
    assert_eq!(rig.status(request_id(2)), "ordered", "the store has agreed once more");
}

#[test]
fn after_a_minute_and_a_half_it_is_asked_whatever_it_said() {
    let mut rig = told(sharing("y"), plenty(2000));
    rig.wait(99_001);
    rig.asked.clear();
    rig.create(wanted(2));
    assert_eq!(rig.asked_names(), ["y"]);
}

#[test]
fn a_store_may_have_its_own_time_for_offers() {
    let short = PartnerProfile { offer_ttl: Some(DurationMs(5_000)), ..sharing("y") };
    for (waited, asked) in [(4_000, 0), (5_501, 1)] {
        let mut rig = told(short.clone(), plenty(2000));
        rig.wait(waited);
        rig.asked.clear();
        rig.create(wanted(2));
        assert_eq!(rig.asked.len(), asked);
    }
}

#[test]
fn it_is_asked_again_when_its_stock_its_word_or_its_price_does_not_allow_reuse() {
    let few = Quote { in_stock: 100, ..plenty(2000) };
    let lapsing = Quote { valid_until: at(3_000), ..plenty(2000) };
    let dear = plenty(3001);
    for offer in [few, lapsing, dear] {
        let mut rig = told(sharing("y"), offer.clone());
        rig.wait(1_001);
        rig.asked.clear();
        rig.create(wanted(2));
        assert_eq!(rig.asked_names(), ["y"], "{offer:?}");
    }
    let mut rig = told(plain("y"), plenty(2000));
    rig.create(wanted(2));
    assert_eq!(rig.asked_names(), ["y"], "its quotes are good for one order");
}

#[test]
fn cheapest_is_the_cheapest_there_is_not_the_cheapest_there_was() {
    let mut rig = told(sharing("y"), plenty(2000));
    let mut exact = wanted(2);
    exact.terms.strategy = Strategy::Cheapest;
    rig.create(exact);
    assert_eq!(rig.asked_names(), ["y"]);
}

#[test]
fn a_store_that_refused_to_sell_what_it_had_offered_is_asked_again() {
    let mut rig = told(sharing("y"), plenty(2000));
    rig.play_along();
    rig.create(wanted(2));
    assert_eq!(rig.status(request_id(2)), "ordering");
    rig.place_refused(request_id(2), "y");
    rig.asked.clear();
    rig.create(wanted(3));
    assert_eq!(rig.asked_names(), ["y"]);
}

#[test]
fn none_in_stock_is_believed_for_ten_to_fifteen_seconds() {
    for (waited, asked) in [(9_999, 0), (15_001, 1)] {
        let mut rig = Rig::new(vec![sharing("y")]);
        rig.create(wanted(1));
        let call = rig.question("y").call;
        rig.say("y", call, QuoteOutcome::NoStock);
        rig.wait(waited);
        rig.create(wanted(2));
        assert_eq!(rig.asked.len(), asked);
        if asked == 0 {
            assert_eq!(rig.status(request_id(2)), "out_of_stock");
        }
    }
}

#[test]
fn nothing_is_remembered_across_a_crash() {
    let mut rig = told(sharing("y"), plenty(2000));
    rig.play_along();
    rig.crash(2);
    rig.create(wanted(2));
    assert_eq!(rig.asked_names(), ["y"]);
}
