//! Why bytes are not a message.

use crate::RejectReason;
use crate::problem::Problem;

/// Most characters of a path or explanation: parts of it are the sender's own words.
const WORDS_CHARS_MAX: usize = 300;

/// Why a message was refused before anything was done with it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    #[error("the message has {len} bytes, at most {max} are accepted")]
    TooLarge { len: usize, max: usize },
    #[error("the message is not JSON: {why}")]
    Malformed { why: String },
    /// `path` is the way to the field, such as `max_total.amount` or `items[3].isbn`.
    #[error("{path}: {why}")]
    Field { path: String, why: String },
    /// The digits are not repeated.
    #[error(
        "{path}: looks like a payment card number; card numbers are not accepted, send a token of \
         the payment provider as payment_token"
    )]
    CardNumber { path: String },
}

impl DecodeError {
    /// A field that breaks a rule.
    pub fn field(path: impl Into<String>, why: impl Into<String>) -> Self {
        Self::Field { path: bounded(path.into()), why: bounded(why.into()) }
    }

    /// What is wrong with a field of `items[at]`.
    pub(super) fn of_item(self, at: usize) -> Self {
        match self {
            Self::Field { path, why } => Self::field(format!("items[{at}].{path}"), why),
            Self::TooLarge { .. } | Self::Malformed { .. } | Self::CardNumber { .. } => self,
        }
    }

    pub(super) fn card_number(path: String) -> Self {
        Self::CardNumber { path: bounded(path) }
    }

    pub const fn reason(&self) -> RejectReason {
        match self {
            Self::TooLarge { .. } => RejectReason::PayloadTooLarge,
            Self::Malformed { .. } => RejectReason::Malformed,
            Self::Field { .. } => RejectReason::FieldInvalid,
            Self::CardNumber { .. } => RejectReason::PanNotAccepted,
        }
    }

    /// The answer to the sender.
    pub fn problem(&self) -> Problem {
        let problem = Problem::new(self.reason(), self.to_string());
        match self {
            Self::Field { path, .. } | Self::CardNumber { path } => problem.with_field(path),
            Self::TooLarge { .. } | Self::Malformed { .. } => problem,
        }
    }

    pub(super) fn malformed(error: &serde_json::Error) -> Self {
        Self::Malformed { why: bounded(error.to_string()) }
    }

    pub(super) fn from_serde(error: &serde_path_to_error::Error<serde_json::Error>) -> Self {
        use serde_json::error::Category;
        let inner = error.inner();
        match inner.classify() {
            Category::Data => {}
            Category::Io | Category::Syntax | Category::Eof => return Self::malformed(inner),
        }
        let why = without_position(inner);
        let path = error.path().to_string();
        // A missing field has no position of its own: serde points at the object around it.
        match missing_field(&why) {
            Some(name) => Self::field(join(&path, name), "this field is required"),
            None => Self::field(path, why),
        }
    }
}

fn bounded(words: String) -> String {
    match words.char_indices().nth(WORDS_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &words[..end]),
        None => words,
    }
}

/// serde_json appends " at line L column C"; the path says it better.
fn without_position(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let position = format!(" at line {} column {}", error.line(), error.column());
    text.strip_suffix(&position).unwrap_or(&text).to_owned()
}

fn missing_field(why: &str) -> Option<&str> {
    why.strip_prefix("missing field `")?.strip_suffix('`')
}

fn join(path: &str, name: &str) -> String {
    if path == "." { name.to_owned() } else { format!("{path}.{name}") }
}
