//! The demo as a stranger runs it: it ends well, and it ends badly when a promise is broken.

#![expect(clippy::unwrap_used, reason = "the helpers of a test fail like the test itself")]

use std::process::{Command, Output};

/// The first thirteen requests show every kind.
const EVERY_KIND: &str = "13";

fn demo(arguments: &[&str]) -> (Output, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_demo")).args(arguments).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    (output, text)
}

#[test]
fn every_kind_of_request_ends_as_it_should_and_all_promises_are_kept() {
    let (output, text) = demo(&["--requests", EVERY_KIND]);
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("all promises were kept"), "{text}");
    for promise in ["P1", "P2", "P3", "P4", "P5", "P6"] {
        assert!(text.contains(&format!("kept   {promise} ")), "{promise} is missing in\n{text}");
    }
    assert!(!text.contains('\u{1b}'), "no colours outside a terminal");
}

#[test]
fn without_the_duplicate_check_the_demo_fails_and_names_the_broken_promise() {
    let (output, text) = demo(&["--requests", EVERY_KIND, "--break", "duplicate-check"]);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("BROKEN P1 at most one order stands for one request"), "{text}");
    assert!(text.contains("two orders stand at"), "{text}");
    assert!(text.contains("Everything known about the first offending request"), "{text}");
}

#[test]
fn help_explains_the_options() {
    let (output, text) = demo(&["--help"]);
    assert!(output.status.success());
    for option in ["--requests", "--seed", "--keep", "--plain"] {
        assert!(text.contains(option), "{option} is missing in\n{text}");
    }
}
