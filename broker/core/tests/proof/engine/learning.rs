//! What is learned about partners, and what of it survives.

use broker_core::Policy;
use broker_core::engine::input::QuoteOutcome;
use broker_core::engine::output::Fact;
use broker_core::engine::ranking::{Demotion, RankingStart, Standing, Steer, View};
use broker_core::partner::PartnerProfile;
use broker_core::receipt::Verdict;
use broker_core::receipt::search::Came;
use schemas::Isbn13;

use super::rig::Rig;
use super::steering::{steer, steering};
use crate::support::*;

const HOUR_MS: u64 = 3_600_000;

pub(super) fn rig(names: &[&str], tier: u16) -> Rig {
    Rig::with(names.iter().map(|name| plain(name)).collect(), |config| {
        config.policy.tier_size = tier;
        config.policy.explore_permille = 0;
        config.policy.review_samples = 3;
        config.policy.shadow_answers = 4;
        config.policy.shadow_wins = 2;
        config.ranking = RankingStart { seed: 5, snapshot: None };
    })
}

pub(super) fn ask(rig: &mut Rig, number: u64) {
    let mut wanted = submission();
    wanted.id = schemas::RequestId::from_parts(rig.now.as_unix_ms(), u128::from(number) << 48);
    wanted.created_at = rig.now;
    wanted.terms.expires_at = rig.now.saturating_add(LIFE);
    rig.create(wanted);
}

pub(super) fn view(rig: &Rig, name: &str) -> View {
    let index = rig.engine.policy().partners.index_of(&partner(name)).unwrap();
    rig.engine.ranking().view(index, rig.now)
}

/// Everybody asked answers: `name` with its price, the others that they have none.
pub(super) fn only_has_it(rig: &mut Rig, name: &str) {
    for asked in rig.asked_names() {
        if asked == name {
            rig.offers(name, 1500);
        } else {
            rig.has_none(&asked);
        }
    }
    rig.play_along();
}

#[test]
fn whoever_wins_is_asked_first_before_long() {
    let names = ["a", "b", "c", "d", "e", "f"];
    let mut rig = rig(&names, 2);
    let mut asked_first = 0;
    for number in 1..=60 {
        ask(&mut rig, number);
        asked_first += usize::from(number > 40 && rig.asked_names().contains(&"e".to_owned()));
        while !rig.asked.is_empty() {
            only_has_it(&mut rig, "e");
        }
        rig.wait(100);
    }
    assert!(asked_first >= 18, "{asked_first} of the last 20 times");
    assert!(view(&rig, "e").near_permille > 900);
    assert!(view(&rig, "a").near_permille < 200);
}

#[test]
fn an_offer_that_has_lapsed_has_won_nothing() {
    let mut rig = rig(&["a", "b"], 10);
    for number in 1..=10 {
        ask(&mut rig, number);
        let mut bait = quote("a", 100);
        bait.valid_until = rig.now;
        rig.offers_quote("a", bait);
        rig.offers("b", 1500);
        rig.play_along();
    }
    assert!(view(&rig, "a").near_permille < 200);
    assert!(view(&rig, "b").near_permille > 800);
}

#[test]
fn what_was_learned_and_said_survives_a_restart_and_the_receipt_names_the_snapshot() {
    let mut rig = rig(&["a", "b"], 10);
    for number in 1..=3 {
        ask(&mut rig, number);
        only_has_it(&mut rig, "a");
        rig.wait(30_000);
    }
    let ban = steering(Steer::Ban, at(10 * HOUR_MS));
    steer(&mut rig, "b", Some(ban.clone()));
    let learned = (view(&rig, "a"), view(&rig, "b"));
    rig.crash(2);
    let (a, b) = (view(&rig, "a"), view(&rig, "b"));
    assert_eq!(a.near_permille, learned.0.near_permille);
    assert_eq!((a.answers, b.answers), (learned.0.answers, learned.1.answers));
    assert_eq!(b.steering, Some(ban));
    ask(&mut rig, 9);
    only_has_it(&mut rig, "a");
    let number = rig.disk.ranking.as_ref().unwrap().number.0;
    let search = rig.disk.receipts.last().unwrap().search.clone().unwrap();
    assert!(number >= 2 && search.ranking == number, "{number}, {}", search.ranking);
}

