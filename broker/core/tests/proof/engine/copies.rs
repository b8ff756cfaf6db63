//! Copies in stock, and who buys them: never more purchases at once than copies are known, first
//! come first served for the last one, and none is waited for in vain.

use broker_core::Effect;
use broker_core::partner::PartnerProfile;
use broker_core::policy::Overload;
use broker_core::quote::Quote;
use broker_core::receipt::Verdict;
use broker_core::request::Submission;
use schemas::purchase::Strategy;

use super::rig::Rig;
use crate::support::*;

fn wanted(number: u64) -> Submission {
    let mut wanted = submission();
    wanted.id = request_id(number);
    wanted
}

fn stock(name: &str, total: u64, in_stock: u32) -> Quote {
    Quote { in_stock, ..quote(name, total) }
}

/// So many requests have heard at once that a store has so many copies.
fn heard(profile: PartnerProfile, requests: u64, in_stock: u32) -> Rig {
    let mut rig = Rig::new(vec![profile]);
    for number in 1..=requests {
        rig.create(wanted(number));
    }
    rig.offers_quote("y", stock("y", 2000, in_stock));
    rig
}

fn buying(rig: &Rig, requests: u64) -> Vec<u64> {
    (1..=requests).filter(|n| rig.status(request_id(*n)) == "ordering").collect()
}

#[test]
fn the_last_copy_goes_to_whoever_came_first_and_nobody_else_tries() {
    let mut rig = heard(sharing("y"), 3, 1);
    assert_eq!(buying(&rig, 3), [1]);
    rig.play_along();
    assert_eq!(rig.status(request_id(1)), "ordered");
    assert_eq!(buying(&rig, 3), Vec::<u64>::new());
    let places = rig.left().iter().filter(|effect| effect.contains("place")).count();
    assert_eq!(places, 1, "nobody is refused what is known to be gone");
    // They look once more, and are told.
    rig.wait(500);
    rig.has_none("y");
    for number in 2..=3 {
        assert_eq!(rig.status(request_id(number)), "out_of_stock");
    }
}

#[test]
fn if_the_first_does_not_take_it_the_next_in_line_does() {
    let mut rig = heard(sharing("y"), 3, 1);
    rig.wait(100);
    rig.place_refused(request_id(1), "y");
    assert_eq!(buying(&rig, 3), [1, 2], "the first one's money is being given back");
    rig.play_along();
    assert_eq!(rig.status(request_id(2)), "ordered");
}

#[test]
fn a_few_copies_are_sold_one_after_another() {
    let mut rig = heard(sharing("y"), 4, 3);
    assert_eq!(buying(&rig, 4), [1]);
    rig.play_along();
    let sold = (1..=4).filter(|n| rig.status(request_id(*n)) == "ordered").count();
    assert_eq!(sold, 3);
    assert_eq!(rig.status(request_id(4)), "searching");
}

#[test]
fn many_copies_are_sold_side_by_side_but_not_more_than_there_are() {
    assert_eq!(buying(&heard(sharing("y"), 20, 11), 20).len(), 11);
    assert_eq!(buying(&heard(sharing("y"), 20, 400), 20).len(), 16);
}

#[test]
fn a_store_whose_figures_may_be_wrong_sells_one_at_a_time() {
    let eventual = PartnerProfile { quotes_reusable: true, ..trailing("y") };
    assert_eq!(buying(&heard(eventual, 5, 400), 5), [1]);
    let mut rig = Rig::new(vec![sharing("y")]);
    for number in 1..=3 {
        rig.create(wanted(number));
    }
    let lapsing = Quote { valid_until: at(4_000), ..stock("y", 2000, 400) };
    rig.offers_quote("y", lapsing);
    assert_eq!(buying(&rig, 3), [1]);
}

#[test]
fn for_the_best_offer_others_are_waited_for_a_moment_and_then_the_next_best_is_bought() {
    let mut rig = Rig::new(vec![sharing("y"), sharing("z")]);
    rig.create(wanted(1));
    rig.create(wanted(2));
    rig.offers_quote("y", stock("y", 2000, 1));
    rig.offers_quote("z", stock("z", 2100, 1));
    assert_eq!(buying(&rig, 2), [1]);
    rig.wait(499);
    assert_eq!(buying(&rig, 2), [1]);
    rig.wait(1);
    assert_eq!(buying(&rig, 2), [1, 2]);
    let bought = rig.request(request_id(2)).checkout.as_ref().unwrap();
    assert_eq!(bought.quote.partner, partner("z"));
    let receipt = rig.disk.receipts.last().unwrap();
    assert_eq!(receipt.quotes[0].partner, partner("z"), "the winner comes first");
    assert_eq!(receipt.search.as_ref().unwrap().passed_over, [partner("y")]);
}

