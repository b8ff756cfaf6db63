//! Rounds: who is asked when, and what is said only after everybody was asked.

use broker_core::engine::input::{Input, QuoteAnswer, QuoteOutcome};
use broker_core::engine::output::Fact;
use broker_core::engine::ranking::RankingStart;
use broker_core::event::{Event, Update};
use broker_core::receipt::search::{Came, Ending, Opening, SkipReason};
use broker_core::receipt::{Receipt, Verdict};
use schemas::DurationMs;
use schemas::purchase::Strategy;

use super::rig::Rig;
use crate::support::*;

const NAMES: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "h"];

/// Eight stores, two of them asked at once, nobody explored; the stream of numbers decides which.
fn sweeping(strategy: Strategy) -> Rig {
    sweeping_with(strategy, |_| {})
}

fn sweeping_with(strategy: Strategy, change: impl FnOnce(&mut broker_core::Policy)) -> Rig {
    let profiles = NAMES.map(plain).to_vec();
    let mut rig = Rig::with(profiles, |config| {
        config.policy.tier_size = 2;
        config.policy.explore_permille = 0;
        config.ranking = RankingStart { seed: 1, snapshot: None };
        change(&mut config.policy);
    });
    let mut wanted = submission();
    wanted.terms.strategy = strategy;
    rig.create(wanted);
    rig
}

/// Everybody asked so far says that there is no stock; how many that were.
fn nobody_has_it(rig: &mut Rig) -> usize {
    let asked = rig.asked_names();
    asked.iter().for_each(|name| rig.has_none(name));
    asked.len()
}

fn openings(receipt: &Receipt) -> Vec<(u64, Opening, usize)> {
    let search = receipt.search.as_ref().expect("a sweep has an account");
    let rounds = search.rounds.iter();
    rounds.map(|round| (round.after.as_ms(), round.why, round.asked.len())).collect()
}

fn ended(rig: &Rig) -> Ending {
    rig.disk.receipts.last().unwrap().search.as_ref().unwrap().ended
}

#[test]
fn a_few_are_asked_first_then_more_then_everybody() {
    let mut rig = sweeping(Strategy::Balanced);
    assert_eq!(nobody_has_it(&mut rig), 2);
    assert_eq!(nobody_has_it(&mut rig), 4);
    assert_eq!(rig.status(request_id(1)), "searching");
    assert_eq!(nobody_has_it(&mut rig), 2);
    assert_eq!(rig.status(request_id(1)), "out_of_stock");
    let receipt = &rig.disk.receipts[0];
    assert_eq!((receipt.eligible, receipt.answered), (8, 8));
    let more = |asked| (0, Opening::NothingAffordable, asked);
    assert_eq!(openings(receipt), [(0, Opening::BestRanked, 2), more(4), more(2)]);
    assert_eq!(ended(&rig), Ending::AllEnded);
}

#[test]
fn silence_opens_further_rounds_in_time() {
    let mut rig = sweeping(Strategy::Fast);
    let first = rig.asked.len();
    assert_eq!(first, 2);
    rig.wait(599);
    assert_eq!(rig.asked.len(), 2);
    rig.wait(1);
    assert_eq!(rig.asked.len(), 6);
    rig.wait(400);
    rig.asked.clear();
    rig.wait(499);
    assert!(rig.asked.is_empty(), "only copies: {:?}", rig.asked_names());
    rig.wait(1);
    assert_eq!(rig.asked.len(), 2);
    rig.wait(10_000);
    let slow = |after, asked| (after, Opening::Slow, asked);
    let expected = [(0, Opening::BestRanked, 2), slow(600, 4), slow(1500, 2)];
    assert_eq!(openings(&rig.disk.receipts[0]), expected);
    assert_eq!(rig.disk.receipts[0].verdict, Verdict::NoAnswer);
}

#[test]
fn a_round_that_is_opened_late_does_not_put_off_what_is_overdue() {
    let mut rig = sweeping(Strategy::Balanced);
    let first = rig.asked_names();
    // The engine was held up: an answer is taken in before anything that is due.
    rig.now = at(1_005);
    rig.has_none(&first[0]);
    let asked = rig.asked_names();
    assert_eq!(asked.len(), 6, "the other one, its retry, and four more");
    assert_eq!(asked.iter().filter(|name| **name == first[1]).count(), 2);
}

