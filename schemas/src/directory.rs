//! The partner directory: one `[[partner]]` TOML table per bookstore. Written by the operator (or
//! by partner-sim for its own stores); partners cannot register themselves.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::destination::Country;
use crate::{Currency, Digest, DurationMs, PartnerId};

/// Most partners in one directory; indexes fit in a `u16` and receipts stay small.
pub const PARTNERS_MAX: usize = 1000;

/// The file.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Directory {
    #[serde(default, rename = "partner")]
    pub partners: Vec<PartnerEntry>,
}

/// What the broker may assume about one bookstore. Defaults are the cautious ones.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PartnerEntry {
    pub id: PartnerId,
    #[serde(default)]
    pub transport: Transport,
    /// Whether stock can be held before ordering.
    #[serde(default)]
    pub reservation: bool,
    /// Whether a confirmed order can be canceled.
    #[serde(default)]
    pub cancel: bool,
    #[serde(default)]
    pub lookup: LookupKind,
    /// With `lookup = "eventual"`: how long an accepted order may stay invisible.
    #[serde(default = "default_settle")]
    pub settle_ms: DurationMs,
    /// Looks the placement key up before validating; without it no copy of a `place` is re-sent.
    #[serde(default)]
    pub key_first: bool,
    /// A cancel of an unknown key makes sure that no order can come to exist.
    #[serde(default)]
    pub fences_cancel: bool,
    /// Refuses commands whose `not_after` has passed.
    #[serde(default)]
    pub honours_not_after: bool,
    /// How long a quote usually takes; a question times out after it.
    #[serde(default = "default_response")]
    pub response_ms: DurationMs,
    /// Currencies it can quote in; empty means any.
    #[serde(default)]
    pub currencies: Vec<Currency>,
    /// Countries it ships to; empty means any.
    #[serde(default)]
    pub destinations: Vec<Country>,
    #[serde(default)]
    pub payment_mode: PaymentMode,
    /// Most quote questions outstanding at once. The broker finds out how many of them the partner
    /// can take: one more after each answer, fewer when answers stay away.
    #[serde(default = "default_in_flight")]
    pub in_flight_max: u32,
    /// Whether several orders may name one quote while it is valid. Then requests that want the
    /// same share one question, and an offer may be used again without asking.
    #[serde(default)]
    pub quotes_reusable: bool,
    /// An offer is used again without asking only with more copies than this in stock.
    #[serde(default = "default_reuse_above")]
    pub reuse_above: u32,
    /// How long an offer is used again without asking. By default as long as this store's prices
    /// usually hold, 30 to 90 seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offer_ttl_ms: Option<DurationMs>,
    /// Quote questions outstanding at once to begin with.
    #[serde(default = "default_in_flight_start")]
    pub in_flight_start: u32,
    /// Most quote questions per second.
    #[serde(default = "default_calls_per_s")]
    pub calls_per_s: u32,
    /// … and at once after a quiet while.
    #[serde(default = "default_calls_burst")]
    pub calls_burst: u32,
    /// What the breakers of this partner do.
    #[serde(default)]
    pub breaker: BreakerMode,
}

/// What the breakers of a partner do when most of what it is sent fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BreakerMode {
    /// It is left alone for a while. Look-ups, cancels and releases go on.
    #[default]
    Active,
    /// It is asked all the same; metrics and log say what would have been done.
    DryRun,
    /// An operator says so: it is not asked.
    ForcedOpen,
}

fn default_settle() -> DurationMs {
    DurationMs::from_secs(120)
}

fn default_response() -> DurationMs {
    DurationMs(1000)
}

fn default_in_flight() -> u32 {
    50
}

fn default_in_flight_start() -> u32 {
    4
}

fn default_calls_per_s() -> u32 {
    500
}

fn default_calls_burst() -> u32 {
    50
}

fn default_reuse_above() -> u32 {
    100
}

/// How quote questions reach the partner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Transport {
    /// Connected now: core NATS, no answer within `response_ms` is no answer.
    #[default]
    Live,
    /// Call-back style: questions wait in a stream until the partner fetches them.
    Queued,
}

/// What a `not_found` from the partner is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LookupKind {
    /// Cannot be asked; only a call-back or a human resolves an unknown order.
    #[default]
    None,
    /// An accepted order becomes visible within `settle_ms`.
    Eventual,
    /// An accepted order is visible at once.
    ReadYourWrites,
}

/// Who charges the customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PaymentMode {
    /// The broker authorises and captures, the partner is paid on account.
    #[default]
    BrokerOfRecord,
}

/// Bounds of `response_ms`: a live partner is waited for within a sweep, a queued one may take
/// part of a day.
pub const RESPONSE_MIN_MS: u64 = 1;
pub const LIVE_RESPONSE_MAX_MS: u64 = 60_000;
pub const QUEUED_RESPONSE_MAX_MS: u64 = 24 * 3600 * 1000;
/// Longest time an accepted order may stay invisible to a look-up.
pub const SETTLE_MAX_MS: u64 = 24 * 3600 * 1000;
/// Most quote questions outstanding at one partner.
pub const IN_FLIGHT_MAX: u32 = 100_000;
/// Bounds of `offer_ttl_ms`: a price older than an hour is none.
pub const OFFER_TTL_MIN_MS: u64 = 1;
pub const OFFER_TTL_MAX_MS: u64 = 3600 * 1000;
/// Most quote questions per second to one partner.
pub const CALLS_PER_S_MAX: u32 = 1_000_000;

