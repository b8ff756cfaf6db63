//! Calls: batching, in-flight caps, time-outs, the one retry, partners that are down, and answers
//! that do not belong.

use broker_core::engine::input::{Input, QuoteOutcome};
use broker_core::engine::output::{CallOutcome, Fact};
use schemas::DurationMs;
use schemas::id::CallId;

use super::rig::Rig;
use crate::support::*;

fn create(rig: &mut Rig, count: u64) {
    for number in 1..=count {
        let mut wanted = submission();
        wanted.id = request_id(number);
        rig.create(wanted);
    }
}

fn outcomes(rig: &Rig) -> Vec<CallOutcome> {
    let outcome = |fact: &Fact| match fact {
        Fact::Quote { outcome, .. } => Some(*outcome),
        _ => None,
    };
    rig.facts.iter().filter_map(outcome).collect()
}

#[test]
fn an_unanswered_question_is_asked_once_more_with_the_same_id_and_then_given_up() {
    let mut rig = Rig::new(vec![plain("a"), plain("b")]);
    create(&mut rig, 1);
    let first = rig.question("a").call;
    rig.wait(999);
    assert_eq!(rig.asked_names(), ["b"]);
    rig.wait(1);
    assert_eq!(rig.asked_names(), ["b", "a", "b"]);
    assert_eq!(rig.question("a").call, first);
    rig.wait(999);
    assert!(outcomes(&rig).is_empty());
    rig.wait(1);
    assert_eq!(outcomes(&rig), [CallOutcome::TimedOut, CallOutcome::TimedOut]);
    assert_eq!(rig.request(request_id(1)).fruitless, 1);
}

#[test]
fn how_long_an_answer_took_is_counted_from_its_question() {
    let mut rig = Rig::new(vec![plain("a"), plain("b")]);
    create(&mut rig, 1);
    rig.wait(300);
    rig.has_none("a");
    let took = rig.facts.iter().find_map(|fact| match fact {
        Fact::Quote { took_ms, .. } => Some(*took_ms),
        _ => None,
    });
    assert_eq!(took, Some(300));
}

#[test]
fn the_answer_to_either_copy_counts_once() {
    let mut rig = Rig::new(vec![plain("a"), plain("b")]);
    create(&mut rig, 1);
    rig.wait(1_000);
    let call = rig.offers("a", 2900);
    rig.say("a", call, QuoteOutcome::NoStock);
    assert_eq!(rig.facts.last(), Some(&Fact::DuplicateQuote));
    rig.has_none("b");
    assert_eq!(rig.status(request_id(1)), "ordering");
}

#[test]
fn no_copy_is_sent_that_could_not_be_answered_within_the_sweep() {
    let mut slow = plain("a");
    slow.response = DurationMs(2_000);
    let mut rig = Rig::new(vec![slow]);
    create(&mut rig, 1);
    rig.wait(2_000);
    assert_eq!(outcomes(&rig), [CallOutcome::TimedOut]);
    assert_eq!(rig.messages, 1);
}

#[test]
fn questions_beyond_the_cap_wait_and_follow_one_by_one() {
    let mut narrow = plain("a");
    narrow.in_flight_max = 2;
    let mut rig = Rig::new(vec![narrow]);
    create(&mut rig, 5);
    assert_eq!(rig.asked.len(), 2);
    for left in [2, 2, 2, 1, 0] {
        rig.has_none("a");
        assert_eq!(rig.asked.len(), left);
    }
    for number in 1..=5 {
        assert_eq!(rig.status(request_id(number)), "out_of_stock");
    }
}

#[test]
fn a_question_that_had_to_wait_takes_the_place_that_became_free() {
    let mut narrow = plain("a");
    narrow.in_flight_max = 1;
    let mut rig = Rig::new(vec![narrow]);
    create(&mut rig, 2);
    rig.has_none("a");
    let mut late = submission();
    late.id = request_id(3);
    rig.create(late);
    assert_eq!(rig.asked.len(), 1, "the cap holds for the next one, too");
}

#[test]
fn a_place_that_nobody_waited_for_is_there_for_the_next_one() {
    let mut narrow = plain("a");
    narrow.in_flight_max = 1;
    let mut rig = Rig::new(vec![narrow]);
    create(&mut rig, 1);
    rig.has_none("a");
    let mut next = submission();
    next.id = request_id(2);
    rig.create(next);
    assert_eq!(rig.asked.len(), 1);
}

#[test]
fn a_question_that_had_to_wait_has_its_own_time_out_and_retry() {
    let mut narrow = plain("a");
    narrow.in_flight_max = 1;
    let mut rig = Rig::new(vec![narrow]);
    create(&mut rig, 2);
    rig.wait(500);
    rig.has_none("a");
    let waited = rig.question("a").call;
    rig.wait(999);
    assert!(rig.asked.is_empty());
    rig.wait(1);
    assert_eq!(rig.question("a").call, waited);
}