#[test]
fn with_little_time_left_rounds_follow_sooner() {
    let mut rig = Rig::with(NAMES.map(plain).to_vec(), |config| config.policy.tier_size = 2);
    let mut wanted = submission();
    wanted.terms.expires_at = at(3_000);
    rig.create(wanted);
    rig.wait(199);
    assert_eq!(rig.asked.len(), 2);
    rig.wait(1);
    assert_eq!(rig.asked.len(), 6);
    rig.wait(300);
    assert_eq!(rig.asked.len(), 8);
}

#[test]
fn too_dear_is_only_said_after_everybody_was_asked() {
    let mut rig = sweeping(Strategy::Balanced);
    let first = rig.asked_names();
    rig.offers(&first[0], 3500);
    rig.has_none(&first[1]);
    assert_eq!(rig.status(request_id(1)), "searching");
    nobody_has_it(&mut rig);
    let last = rig.asked_names();
    rig.offers(&last[0], 3200);
    rig.has_none(&last[1]);
    assert_eq!(rig.status(request_id(1)), format!("quoted 32.00 USD at {}", last[0]));
}

#[test]
fn an_offer_that_lapsed_during_the_grace_keeps_nobody_from_being_asked() {
    let mut rig = sweeping(Strategy::Balanced);
    let first = rig.asked_names();
    let mut brief = quote(&first[0], 2900);
    brief.valid_until = at(100);
    rig.offers_quote(&first[0], brief);
    rig.wait(200);
    assert!(rig.disk.receipts.is_empty(), "nothing can be bought, and six were not asked");
    rig.wait(400);
    let asked = rig.asked_names();
    assert_eq!(asked.len(), 5, "the silent one and four more");
    rig.offers(&asked[4], 2950);
    rig.wait(200);
    let receipt = &rig.disk.receipts[0];
    assert_eq!((receipt.verdict, &receipt.quotes[0].partner), (Verdict::Buy, &partner(&asked[4])));
}

#[test]
fn partners_whose_turn_never_came_keep_no_stock_from_being_believed() {
    let mut rig = sweeping_with(Strategy::Balanced, |policy| {
        policy.second_tier_after = DurationMs(2_900);
        policy.third_tier_after = DurationMs(2_900);
    });
    let first = rig.asked_names();
    rig.has_none(&first[0]);
    rig.wait(2_000);
    // The other one was given up, so the next are asked; they are silent to the end.
    rig.wait(1_000);
    let receipt = &rig.disk.receipts[0];
    assert_eq!((receipt.verdict, receipt.answered, receipt.eligible), (Verdict::NoAnswer, 1, 8));
}

#[test]
fn an_affordable_offer_ends_it_and_the_receipt_says_who_was_not_needed() {
    let mut rig = sweeping(Strategy::Balanced);
    let first = rig.asked_names();
    rig.offers(&first[1], 2000);
    assert_eq!(rig.status(request_id(1)), "ordering");
    assert_eq!(ended(&rig), Ending::ClearlyBelow);
    let search = rig.disk.receipts[0].search.clone().unwrap();
    let came: Vec<Came> = search.rounds[0].asked.iter().map(|asked| asked.came).collect();
    assert_eq!(came, [Came::Canceled, Came::Offer]);
    let [skipped] = search.skipped.as_slice() else { panic!("{:?}", search.skipped) };
    assert_eq!((skipped.why, skipped.count), (SkipReason::NotNeeded, 6));
    assert_eq!(skipped.named.len(), 6);
}

#[test]
fn questions_that_have_not_left_when_their_sweep_ends_never_leave() {
    let mut rig = sweeping(Strategy::Balanced);
    let asked: Vec<_> = rig.asked.drain(..).collect();
    for asked in asked {
        let answers =
            vec![QuoteAnswer { call: asked.question.call, outcome: QuoteOutcome::NoStock }];
        let partner = partner(&asked.partner);
        rig.engine.handle(Input::Quotes { origin: None, partner, answers }, rig.now);
    }
    // The next four are asked in the same turn in which the customer gives up.
    rig.command(request_id(1), cancel());
    assert_eq!(rig.status(request_id(1)), "canceled");
    assert_eq!(rig.asked_names(), Vec::<String>::new());
    // Once their time would have been up, none of the four is thought silent.
    rig.wait(5_000);
    let mut next = submission();
    next.id = request_id(2);
    rig.create(next);
    rig.command(request_id(2), cancel());
    for name in NAMES {
        let index = rig.engine.policy().partners.index_of(&partner(name)).unwrap();
        let view = rig.engine.ranking().view(index, rig.now);
        assert!(view.in_time_permille >= 900, "{name}: {view:?}");
    }
}

