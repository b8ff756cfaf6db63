//! When a sweep has seen enough, and what it concludes.

use broker_core::engine::input::QuoteOutcome;
use broker_core::engine::output::Fact;
use broker_core::quote::Cost;
use broker_core::receipt::Verdict;
use broker_core::request::Submission;
use schemas::purchase::Strategy;
use schemas::{Condition, Currency, DurationMs, Isbn13};

use super::rig::Rig;
use crate::support::*;

fn stores(count: usize) -> Vec<broker_core::partner::PartnerProfile> {
    ["a", "b", "c", "d", "e"][..count].iter().map(|name| plain(name)).collect()
}

/// A sweep over so many stores.
fn sweeping(count: usize, strategy: Strategy) -> Rig {
    let mut rig = Rig::new(stores(count));
    let mut wanted = submission();
    wanted.terms.strategy = strategy;
    rig.create(wanted);
    rig
}

fn bought(rig: &Rig) -> Option<String> {
    let request = rig.request(request_id(1));
    request.checkout.as_ref().map(|checkout| checkout.quote.partner.to_string())
}

#[test]
fn cheapest_waits_for_everybody() {
    let mut rig = sweeping(3, Strategy::Cheapest);
    rig.offers("a", 1000);
    rig.has_none("b");
    rig.wait(900);
    assert_eq!(bought(&rig), None);
    rig.offers("c", 999);
    assert_eq!(bought(&rig).as_deref(), Some("c"));
}

#[test]
fn cheapest_ends_at_the_hard_stop_with_what_it_has() {
    let mut slow = stores(2);
    slow[1].response = DurationMs(60_000);
    let mut rig = Rig::new(slow);
    let mut wanted = submission();
    wanted.terms.strategy = Strategy::Cheapest;
    rig.create(wanted);
    rig.offers("a", 2900);
    rig.wait(2_999);
    assert_eq!(bought(&rig), None);
    rig.wait(1);
    assert_eq!(bought(&rig).as_deref(), Some("a"));
}

#[test]
fn fast_takes_the_first_that_is_affordable() {
    let mut rig = sweeping(3, Strategy::Fast);
    rig.offers("a", 3001);
    assert_eq!(bought(&rig), None);
    rig.offers("b", 3000);
    assert_eq!(bought(&rig).as_deref(), Some("b"));
}

#[test]
fn balanced_waits_a_grace_for_a_better_one() {
    let mut rig = sweeping(3, Strategy::Balanced);
    rig.offers("a", 2900);
    rig.wait(199);
    assert_eq!(bought(&rig), None);
    rig.offers("b", 2800);
    rig.wait(1);
    assert_eq!(bought(&rig).as_deref(), Some("b"));
}

#[test]
fn a_better_offer_does_not_restart_the_grace() {
    let mut rig = sweeping(4, Strategy::Balanced);
    rig.offers("a", 2900);
    rig.wait(150);
    rig.offers("b", 2890);
    rig.wait(49);
    rig.offers("c", 2880);
    assert_eq!(bought(&rig), None);
    rig.wait(1);
    assert_eq!(bought(&rig).as_deref(), Some("c"));
}

#[test]
fn the_grace_ends_on_time_although_others_are_asked_again_meanwhile() {
    let mut rig = sweeping(3, Strategy::Balanced);
    rig.wait(900);
    rig.offers("a", 2900);
    rig.wait(100);
    assert_eq!(rig.messages, 5, "the other two were asked again");
    rig.wait(99);
    assert_eq!(bought(&rig), None);
    rig.wait(1);
    assert_eq!(bought(&rig).as_deref(), Some("a"));
}

#[test]
fn balanced_does_not_wait_when_the_price_is_clearly_below_the_limit() {
    let mut rig = sweeping(3, Strategy::Balanced);
    rig.offers("a", 2626);
    assert_eq!(bought(&rig), None);
    rig.offers("b", 2625);
    assert_eq!(bought(&rig).as_deref(), Some("b"));
}

