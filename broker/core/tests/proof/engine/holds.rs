//! What becomes of reservations, as operators are told.

use broker_core::engine::input::Input;
use broker_core::engine::output::{Fact, HoldEnd};
use broker_core::event::{PartnerAnswer, PartnerOutcome};
use schemas::DurationMs;
use schemas::subject::PartnerOperation;

use super::rig::Rig;
use crate::support::*;

/// A request that waits for the reservation it asked for.
fn reserving() -> Rig {
    let mut rig = Rig::with(vec![ideal("a")], |config| config.policy.attempts_max = 1);
    rig.create(submission());
    rig.offers("a", 2000);
    rig
}

fn ends(rig: &Rig) -> Vec<HoldEnd> {
    let end = |fact: &Fact| match fact {
        Fact::Hold { end, .. } => Some(*end),
        _ => None,
    };
    rig.facts.iter().filter_map(end).collect()
}

fn answer(rig: &mut Rig, outcome: PartnerOutcome) {
    let row = rig
        .disk
        .outbox
        .iter()
        .rfind(|row| matches!(row.effect, broker_core::effect::Effect::Partner { .. }));
    let row = row.unwrap().clone();
    let answer = PartnerAnswer {
        partner: partner("a"),
        attempt: 1,
        operation: Some(PartnerOperation::Reserve),
        in_reply_to: Some(row.version),
        outcome,
    };
    let origin = rig.origin();
    rig.send(Input::Partner { origin, source: None, request: row.request, answer });
}

#[test]
fn a_hold_whose_order_leaves_is_used() {
    let mut rig = reserving();
    rig.play_along();
    assert_eq!(rig.status(request_id(1)), "ordered");
    assert_eq!(ends(&rig), [HoldEnd::Used]);
}

#[test]
fn a_store_that_will_not_hold_the_book_refuses_and_a_silent_one_does_not_answer() {
    let mut rig = reserving();
    answer(&mut rig, refused(true));
    assert_eq!(ends(&rig), [HoldEnd::Refused]);
    let mut rig = reserving();
    rig.wait(60_000);
    assert_eq!(ends(&rig), [HoldEnd::Unanswered]);
}

#[test]
fn a_hold_that_is_over_before_its_order_can_be_sent_has_expired() {
    let mut rig = reserving();
    let valid_until = rig.now.saturating_add(DurationMs(50));
    answer(&mut rig, PartnerOutcome::Reserved { id: reservation_id("r-1"), valid_until });
    assert_eq!(ends(&rig), []);
    rig.play_along();
    assert_eq!(ends(&rig), [HoldEnd::Expired]);
}

#[test]
fn a_hold_that_is_not_needed_any_more_is_given_back() {
    let mut rig = reserving();
    let valid_until = rig.now.saturating_add(DurationMs(600_000));
    answer(&mut rig, PartnerOutcome::Reserved { id: reservation_id("r-1"), valid_until });
    rig.command(request_id(1), cancel());
    assert_eq!(ends(&rig), [HoldEnd::GivenBack]);
}
