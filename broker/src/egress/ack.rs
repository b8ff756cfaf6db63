//! What the server says to a publish. Acks come to an inbox of our own, one subject per row: the
//! client's request map would keep an entry for every ack that never comes.

use async_nats::{Message, StatusCode};
use serde::Deserialize;

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ack {
    /// Stored now, or (duplicate) before, at this sequence of its stream.
    Stored { sequence: u64, duplicate: bool },
    /// Not stored by this copy: the stream is full, missing, or the server is in trouble.
    Refused { why: String },
}

#[derive(Deserialize)]
struct Body {
    #[serde(default)]
    seq: u64,
    #[serde(default)]
    duplicate: bool,
    error: Option<ApiError>,
}

#[derive(Deserialize)]
struct ApiError {
    #[serde(default)]
    err_code: u32,
    #[serde(default)]
    description: String,
}

/// The row that an ack is about: the last token of the subject it arrived on.
pub fn row_of(subject: &str) -> Option<u64> {
    subject.rsplit_once('.')?.1.parse().ok()
}

pub fn read(message: &Message) -> Ack {
    if message.status == Some(StatusCode::NO_RESPONDERS) {
        return Ack::Refused { why: "no stream takes this subject".to_owned() };
    }
    parse(&message.payload)
}

fn parse(body: &[u8]) -> Ack {
    match serde_json::from_slice::<Body>(body) {
        Ok(Body { error: Some(error), .. }) => {
            Ack::Refused { why: format!("{} (code {})", error.description, error.err_code) }
        }
        Ok(Body { seq: 0, .. }) => Ack::Refused { why: "the ack has no sequence".to_owned() },
        Ok(Body { seq, duplicate, .. }) => Ack::Stored { sequence: seq, duplicate },
        Err(error) => Ack::Refused { why: format!("the ack cannot be read: {error}") },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_duplicate_and_refused_are_told_apart() {
        let stored = parse(br#"{"stream":"S","seq":7}"#);
        assert_eq!(stored, Ack::Stored { sequence: 7, duplicate: false });
        let duplicate = parse(br#"{"stream":"S","seq":3,"duplicate":true}"#);
        assert_eq!(duplicate, Ack::Stored { sequence: 3, duplicate: true });
        let full =
            br#"{"error":{"code":503,"err_code":10077,"description":"maximum bytes"},"seq":0}"#;
        let Ack::Refused { why } = parse(full) else { panic!("a refusal") };
        assert!(why.contains("10077"), "{why}");
        assert!(matches!(parse(b"{}"), Ack::Refused { .. }));
        assert!(matches!(parse(b"+OK"), Ack::Refused { .. }));
    }

    #[test]
    fn the_subject_says_which_row() {
        assert_eq!(row_of("_INBOX.abc.42"), Some(42));
        assert_eq!(row_of("_INBOX.abc.x"), None);
    }
}
