//! Messages that were given up, kept for the operator with the reason.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::TYPE_PREFIX;
use crate::json::contains_card_number;
use crate::{RejectReason, Timestamp};

/// Most bytes of the original message kept; with base64 on top a dead letter stays well below
/// the server's message limit.
pub const DEAD_PAYLOAD_BYTES_MAX: usize = 256 * 1024;

/// Most headers kept, and most bytes of one value.
const HEADERS_MAX: usize = 32;
const HEADER_VALUE_BYTES_MAX: usize = 1024;

/// `dead_letter.<stream>`: a message the broker will never process, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DeadLetter {
    /// Stream it was read from, or `core` for a message outside of streams.
    pub stream: String,
    pub subject: String,
    pub reason: RejectReason,
    /// What was wrong, for humans.
    pub detail: String,
    pub received_at: Timestamp,
    pub payload: DeadPayload,
    /// Length of the original body, which may have been cut.
    pub payload_bytes: u64,
    pub headers: BTreeMap<String, String>,
}

/// The original body, as far as it may be kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "encoding", content = "data", rename_all = "snake_case")]
pub enum DeadPayload {
    /// It was UTF-8.
    Text(String),
    /// RFC 4648 base64 with padding.
    Base64(String),
    /// It contains what looks like a payment card number and is kept nowhere.
    Withheld,
}

impl DeadPayload {
    /// Keeps at most [`DEAD_PAYLOAD_BYTES_MAX`] bytes, and none if a card number is among them.
    pub fn of(payload: &[u8]) -> Self {
        let kept = &payload[..payload.len().min(DEAD_PAYLOAD_BYTES_MAX)];
        if contains_card_number(&String::from_utf8_lossy(kept)) {
            return Self::Withheld;
        }
        match std::str::from_utf8(kept) {
            Ok(text) => Self::Text(text.to_owned()),
            // The cut may have split a character; what is before it is text.
            Err(e) if kept.len() < payload.len() && e.error_len().is_none() => {
                Self::Text(String::from_utf8_lossy(&kept[..e.valid_up_to()]).into_owned())
            }
            Err(_) => Self::Base64(data_encoding::BASE64.encode(kept)),
        }
    }
}

impl DeadLetter {
    /// CloudEvents `type` of every dead letter.
    pub fn event_type() -> String {
        format!("{TYPE_PREFIX}.dead_letter.recorded")
    }

    /// Keeps what may be kept of `payload` and `headers`: bounded, and no card numbers.
    pub fn new<'a>(
        (stream, subject): (&str, &str),
        (reason, detail): (RejectReason, String),
        received_at: Timestamp,
        payload: &[u8],
        headers: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Self {
        let refused_card = reason == RejectReason::PanNotAccepted;
        Self {
            stream: stream.to_owned(),
            subject: subject.to_owned(),
            reason,
            detail,
            received_at,
            payload: if refused_card { DeadPayload::Withheld } else { DeadPayload::of(payload) },
            payload_bytes: u64::try_from(payload.len()).unwrap_or(u64::MAX),
            headers: keep(headers),
        }
    }
}

fn keep<'a>(headers: impl IntoIterator<Item = (&'a str, &'a str)>) -> BTreeMap<String, String> {
    headers
        .into_iter()
        .filter(|(name, value)| !contains_card_number(name) && !contains_card_number(value))
        .take(HEADERS_MAX)
        .map(|(name, value)| {
            (name.to_owned(), value.chars().take(HEADER_VALUE_BYTES_MAX / 4).collect())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stays_readable_and_bytes_become_base64() {
        assert_eq!(DeadPayload::of(b"{oops"), DeadPayload::Text("{oops".to_owned()));
        assert_eq!(DeadPayload::of(&[0xff, 0]), DeadPayload::Base64("/wA=".to_owned()));
    }

    #[test]
    fn a_long_text_is_cut_between_characters_and_its_length_is_kept() {
        let long = "é".repeat(DEAD_PAYLOAD_BYTES_MAX);
        let odd = format!("x{long}");
        let DeadPayload::Text(kept) = DeadPayload::of(odd.as_bytes()) else {
            panic!("a cut text is still text");
        };
        assert_eq!(kept.len(), DEAD_PAYLOAD_BYTES_MAX - 1);
        let letter = DeadLetter::new(
            ("PURCHASE_CREATES", "purchase.create.c1"),
            (RejectReason::Malformed, "no JSON".to_owned()),
            Timestamp::ZERO,
            odd.as_bytes(),
            [],
        );
        assert_eq!(letter.payload_bytes, odd.len() as u64);
    }

    #[test]
    fn card_numbers_do_not_survive_in_dead_letters() {
        let letter = |reason, payload: &str| {
            DeadLetter::new(
                ("PURCHASE_CREATES", "purchase.create.c1"),
                (reason, "why".to_owned()),
                Timestamp::ZERO,
                payload.as_bytes(),
                [("x-card", "4111111111111111"), ("x-fine", "1")],
            )
        };
        let broken = letter(RejectReason::Malformed, "{\"pan\":4111111111111111,");
        assert_eq!(broken.payload, DeadPayload::Withheld);
        assert_eq!(broken.headers.into_iter().collect::<Vec<_>>(), [("x-fine".into(), "1".into())]);
        let refused = letter(RejectReason::PanNotAccepted, "hidden in some other way");
        assert_eq!(refused.payload, DeadPayload::Withheld);
    }
}
