//! What the deterministic core must not contain. The compiler's lints refuse the same things by
//! resolved path (`broker/core/clippy.toml`); this reads the text, so a new name is seen as well.

use super::Rule;
use crate::source::{Line, Source, has_word};

const CORE: &str = "broker/core/src/";

/// Names that reach out of the process or make two runs differ.
const OUTSIDE: [&str; 12] = [
    "SystemTime::now",
    "Instant::now",
    "std::fs",
    "std::net",
    "std::env",
    "std::thread",
    "rand::",
    "rand_chacha",
    "tokio",
    "tracing",
    "async",
    "println!",
];

/// The same modules when they are imported in one group.
const OUTSIDE_MODULES: [&str; 4] = ["fs", "net", "env", "thread"];

pub(crate) const NO_WILDCARD_ARM: Rule = Rule {
    name: "the core has no `_ =>` arm",
    fix: "name every variant, so that a new one makes the compiler ask; bind an open value by name",
    broken_at: |source| broken_lines(source, |line| has_wildcard_arm(line.text)),
};

pub(crate) const NO_OUTSIDE_WORLD: Rule = Rule {
    name: "the core knows no clock, file, socket, environment, thread, randomness, log or async",
    fix: "take it as an argument or an `Input`; let the shell do it from an `Output`",
    broken_at: |source| broken_lines(source, |line| names_the_outside(line.text)),
};

fn broken_lines(source: &Source, breaks: impl Fn(&Line<'_>) -> bool) -> Vec<usize> {
    if !source.path.starts_with(CORE) {
        return Vec::new();
    }
    source.code().filter(breaks).map(|line| line.number).collect()
}

fn has_wildcard_arm(code: &str) -> bool {
    code.match_indices('_').any(|(at, _)| {
        let before = code[..at].trim_end().chars().next_back();
        let after = code[at + 1..].trim_start();
        let opens_an_arm = before.is_none_or(|c| "{,|}".contains(c));
        let alone = !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let guarded = before.is_none() && after.starts_with("if ") && after.contains("=>");
        alone && opens_an_arm && (after.starts_with("=>") || guarded)
    })
}

fn names_the_outside(code: &str) -> bool {
    let grouped =
        code.contains("std::{") && OUTSIDE_MODULES.iter().any(|name| has_word(code, name));
    grouped || OUTSIDE.iter().any(|name| has_word(code, name))
}

#[cfg(test)]
mod tests {
    use super::super::broken;
    use super::*;

    const FILE: &str = "broker/core/src/state.rs";

    #[test]
    fn a_wildcard_arm_is_found_in_every_shape() {
        for arm in ["_ => 1,", "    _ if x > 1 => {}", "match x { A => 1, _ => 2 }", "A | _ => 3,"]
        {
            assert_eq!(broken(&NO_WILDCARD_ARM, FILE, arm), [1], "{arm}");
        }
    }

    #[test]
    fn a_wildcard_inside_a_pattern_is_no_wildcard_arm() {
        for arm in
            ["Some(_) => 1,", "(_, B) => 2,", "let _ = x;", "on_ => 1,", "// _ => 1", "f(|_| 1)"]
        {
            assert_eq!(broken(&NO_WILDCARD_ARM, FILE, arm), [], "{arm}");
        }
        assert_eq!(broken(&NO_WILDCARD_ARM, "broker/src/main.rs", "_ => 1,"), []);
    }

    #[test]
    fn the_outside_world_is_found_by_any_of_its_names() {
        for line in [
            "let now = SystemTime::now();",
            "use std::fs::File;",
            "use std::{collections::BTreeMap, env};",
            "let x = rand::random();",
            "async fn f() {}",
        ] {
            assert_eq!(broken(&NO_OUTSIDE_WORLD, FILE, line), [1], "{line}");
        }
    }

    #[test]
    fn words_that_only_look_alike_and_comments_are_left_alone() {
        for line in
            ["operand::f();", "//! no tokio here", "let s = \"std::fs\";", "use std::net_x;"]
        {
            assert_eq!(broken(&NO_OUTSIDE_WORLD, FILE, line), [], "{line}");
        }
    }
}
