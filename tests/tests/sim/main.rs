//! The simulator as part of the suite: a fixed range of seeds, the same seeds twice, everything
//! that once went wrong, and proof that a mistake is found and made small.

use tests::sim::hunt::{Hunt, Hunted};
use tests::sim::probe::{Failure, Probe, Runner, Simulator};
use tests::sim::script::Case;
use tests::sim::{regressions, report};

/// Seeds that every run of the suite tries.
const SEEDS: u64 = 2_000;
/// Seeds that are run twice.
const TWICE: u64 = 50;
const JOBS: usize = 2;
/// What takes more seeds than these; a hunt of [`tests::sim::cli::RUNS_FOR_COVERAGE`] runs demands
/// it all the same.
const RARE: [&str; 7] = [
    "row T20",
    "incident late_order",
    "event late_offer",
    "event ruled_found",
    "event ruled_not_found",
    "reason reservation_expired",
    "reason authorization_expired",
];

const SIMULATOR: Simulator = Simulator;

fn hunt(runner: &impl Runner, seeds: std::ops::Range<u64>) -> Hunted {
    Hunt { seeds, at_most: None, jobs: JOBS, keep_going: false }.run(runner, |_| {})
}

#[test]
fn no_promise_is_broken_in_a_fixed_range_of_seeds_and_nearly_everything_is_reached() {
    let hunted = hunt(&SIMULATOR, 0..SEEDS);
    if let Some(failed) = hunted.failures.first() {
        let report = report::failure(&Case::Seed(failed.seed), &failed.failure);
        panic!("cargo sim -- --seed {}\n{report}", failed.seed);
    }
    assert_eq!(hunted.runs, SEEDS);
    let mut missing = hunted.coverage.unreached();
    missing.retain(|name| !RARE.contains(&name.as_str()));
    assert!(missing.is_empty(), "never reached: {}", missing.join(", "));
    let surprises = hunted.coverage.surprises();
    assert!(surprises.is_empty(), "reached although it cannot be: {}", surprises.join(", "));
}

#[test]
fn a_seed_runs_twice_with_the_same_hash() {
    for seed in 0..TWICE {
        let (one, other) = (SIMULATOR.run(&Case::Seed(seed)), SIMULATOR.run(&Case::Seed(seed)));
        assert!(one.hash.is_some(), "cargo sim -- --seed {seed}");
        assert_eq!(one.hash, other.hash, "cargo sim -- --meta {seed}");
        assert_eq!(one.made, other.made, "cargo sim -- --meta {seed}");
        let recorded = Case::Script(Box::new(one.made.clone()));
        assert_eq!(SIMULATOR.run(&recorded).hash, one.hash, "the record of seed {seed} differs");
    }
}

#[test]
fn every_regression_stays_fixed() {
    for kept in regressions::all().unwrap() {
        let probe = SIMULATOR.run(&kept.case);
        if let Some(failure) = &probe.failure {
            let report = report::failure(&kept.case, failure);
            panic!("{} is back ({}):\n{report}", kept.name, kept.cause);
        }
    }
}

/// The simulator with a mistaken judge: that two requests are bought counts as a broken promise.
fn mistaken(case: &Case) -> Probe {
    let mut probe = SIMULATOR.run(case);
    let ordered = probe.coverage.count(tests::sim::coverage::Group::Outcome, "ordered");
    probe.failure = (ordered >= 2).then(|| Failure {
        check: "nobody_buys".to_owned(),
        promise: None,
        request: None,
        said: format!("{ordered} orders stand"),
        timeline: None,
    });
    probe
}

#[test]
fn a_failing_run_is_made_smaller_and_keeps_failing_in_the_same_way() {
    let hunted = hunt(&mistaken, 0..SEEDS);
    let failed = hunted.failures.first().expect("somebody buys in every range of seeds");
    let shrunk = report::shrunk(&mistaken, &failed.probe, &failed.failure);
    let count = |script: &tests::sim::choices::Script| -> usize {
        script.lanes.iter().flatten().filter(|choice| **choice != 0).count()
    };
    assert!(count(&shrunk.script) <= 6, "{}", Case::Script(Box::new(shrunk.script)));
    let text = Case::Script(Box::new(shrunk.script)).to_string();
    let again = mistaken(&Case::parse(&text).unwrap());
    assert_eq!(again.failure.unwrap().check, "nobody_buys");
}