#[test]
fn a_place_is_freed_by_silence_too() {
    let mut narrow = plain("a");
    narrow.in_flight_max = 1;
    let mut rig = Rig::new(vec![narrow]);
    create(&mut rig, 2);
    let first = rig.question("a").call;
    rig.wait(2_000);
    let calls: Vec<CallId> = rig.asked.iter().map(|asked| asked.question.call).collect();
    assert_eq!(calls.iter().filter(|call| **call == first).count(), 1, "the retry");
    assert!(calls.iter().any(|call| *call != first), "the waiting question follows: {calls:?}");
}

#[test]
fn a_sweep_that_ended_frees_its_places_and_its_waiting_questions_are_never_asked() {
    let mut narrow = plain("a");
    narrow.in_flight_max = 1;
    let mut rig = Rig::new(vec![narrow]);
    create(&mut rig, 3);
    rig.command(request_id(2), cancel());
    assert_eq!(rig.asked.len(), 1);
    rig.command(request_id(1), cancel());
    assert_eq!(rig.asked.len(), 2);
    let third = rig.asked[1].question.call;
    rig.say("a", third, QuoteOutcome::NoStock);
    assert_eq!(rig.status(request_id(3)), "out_of_stock");
}

#[test]
fn a_partner_nobody_listens_at_is_silent_at_once_and_says_nothing_about_stock() {
    let mut rig = Rig::new(vec![plain("a"), plain("b")]);
    create(&mut rig, 1);
    rig.has_none("b");
    let call = rig.question("a").call;
    rig.send(Input::PartnerDown { partner: partner("a"), calls: vec![call] });
    assert_eq!(outcomes(&rig), [CallOutcome::NoStock, CallOutcome::Down]);
    let request = rig.request(request_id(1));
    assert_eq!((status(request), request.fruitless), ("searching".to_owned(), 1));
}

#[test]
fn being_down_is_believed_only_of_ones_own_calls() {
    let mut rig = Rig::new(vec![plain("a"), plain("b")]);
    create(&mut rig, 1);
    let call = rig.question("a").call;
    rig.send(Input::PartnerDown { partner: partner("b"), calls: vec![call] });
    let other_life = CallId { epoch: 9, ..call };
    rig.send(Input::PartnerDown { partner: partner("a"), calls: vec![other_life] });
    rig.send(Input::PartnerDown { partner: partner("nobody"), calls: vec![call] });
    assert!(outcomes(&rig).is_empty());
}

#[test]
fn all_questions_of_one_turn_travel_to_a_partner_in_one_message() {
    let mut rig = Rig::new(vec![plain("a"), plain("b")]);
    rig.hold_commits = true;
    create(&mut rig, 10);
    while !rig.held.is_empty() {
        rig.commit_one();
    }
    rig.pump();
    assert_eq!((rig.messages, rig.asked.len()), (2, 20));
}

#[test]
fn a_message_carries_at_most_as_many_questions_as_the_contract_allows() {
    let limit = schemas::partner::QUOTE_ITEMS_MAX;
    for (count, messages) in [(limit, 1), (limit + 1, 2)] {
        let mut rig = Rig::new(vec![plain("a")]);
        rig.hold_commits = true;
        create(&mut rig, count as u64);
        while !rig.held.is_empty() {
            rig.commit_one();
        }
        rig.pump();
        assert_eq!((rig.messages, rig.asked.len()), (messages, count));
    }
}

#[test]
fn answers_of_strangers_other_lives_and_ended_sweeps_count_for_nothing() {
    let mut rig = Rig::new(vec![plain("a"), plain("b")]);
    create(&mut rig, 1);
    let call = rig.question("a").call;
    let offer = |name| QuoteOutcome::Offer { isbn: isbn(), quote: quote(name, 1000) };
    rig.say("b", call, offer("b"));
    assert!(matches!(rig.facts.last(), Some(Fact::InvalidQuote { .. })));
    rig.say("nobody", call, offer("nobody"));
    assert_eq!(rig.facts.last(), Some(&Fact::LateQuote));
    rig.say("a", CallId { epoch: 2, ..call }, offer("a"));
    assert_eq!(rig.facts.last(), Some(&Fact::LateQuote));
    rig.say("a", CallId { counter: 999, ..call }, offer("a"));
    assert_eq!(rig.facts.last(), Some(&Fact::LateQuote));
    assert_eq!(rig.status(request_id(1)), "searching");
    rig.command(request_id(1), cancel());
    rig.say("a", call, offer("a"));
    assert_eq!(rig.facts.last(), Some(&Fact::LateQuote));
    assert_eq!(rig.status(request_id(1)), "canceled");
}

#[test]
fn an_answer_from_a_stream_is_acknowledged_whatever_it_is_worth() {
    let mut rig = Rig::new(vec![plain("a")]);
    let origin = rig.origin();
    let answers = Vec::new();
    rig.send(Input::Quotes { origin: Some(origin), partner: partner("a"), answers });
    assert_eq!(rig.told(origin), "taken");
}
