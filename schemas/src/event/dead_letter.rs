//! Messages that were given up, kept for the operator with the reason.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::TYPE_PREFIX;
use crate::json::contains_card_number;
use crate::violation::Violation;
use crate::{RejectReason, Timestamp};

/// Most bytes of the original message kept; with base64 on top a dead letter stays well below
/// the server's message limit.
pub const DEAD_PAYLOAD_BYTES_MAX: usize = 256 * 1024;

/// Says in a replayed message which letter it was.
const REPLAY_OF: &str = "Broker-Replay-Of";

/// A text that is no longer than this as JSON is kept as text, whatever is in it.
const TEXT_BYTES_READABLE: usize = 16 * 1024;

/// Most headers kept, most bytes of a name, and most bytes of one value.
const HEADERS_MAX: usize = 32;
const HEADER_NAME_BYTES_MAX: usize = 128;
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
    /// Every rule that the message breaks, 16 at most, if its fields are to blame.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub violations: Vec<Violation>,
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
        let text = match std::str::from_utf8(kept) {
            Ok(text) => Some(text),
            // The cut may have split a character; what is before it is text.
            Err(e) if kept.len() < payload.len() && e.error_len().is_none() => {
                std::str::from_utf8(&kept[..e.valid_up_to()]).ok()
            }
            Err(_) => None,
        };
        match text {
            Some(text) if !is_longer_than_base64(text) => Self::Text(text.to_owned()),
            Some(_) | None => Self::Base64(data_encoding::BASE64.encode(kept)),
        }
    }
}

/// Why the original of a letter cannot be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OriginalError {
    #[error("its bytes are not base64; ask its sender to send it again")]
    NotBase64,
    #[error("it held a card number and was kept nowhere; ask its sender to send it again")]
    Withheld,
    #[error("it was so long that only its beginning was kept; ask its sender to send it again")]
    Cut,
}

/// Where a publisher says how far its outbox is; belongs to the transport like `Nats-…`.
const OUTBOX_CURSOR: &str = "Broker-Outbox-Cursor";

/// A control character takes six bytes as JSON: a letter full of them would be too long for its
/// stream, and nothing behind it would leave.
fn is_longer_than_base64(text: &str) -> bool {
    let escaped: usize = text
        .bytes()
        .map(|byte| match byte {
            b'"' | b'\\' | b'\n' | b'\r' | b'\t' => 2,
            0..0x20 => 6,
            _ => 1,
        })
        .sum();
    // Short texts stay readable.
    escaped > (text.len() / 3 * 4).max(TEXT_BYTES_READABLE)
}

impl DeadLetter {
    /// The bytes as they came.
    ///
    /// # Errors
    /// They were not kept, or not whole.
    pub fn original(&self) -> Result<Vec<u8>, OriginalError> {
        let bytes = match &self.payload {
            DeadPayload::Text(text) => text.clone().into_bytes(),
            DeadPayload::Base64(text) => data_encoding::BASE64
                .decode(text.as_bytes())
                .map_err(|_| OriginalError::NotBase64)?,
            DeadPayload::Withheld => return Err(OriginalError::Withheld),
        };
        let whole = u64::try_from(bytes.len()) == Ok(self.payload_bytes);
        if whole { Ok(bytes) } else { Err(OriginalError::Cut) }
    }

    /// The headers with which the original is published once more as letter `number`: without what
    /// belongs to the transport, because the server would take the same message id for a copy.
    pub fn replayed_headers(&self, number: u64) -> impl Iterator<Item = (&str, String)> {
        let transport =
            |name: &str| name.to_ascii_lowercase().starts_with("nats-") || name == OUTBOX_CURSOR;
        let all = self.headers.iter().map(|(name, value)| (name.as_str(), value.clone()));
        all.filter(move |(name, _)| !transport(name)).chain([(REPLAY_OF, number.to_string())])
    }

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
            violations: Vec::new(),
            received_at,
            payload: if refused_card { DeadPayload::Withheld } else { DeadPayload::of(payload) },
            payload_bytes: u64::try_from(payload.len()).unwrap_or(u64::MAX),
            headers: keep(headers),
        }
    }

    #[must_use]
    pub fn with_violations(mut self, violations: Vec<Violation>) -> Self {
        self.violations = violations;
        self
    }
}

fn keep<'a>(headers: impl IntoIterator<Item = (&'a str, &'a str)>) -> BTreeMap<String, String> {
    headers
        .into_iter()
        .filter(|(name, _)| name.len() <= HEADER_NAME_BYTES_MAX)
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
    fn the_largest_letter_fits_its_stream_whatever_its_bytes_are() {
        let name = "n".repeat(HEADER_NAME_BYTES_MAX);
        let names: Vec<String> = (0..100).map(|n| format!("{n}{}", &name[4..])).collect();
        let value = "\u{1}".repeat(5000);
        for fill in ["\u{1}", "\"", "\n\u{7}x", "é\u{1}"] {
            let body = fill.repeat(2 * DEAD_PAYLOAD_BYTES_MAX / fill.len());
            let letter = DeadLetter::new(
                ("PARTNER_REPLIES", "partner.acme.reply.0.place"),
                (RejectReason::Malformed, "no JSON".to_owned()),
                Timestamp::ZERO,
                body.as_bytes(),
                names.iter().map(|name| (name.as_str(), value.as_str())),
            );
            let sent = crate::json::encode(&letter).len();
            assert!(sent < crate::stream::EVENT_BYTES_MAX, "{fill:?}: {sent} bytes");
        }
    }

    #[test]
    fn a_short_text_stays_readable_whatever_is_in_it() {
        let text = "{\"a\u{7}\\\n".repeat(100);
        assert_eq!(DeadPayload::of(text.as_bytes()), DeadPayload::Text(text));
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
