//! The rules, each with the sentence that tells how to mend a line that breaks it.

mod core_stays_pure;
mod one_home;
mod tests_are_honest;

pub(crate) use core_stays_pure::{NO_OUTSIDE_WORLD, NO_WILDCARD_ARM};
pub(crate) use one_home::{FJALL_BEHIND_THE_PORT, METRICS_IN_THEIR_HOME, SUBJECTS_IN_SCHEMAS};
pub(crate) use tests_are_honest::{
    MATCHES_IS_ASSERTED, NO_SLEEP_IN_TESTS, NO_STUB, POLLING_HELPERS,
};

use crate::source::Source;

/// The most lines that a Rust file may have.
const LINES_MAX: usize = 500;

/// A rule about the text of Rust files.
pub(crate) struct Rule {
    pub(crate) name: &'static str,
    pub(crate) fix: &'static str,
    /// The numbers of the lines that break it.
    pub(crate) broken_at: fn(&Source) -> Vec<usize>,
}

pub(crate) const FILE_LENGTH: Rule = Rule {
    name: "a Rust file has at most 500 lines",
    fix: "split it by what it does; a file tells one thing",
    broken_at: |source| {
        if source.line_count() > LINES_MAX { vec![LINES_MAX + 1] } else { Vec::new() }
    },
};

impl Rule {
    /// One line per place that breaks this rule: where, what, and how to mend it.
    pub(crate) fn findings(&self, sources: &[Source]) -> Vec<String> {
        let place = |source: &Source, line| {
            format!("{}:{line}: {}. Fix: {}", source.path, self.name, self.fix)
        };
        let of_file =
            |source| (self.broken_at)(source).into_iter().map(move |at| place(source, at));
        sources.iter().flat_map(of_file).collect()
    }
}

/// The lines of `text`, as if it were the file at `path`, that break `rule`.
#[cfg(test)]
pub(crate) fn broken(rule: &Rule, path: &str, text: &str) -> Vec<usize> {
    (rule.broken_at)(&Source::new(path, text))
}

#[test]
fn a_file_of_501_lines_is_too_long_and_one_of_500_is_not() {
    assert_eq!(broken(&FILE_LENGTH, "a.rs", &"\n".repeat(501)), [501]);
    assert_eq!(broken(&FILE_LENGTH, "a.rs", &"\n".repeat(500)), []);
}

#[test]
fn a_finding_names_file_line_and_fix() {
    let findings = FILE_LENGTH.findings(&[Source::new("x/y.rs", &"\n".repeat(600))]);
    assert_eq!(findings.len(), 1);
    assert!(findings[0].starts_with("x/y.rs:501: a Rust file"), "{}", findings[0]);
    assert!(findings[0].contains("Fix: split it"));
}