#[test]
fn cheapest_asks_everybody_at_once_also_when_it_becomes_the_wish_in_mid_sweep() {
    let rig = sweeping(Strategy::Cheapest);
    assert_eq!(rig.asked_names(), NAMES);
    let mut rig = sweeping(Strategy::Balanced);
    assert_eq!(rig.asked.len(), 2);
    let thrifty = Update { strategy: Some(Strategy::Cheapest), ..update() };
    rig.command(request_id(1), Event::Update(thrifty));
    assert_eq!(rig.asked.len(), 8);
}

#[test]
fn fast_asks_as_few_as_make_an_offer_likely() {
    // Nothing is known: each has it with a chance of 45 %, so five miss it with 5.03 %.
    let rig = sweeping_with(Strategy::Fast, |policy| policy.tier_size = 7);
    assert_eq!(rig.asked.len(), 6);
    let rig = sweeping_with(Strategy::Fast, |policy| {
        policy.tier_size = 7;
        policy.fast_cover_permille = 940;
    });
    assert_eq!(rig.asked.len(), 5);
    let rig = sweeping_with(Strategy::Fast, |policy| policy.tier_size = 3);
    assert_eq!(rig.asked.len(), 3);
}

#[test]
fn as_many_partners_as_one_round_holds_are_all_asked() {
    for (tier, asked) in [(8, 8), (7, 7), (1000, 8)] {
        let rig = sweeping_with(Strategy::Balanced, |policy| policy.tier_size = tier);
        assert_eq!(rig.asked.len(), asked, "{tier}");
    }
}

#[test]
fn a_store_that_has_just_let_the_customer_down_is_no_reason_not_to_ask_others() {
    let mut rig = sweeping(Strategy::Balanced);
    let first = rig.asked_names();
    rig.offers(&first[0], 2000);
    while !rig.left().contains(&format!("{} place#1", first[0])) {
        assert!(rig.play_next());
    }
    let operation = schemas::subject::PartnerOperation::Place;
    let Event::Partner(answer) = says(&first[0], 1, operation, refused(true)) else {
        unreachable!("says makes a partner's answer")
    };
    let (origin, request) = (rig.origin(), request_id(1));
    rig.send(Input::Partner { origin, source: None, request, answer });
    rig.asked.clear();
    rig.play_along();
    assert_eq!(rig.status(request_id(1)), "searching");
    let offered = |rig: &mut Rig| {
        let asked = rig.asked_names();
        for name in &asked {
            if *name == first[0] {
                rig.offers(name, 2000);
            } else {
                rig.has_none(name);
            }
        }
        asked.len()
    };
    let asked: usize = std::iter::from_fn(|| Some(offered(&mut rig)).filter(|n| *n > 0)).sum();
    assert_eq!(asked, 8, "all others were asked first");
    assert_eq!(rig.status(request_id(1)), "ordering");
}

#[test]
fn slow_call_back_stores_are_asked_last_and_not_waited_for() {
    let profiles = vec![queued("q"), plain("a"), plain("b")];
    let mut rig = Rig::with(profiles, |config| config.policy.tier_size = 1);
    rig.create(submission());
    assert_eq!(rig.asked.len(), 1);
    assert_eq!(nobody_has_it(&mut rig), 1);
    let second = rig.asked_names();
    assert_eq!(second.len(), 2);
    assert!(second.contains(&"q".to_owned()));
    let live = second.into_iter().find(|name| name != "q").unwrap();
    rig.has_none(&live);
    assert_eq!(rig.status(request_id(1)), "out_of_stock");
    let call = rig.question("q").call;
    rig.say("q", call, QuoteOutcome::Offer { isbn: isbn(), quote: quote("q", 2800) });
    assert_eq!(rig.status(request_id(1)), "ordering");
}

#[test]
fn a_round_of_call_back_stores_alone_leaves_and_ends_the_sweep() {
    let profiles = vec![queued("q"), plain("a")];
    let mut rig = Rig::with(profiles, |config| config.policy.tier_size = 1);
    rig.create(submission());
    rig.has_none("a");
    assert_eq!(rig.status(request_id(1)), "out_of_stock");
    assert_eq!(rig.asked_names(), ["q"], "its answer is still welcome");
}

#[test]
fn every_round_is_observed_with_its_reason() {
    let mut rig = sweeping(Strategy::Balanced);
    nobody_has_it(&mut rig);
    let rounds = rig.facts.iter().filter_map(|fact| match fact {
        Fact::RoundOpened { why, asked } => Some((*why, *asked)),
        _ => None,
    });
    let rounds: Vec<_> = rounds.collect();
    assert_eq!(rounds, [(Opening::BestRanked, 2), (Opening::NothingAffordable, 4)]);
}
