//! When asking on is worth it: reservation values, and the grace that no offer prolongs.

use broker_core::engine::ranking::RankingStart;
use broker_core::engine::ranking::prices::Prices;
use broker_core::engine::ranking::snapshot::{Snapshot, SnapshotNumber};
use broker_core::receipt::search::{Ending, Opening};
use schemas::Timestamp;

use super::rig::Rig;
use crate::support::*;

/// Eight stores, four of them asked at once. Prices are known to differ by up to a tenth either
/// way from store to store.
fn sweeping() -> Rig {
    sweeping_where_prices_differ_by(100)
}

/// … by so many thousandths either way.
fn sweeping_where_prices_differ_by(spread: u64) -> Rig {
    let mut pool = Prices::default();
    (0..500).for_each(|n| pool.observe(1000 - spread + n * 2 * spread / 500, 1000));
    let snapshot = Snapshot {
        number: SnapshotNumber(1),
        taken_at: Timestamp::ZERO,
        reviewed_at: T0,
        stream: 1,
        pool,
        partners: Vec::new(),
        words: Vec::new(),
    };
    let names = ["a", "b", "c", "d", "e", "f", "g", "h"];
    let mut rig = Rig::with(names.map(plain).to_vec(), |config| {
        config.policy.tier_size = 4;
        config.policy.explore_permille = 0;
        config.ranking = RankingStart { seed: 1, snapshot: Some(snapshot) };
    });
    rig.create(submission());
    rig
}

fn bought(rig: &Rig) -> Option<u64> {
    let checkout = rig.request(request_id(1)).checkout.as_ref()?;
    checkout.quote.worst_total().map(|total| total.minor())
}

fn account(rig: &Rig) -> (Vec<Opening>, Ending) {
    let search = rig.disk.receipts[0].search.as_ref().unwrap();
    (search.rounds.iter().map(|round| round.why).collect(), search.ended)
}

#[test]
fn an_offer_that_nobody_is_likely_to_beat_is_taken_at_once() {
    let mut rig = sweeping();
    let names = rig.asked_names();
    for (name, total) in names.iter().zip([2200, 2010, 1990]) {
        rig.offers(name, total);
    }
    assert_eq!(bought(&rig), None, "it may well be a bad price");
    rig.offers(&names[3], 1780);
    assert_eq!(bought(&rig), Some(1780));
    assert_eq!(account(&rig), (vec![Opening::BestRanked], Ending::NotWorthAsking));
}

#[test]
fn twenty_five_of_thirty_is_good_enough_and_half_a_dollar_less_later_is_not_waited_for() {
    let mut rig = sweeping_where_prices_differ_by(20);
    assert_eq!(rig.request(request_id(1)).terms.max_total, usd(3000));
    let names = rig.asked_names();
    for (name, total) in names.iter().zip([2560, 2540, 2500]) {
        rig.offers(name, total);
    }
    assert_eq!(bought(&rig), Some(2500));
    assert_eq!(account(&rig), (vec![Opening::BestRanked], Ending::ClearlyBelow));
    rig.wait(50);
    rig.offers(&names[3], 2450);
    assert_eq!(bought(&rig), Some(2500));
}

#[test]
fn a_middling_offer_makes_further_questions_worth_their_price() {
    let mut rig = sweeping();
    for (name, total) in rig.asked_names().iter().zip([2200, 2000, 1990, 2010]) {
        rig.offers(name, total);
    }
    assert_eq!((bought(&rig), rig.asked.len()), (None, 4));
    for (name, total) in rig.asked_names().iter().zip([2100, 1950]) {
        rig.offers(name, total);
    }
    assert_eq!(bought(&rig), None);
    rig.offers(&rig.asked_names()[0].clone(), 1800);
    assert_eq!(bought(&rig), Some(1800));
    let rounds = vec![Opening::BestRanked, Opening::BetterLikely];
    assert_eq!(account(&rig), (rounds, Ending::ClearlyBelow));
}

#[test]
fn a_round_for_a_better_price_is_given_its_time_and_no_more() {
    let mut rig = sweeping();
    for (name, total) in rig.asked_names().iter().zip([2200, 2000, 1990, 2010]) {
        rig.offers(name, total);
    }
    rig.wait(150);
    let name = rig.asked_names()[0].clone();
    rig.offers(&name, 1960);
    rig.wait(49);
    assert_eq!(bought(&rig), None);
    rig.wait(1);
    assert_eq!(bought(&rig), Some(1960));
    assert_eq!(account(&rig).1, Ending::GraceOver);
}

#[test]
fn the_first_offer_far_below_the_limit_is_no_reason_to_stop_when_prices_are_known_to_differ() {
    let mut rig = sweeping();
    let names = rig.asked_names();
    rig.offers(&names[0], 2000);
    assert_eq!(bought(&rig), None);
    // In the grace the others may show what the book costs.
    for (name, total) in names[1..3].iter().zip([2200, 2300]) {
        rig.offers(name, total);
    }
    assert_eq!(bought(&rig), Some(2000));
    assert_eq!(account(&rig).1, Ending::ClearlyBelow);
}