/// Why a directory is refused as a whole; the one in force stays.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DirectoryError {
    #[error("the directory has {count} partners, at most {PARTNERS_MAX} are supported")]
    TooMany { count: usize },
    #[error("partner {id} is declared twice")]
    Duplicate { id: PartnerId },
    #[error("partner {id}: {field} must be {min} to {max}, got {value}")]
    Range { id: PartnerId, field: &'static str, value: u64, min: u64, max: u64 },
}

impl Directory {
    /// What the types cannot express.
    ///
    /// # Errors
    /// Names the first partner and setting that breaks a rule.
    pub fn validate(&self) -> Result<(), DirectoryError> {
        if self.partners.len() > PARTNERS_MAX {
            return Err(DirectoryError::TooMany { count: self.partners.len() });
        }
        let mut seen = std::collections::BTreeSet::new();
        for partner in &self.partners {
            if !seen.insert(&partner.id) {
                return Err(DirectoryError::Duplicate { id: partner.id.clone() });
            }
            partner.validate()?;
        }
        Ok(())
    }

    /// Digest of the content, written into every decision receipt: under which assumptions about
    /// partners it was decided. Comments and layout of the file do not change it.
    pub fn version(&self) -> Digest {
        Digest::of_value(self)
    }
}

impl PartnerEntry {
    fn validate(&self) -> Result<(), DirectoryError> {
        let response_max = match self.transport {
            Transport::Live => LIVE_RESPONSE_MAX_MS,
            Transport::Queued => QUEUED_RESPONSE_MAX_MS,
        };
        self.range("response_ms", self.response_ms.as_ms(), RESPONSE_MIN_MS, response_max)?;
        self.range("settle_ms", self.settle_ms.as_ms(), 0, SETTLE_MAX_MS)?;
        if let Some(ttl) = self.offer_ttl_ms {
            self.range("offer_ttl_ms", ttl.as_ms(), OFFER_TTL_MIN_MS, OFFER_TTL_MAX_MS)?;
        }
        self.range("in_flight_max", self.in_flight_max.into(), 1, IN_FLIGHT_MAX.into())?;
        self.range("in_flight_start", self.in_flight_start.into(), 1, IN_FLIGHT_MAX.into())?;
        self.range("calls_per_s", self.calls_per_s.into(), 1, CALLS_PER_S_MAX.into())?;
        self.range("calls_burst", self.calls_burst.into(), 1, CALLS_PER_S_MAX.into())
    }

    fn range(
        &self,
        field: &'static str,
        value: u64,
        min: u64,
        max: u64,
    ) -> Result<(), DirectoryError> {
        if (min..=max).contains(&value) {
            return Ok(());
        }
        Err(DirectoryError::Range { id: self.id.clone(), field, value, min, max })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory(partners: &str) -> Directory {
        serde_json::from_str(&format!("{{\"partner\":[{partners}]}}")).unwrap()
    }

    #[test]
    fn a_partner_with_only_an_id_gets_the_cautious_defaults() {
        let directory = directory(r#"{"id":"acme"}"#);
        assert_eq!(directory.validate(), Ok(()));
        let partner = &directory.partners[0];
        assert!(!partner.key_first && !partner.fences_cancel && !partner.reservation);
        assert_eq!(partner.lookup, LookupKind::None);
        assert_eq!(partner.settle_ms, DurationMs::from_secs(120));
    }

    #[test]
    fn duplicates_and_values_out_of_range_are_refused_by_name() {
        let twice = directory(r#"{"id":"acme"},{"id":"acme"}"#).validate().unwrap_err();
        assert_eq!(twice.to_string(), "partner acme is declared twice");
        let never = directory(r#"{"id":"acme","response_ms":0}"#).validate().unwrap_err();
        assert_eq!(never.to_string(), "partner acme: response_ms must be 1 to 60000, got 0");
        assert!(directory(r#"{"id":"acme","in_flight_max":0}"#).validate().is_err());
        assert!(directory(r#"{"id":"acme","response_ms":60001}"#).validate().is_err());
        let queued = r#"{"id":"acme","transport":"queued","response_ms":60001}"#;
        assert_eq!(directory(queued).validate(), Ok(()));
    }

    #[test]
    fn one_partner_too_many_is_refused() {
        let entry = directory(r#"{"id":"p"}"#).partners.remove(0);
        let named = |n: usize| PartnerEntry {
            id: PartnerId::parse(&format!("p{n}")).unwrap(),
            ..entry.clone()
        };
        let full = Directory { partners: (0..PARTNERS_MAX).map(named).collect() };
        assert_eq!(full.validate(), Ok(()));
        let over = Directory { partners: (0..=PARTNERS_MAX).map(named).collect() };
        assert_eq!(over.validate(), Err(DirectoryError::TooMany { count: PARTNERS_MAX + 1 }));
    }

    #[test]
    fn the_version_changes_with_any_setting() {
        let plain = directory(r#"{"id":"acme"}"#).version();
        assert_eq!(directory(r#"{"id":"acme","cancel":false}"#).version(), plain);
        assert_ne!(directory(r#"{"id":"acme","cancel":true}"#).version(), plain);
    }
}
