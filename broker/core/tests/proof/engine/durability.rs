//! Nothing leaves before it is durable; conflicts are decided again from what is durable.

use broker_core::engine::input::{Input, Origin};
use broker_core::engine::output::Fact;
use broker_core::event::{PartnerAnswer, PartnerOutcome};
use broker_core::request::Step;
use schemas::subject::PartnerOperation;
use schemas::{Digest, DurationMs, RejectReason};

use super::rig::{Rig, customer};
use crate::support::*;

#[test]
fn nothing_is_told_or_asked_before_the_request_is_durable() {
    let mut rig = Rig::new(vec![plain("a"), plain("b")]);
    rig.hold_commits = true;
    let origin = rig.create(submission());
    assert_eq!(rig.held.len(), 1);
    assert_eq!(rig.told(origin), "nothing yet");
    assert!(rig.asked.is_empty() && rig.disk.outbox.is_empty());
    rig.wait(10_000);
    assert_eq!(rig.told(origin), "nothing yet");
    assert!(rig.asked.is_empty());
    rig.commit_held();
    assert_eq!(rig.told(origin), "accepted");
    assert_eq!(rig.asked_names(), ["a", "b"]);
}

#[test]
fn creation_and_admission_are_one_commit() {
    let mut rig = Rig::new(vec![plain("a")]);
    rig.create(submission());
    let request = rig.request(request_id(1));
    assert_eq!((request.version.0, status(request)), (2, "searching".to_owned()));
    let commits = rig.log.iter().filter(|line| line.starts_with("Commit")).count();
    assert_eq!(commits, 1);
}

#[test]
fn what_changed_a_request_and_what_was_refused_is_told_by_name() {
    let mut rig = Rig::new(vec![plain("a")]);
    rig.create(submission());
    rig.command(request_id(1), cancel());
    rig.command(request_id(1), accept(7));
    let told: Vec<String> = rig
        .facts
        .iter()
        .filter_map(|fact| match fact {
            Fact::Transition { event, .. } => Some((*event).to_owned()),
            Fact::Refused { event, reason, .. } => Some(format!("{event}: {}", reason.label())),
            _ => None,
        })
        .collect();
    // Creation and admission are one commit; it is named after the last of both.
    assert_eq!(told, ["admitted", "cancel", "accept_quote: transition_not_allowed"]);
}

#[test]
fn an_answer_to_the_order_is_acknowledged_only_after_its_commit() {
    let mut rig = Rig::new(vec![plain("a")]);
    rig.create(submission());
    rig.offers("a", 2500);
    rig.play_along_until_placed();
    rig.hold_commits = true;
    let origin = rig.confirm("a", 2500);
    assert_eq!(rig.told(origin), "nothing yet");
    assert!(!rig.left().contains(&"notify 0 ordered".to_owned()));
    rig.commit_held();
    assert_eq!(rig.told(origin), "taken");
    assert!(rig.left().contains(&"notify 0 ordered".to_owned()));
}

#[test]
fn there_is_one_commit_in_flight_per_request_and_the_rest_waits_in_order() {
    let mut rig = Rig::new(vec![plain("a")]);
    rig.hold_commits = true;
    let first = rig.create(submission());
    let again = rig.create(submission());
    let canceled = rig.command(request_id(1), cancel());
    assert_eq!(rig.held.len(), 1);
    rig.commit_held();
    assert_eq!((rig.told(first).as_str(), rig.told(again).as_str()), ("accepted", "replayed"));
    assert_eq!((rig.held.len(), rig.told(canceled).as_str()), (1, "nothing yet"));
    rig.commit_held();
    assert_eq!(rig.told(canceled), "accepted");
}

#[test]
fn two_requests_do_not_wait_for_each_other() {
    let mut rig = Rig::new(vec![plain("a")]);
    rig.hold_commits = true;
    rig.create(submission());
    let mut other = submission();
    other.id = request_id(2);
    rig.create(other);
    assert_eq!(rig.held.len(), 2);
}

#[test]
fn a_conflict_is_loaded_and_decided_again() {
    let mut rig = Rig::new(vec![plain("a")]);
    rig.create(submission());
    rig.hold_commits = true;
    let origin = rig.command(request_id(1), raise_to(4000));
    // Somebody else cancels in the store meanwhile.
    let mut elsewhere = Rig::new(vec![plain("a")]);
    elsewhere.disk.requests = rig.disk.requests.clone();
    elsewhere.disk.timers = rig.disk.timers.clone();
    elsewhere.disk.active = rig.disk.active.clone();
    elsewhere.command(request_id(1), cancel());
    rig.disk = elsewhere.disk;
    rig.commit_held();
    assert_eq!(rig.told(origin), "transition_not_allowed");
    assert!(rig.facts.contains(&Fact::CommitConflict { request: request_id(1) }));
    assert_eq!(rig.status(request_id(1)), "canceled");
    assert_eq!(rig.engine.hot_requests(), 0);
}

