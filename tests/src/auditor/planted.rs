//! Every check sees a violation that was planted for it, and nothing in a run that is in order.
//! A check that cannot fail is worthless.

mod plant;
mod races;
mod world;

use std::collections::BTreeSet;

use super::checks;
use super::{Evidence, Reach, Verdict, audit};
use world::World;

/// Four bought requests (one after its first store had no copy left, one after its limit was
/// raised, one canceled again), one canceled before, one too dear.
fn clean() -> Evidence {
    let mut world = World::new();
    world.buys("ann", 5_000);
    world.buys_after_a_refusal("bob", 5_000);
    world.cancels("cyd", 1);
    world.rests("dee", 1);
    world.buys_and_cancels("eve", 5_000);
    world.buys_after_an_update("fay", 5_000);
    world.evidence()
}

fn names() -> BTreeSet<&'static str> {
    checks::ALL.iter().map(|check| check.name).collect()
}

#[test]
fn a_run_in_order_is_clean_and_every_check_had_something_to_look_at() {
    let verdict: Verdict = audit(&clean());
    verdict.assert_clean();
    for check in &verdict.checks {
        assert!(check.examined > 0, "{} looked at nothing", check.name);
    }
}

#[test]
fn every_planted_violation_is_found_by_its_check() {
    for (check, what, plant) in plant::ALL.iter().chain(races::ALL) {
        let mut evidence = clean();
        plant(&mut evidence);
        let verdict = audit(&evidence);
        assert!(verdict.broke(check), "{check} did not see: {what}\n{verdict}");
    }
}

#[test]
fn every_check_has_a_planted_violation() {
    let planted: BTreeSet<&str> =
        plant::ALL.iter().chain(races::ALL).map(|(check, ..)| *check).collect();
    assert_eq!(planted, names());
}

#[test]
fn every_invariant_has_a_check() {
    let covered: BTreeSet<u8> = checks::ALL.iter().flat_map(|c| c.invariants).copied().collect();
    assert_eq!(covered, (1..=27).collect());
}

#[test]
fn a_store_alone_is_judged_by_its_log() {
    assert!(checks::OF_THE_LOG.iter().all(|name| names().contains(name)));
    let mut evidence = clean();
    evidence.background.store_only = true;
    let Evidence { sent, messages, partners, payments, .. } = &mut evidence;
    (*sent, *messages) = (Vec::new(), Vec::new());
    (*partners, *payments) = Default::default();
    let verdict = audit(&evidence);
    verdict.assert_clean();
    let examined = verdict.checks.iter().filter(|check| check.examined > 0);
    let examined: BTreeSet<&str> = examined.map(|check| check.name).collect();
    assert_eq!(examined, checks::OF_THE_LOG.iter().copied().collect());
}

#[test]
fn a_check_that_had_nothing_to_look_at_says_so() {
    let text = audit(&World::new().evidence()).to_string();
    assert!(text.contains("P8 useful: not examined"), "{text}");
}

#[test]
fn coverage_counts_what_was_reached_and_names_what_was_not() {
    let mut coverage = audit(&clean()).coverage;
    assert!(coverage.get(Reach::Status, "ordered") > 0);
    let once = coverage.get(Reach::Row, "T19");
    coverage.merge(&coverage.clone());
    assert_eq!(coverage.get(Reach::Row, "T19"), 2 * once);
    assert!(coverage.unreached().contains(&(Reach::Incident, "late_order")));
    assert!(!coverage.unreached().contains(&(Reach::Row, "T19")));
}

#[test]
fn a_broken_run_is_reported_with_promise_request_and_timeline() {
    let mut evidence = clean();
    let order = plant::second_order(&mut evidence);
    let verdict = audit(&evidence);
    let text = verdict.to_string();
    assert!(text.contains("P1 at_most_one_live_order: BROKEN"), "{text}");
    let timeline = verdict.timeline.unwrap();
    for word in ["SUB  create by ann", "AUD  v1 pending", "notify ordered #0", order.as_str()] {
        assert!(timeline.contains(word), "{word} is missing in\n{timeline}");
    }
}