#[test]
fn a_changed_ranking_is_saved_once_a_minute_and_an_unchanged_one_never() {
    let mut rig = rig(&["a"], 10);
    let saved = |rig: &Rig| rig.disk.ranking.as_ref().map_or(0, |snapshot| snapshot.number.0);
    for number in 1..=100 {
        ask(&mut rig, number);
        rig.has_none("a");
        rig.wait(1_000);
    }
    assert_eq!(saved(&rig), 1);
    rig.wait(300_000);
    assert_eq!(saved(&rig), 1);
}

#[test]
fn a_partner_that_offers_another_book_loses_its_tier_at_once() {
    let mut rig = rig(&["a", "b"], 10);
    ask(&mut rig, 1);
    let call = rig.question("a").call;
    let isbn = Isbn13::parse("9781861972712").unwrap();
    rig.say("a", call, QuoteOutcome::Offer { isbn, quote: quote("a", 1000) });
    assert_eq!(view(&rig, "a").standing, Standing::Third);
    assert_eq!(view(&rig, "b").standing, Standing::First);
    let demoted = |fact: &Fact| matches!(fact, Fact::Demoted { why: Demotion::Integrity, .. });
    assert_eq!(rig.facts.iter().filter(|fact| demoted(fact)).count(), 1);
    rig.crash(2);
    assert_eq!(view(&rig, "a").standing, Standing::Third, "also in the next life");
}

#[test]
fn a_partner_that_is_silent_most_of_the_time_loses_its_tier_and_is_still_asked_by_cheapest() {
    let mut rig = rig(&["a", "b"], 10);
    for number in 1..=25 {
        ask(&mut rig, number);
        rig.has_none("b");
        rig.wait(2_000);
        rig.asked.clear();
        rig.command(
            schemas::RequestId::from_parts(rig.now.as_unix_ms() - 2_000, u128::from(number) << 48),
            cancel(),
        );
    }
    assert_eq!(view(&rig, "a").standing, Standing::Third);
    let failing = |fact: &&Fact| matches!(fact, Fact::Demoted { why: Demotion::Failing, .. });
    assert_eq!(rig.facts.iter().filter(failing).count(), 1);
    rig.asked.clear();
    let mut wanted = submission();
    wanted.id = request_id(77);
    wanted.terms.strategy = schemas::purchase::Strategy::Cheapest;
    wanted.terms.expires_at = rig.now.saturating_add(LIFE);
    rig.create(wanted);
    assert!(rig.asked_names().contains(&"a".to_owned()));
}

#[test]
fn tiers_change_after_two_reviews_that_agree_and_one_at_a_time() {
    let names = ["a", "b", "c", "d", "e", "f"];
    let mut rig = rig(&names, 1);
    let round = |rig: &mut Rig, number: u64| {
        ask(rig, number);
        while !rig.asked.is_empty() {
            only_has_it(rig, "c");
        }
    };
    // Everybody is asked often enough to be known.
    for number in 1..=40 {
        let mut wanted = submission();
        wanted.id = request_id(1_000 + number);
        wanted.terms.strategy = schemas::purchase::Strategy::Cheapest;
        rig.create(wanted);
        only_has_it(&mut rig, "c");
    }
    let standings = |rig: &Rig| names.map(|name| view(rig, name).standing as u8);
    rig.wait(HOUR_MS);
    round(&mut rig, 1);
    assert_eq!(standings(&rig), [1; 6], "one review changes nothing");
    rig.wait(HOUR_MS);
    round(&mut rig, 2);
    let after = standings(&rig);
    assert_eq!(after[2], 1, "{after:?}");
    assert_eq!(after.iter().filter(|standing| **standing == 2).count(), 2, "{after:?}");
    rig.wait(HOUR_MS);
    round(&mut rig, 3);
    assert_eq!(standings(&rig), after);
}