#[test]
fn an_unaffordable_offer_starts_no_grace() {
    let mut rig = sweeping(3, Strategy::Balanced);
    rig.offers("a", 3001);
    rig.wait(500);
    rig.offers("b", 2900);
    rig.wait(199);
    assert_eq!(bought(&rig), None);
    rig.wait(1);
    assert_eq!(bought(&rig).as_deref(), Some("b"));
}

#[test]
fn when_everybody_has_answered_nobody_is_waited_for() {
    for strategy in [Strategy::Cheapest, Strategy::Balanced] {
        let mut rig = sweeping(2, strategy);
        rig.offers("a", 2900);
        rig.has_none("b");
        assert_eq!(bought(&rig).as_deref(), Some("a"), "{strategy:?}");
    }
}

#[test]
fn no_stock_needs_coverage() {
    let mut rig = sweeping(5, Strategy::Balanced);
    for name in ["a", "b", "c", "d"] {
        rig.has_none(name);
    }
    let silent = rig.question("e").call;
    rig.say("e", silent, QuoteOutcome::Refused { retry_after: None });
    assert_eq!(rig.status(request_id(1)), "out_of_stock");
    assert_eq!(rig.disk.receipts[0].verdict, Verdict::NoStock);
    assert_eq!(rig.disk.receipts[0].coverage_permille(), 800);
}

#[test]
fn too_few_answers_are_no_answer() {
    let mut rig = sweeping(5, Strategy::Balanced);
    for name in ["a", "b", "c"] {
        rig.has_none(name);
    }
    for name in ["d", "e"] {
        let call = rig.question(name).call;
        rig.say(name, call, QuoteOutcome::Refused { retry_after: None });
    }
    let request = rig.request(request_id(1));
    assert_eq!((status(request), request.fruitless), ("searching".to_owned(), 1));
    assert_eq!(rig.disk.receipts[0].verdict, Verdict::NoAnswer);
}

#[test]
fn silence_is_swept_again_and_then_fails() {
    let mut rig = sweeping(2, Strategy::Balanced);
    rig.wait(60_000);
    assert_eq!(rig.status(request_id(1)), "failed (partner_unavailable)");
    assert_eq!(rig.disk.receipts.len(), 2);
    assert!(rig.disk.receipts.iter().all(|receipt| receipt.verdict == Verdict::NoAnswer));
}

#[test]
fn a_best_price_above_the_limit_is_quoted_whatever_the_coverage() {
    let mut rig = sweeping(3, Strategy::Balanced);
    rig.offers("b", 3500);
    rig.wait(10_000);
    assert_eq!(rig.status(request_id(1)), "quoted 35.00 USD at b");
    assert_eq!(rig.disk.receipts[0].verdict, Verdict::TooDear);
}

#[test]
fn a_copy_that_is_too_worn_or_too_few_is_no_offer() {
    let mut rig = sweeping(2, Strategy::Balanced);
    let mut worn = quote("a", 1000);
    worn.condition = Condition::Good;
    rig.offers_quote("a", worn);
    let mut sold_out = quote("b", 1000);
    sold_out.in_stock = 0;
    rig.offers_quote("b", sold_out);
    assert_eq!(rig.status(request_id(1)), "out_of_stock");
}

#[test]
fn an_offer_without_a_complete_price_is_stock_that_cannot_be_bought() {
    let mut rig = sweeping(1, Strategy::Balanced);
    let mut open_ended = quote("a", 1000);
    open_ended.shipping = Cost::Unknown;
    rig.offers_quote("a", open_ended.clone());
    assert_eq!(rig.status(request_id(1)), "quoted ? at a");
    assert_eq!(rig.disk.receipts[0].quotes, [open_ended]);
}