#[test]
fn fast_waits_for_others_only_while_there_is_nothing_else() {
    for (strategy, waits) in [(Strategy::Fast, false), (Strategy::Balanced, true)] {
        let mut rig = Rig::new(vec![plain("y"), plain("z")]);
        rig.create(wanted(1));
        rig.offers_quote("y", stock("y", 2000, 1));
        rig.has_none("z");
        assert_eq!(buying(&rig, 1), [1]);
        let mut next = wanted(2);
        next.terms.strategy = strategy;
        rig.create(next);
        rig.offers_quote("y", stock("y", 2000, 1));
        assert_eq!(buying(&rig, 2), [1]);
        rig.offers("z", 2900);
        assert_eq!(buying(&rig, 2), if waits { vec![1] } else { vec![1, 2] });
    }
}

#[test]
fn whoever_stands_far_behind_in_line_waits_only_a_moment() {
    let mut rig = heard(sharing("y"), 3, 1);
    let sweeps = |rig: &Rig| [2, 3].map(|number| rig.request(request_id(number)).sweep);
    rig.wait(499);
    assert_eq!(sweeps(&rig), [1, 1]);
    rig.wait(1);
    assert_eq!(sweeps(&rig), [1, 2], "the second may well get it, the third hardly");
    rig.wait(1_500);
    assert_eq!(rig.request(request_id(2)).sweep, 2);
}

#[test]
fn if_others_still_buy_every_copy_at_the_second_look_there_is_none_for_this_customer() {
    let mut rig = heard(sharing("y"), 3, 1);
    rig.wait(500);
    assert_eq!(rig.status(request_id(3)), "searching", "far behind in line, it looks once more");
    rig.wait(500);
    rig.offers_quote("y", stock("y", 2000, 1));
    assert_eq!(rig.status(request_id(3)), "out_of_stock");
    let receipt = rig.disk.receipts.last().unwrap();
    assert_eq!((receipt.verdict, receipt.quotes.len()), (Verdict::NoStock, 1));
    assert_eq!(receipt.search.as_ref().unwrap().passed_over, [partner("y")]);
    assert_eq!(rig.status(request_id(2)), "searching", "next in line, it waits longer");
}

#[test]
fn whoever_gives_up_while_it_waits_leaves_its_place_to_the_next() {
    let mut rig = heard(sharing("y"), 3, 1);
    rig.command(request_id(2), cancel());
    rig.place_refused(request_id(1), "y");
    assert_eq!(buying(&rig, 3), [1, 3], "the first one's money is being given back");
}

#[test]
fn a_purchase_under_way_counts_after_a_crash_too() {
    let mut rig = heard(sharing("y"), 2, 1);
    rig.crash(2);
    rig.offers_quote("y", stock("y", 2000, 1));
    assert_eq!(buying(&rig, 2), [1]);
}

#[test]
fn after_the_pause_one_purchase_tries_whether_orders_work_again_and_the_others_go_elsewhere() {
    let mut rig = Rig::with(vec![plain("a"), plain("b")], |config| {
        config.policy.overload.breaker = Overload::standard().breaker;
    });
    let [a, b] = [("a", 2500), ("b", 2600)]
        .map(|(name, total)| Quote { in_stock: 100, ..quote(name, total) });
    for number in 1..=7 {
        rig.create(wanted(number));
        rig.offers_quote("a", a.clone());
        rig.offers_quote("b", b.clone());
    }
    while let Some(row) = rig.disk.outbox.get(rig.played) {
        if matches!(row.effect, Effect::Partner { .. }) {
            rig.played += 1;
        } else {
            rig.play_next();
        }
    }
    rig.wait(23_000);
    rig.asked.clear();
    for number in [50, 51] {
        let mut wanted = wanted(number);
        wanted.terms.strategy = Strategy::Cheapest;
        rig.create(wanted);
    }
    rig.hold_commits = true;
    for _ in [50, 51] {
        rig.offers_quote("a", a.clone());
        rig.offers_quote("b", b.clone());
    }
    while !rig.held.is_empty() {
        rig.commit_held();
    }
    let checkout = |number| rig.request(request_id(number)).checkout.as_ref().unwrap();
    let stores = [50, 51].map(|number| checkout(number).quote.partner.clone());
    assert_eq!(stores, [partner("a"), partner("b")]);
}
