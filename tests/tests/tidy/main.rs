//! The house rules that a machine can check, checked as tests: each failure names file, line and
//! the way to mend it.

#![expect(clippy::unwrap_used, reason = "the helpers of a test fail like the test itself")]

mod core_bans;
mod mask;
mod planted;
mod rules;
mod source;
mod tables;

use std::fs;

use rules::{POLLING_HELPERS, Rule};

fn holds(rule: &Rule) {
    let findings = rule.findings(&source::all());
    assert!(findings.is_empty(), "\n{}\n", findings.join("\n"));
}

#[test]
fn no_rust_file_is_longer_than_500_lines() {
    holds(&rules::FILE_LENGTH);
}

#[test]
fn nothing_is_left_undone_or_switched_off() {
    holds(&rules::NO_STUB);
}

#[test]
fn no_test_sleeps_outside_the_polling_helpers() {
    holds(&rules::NO_SLEEP_IN_TESTS);
}

#[test]
fn every_answer_of_matches_is_used() {
    holds(&rules::MATCHES_IS_ASSERTED);
}

#[test]
fn the_core_matches_without_wildcard_arms() {
    holds(&rules::NO_WILDCARD_ARM);
}

#[test]
fn the_core_knows_nothing_of_the_outside_world() {
    holds(&rules::NO_OUTSIDE_WORLD);
}

#[test]
fn fjall_is_named_only_behind_the_store_port() {
    holds(&rules::FJALL_BEHIND_THE_PORT);
}

#[test]
fn subjects_are_built_only_in_schemas() {
    holds(&rules::SUBJECTS_IN_SCHEMAS);
}

#[test]
fn metrics_are_counted_only_in_their_home() {
    holds(&rules::METRICS_IN_THEIR_HOME);
}

#[test]
fn every_listed_polling_helper_still_exists_and_sleeps() {
    for (path, reason) in POLLING_HELPERS {
        let text = fs::read_to_string(source::workspace().join(path)).unwrap_or_default();
        assert!(text.contains("sleep"), "{path} ({reason}) need not be listed any more");
    }
}
