//! Instants and durations. Instants are absolute (deadlines survive restarts), in milliseconds.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::text_form::text_form;

/// An instant in unix milliseconds; on the wire RFC 3339 with offset, printed in UTC (`Z`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, JsonSchema)]
#[schemars(with = "DateTimeText")]
pub struct Timestamp(u64);

#[derive(JsonSchema)]
#[schemars(transparent, extend("format" = "date-time"))]
struct DateTimeText(#[allow(dead_code)] String);

/// Why a text is not an instant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("must be an RFC 3339 instant between 1970 and 9999 such as 2026-11-20T12:00:00Z: {why}")]
pub struct TimeError {
    why: String,
}

impl Timestamp {
    pub const ZERO: Self = Self(0);
    /// 9999-12-30T21:59:59.999Z, the last instant that can be printed in every offset.
    pub const MAX: Self = Self(253_402_207_199_999);

    /// Caps at [`Timestamp::MAX`].
    pub const fn from_unix_ms(ms: u64) -> Self {
        if ms > Self::MAX.0 { Self::MAX } else { Self(ms) }
    }

    pub const fn as_unix_ms(self) -> u64 {
        self.0
    }

    /// Sub-millisecond digits are cut off, towards the past: a deadline is never prolonged.
    pub fn parse(text: &str) -> Result<Self, TimeError> {
        let at: jiff::Timestamp =
            text.parse().map_err(|e: jiff::Error| TimeError { why: e.to_string() })?;
        let ms = u64::try_from(at.as_millisecond())
            .map_err(|_| TimeError { why: "it lies before 1970".to_owned() })?;
        if ms > Self::MAX.0 {
            return Err(TimeError { why: "it lies after 9999".to_owned() });
        }
        Ok(Self(ms))
    }

    #[must_use]
    pub const fn saturating_add(self, by: DurationMs) -> Self {
        Self::from_unix_ms(self.0.saturating_add(by.0))
    }

    #[must_use]
    pub const fn saturating_sub(self, by: DurationMs) -> Self {
        Self(self.0.saturating_sub(by.0))
    }

    /// Time from `earlier` to `self`; zero when `earlier` is later.
    pub const fn since(self, earlier: Self) -> DurationMs {
        DurationMs(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = i64::try_from(self.0).unwrap_or(i64::MAX);
        match jiff::Timestamp::from_millisecond(ms) {
            Ok(at) => write!(f, "{at:.3}"),
            Err(_) => write!(f, "{ms}ms"),
        }
    }
}

text_form!(Timestamp as Display);

/// A length of time in milliseconds; a plain integer on the wire, in fields named `…_ms`.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Default,
    Serialize,
    Deserialize,
    JsonSchema,
)]
#[serde(transparent)]
pub struct DurationMs(pub u64);

impl DurationMs {
    pub const ZERO: Self = Self(0);

    pub const fn from_secs(secs: u64) -> Self {
        Self(secs.saturating_mul(1000))
    }

    pub const fn as_ms(self) -> u64 {
        self.0
    }
}

impl fmt::Display for DurationMs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ms", self.0)
    }
}

impl From<DurationMs> for std::time::Duration {
    fn from(d: DurationMs) -> Self {
        Self::from_millis(d.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_is_accepted_and_printed_in_utc() {
        let at = Timestamp::parse("2026-11-20T13:00:00.2509+01:00").unwrap();
        assert_eq!(at.to_string(), "2026-11-20T12:00:00.250Z");
    }

    #[test]
    fn instants_outside_1970_to_9999_are_refused() {
        assert!(Timestamp::parse("1969-12-31T23:59:59Z").is_err());
        assert!(Timestamp::parse("tomorrow").is_err());
    }

    #[test]
    fn the_last_instant_survives_a_round_trip() {
        let text = Timestamp::MAX.to_string();
        assert_eq!(Timestamp::parse(&text), Ok(Timestamp::MAX));
    }
}
