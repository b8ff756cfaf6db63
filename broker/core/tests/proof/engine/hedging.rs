//! Second copies: of questions only, once, within a budget, and only where it is known how long an
//! answer usually takes.

use broker_core::engine::output::Fact;
use broker_core::partner::PartnerProfile;
use schemas::DurationMs;

use super::rig::Rig;
use crate::support::*;

/// A store that has answered so many questions within 80 ms, and a next one just asked.
fn used_to_speed(answers: u64, profile: PartnerProfile, budget_permille: u16) -> Rig {
    let mut rig = Rig::with(vec![profile], |config| {
        config.policy.hedge_budget_permille = budget_permille;
    });
    for number in 1..=answers {
        ask(&mut rig, number);
        rig.wait(80);
        rig.has_none("a");
    }
    ask(&mut rig, answers + 1);
    rig
}

fn ask(rig: &mut Rig, number: u64) {
    let mut wanted = submission();
    wanted.id = request_id(number);
    rig.create(wanted);
}

fn hedges(rig: &Rig) -> usize {
    rig.facts.iter().filter(|fact| matches!(fact, Fact::Hedged { .. })).count()
}

#[test]
fn a_question_that_takes_longer_than_usual_is_sent_a_second_time_with_the_same_id() {
    let mut rig = used_to_speed(20, plain("a"), 100);
    let first = rig.question("a").call;
    rig.wait(79);
    assert!(rig.asked.is_empty());
    rig.wait(10);
    assert_eq!(hedges(&rig), 1);
    assert_eq!(rig.question("a").call, first);
    rig.wait(500);
    assert_eq!((hedges(&rig), rig.asked.len()), (1, 0), "once is enough");
}

#[test]
fn the_time_out_is_counted_from_the_first_copy_and_the_retry_stays() {
    let mut rig = used_to_speed(20, plain("a"), 100);
    rig.wait(999);
    rig.asked.clear();
    rig.wait(1);
    assert_eq!(rig.asked.len(), 1, "the retry");
    rig.offers("a", 2900);
    assert_eq!(rig.status(request_id(21)), "ordering");
}

#[test]
fn without_enough_answers_nobody_knows_what_is_slow() {
    let mut rig = used_to_speed(19, plain("a"), 1000);
    rig.wait(900);
    assert_eq!(hedges(&rig), 0);
}

#[test]
fn copies_are_paid_for_by_questions() {
    // 49 questions and the one that is slow earn 20 thousandths of a copy each.
    let mut rig = used_to_speed(49, plain("a"), 20);
    rig.wait(300);
    assert_eq!(hedges(&rig), 1);
    ask(&mut rig, 60);
    rig.wait(300);
    assert_eq!(hedges(&rig), 1, "the next one is not paid for yet");
    let mut rig = used_to_speed(48, plain("a"), 20);
    rig.wait(300);
    assert_eq!(hedges(&rig), 0);
}

#[test]
fn a_partner_that_is_busy_gets_no_copies() {
    let narrow = PartnerProfile { in_flight_max: 2, ..plain("a") };
    let mut rig = used_to_speed(30, narrow, 1000);
    ask(&mut rig, 50);
    rig.wait(300);
    assert_eq!(hedges(&rig), 0, "two of two places are taken");
}

#[test]
fn a_very_quick_partner_is_given_a_while_all_the_same() {
    let mut rig = Rig::with(vec![plain("a")], |config| {
        config.policy.hedge_budget_permille = 1000;
        config.policy.hedge_floor = DurationMs(50);
    });
    for number in 1..=20 {
        ask(&mut rig, number);
        rig.has_none("a");
    }
    ask(&mut rig, 21);
    rig.wait(49);
    assert_eq!(hedges(&rig), 0);
    rig.wait(1);
    assert_eq!(hedges(&rig), 1);
}

#[test]
fn queued_questions_wait_in_their_stream_and_are_never_copied() {
    let quick = PartnerProfile { response: DurationMs(2_000), ..queued("a") };
    let mut rig = used_to_speed(25, quick, 1000);
    rig.wait(1_500);
    assert_eq!(hedges(&rig), 0);
}