/// `new` joins a directory whose others are known.
fn joined() -> Rig {
    joined_by(vec![plain("new")], |_| {})
}

/// Newcomers join a directory in which `a` and `b` are known.
fn joined_by(newcomers: Vec<PartnerProfile>, change: impl FnOnce(&mut Policy)) -> Rig {
    let mut before = rig(&["a", "b"], 10);
    ask(&mut before, 1);
    only_has_it(&mut before, "a");
    before.wait(60_000);
    ask(&mut before, 2);
    only_has_it(&mut before, "a");
    let snapshot = before.disk.ranking.clone().expect("a minute has passed");
    let mut profiles = ["a", "b"].map(plain).to_vec();
    profiles.extend(newcomers);
    Rig::with(profiles, |config| {
        config.policy.shadow_answers = 4;
        config.policy.shadow_wins = 2;
        config.ranking = RankingStart { seed: 5, snapshot: Some(snapshot) };
        change(&mut config.policy);
    })
}

#[test]
fn a_newly_come_partner_is_asked_but_never_bought_from() {
    let mut rig = joined();
    assert_eq!(view(&rig, "new").standing, Standing::Shadow);
    assert_eq!(view(&rig, "a").standing, Standing::First);
    ask(&mut rig, 1);
    assert_eq!(rig.asked_names(), ["a", "b", "new"]);
    rig.offers("new", 1000);
    assert!(rig.disk.receipts.is_empty(), "its price ends nothing");
    rig.has_none("b");
    rig.offers("a", 2000);
    let receipt = &rig.disk.receipts[0];
    assert_eq!((receipt.eligible, receipt.answered, receipt.quotes.len()), (2, 2, 1));
    assert_eq!(receipt.quotes[0].partner, partner("a"));
    let asked = &receipt.search.as_ref().unwrap().rounds[0].asked;
    let came = asked.iter().find(|asked| asked.partner == partner("new")).map(|asked| asked.came);
    assert_eq!(came, Some(Came::Shadow));
}

#[test]
fn newly_come_partners_fill_no_places_of_a_round() {
    let newcomers = ["n1", "n2"].map(plain).to_vec();
    let mut rig = joined_by(newcomers, |policy| {
        policy.tier_size = 3;
        policy.explore_permille = 0;
    });
    ask(&mut rig, 1);
    assert_eq!(rig.asked_names(), ["a", "b"]);
}

#[test]
fn its_late_offer_buys_nothing_and_is_learned_from() {
    let mut rig = joined_by(vec![queued("new")], |_| {});
    ask(&mut rig, 1);
    let late = rig.question("new").call;
    rig.has_none("a");
    rig.has_none("b");
    assert_eq!(rig.status(request_id(1)), "out_of_stock");
    let offer = QuoteOutcome::Offer { isbn: isbn(), quote: quote("new", 1000) };
    rig.say("new", late, offer);
    assert_eq!(rig.status(request_id(1)), "out_of_stock");
    assert_eq!(rig.facts.last(), Some(&Fact::LateQuote));
    assert_eq!(view(&rig, "new").answers, 1);
}

#[test]
fn its_word_alone_is_neither_stock_nor_coverage() {
    let mut rig = joined();
    ask(&mut rig, 1);
    rig.offers("new", 1000);
    rig.has_none("a");
    rig.has_none("b");
    assert_eq!(rig.disk.receipts[0].verdict, Verdict::NoStock);
}

#[test]
fn where_only_a_few_are_known_newly_come_partners_are_bought_from_like_everybody() {
    let newcomers = ["n1", "n2", "n3", "n4", "n5"].map(plain).to_vec();
    let mut rig = joined_by(newcomers, |_| {});
    ask(&mut rig, 1);
    assert_eq!(rig.asked.len(), 7);
    only_has_it(&mut rig, "n3");
    let receipt = &rig.disk.receipts[0];
    assert_eq!((receipt.verdict, receipt.eligible), (Verdict::Buy, 7));
    assert_eq!(view(&rig, "n3").standing, Standing::Shadow, "it has yet to show itself");
}

