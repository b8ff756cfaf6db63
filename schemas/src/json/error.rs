//! Why bytes are not a message.

use super::survey;
use crate::RejectReason;
use crate::money::MoneyError;
use crate::problem::Problem;
use crate::violation::{Violation, Violations, bounded};

/// Why a message was refused before anything was done with it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    #[error("the message has {len} bytes, at most {max} are accepted")]
    TooLarge { len: usize, max: usize },
    #[error("the message is not JSON: {why}")]
    Malformed { why: String },
    /// Never empty; each names a field, such as `max_total.amount` or `items[3].isbn`.
    #[error("{0}")]
    Fields(Violations),
    /// The digits are not repeated.
    #[error(
        "{path}: looks like a payment card number; card numbers are not accepted, send a token of \
         the payment provider as payment_token"
    )]
    CardNumber { path: String },
}

impl DecodeError {
    pub(super) fn card_number(path: String) -> Self {
        Self::CardNumber { path: bounded(path) }
    }

    /// The reason of the first rule that is broken, if there are several.
    pub fn reason(&self) -> RejectReason {
        match self {
            Self::TooLarge { .. } => RejectReason::PayloadTooLarge,
            Self::Malformed { .. } => RejectReason::Malformed,
            Self::Fields(found) => {
                found.first().map_or(RejectReason::FieldInvalid, |violation| violation.code)
            }
            Self::CardNumber { .. } => RejectReason::PanNotAccepted,
        }
    }

    /// Every rule that is broken, if fields are to blame.
    pub fn violations(&self) -> &[Violation] {
        match self {
            Self::Fields(found) => found.as_slice(),
            Self::TooLarge { .. } | Self::Malformed { .. } | Self::CardNumber { .. } => &[],
        }
    }

    /// The answer to the sender.
    pub fn problem(&self) -> Problem {
        let problem = Problem::new(self.reason(), self.to_string());
        match self {
            Self::Fields(found) => problem.with_violations(found.as_slice().to_vec()),
            Self::CardNumber { path } => problem.with_field(path),
            Self::TooLarge { .. } | Self::Malformed { .. } => problem,
        }
    }

    pub(super) fn malformed(error: &serde_json::Error) -> Self {
        Self::Malformed { why: bounded(error.to_string()) }
    }

    /// The one field that a reader stumbled over.
    pub(super) fn from_serde(error: &serde_path_to_error::Error<serde_json::Error>) -> Self {
        match misread(error) {
            Ok(Misread { code, field, rule, .. }) => {
                let mut found = Violations::default();
                found.push(code, field, rule);
                Self::Fields(found)
            }
            Err(error) => error,
        }
    }
}

/// One step into a message.
#[derive(Debug)]
pub(super) enum Step {
    Field(String),
    Item(usize),
}

/// A field that cannot be read.
pub(super) struct Misread {
    /// Empty if it is not known, or leads nowhere.
    pub(super) way: Vec<Step>,
    pub(super) code: RejectReason,
    pub(super) field: String,
    pub(super) rule: String,
}

/// # Errors
/// No field is to blame: it is not JSON.
pub(super) fn misread(
    error: &serde_path_to_error::Error<serde_json::Error>,
) -> Result<Misread, DecodeError> {
    use serde_json::error::Category;
    let inner = error.inner();
    match inner.classify() {
        Category::Data => {}
        Category::Io | Category::Syntax | Category::Eof => {
            return Err(DecodeError::malformed(inner));
        }
    }
    let why = without_position(inner);
    let path = error.path().to_string();
    let way = survey::way(error.path());
    // A missing field has no position of its own: serde points at the object around it.
    if let Some(name) = missing_field(&why) {
        let mut way = way.unwrap_or_default();
        way.push(Step::Field(name.to_owned()));
        let rule = "this field is required".to_owned();
        return Ok(Misread {
            way,
            code: RejectReason::FieldInvalid,
            field: join(&path, name),
            rule,
        });
    }
    let code = if why == MoneyError::UnknownCurrency.to_string() {
        RejectReason::CurrencyUnsupported
    } else {
        RejectReason::FieldInvalid
    };
    Ok(Misread { way: way.unwrap_or_default(), code, field: path, rule: why })
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
