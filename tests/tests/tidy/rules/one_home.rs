//! Names that have one home, so that a change of them is a change of one file.

use super::Rule;
use crate::source::{Line, has_word, is_test_file};

const FJALL_HOME: &str = "broker/src/store/fjall";
/// Tests that damage the files of the store.
const FJALL_TEST_HOME: &str = "broker/tests/store/fjall";
/// What the broker's store is compared with.
const FJALL_RAW_HOME: &str = "loadtest/src/http/raw";
const SUBJECT_HOME: &str = "schemas/src/subject";
/// Of the broker itself, and of each door.
const METRICS_HOMES: [&str; 4] = [
    "broker/src/metrics",
    "broker/bridge/src/metrics",
    "broker/gateway/src/metrics",
    "broker/notifier/src/metrics",
];

/// What makes a metric.
const METRIC_MACROS: [&str; 3] = ["counter!", "gauge!", "histogram!"];

/// How the subjects of the wire begin.
const SUBJECT_ROOTS: [&str; 6] =
    ["\"purchase.", "\"partner.", "\"payment.", "\"notify.", "\"dead_letter.", "\"callback."];

/// File names that begin like a subject and are none.
const FILE_ENDINGS: [&str; 4] = [".toml\"", ".json\"", ".jsonl\"", ".rs\""];

pub(crate) const FJALL_BEHIND_THE_PORT: Rule = Rule {
    name: "fjall is named only under broker/src/store/fjall*",
    fix: "go through the `Store` port; our own module is `self::fjall` or `crate::store::fjall`",
    broken_at: |source| {
        let homes = [FJALL_HOME, FJALL_TEST_HOME, FJALL_RAW_HOME];
        let home = homes.iter().any(|home| source.path.starts_with(home))
            || source.path.contains("/benches/");
        lines(source.code(), |line| !home && names_the_crate(line.text))
    },
};

pub(crate) const SUBJECTS_IN_SCHEMAS: Rule = Rule {
    name: "NATS subjects are built only in schemas/src/subject.rs",
    fix: "use or add a function of `schemas::subject`",
    broken_at: |source| {
        let home = source.path.starts_with(SUBJECT_HOME) || is_test_file(&source.path);
        lines(source.strings(), |line| !home && !line.in_tests && holds_a_subject(line.text))
    },
};

pub(crate) const METRICS_IN_THEIR_HOME: Rule = Rule {
    name: "metrics are named only in src/metrics* of the broker and of each door",
    fix: "add a function there, one per observation, and call it",
    broken_at: |source| {
        let home = METRICS_HOMES.iter().any(|home| source.path.starts_with(home));
        let makes = |text: &str| METRIC_MACROS.iter().any(|made| has_word(text, made));
        lines(source.code(), |line| !home && makes(line.text))
    },
};

fn lines<'a>(
    all: impl Iterator<Item = Line<'a>>,
    breaks: impl Fn(&Line<'_>) -> bool,
) -> Vec<usize> {
    all.filter(breaks).map(|line| line.number).collect()
}

/// Whether a path starts at the crate `fjall`; a module of that name has a parent before it.
fn names_the_crate(code: &str) -> bool {
    let import = code.trim_start().trim_start_matches("pub ");
    let whole = ["use fjall;", "extern crate fjall"].iter().any(|start| import.starts_with(start));
    let in_name = |c: char| c.is_alphanumeric() || c == '_';
    let crate_path = code.match_indices("fjall::").any(|(at, _)| {
        let before = &code[..at];
        !before.strip_suffix("::").unwrap_or(before).ends_with(in_name)
    });
    whole || crate_path
}

fn holds_a_subject(strings: &str) -> bool {
    SUBJECT_ROOTS.iter().any(|root| {
        strings.match_indices(root).any(|(at, _)| {
            let literal = &strings[at..];
            let end = literal[1..].find('"').map_or(literal.len(), |quote| quote + 2);
            !FILE_ENDINGS.iter().any(|ending| literal[..end].ends_with(ending))
        })
    })
}

#[cfg(test)]
mod tests {
    use super::super::broken;
    use super::*;

    #[test]
    fn the_crate_fjall_is_found_outside_its_home_only() {
        for line in ["use fjall::Database;", "fn f(x: fjall::Error) {}", "use ::fjall::Database;"] {
            assert_eq!(broken(&FJALL_BEHIND_THE_PORT, "broker/src/driver.rs", line), [1], "{line}");
            assert_eq!(broken(&FJALL_BEHIND_THE_PORT, "broker/src/store/fjall.rs", line), []);
            assert_eq!(broken(&FJALL_BEHIND_THE_PORT, "broker/src/store/fjall/a.rs", line), []);
        }
    }

    #[test]
    fn our_own_module_of_that_name_may_be_named_anywhere() {
        for line in ["pub use self::fjall::Disk;", "crate::store::fjall::open()", "mod fjall;"] {
            assert_eq!(broken(&FJALL_BEHIND_THE_PORT, "broker/src/store.rs", line), [], "{line}");
        }
    }

    #[test]
    fn a_subject_in_a_literal_is_found_outside_its_home_and_outside_tests() {
        let line = "let s = format!(\"partner.{id}.quote\");";
        assert_eq!(broken(&SUBJECTS_IN_SCHEMAS, "broker/src/nats.rs", line), [1]);
        assert_eq!(broken(&SUBJECTS_IN_SCHEMAS, "schemas/src/subject.rs", line), []);
        assert_eq!(broken(&SUBJECTS_IN_SCHEMAS, "tests/tests/e2e/main.rs", line), []);
        let in_tests = format!("#[cfg(test)]\nmod tests {{ {line} }}");
        assert_eq!(broken(&SUBJECTS_IN_SCHEMAS, "broker/src/nats.rs", &in_tests), []);
    }

    #[test]
    fn a_metric_is_made_in_its_home_only() {
        let line = "counter!(NAME, \"why\" => why).increment(1);";
        assert_eq!(broken(&METRICS_IN_THEIR_HOME, "broker/src/egress.rs", line), [1]);
        assert_eq!(broken(&METRICS_IN_THEIR_HOME, "broker/src/metrics/load.rs", line), []);
        let described = "describe_counter!(NAME); counter(1)";
        assert_eq!(broken(&METRICS_IN_THEIR_HOME, "broker/src/egress.rs", described), []);
    }

    #[test]
    fn comments_and_file_names_are_no_subjects() {
        let text = "// answers on \"partner.<id>.quote\"\nlet file = \"partner.toml\";";
        assert_eq!(broken(&SUBJECTS_IN_SCHEMAS, "broker/src/config.rs", text), []);
    }
}