#[test]
fn a_shadow_that_lies_begins_anew() {
    let mut rig = joined();
    for number in 1..=3 {
        ask(&mut rig, number);
        rig.offers("new", 1000);
        rig.has_none("b");
        rig.offers("a", 2000);
        rig.play_along();
    }
    assert_eq!(view(&rig, "new").answers, 3);
    ask(&mut rig, 4);
    let call = rig.question("new").call;
    let isbn = Isbn13::parse("9781861972712").unwrap();
    rig.say("new", call, QuoteOutcome::Offer { isbn, quote: quote("new", 1000) });
    assert_eq!((view(&rig, "new").answers, view(&rig, "new").standing), (0, Standing::Shadow));
}

#[test]
fn a_snapshot_of_another_directory_makes_nobody_a_shadow() {
    let mut elsewhere = rig(&["x"], 10);
    steer(&mut elsewhere, "x", None);
    let snapshot = elsewhere.disk.ranking.expect("a word is kept at once");
    let mut rig = Rig::with(vec![plain("a"), plain("b")], |config| {
        config.ranking = RankingStart { seed: 5, snapshot: Some(snapshot) };
    });
    assert_eq!(view(&rig, "a").standing, Standing::First);
    ask(&mut rig, 1);
    only_has_it(&mut rig, "a");
    assert_eq!(rig.disk.receipts[0].verdict, Verdict::Buy);
}

#[test]
fn a_newly_come_partner_that_has_shown_itself_is_bought_from() {
    let mut rig = joined();
    for number in 1..=4 {
        assert_eq!(view(&rig, "new").standing, Standing::Shadow);
        ask(&mut rig, number);
        rig.offers("new", 1000);
        rig.has_none("b");
        rig.offers("a", 2000);
        rig.play_along();
    }
    ask(&mut rig, 5);
    assert_eq!(view(&rig, "new").standing, Standing::Second);
    rig.offers("new", 1000);
    rig.has_none("b");
    rig.offers("a", 2000);
    assert_eq!(rig.disk.receipts.last().unwrap().quotes[0].partner, partner("new"));
}

#[test]
fn an_answer_that_came_too_late_to_matter_still_tells_how_fast_its_store_is() {
    let mut rig = rig(&["a", "b"], 10);
    ask(&mut rig, 1);
    let late = rig.question("b").call;
    rig.offers("a", 1000);
    assert_eq!(view(&rig, "b").answers, 0);
    rig.wait(400);
    rig.say("b", late, QuoteOutcome::NoStock);
    assert_eq!(rig.facts.last(), Some(&Fact::LateQuote));
    let b = view(&rig, "b");
    assert_eq!(b.answers, 1);
    assert!(b.p50.is_some_and(|p50| (400..=450).contains(&p50.as_ms())), "{:?}", b.p50);
    rig.say("b", late, QuoteOutcome::NoStock);
    assert_eq!(view(&rig, "b").answers, 1, "only once");
}

#[test]
fn a_store_that_answers_just_after_it_was_asked_again_is_a_slow_one() {
    let mut rig = rig(&["a"], 10);
    ask(&mut rig, 1);
    rig.wait(1_010);
    assert_eq!(rig.asked_names(), ["a", "a"]);
    rig.has_none("a");
    let a = view(&rig, "a");
    assert!(a.p50.is_some_and(|p50| p50.as_ms() >= 1_010), "{:?}", a.p50);
}

#[test]
fn the_same_inputs_rank_alike() {
    let play = || {
        let mut rig = rig(&["a", "b", "c", "d", "e", "f"], 2);
        for number in 1..=30 {
            ask(&mut rig, number);
            while !rig.asked.is_empty() {
                only_has_it(&mut rig, "d");
            }
            rig.wait(7_000);
        }
        (rig.log, rig.disk.ranking)
    };
    assert_eq!(play(), play());
}
