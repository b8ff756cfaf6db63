//! Identifiers. Each one says who makes it and what it deduplicates.
//!
//! | id | made by | deduplicates |
//! |---|---|---|
//! | [`RequestId`] | requester, before sending | create: the idempotency key of a purchase request |
//! | [`CommandId`] | requester, before sending | update, cancel, accept_quote within one request |
//! | [`CustomerId`] | operator (subject permissions) | nothing; it is the principal |
//! | [`PartnerId`], [`ProviderId`] | operator (directory) | nothing; it is the principal of replies |
//! | [`MessageId`] | broker outbox: incarnation, request, version, index | one copy of one command or event |
//! | [`CallId`] | broker engine: boot epoch, counter | one quote question to one partner |
//! | [`Key`] | broker: hash of operation, request, attempt | reserve, place, pay: one attempt at its receiver |
//! | [`QuoteId`], [`OrderId`], [`ReservationId`] | partner | the partner's own objects |

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use smol_str::SmolStr;

use crate::text_form::text_form;

/// Why a text is not an identifier of the wanted kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    #[error("{kind} must be 1 to {max} characters, got {len}")]
    Length { kind: &'static str, len: usize, max: usize },
    #[error(
        "{kind} may contain only letters, digits, '-' and '_', found {found:?} at position {at}"
    )]
    Character { kind: &'static str, found: char, at: usize },
    #[error("{kind} must be a UUID version 7 such as 01890a5d-ac96-774b-bcce-b302099a8057: {why}")]
    Uuid { kind: &'static str, why: String },
    #[error("call_id must be two hex numbers such as 7-1f, the one sent with the question")]
    CallId,
}

fn check_token(kind: &'static str, text: &str, max: usize, extra: &[char]) -> Result<(), IdError> {
    if text.is_empty() || text.len() > max {
        return Err(IdError::Length { kind, len: text.len(), max });
    }
    for (at, found) in text.char_indices() {
        if !(found.is_ascii_alphanumeric()
            || found == '-'
            || found == '_'
            || extra.contains(&found))
        {
            return Err(IdError::Character { kind, found, at });
        }
    }
    Ok(())
}

/// Declares an identifier that is a bounded ASCII token, usable as one NATS subject token.
macro_rules! token_id {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $max:literal, $extra:expr, $pattern:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, JsonSchema)]
        #[schemars(
            with = "String",
            extend("minLength" = 1, "maxLength" = $max, "pattern" = $pattern)
        )]
        pub struct $name(SmolStr);

        impl $name {
            /// Longest accepted text, in bytes.
            pub const MAX_LEN: usize = $max;

            /// Checks length and characters; the error names the kind and the rule.
            pub fn parse(text: &str) -> Result<Self, IdError> {
                check_token($kind, text, $max, $extra)?;
                Ok(Self(SmolStr::new(text)))
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::parse(text)
            }
        }

        text_form!($name as as_str);
    };
}

token_id!(
    /// The principal of a customer: the subject token on which the customer may publish.
    CustomerId, "customer_id", 32, &[], "^[A-Za-z0-9_-]+$"
);
token_id!(
    /// A bookstore, as named in the partner directory and on its subjects.
    PartnerId, "partner_id", 32, &[], "^[A-Za-z0-9_-]+$"
);
token_id!(
    /// A payment provider, as named in the configuration and on its subjects.
    ProviderId, "provider", 32, &[], "^[A-Za-z0-9_-]+$"
);
token_id!(
    /// Made by the requester for each update, cancel or accept_quote; unique within its request.
    CommandId, "command_id", 64, &['.', ':'], "^[A-Za-z0-9_.:-]+$"
);
token_id!(
    /// The partner's name for one offer; what `reserve` and `place` refer to.
    QuoteId, "quote_id", 64, &['.', ':', '/', '+', '='], "^[A-Za-z0-9_.:/+=-]+$"
);
token_id!(
    /// The partner's name for an order it accepted.
    OrderId, "order_id", 64, &['.', ':', '/', '+', '='], "^[A-Za-z0-9_.:/+=-]+$"
);
token_id!(
    /// The partner's name for a hold on stock.
    ReservationId, "reservation_id", 64, &['.', ':', '/', '+', '='], "^[A-Za-z0-9_.:/+=-]+$"
);
token_id!(
    /// Key of one attempt at its receiver: 20 characters of base32 over
    /// BLAKE3(operation, request, attempt). The same for every copy of the same attempt.
    Key, "key", 32, &[], "^[A-Za-z0-9_-]+$"
);
token_id!(
    /// Id of one copy of a command, event or notification: `<incarnation>-<request>-<version>-<index>`.
    /// It is the `Nats-Msg-Id`, and `in_reply_to` of the answer.
    MessageId, "id", 96, &['.', ':'], "^[A-Za-z0-9_.:-]+$"
);
token_id!(
    /// A payment token made by the payment provider; never a card number.
    PaymentToken, "payment_token", 64, &['.', ':'], "^[A-Za-z0-9_.:-]+$"
);

