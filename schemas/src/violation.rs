//! Rules that a message breaks. All of them are told at once: who mends one field at a time needs
//! as many tries as there are mistakes.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::RejectReason;

/// Most rules told of one message; whoever breaks more has to read the reference anyway.
pub const VIOLATIONS_MAX: usize = 16;

/// Most characters of a path or a rule: parts of it are the sender's own words.
const WORDS_CHARS_MAX: usize = 300;

/// One field and the rule it breaks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Violation {
    pub code: RejectReason,
    /// JSON path of the field, such as `max_total.amount`; `.` is the message itself.
    pub field: String,
    /// What must hold and does not; for humans.
    pub rule: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.rule)
    }
}

/// What is wrong with one message, in the order in which it was found; one rule for each field.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Violations(Vec<Violation>);

impl Violations {
    /// Notes a broken rule, unless something is noted of the field, or of one around it, already:
    /// what comes second is mostly a consequence.
    pub fn push(&mut self, code: RejectReason, field: impl Into<String>, rule: impl Into<String>) {
        let field = bounded(field.into());
        let known = self.0.iter().any(|one| is_within(&field, &one.field));
        if !known && self.0.len() < VIOLATIONS_MAX {
            self.0.push(Violation { code, field, rule: bounded(rule.into()) });
        }
    }

    /// A field that breaks a rule of its own.
    pub fn invalid(&mut self, field: impl Into<String>, rule: impl Into<String>) {
        self.push(RejectReason::FieldInvalid, field, rule);
    }

    pub fn first(&self) -> Option<&Violation> {
        self.0.first()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn into_vec(self) -> Vec<Violation> {
        self.0
    }

    pub fn as_slice(&self) -> &[Violation] {
        &self.0
    }
}

impl fmt::Display for Violations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, violation) in self.0.iter().enumerate() {
            let separator = if at == 0 { "" } else { "; " };
            write!(f, "{separator}{violation}")?;
        }
        Ok(())
    }
}

fn is_within(field: &str, around: &str) -> bool {
    field.strip_prefix(around).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

/// The beginning of somebody else's words.
pub(crate) fn bounded(words: String) -> String {
    match words.char_indices().nth(WORDS_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &words[..end]),
        None => words,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_told_once_and_so_is_what_is_within_it() {
        let mut found = Violations::default();
        for field in ["item", "item.value", "item", "items", "items[3].isbn", "quantity"] {
            found.invalid(field, "wrong");
        }
        assert_eq!(found.to_string(), "item: wrong; items: wrong; quantity: wrong");
    }

    #[test]
    fn only_so_many_are_told() {
        let mut found = Violations::default();
        for n in 0..100 {
            found.invalid(format!("items[{n}].quantity"), "wrong");
        }
        assert_eq!(found.into_vec().len(), VIOLATIONS_MAX);
    }
}
