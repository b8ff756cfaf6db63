//! CloudEvents attributes as NATS headers. Names are written in lower case and read in any case;
//! values are percent-encoded outside printable ASCII, as the NATS binding of CloudEvents says.

use super::SOURCE_BROKER;
use crate::Timestamp;
use crate::id::{IdError, MessageId};
use crate::time::TimeError;

const SPECVERSION: &str = "ce-specversion";
const ID: &str = "ce-id";
const SOURCE: &str = "ce-source";
const TYPE: &str = "ce-type";
const SUBJECT: &str = "ce-subject";
const TIME: &str = "ce-time";
const CONTENT_TYPE: &str = "ce-datacontenttype";

/// Why headers are not those of a CloudEvent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HeaderError {
    #[error("the header {0} is missing")]
    Missing(&'static str),
    #[error("ce-specversion must be 1.0, got {0:?}")]
    Version(String),
    #[error("the header {0} is not percent-encoded UTF-8")]
    Encoding(&'static str),
    #[error("ce-id: {0}")]
    Id(#[from] IdError),
    #[error("ce-time: {0}")]
    Time(#[from] TimeError),
}

/// Context of one event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventHeaders {
    /// Also the `Nats-Msg-Id`.
    pub id: MessageId,
    /// Who says so, as a URI reference: `/bpb/broker`.
    pub source: String,
    /// `type` of CloudEvents: `com.bookpurchasebroker.<entity>.<what happened>`.
    pub kind: String,
    /// What it is about: a request id.
    pub subject: String,
    /// When it happened, not when it was sent.
    pub time: Timestamp,
}

impl EventHeaders {
    /// Headers of something the broker says; `event_type` as the messages' `event_type()` gives it.
    pub fn of_broker(
        id: MessageId,
        event_type: impl Into<String>,
        subject: String,
        time: Timestamp,
    ) -> Self {
        Self { id, source: SOURCE_BROKER.to_owned(), kind: event_type.into(), subject, time }
    }

    /// Header names and encoded values, ready to send.
    pub fn to_pairs(&self) -> Vec<(&'static str, String)> {
        vec![
            (SPECVERSION, "1.0".to_owned()),
            (ID, encode(self.id.as_str())),
            (SOURCE, encode(&self.source)),
            (TYPE, encode(&self.kind)),
            (SUBJECT, encode(&self.subject)),
            (TIME, encode(&self.time.to_string())),
            (CONTENT_TYPE, "application/json".to_owned()),
        ]
    }

    /// Reads headers back; others than `ce-*` are ignored, the first of a repeated name counts.
    ///
    /// # Errors
    /// Names the attribute that is missing or malformed.
    pub fn from_pairs<'a, I>(pairs: I) -> Result<Self, HeaderError>
    where
        I: IntoIterator<Item = (&'a str, &'a str)>,
    {
        let pairs: Vec<(&str, &str)> = pairs.into_iter().collect();
        let get = |name: &'static str| {
            let (_, value) = pairs
                .iter()
                .find(|(candidate, _)| candidate.eq_ignore_ascii_case(name))
                .ok_or(HeaderError::Missing(name))?;
            decode(value).ok_or(HeaderError::Encoding(name))
        };
        let version = get(SPECVERSION)?;
        if version != "1.0" {
            return Err(HeaderError::Version(version.chars().take(16).collect()));
        }
        Ok(Self {
            id: MessageId::parse(&get(ID)?)?,
            source: get(SOURCE)?,
            kind: get(TYPE)?,
            subject: get(SUBJECT)?,
            time: Timestamp::parse(&get(TIME)?)?,
        })
    }
}

/// Percent-encodes space, `"`, `%` and everything outside U+0021–U+007E.
fn encode(value: &str) -> String {
    let mut encoded = String::with_capacity(value.len());
    for byte in value.bytes() {
        match byte {
            b'"' | b'%' => push_hex(&mut encoded, byte),
            0x21..=0x7e => encoded.push(char::from(byte)),
            _ => push_hex(&mut encoded, byte),
        }
    }
    encoded
}

fn push_hex(out: &mut String, byte: u8) {
    out.push('%');
    out.push_str(&data_encoding::HEXUPPER.encode(&[byte]));
}

/// Accepts lower-case hex and needless encoding; a lone `%` stays as it is.
fn decode(value: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let hex = tail.get(..2).filter(|_| *first == b'%');
        match hex.and_then(|hex| data_encoding::HEXLOWER_PERMISSIVE.decode(hex).ok()) {
            Some(byte) => {
                bytes.extend(byte);
                rest = &tail[2..];
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::event::PurchaseEventKind;

    fn headers(subject: &str) -> EventHeaders {
        EventHeaders::of_broker(
            MessageId::parse("1-r-2-0").unwrap(),
            PurchaseEventKind::Ordered.event_type(),
            subject.to_owned(),
            Timestamp::from_unix_ms(1),
        )
    }

    fn read(pairs: &[(&str, String)]) -> Result<EventHeaders, HeaderError> {
        EventHeaders::from_pairs(pairs.iter().map(|(name, value)| (*name, value.as_str())))
    }

    #[test]
    fn attributes_are_written_in_lower_case_and_read_in_any() {
        let written = headers("r1");
        assert_eq!(written.kind, "com.bookpurchasebroker.purchase_request.ordered");
        let upper: Vec<(String, String)> =
            written.to_pairs().into_iter().map(|(n, v)| (n.to_uppercase(), v)).collect();
        let read = EventHeaders::from_pairs(upper.iter().map(|(n, v)| (n.as_str(), v.as_str())));
        assert_eq!(read, Ok(written));
    }

    #[test]
    fn values_follow_the_percent_rule_of_the_binding() {
        assert_eq!(encode("Euro € 😀"), "Euro%20%E2%82%AC%20%F0%9F%98%80");
        assert_eq!(encode(r#"100%"x""#), "100%25%22x%22");
        assert_eq!(decode("%e2%82%ac%41"), Some("€A".to_owned()));
        assert_eq!(decode("%zz%4"), Some("%zz%4".to_owned()));
        assert_eq!(decode("%ff"), None);
    }

    #[test]
    fn a_missing_or_foreign_attribute_is_named() {
        let mut pairs = headers("r1").to_pairs();
        pairs.retain(|(name, _)| *name != "ce-type");
        assert_eq!(read(&pairs), Err(HeaderError::Missing("ce-type")));
        let mut pairs = headers("r1").to_pairs();
        pairs[0].1 = "0.3".to_owned();
        assert_eq!(read(&pairs), Err(HeaderError::Version("0.3".to_owned())));
    }

    proptest! {
        #[test]
        fn any_subject_survives_the_headers(subject in ".*") {
            let written = headers(&subject);
            let pairs = written.to_pairs();
            for (_, value) in &pairs {
                prop_assert!(value.bytes().all(|b| (0x21..=0x7e).contains(&b)));
            }
            prop_assert_eq!(read(&pairs), Ok(written));
        }
    }
}
