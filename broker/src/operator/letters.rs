//! Dead letters that an operator lets be deleted from their stream.

use schemas::problem::Problem;
use schemas::text::Text;
use schemas::{RejectReason, Timestamp};
use serde::{Deserialize, Serialize};

use crate::store::DroppedLetter;

/// An operator's word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DropDeadLetter {
    /// Its sequence in the stream.
    pub number: u64,
    /// Who answers for it.
    pub actor: Text<100>,
    pub reason: Text<500>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "result", rename_all = "snake_case")]
pub enum DropReply {
    /// It has gone, and the audit log says what is said here: the same, however often it is asked
    /// for.
    Dropped(Dropped),
    Rejected(Problem),
}

/// What the audit log says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dropped {
    /// Its number.
    pub dropped: u64,
    /// Of the message that had been given up, and why it had been.
    pub subject: String,
    pub given_up_for: RejectReason,
    /// Of the letter's bytes, as hexadecimal digits.
    pub digest: String,
    pub actor: String,
    pub reason: String,
    pub said_at: Timestamp,
}

impl From<DroppedLetter> for Dropped {
    fn from(letter: DroppedLetter) -> Self {
        Self {
            dropped: letter.number,
            subject: letter.subject.to_string(),
            given_up_for: letter.reason,
            digest: letter.digest.to_string(),
            actor: letter.by.as_str().to_owned(),
            reason: letter.why.as_str().to_owned(),
            said_at: letter.said_at,
        }
    }
}

#[cfg(test)]
mod tests {
    use schemas::{Digest, json};

    use super::*;

    #[test]
    fn the_answer_is_read_back_as_it_was_written() {
        let letter = DroppedLetter {
            number: 7,
            subject: "purchase.create.ann".into(),
            reason: RejectReason::Malformed,
            digest: Digest::of(b"letter"),
            by: Text::parse("ann").unwrap(),
            why: Text::parse("told the sender").unwrap(),
            said_at: Timestamp::from_unix_ms(1),
        };
        let reply = DropReply::Dropped(letter.into());
        assert_eq!(json::decode::<DropReply>(&json::encode(&reply), 4096), Ok(reply));
    }
}