#[test]
fn an_offer_that_lapsed_before_the_decision_is_not_the_best() {
    let mut rig = sweeping(2, Strategy::Cheapest);
    let mut brief = quote("a", 2000);
    brief.valid_until = at(500);
    rig.offers_quote("a", brief);
    rig.wait(600);
    rig.offers("b", 3500);
    assert_eq!(rig.status(request_id(1)), "quoted 35.00 USD at b");
}

#[test]
fn an_offer_that_lapses_at_the_instant_of_the_decision_is_none() {
    let mut rig = sweeping(2, Strategy::Cheapest);
    let mut brief = quote("a", 2000);
    brief.valid_until = at(500);
    rig.offers_quote("a", brief);
    rig.wait(500);
    rig.has_none("b");
    assert_eq!(rig.disk.receipts[0].verdict, Verdict::NoAnswer);
    assert_eq!(bought(&rig), None);

    let mut rig = sweeping(2, Strategy::Cheapest);
    let mut brief = quote("a", 2000);
    brief.valid_until = at(500);
    rig.offers_quote("a", brief);
    rig.wait(500);
    rig.offers("b", 3500);
    assert_eq!(rig.status(request_id(1)), "quoted 35.00 USD at b");
}

#[test]
fn another_book_or_another_currency_says_nothing_about_this_one() {
    let mut rig = sweeping(2, Strategy::Balanced);
    let call = rig.question("a").call;
    let other = Isbn13::parse("9781861972712").unwrap();
    let offer = QuoteOutcome::Offer { isbn: other, quote: quote("a", 1000) };
    rig.say("a", call, offer);
    let mut euros = quote("b", 1000);
    euros.currency = Currency::EUR;
    rig.offers_quote("b", euros);
    let receipt = &rig.disk.receipts[0];
    assert_eq!((receipt.verdict, receipt.answered, receipt.eligible), (Verdict::NoAnswer, 0, 2));
    assert_eq!(rig.status(request_id(1)), "searching");
    let invalid = rig.facts.iter().filter(|fact| matches!(fact, Fact::InvalidQuote { .. }));
    assert_eq!(invalid.count(), 2);
}

#[test]
fn only_partners_that_serve_the_order_are_asked() {
    let mut profiles = stores(3);
    profiles[1].currencies = vec![Currency::EUR];
    profiles[2].destinations = vec![schemas::destination::Country::parse("DE").unwrap()];
    let mut rig = Rig::new(profiles);
    rig.create(submission());
    assert_eq!(rig.asked_names(), ["a"]);
}

#[test]
fn nobody_to_ask_is_no_answer() {
    let mut rig = Rig::new(Vec::new());
    rig.create(submission());
    rig.wait(10_000);
    assert_eq!(rig.status(request_id(1)), "failed (partner_unavailable)");
}

#[test]
fn a_sweep_ends_so_that_a_purchase_still_fits_before_the_deadline() {
    let mut rig = Rig::new(stores(1));
    let wanted = |wanted: &mut Submission| wanted.terms.expires_at = at(3_500);
    let mut short = submission();
    wanted(&mut short);
    rig.create(short);
    assert_eq!(rig.question("a").not_after, at(1_500));
    let mut rig = Rig::new(stores(1));
    let mut hopeless = submission();
    hopeless.terms.expires_at = at(2_000);
    rig.create(hopeless);
    assert!(rig.asked.is_empty());
    rig.wait(2_000);
    assert_eq!(rig.status(request_id(1)), "expired");
}

#[test]
fn a_question_carries_the_zone_and_not_the_address() {
    let mut rig = Rig::new(stores(1));
    let mut wanted = submission();
    wanted.destination.address = Some(schemas::destination::Address {
        name: schemas::text::Text::parse("Ann").unwrap(),
        line1: schemas::text::Text::parse("1 Main St").unwrap(),
        line2: None,
        city: schemas::text::Text::parse("Town").unwrap(),
        region: None,
    });
    rig.create(wanted);
    assert_eq!(rig.question("a").destination.address, None);
}
