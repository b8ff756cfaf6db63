//! Receipts: why each purchase was the right one, winner first.

use broker_core::effect::{AcceptToken, Effect};
use broker_core::engine::input::{Input, QuoteOutcome};
use broker_core::event::Event;
use broker_core::receipt::{Receipt, Verdict};
use schemas::purchase::Strategy;
use schemas::subject::PartnerOperation;
use schemas::{Digest, DurationMs};

use super::rig::Rig;
use crate::support::*;

fn sweeping(names: &[&str], strategy: Strategy) -> Rig {
    let mut rig = Rig::new(names.iter().map(|name| plain(name)).collect());
    let mut wanted = submission();
    wanted.terms.strategy = strategy;
    rig.create(wanted);
    rig
}

fn partners(receipt: &Receipt) -> Vec<String> {
    receipt.quotes.iter().map(|quote| quote.partner.to_string()).collect()
}

fn last(rig: &Rig) -> &Receipt {
    rig.disk.receipts.last().unwrap()
}

#[test]
fn the_receipt_shows_the_winner_and_every_quote_it_beat() {
    let mut rig = sweeping(&["a", "b", "c"], Strategy::Cheapest);
    rig.offers("a", 2900);
    rig.offers("b", 2800);
    rig.offers("c", 3500);
    let receipt = &rig.disk.receipts[0];
    let totals: Vec<_> = receipt.quotes.iter().filter_map(|quote| quote.worst_total()).collect();
    assert_eq!(totals, [usd(2800), usd(2900), usd(3500)]);
    assert_eq!((receipt.eligible, receipt.answered, receipt.sweep), (3, 3, 1));
    assert_eq!((receipt.max_total, receipt.verdict), (usd(3000), Verdict::Buy));
}

#[test]
fn the_winner_comes_before_a_cheaper_quote_that_has_lapsed() {
    let mut rig = sweeping(&["a", "b", "c"], Strategy::Cheapest);
    let mut brief = quote("a", 2000);
    brief.valid_until = at(100);
    rig.offers_quote("a", brief);
    rig.wait(200);
    rig.offers("b", 2900);
    rig.offers("c", 2800);
    assert_eq!(last(&rig).verdict, Verdict::Buy);
    assert_eq!(partners(last(&rig)), ["c", "b", "a"]);
    let checkout = rig.request(request_id(1)).checkout.clone().unwrap();
    assert_eq!(checkout.quote.partner, partner("c"));
    assert_eq!(checkout.runners_up.len(), 1);
}

#[test]
fn the_winner_comes_before_a_cheaper_quote_of_a_store_that_has_just_refused() {
    let mut rig = sweeping(&["a", "b", "c"], Strategy::Cheapest);
    rig.offers("a", 2000);
    rig.has_none("b");
    rig.has_none("c");
    while !rig.left().contains(&"a place#1".to_owned()) {
        assert!(rig.play_next());
    }
    let Event::Partner(answer) = says("a", 1, PartnerOperation::Place, refused(true)) else {
        unreachable!("says makes a partner's answer")
    };
    let (origin, request) = (rig.origin(), request_id(1));
    rig.send(Input::Partner { origin, source: None, request, answer });
    let Event::Payment(answer) = void(broker_core::event::PaymentOutcome::Voided) else {
        unreachable!("void makes a payment answer")
    };
    rig.send(Input::Payment { origin, source: None, request, answer });
    assert_eq!(rig.status(request_id(1)), "searching");
    rig.offers("a", 2000);
    rig.offers("b", 2900);
    rig.offers("c", 3100);
    assert_eq!((last(&rig).sweep, last(&rig).verdict), (2, Verdict::Buy));
    assert_eq!(partners(last(&rig)), ["b", "a", "c"]);
}

/// The receipt of a purchase without a sweep: a choice of one.
#[track_caller]
fn assert_chosen_at_hand(rig: &Rig, name: &str, sweep: u32, max: u64) {
    let receipt = last(rig);
    assert_eq!(rig.status(request_id(1)), "ordering");
    assert_eq!((receipt.sweep, receipt.verdict), (sweep, Verdict::Buy));
    assert_eq!((receipt.eligible, receipt.answered), (1, 1));
    assert_eq!((receipt.max_total, receipt.decided_at), (usd(max), rig.now));
    assert_eq!(receipt.directory, rig.engine.policy().partners.version());
    assert_eq!(partners(receipt), [name]);
    assert_eq!(rig.request(request_id(1)).sweep, sweep);
    let sweeps: Vec<u32> = rig.disk.receipts.iter().map(|receipt| receipt.sweep).collect();
    assert_eq!(sweeps, (1..=sweep).collect::<Vec<_>>(), "each has a receipt of its own");
}

#[test]
fn a_purchase_of_a_late_offer_has_a_receipt_of_its_own() {
    let mut rig = Rig::new(vec![plain("a"), queued("q")]);
    rig.create(submission());
    let call = rig.question("q").call;
    rig.has_none("a");
    rig.wait(60_000);
    let offer = QuoteOutcome::Offer { isbn: isbn(), quote: quote("q", 2800) };
    rig.say("q", call, offer);
    assert_chosen_at_hand(&rig, "q", 2, 3000);
}

fn quoted() -> Rig {
    let mut rig = sweeping(&["a"], Strategy::Balanced);
    rig.offers("a", 3500);
    assert_eq!(rig.status(request_id(1)), "quoted 35.00 USD at a");
    rig
}

#[test]
fn a_purchase_at_an_accepted_price_has_a_receipt_of_its_own() {
    let mut rig = quoted();
    let told = rig.disk.outbox.iter().find_map(|row| match &row.effect {
        Effect::Notify { token, .. } => *token,
        Effect::Partner { .. } | Effect::Payment { .. } | Effect::Event { .. } => None,
    });
    let AcceptToken(token) = told.expect("the offer was told with a token");
    let accept =
        Event::AcceptQuote { command: command_id("yes"), token_digest: Digest::of(&token) };
    rig.command(request_id(1), accept);
    assert_chosen_at_hand(&rig, "a", 2, 3500);
}

#[test]
fn a_purchase_that_an_update_makes_possible_has_a_receipt_of_its_own() {
    let mut rig = quoted();
    rig.command(request_id(1), raise_to(4000));
    assert_chosen_at_hand(&rig, "a", 2, 4000);
}

#[test]
fn a_change_that_buys_nothing_has_no_receipt() {
    let mut rig = quoted();
    rig.command(request_id(1), expire_at(at(700_000).saturating_add(DurationMs(1))));
    assert_eq!(rig.disk.receipts.len(), 1);
}