#[test]
fn a_create_that_lost_against_its_twin_gets_the_twins_answer() {
    let mut rig = Rig::new(vec![plain("a")]);
    rig.hold_commits = true;
    let origin = rig.create(submission());
    let mut elsewhere = Rig::new(vec![plain("a")]);
    elsewhere.create(submission());
    rig.disk = elsewhere.disk;
    rig.commit_held();
    assert_eq!(rig.told(origin), "replayed");
}

#[test]
fn an_unknown_or_repeated_commit_answer_is_ignored() {
    use broker_core::engine::input::CommitToken;
    let mut rig = Rig::new(vec![plain("a")]);
    rig.create(submission());
    let before = rig.disk.requests.clone();
    rig.send(Input::Committed { token: CommitToken(0) });
    rig.send(Input::Conflicted { token: CommitToken(99) });
    assert_eq!(rig.disk.requests, before);
}

#[test]
fn a_get_shows_what_is_durable() {
    let mut rig = Rig::new(vec![plain("a")]);
    rig.create(submission());
    rig.hold_commits = true;
    rig.command(request_id(1), cancel());
    let origin = rig.origin();
    let (customer, request) = (customer(), request_id(1));
    rig.send(Input::Get { origin, customer, request });
    assert_eq!(rig.told(origin), "nothing yet");
    rig.commit_held();
    let Some(broker_core::engine::output::Answer::Accepted { request, .. }) = rig.answer(origin)
    else {
        panic!("a get is answered with the request");
    };
    assert_eq!(status(request), "canceled");
}

impl Rig {
    /// Answers commands until the order is out.
    pub(super) fn play_along_until_placed(&mut self) {
        while !self.left().iter().any(|line| line.contains(" place#")) {
            let left = self.disk.outbox.len();
            assert!(self.played < left, "the order never leaves: {:?}", self.left());
            self.play_next();
        }
    }

    fn step(&self) -> Option<Step> {
        self.request(request_id(1)).checkout.as_ref().map(|checkout| checkout.step.clone())
    }

    /// The answer to whatever was asked last.
    fn asked_for_the_order(&mut self, name: &str, outcome: PartnerOutcome) {
        let origin = self.origin();
        let answer = PartnerAnswer {
            partner: partner(name),
            attempt: 1,
            operation: Some(PartnerOperation::Lookup),
            in_reply_to: Some(self.request(request_id(1)).version),
            outcome,
        };
        self.send(Input::Partner { origin, source: None, request: request_id(1), answer });
    }

    pub(super) fn confirm(&mut self, name: &str, minor: u64) -> Origin {
        let origin = self.origin();
        let answer = PartnerAnswer {
            partner: partner(name),
            attempt: 1,
            operation: Some(PartnerOperation::Place),
            in_reply_to: None,
            outcome: confirmed("o-1", minor),
        };
        self.send(Input::Partner { origin, source: None, request: request_id(1), answer });
        origin
    }
}

#[test]
fn the_digest_of_the_directory_is_in_every_receipt() {
    let mut rig = Rig::new(vec![plain("a")]);
    rig.create(submission());
    rig.offers("a", 2500);
    assert_eq!(rig.disk.receipts[0].directory, Digest::of(b"directory"));
}

#[test]
fn right_after_a_jump_of_the_clock_not_to_know_an_order_proves_nothing() {
    let mut rig = Rig::new(vec![plain("a")]);
    rig.create(submission());
    rig.offers("a", 2500);
    rig.play_along_until_placed();
    rig.now = rig.now.saturating_add(DurationMs::from_secs(20));
    rig.engine.time_is_steady_since(rig.now);
    rig.wait(0);
    rig.asked_for_the_order("a", not_found(false));
    assert!(matches!(rig.step(), Some(Step::PlacementUnknown(_))), "{:?}", rig.step());
    rig.wait(8_000);
    rig.asked_for_the_order("a", not_found(false));
    assert_eq!(rig.step(), Some(Step::Failed(RejectReason::PartnerTimeout)));
}
