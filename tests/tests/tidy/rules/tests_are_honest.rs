//! What would let a test pass without proving anything, or code be there without working.

use super::Rule;
use crate::source::{Source, has_word};

const STUBS: [&str; 2] = ["todo!", "unimplemented!"];
const MARKS: [&str; 3] = ["FIXME", "TODO", "XXX"];

/// The files of tests that may sleep, and why each may.
pub(crate) const POLLING_HELPERS: [(&str, &str); 5] = [
    ("tests/src/nats_server/poll.rs", "waits between two looks at a condition, with a deadline"),
    ("tests/src/harness/wait.rs", "the same for async code"),
    ("tests/src/chaos/pass.rs", "how long something stays broken is said in time"),
    ("broker/tests/store/pause.rs", "a process that stands still does so for a time"),
    ("tests/src/harness/proxy.rs", "holds back what it passes on, that is its use"),
];

pub(crate) const NO_STUB: Rule = Rule {
    name: "nothing is left undone or switched off",
    fix: "finish it, delete it, or make it an issue; a test that cannot run yet is not committed",
    broken_at: |source| {
        let code = source.code().filter(|line| {
            STUBS.iter().any(|stub| has_word(line.text, stub)) || line.text.contains("#[ignore")
        });
        let marks = |text: &str| MARKS.iter().any(|mark| has_word(text, mark));
        let comments = source.comments().filter(|line| marks(line.text));
        code.chain(comments).map(|line| line.number).collect()
    },
};

pub(crate) const NO_SLEEP_IN_TESTS: Rule = Rule {
    name: "a test does not sleep",
    fix: "poll for the condition with a deadline; helpers that may sleep are listed in the rule",
    broken_at: |source| {
        if POLLING_HELPERS.iter().any(|(path, _)| *path == source.path) {
            return Vec::new();
        }
        let sleeps = |text: &str| has_word(text, "sleep") || has_word(text, "sleep_until");
        let lines = source.code().filter(|line| line.in_tests && sleeps(line.text));
        lines.map(|line| line.number).collect()
    },
};

pub(crate) const MATCHES_IS_ASSERTED: Rule = Rule {
    name: "the answer of `matches!` is used",
    fix: "write `assert!(matches!(..))`; alone on its line it proves nothing",
    broken_at: |source| unused_matches(source),
};

/// Lines that begin a `matches!(..);` statement. As the last expression of a function, or as an
/// argument that rustfmt put on a line of its own, the answer is used and no semicolon follows.
fn unused_matches(source: &Source) -> Vec<usize> {
    let code = &source.layers.code;
    let begins = |at: &usize| {
        let line_start = code[..*at].rfind('\n').map_or(0, |newline| newline + 1);
        let before = code[..*at].trim_end();
        let statement = before.is_empty() || before.ends_with([';', '{', '}']);
        code[line_start..*at].trim().is_empty() && statement
    };
    let starts = code.match_indices("matches!(").map(|(at, _)| at).filter(begins);
    starts
        .filter(|at| after_call(&code[*at..]).trim_start().starts_with(';'))
        .map(|at| code[..at].matches('\n').count() + 1)
        .collect()
}

/// What follows the closing parenthesis of the call that `code` begins with.
fn after_call(code: &str) -> &str {
    let mut depth = 0_usize;
    for (at, c) in code.char_indices() {
        match c {
            '(' => depth += 1,
            ')' if depth == 1 => return &code[at + 1..],
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    ""
}

#[cfg(test)]
mod tests {
    use super::super::broken;
    use super::*;

    #[test]
    fn stubs_marks_and_ignored_tests_are_found() {
        for line in ["todo!(\"later\")", "unimplemented!()", "#[ignore = \"slow\"]", "// FIXME: x"]
        {
            assert_eq!(broken(&NO_STUB, "broker/src/a.rs", line), [1], "{line}");
        }
        assert_eq!(broken(&NO_STUB, "broker/src/a.rs", "let s = \"todo!()\"; // all done"), []);
    }

    #[test]
    fn a_sleep_is_found_in_tests_under_any_import() {
        let sleeps = ["thread::sleep(d);", "tokio::time::sleep(d).await;", "use x::{sleep, y};"];
        for line in sleeps {
            assert_eq!(broken(&NO_SLEEP_IN_TESTS, "tests/tests/e2e/main.rs", line), [1], "{line}");
            let unit_test = format!("#[cfg(test)]\nmod tests {{\n{line}\n}}");
            assert_eq!(broken(&NO_SLEEP_IN_TESTS, "broker/src/a.rs", &unit_test), [3], "{line}");
            assert_eq!(broken(&NO_SLEEP_IN_TESTS, "broker/src/a.rs", line), [], "{line}");
        }
    }

    #[test]
    fn matches_as_a_statement_is_found() {
        let statement = "let x = 1;\nmatches!(\n    x,\n    Some(_)\n);";
        assert_eq!(broken(&MATCHES_IS_ASSERTED, "a.rs", statement), [2]);
    }

    #[test]
    fn matches_whose_answer_is_used_is_left_alone() {
        for used in [
            "fn is(&self) -> bool {\n    matches!(self, A | B(_))\n}",
            "assert!(\n    matches!(x, Some(_)),\n    \"why\"\n);",
            "let found =\n    matches!(x, A);",
        ] {
            assert_eq!(broken(&MATCHES_IS_ASSERTED, "a.rs", used), [], "{used}");
        }
    }
}
