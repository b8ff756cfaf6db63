//! Queued partners: waited for only as long as the sweep, and welcome later (T9).

use broker_core::engine::input::QuoteOutcome;
use broker_core::engine::output::Fact;
use schemas::DurationMs;
use schemas::directory::Transport;
use schemas::id::CallId;

use super::rig::Rig;
use crate::support::*;

fn offer(total: u64) -> QuoteOutcome {
    QuoteOutcome::Offer { isbn: isbn(), quote: quote("q", total) }
}

/// Resting in out_of_stock while the question to the queued partner is still out.
fn resting() -> (Rig, CallId) {
    let mut rig = Rig::new(vec![plain("a"), queued("q")]);
    rig.create(submission());
    let call = rig.question("q").call;
    rig.has_none("a");
    assert_eq!(rig.status(request_id(1)), "out_of_stock");
    (rig, call)
}

#[test]
fn a_partner_that_cannot_answer_in_time_is_asked_but_not_waited_for() {
    let (rig, _) = resting();
    assert_eq!((rig.disk.receipts[0].eligible, rig.disk.receipts[0].answered), (1, 1));
    assert_eq!(rig.engine.hot_requests(), 0, "a resting request needs no memory");
}

#[test]
fn its_late_offer_buys_the_book() {
    let (mut rig, call) = resting();
    rig.wait(60_000);
    rig.say("q", call, offer(2800));
    rig.play_along();
    assert_eq!(rig.status(request_id(1)), "ordered");
    let checkout = rig.request(request_id(1)).checkout.as_ref().unwrap();
    assert_eq!(checkout.quote.partner, partner("q"));
}

#[test]
fn a_late_offer_counts_once_and_only_from_whom_it_was_asked() {
    let (mut rig, call) = resting();
    rig.say("a", call, offer(2800));
    assert_eq!(rig.facts.last(), Some(&Fact::LateQuote));
    rig.say("q", call, offer(9_999));
    assert_eq!(rig.status(request_id(1)), "out_of_stock");
    rig.say("q", call, offer(2800));
    assert_eq!(rig.facts.last(), Some(&Fact::LateQuote));
}

#[test]
fn a_late_offer_of_another_book_is_none() {
    let (mut rig, call) = resting();
    let isbn = schemas::Isbn13::parse("9780131103627").unwrap();
    let other = QuoteOutcome::Offer { isbn, quote: quote("q", 2800) };
    rig.say("q", call, other);
    assert_eq!(rig.facts.last(), Some(&Fact::LateQuote));
    assert_eq!(rig.status(request_id(1)), "out_of_stock");
}

#[test]
fn a_late_offer_after_the_end_changes_nothing() {
    let (mut rig, call) = resting();
    rig.command(request_id(1), cancel());
    rig.say("q", call, offer(2800));
    assert_eq!(rig.status(request_id(1)), "canceled");
    assert_eq!(rig.engine.hot_requests(), 0);
}

#[test]
fn a_queued_partner_that_answers_within_the_sweep_counts_like_any_other() {
    let mut quick = queued("q");
    quick.response = DurationMs(2_000);
    assert_eq!(quick.transport, Transport::Queued);
    let mut rig = Rig::new(vec![plain("a"), quick]);
    rig.create(submission());
    rig.has_none("a");
    assert_eq!(rig.status(request_id(1)), "searching");
    rig.wait(2_500);
    assert_eq!(rig.messages, 2, "a queued question is not asked twice");
    let call = rig.question("q").call;
    rig.say("q", call, offer(2800));
    assert_eq!(rig.status(request_id(1)), "ordering");
}

#[test]
fn where_only_slow_queued_partners_exist_their_answers_are_waited_for() {
    let mut rig = Rig::new(vec![queued("q")]);
    rig.create(submission());
    rig.wait(1_000);
    assert_eq!(rig.status(request_id(1)), "searching");
    rig.offers("q", 2800);
    rig.play_along();
    assert_eq!(rig.status(request_id(1)), "ordered");
}

#[test]
fn a_late_offer_answers_the_same_question_of_the_sweep_that_runs_by_now() {
    let (mut rig, call) = resting();
    // A wider limit starts another sweep, which asks the queued partner again.
    rig.command(request_id(1), raise_to(4_000));
    assert_eq!(rig.status(request_id(1)), "searching");
    rig.say("q", call, offer(3_500));
    rig.has_none("a");
    rig.play_along();
    assert_eq!(rig.status(request_id(1)), "ordered");
}