/// A purchase request's id and idempotency key: a UUID version 7 made by the requester.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, JsonSchema)]
#[schemars(with = "uuid_schema::UuidText")]
pub struct RequestId([u8; 16]);

mod uuid_schema {
    use schemars::JsonSchema;

    #[derive(JsonSchema)]
    #[schemars(transparent, extend("format" = "uuid"))]
    pub(super) struct UuidText(#[allow(dead_code)] String);
}

impl RequestId {
    /// Accepts the hyphenated or simple text form of a UUID version 7.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        let uuid = uuid::Uuid::try_parse(text)
            .map_err(|e| IdError::Uuid { kind: "request_id", why: e.to_string() })?;
        if uuid.get_version_num() != 7 {
            let why = format!("this one is version {}", uuid.get_version_num());
            return Err(IdError::Uuid { kind: "request_id", why });
        }
        Ok(Self(*uuid.as_bytes()))
    }

    /// For bytes that were a `RequestId` before (stores, indexes); no version check.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// A well-formed id from its parts; `random` fills the 74 random bits.
    pub fn from_parts(unix_ms: u64, random: u128) -> Self {
        let mut bytes = [0u8; 16];
        bytes[..6].copy_from_slice(&unix_ms.to_be_bytes()[2..]);
        bytes[6..].copy_from_slice(&random.to_be_bytes()[..10]);
        bytes[6] = (bytes[6] & 0x0f) | 0x70;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        Self(bytes)
    }

    /// The creation instant that the requester wrote into the id, unix milliseconds.
    pub fn unix_ms(&self) -> u64 {
        let mut ms = [0u8; 8];
        ms[2..].copy_from_slice(&self.0[..6]);
        u64::from_be_bytes(ms)
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        uuid::Uuid::from_bytes(self.0).hyphenated().fmt(f)
    }
}

impl fmt::Debug for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RequestId({self})")
    }
}

impl FromStr for RequestId {
    type Err = IdError;
    fn from_str(text: &str) -> Result<Self, IdError> {
        Self::parse(text)
    }
}

text_form!(RequestId as Display);

/// One quote question to one partner: broker boot epoch and a counter within that boot.
/// Both ends deduplicate by it. Text form: `<epoch>-<counter>` in lower-case hex.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, JsonSchema)]
#[schemars(with = "String", extend("pattern" = "^[0-9a-f]{1,8}-[0-9a-f]{1,16}$"))]
pub struct CallId {
    /// Changes at every start of the broker, so that answers to an earlier life are recognised.
    pub epoch: u32,
    /// Unique within the epoch.
    pub counter: u64,
}

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}-{:x}", self.epoch, self.counter)
    }
}

text_form!(CallId as Display);

impl CallId {
    /// Two hexadecimal numbers, as they are displayed.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        let parsed = text.split_once('-').and_then(|(epoch, counter)| {
            Some(Self {
                epoch: u32::try_from(parse_hex(epoch, 8)?).ok()?,
                counter: parse_hex(counter, 16)?,
            })
        });
        parsed.ok_or(IdError::CallId)
    }
}

/// Plain hex digits only; the standard parser would accept a sign.
fn parse_hex(text: &str, max_digits: usize) -> Option<u64> {
    let plain = text.len() <= max_digits && text.bytes().all(|b| b.is_ascii_hexdigit());
    plain.then(|| u64::from_str_radix(text, 16).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_id_is_two_plain_hex_numbers() {
        let id = CallId { epoch: u32::MAX, counter: u64::MAX };
        assert_eq!(CallId::parse(&id.to_string()), Ok(id));
        for bad in ["", "1", "-", "1-", "-1", "+1-2", "1-+2", "1-2-3", "100000000-1", "g-1"] {
            assert_eq!(CallId::parse(bad), Err(IdError::CallId), "{bad}");
        }
    }

    #[test]
    fn only_version_7_names_a_request_and_keeps_its_instant() {
        let id = RequestId::from_parts(1_763_640_000_123, u128::MAX);
        assert_eq!(RequestId::parse(&id.to_string()), Ok(id));
        assert_eq!(id.unix_ms(), 1_763_640_000_123);
        let version_4 = "f47ac10b-58cc-4372-a567-0e02b2c3d479";
        let err = RequestId::parse(version_4).unwrap_err();
        assert!(err.to_string().contains("this one is version 4"), "{err}");
    }

    #[test]
    fn a_principal_can_never_widen_a_subject() {
        for bad in ["", "a.b", "*", ">", "a b", "ü", &"x".repeat(33)] {
            assert!(CustomerId::parse(bad).is_err(), "{bad}");
            assert!(PartnerId::parse(bad).is_err(), "{bad}");
        }
        assert!(CustomerId::parse(&"x".repeat(32)).is_ok());
    }
}
