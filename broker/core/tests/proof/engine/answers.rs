//! What requesters are told: idempotency by request id and command id, and principals.

use broker_core::engine::input::Input;
use broker_core::engine::output::Fact;
use broker_core::event::{Event, Update};
use schemas::{CustomerId, Digest, RejectReason};

use super::rig::Rig;
use crate::support::*;

#[test]
fn the_same_body_again_gets_the_same_answer_at_any_time() {
    let mut rig = Rig::new(vec![plain("a")]);
    rig.create(submission());
    let searching = rig.create(submission());
    assert_eq!(rig.told(searching), "replayed");
    rig.offers("a", 2500);
    rig.play_along();
    let ordered = rig.create(submission());
    assert_eq!(rig.told(ordered), "replayed");
    assert_eq!(rig.status(request_id(1)), "ordered");
    let created = rig.left().iter().filter(|line| *line == "event created").count();
    assert_eq!(created, 1);
}

#[test]
fn another_body_or_another_customer_under_the_same_id_is_a_conflict() {
    let mut rig = Rig::new(vec![plain("a")]);
    rig.create(submission());
    let mut changed = submission();
    changed.digest = Digest::of(b"another body");
    let origin = rig.create(changed);
    assert_eq!(rig.told(origin), "conflict");
    let mut theirs = submission();
    theirs.customer = CustomerId::parse("bob").unwrap();
    let origin = rig.create(theirs);
    assert_eq!(rig.told(origin), "conflict");
}

#[test]
fn a_refused_creation_leaves_nothing_behind() {
    let mut rig = Rig::new(vec![plain("a")]);
    let mut wanted = submission();
    wanted.terms.expires_at = T0;
    let origin = rig.create(wanted);
    assert_eq!(rig.told(origin), "expiry_out_of_range");
    assert!(rig.disk.requests.is_empty() && rig.engine.hot_requests() == 0);
}

#[test]
fn a_customers_request_is_nobody_elses_business() {
    let mut rig = Rig::new(vec![plain("a")]);
    rig.create(submission());
    let digest = Digest::of(b"cancel");
    let origin = rig.command_of("bob", request_id(1), digest, cancel());
    assert_eq!(rig.told(origin), "not_found");
    let origin = rig.origin();
    let customer = CustomerId::parse("bob").unwrap();
    let request = request_id(1);
    rig.send(Input::Get { origin, customer, request });
    assert_eq!(rig.told(origin), "not_found");
}

#[test]
fn a_command_to_an_unknown_request_is_not_found_and_forgotten() {
    let mut rig = Rig::new(vec![plain("a")]);
    let origin = rig.command(request_id(9), cancel());
    assert_eq!(rig.told(origin), "not_found");
    let origin = rig.confirm("a", 2500);
    assert_eq!(rig.told(origin), "unknown_request");
    assert_eq!(rig.engine.hot_requests(), 0);
}

#[test]
fn the_same_command_again_gets_the_same_answer_and_another_body_is_a_conflict() {
    let mut rig = Rig::new(vec![plain("a")]);
    rig.create(submission());
    let first = rig.command(request_id(1), raise_to(4000));
    let version = rig.request(request_id(1)).version;
    let again = rig.command(request_id(1), raise_to(4000));
    let other = rig.command(request_id(1), raise_to(5000));
    assert_eq!(rig.told(first), "accepted");
    assert_eq!(rig.told(again), "replayed");
    assert_eq!(rig.told(other), "conflict");
    assert_eq!(rig.request(request_id(1)).version, version);
    let kept = &rig.disk.requests[&request_id(1)].commands;
    assert_eq!(kept.iter().map(|record| record.version).collect::<Vec<_>>(), [version]);
}

#[test]
fn a_repeated_command_is_recognised_after_the_request_left_memory() {
    let mut rig = Rig::new(vec![plain("a")]);
    rig.create(submission());
    let first = rig.command(request_id(1), cancel());
    assert_eq!((rig.told(first).as_str(), rig.engine.hot_requests()), ("accepted", 0));
    let again = rig.command(request_id(1), cancel());
    assert_eq!(rig.told(again), "replayed");
}

#[test]
fn commands_per_request_are_limited() {
    let mut rig = Rig::with(vec![plain("a")], |config| config.policy.commands_max = 3);
    rig.create(submission());
    let mut told = Vec::new();
    for number in 0..5 {
        let event =
            Event::Update(Update { command: command_id(&format!("update-{number}")), ..update() });
        let origin = rig.command(request_id(1), event);
        told.push(rig.told(origin));
    }
    assert_eq!(
        told,
        ["accepted", "accepted", "accepted", "too_many_commands", "too_many_commands"]
    );
}

#[test]
fn a_full_memory_turns_new_requests_away_but_not_known_ones() {
    let mut rig = Rig::with(vec![plain("a")], |config| config.hot_max = 2);
    for number in 1..=2 {
        let mut wanted = submission();
        wanted.id = request_id(number);
        rig.create(wanted);
    }
    let mut third = submission();
    third.id = request_id(3);
    let origin = rig.create(third);
    assert_eq!(rig.told(origin), "overloaded");
    let origin = rig.create(submission());
    assert_eq!(rig.told(origin), "replayed");
}

#[test]
fn a_request_that_is_flooded_turns_messages_away() {
    let mut rig = Rig::new(vec![plain("a")]);
    rig.hold_commits = true;
    rig.create(submission());
    let limit = broker_core::engine::QUEUE_PER_REQUEST_MAX;
    let origins: Vec<_> = (0..=limit).map(|_| rig.create(submission())).collect();
    assert_eq!(rig.told(origins[limit - 1]), "nothing yet");
    assert_eq!(rig.told(origins[limit]), "overloaded");
    rig.commit_held();
    assert_eq!(rig.told(origins[limit - 1]), "replayed");
}

#[test]
fn an_answer_that_concerns_nobody_is_told_apart_from_a_refused_requester() {
    let mut rig = Rig::new(vec![plain("a")]);
    rig.create(submission());
    let (stranger, nobody) = (request_id(1), request_id(2));
    for (request, name) in [(stranger, "b"), (nobody, "a")] {
        let origin = rig.origin();
        let Event::Partner(answer) = notice(name, 1, confirmed("o-1", 2500)) else {
            panic!("a notice is a partner's answer")
        };
        rig.send(Input::Partner { origin, source: None, request, answer });
    }
    let told: Vec<&Fact> = rig
        .facts
        .iter()
        .filter(|fact| matches!(fact, Fact::StrayAnswer { .. } | Fact::Refused { .. }))
        .collect();
    let stray = |request, reason| Fact::StrayAnswer { request, reason };
    let wrong_sender = stray(stranger, RejectReason::WrongSender);
    let unknown = stray(nobody, RejectReason::UnknownRequest);
    assert_eq!(told, [&wrong_sender, &unknown]);
}
