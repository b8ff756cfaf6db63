//! The partner directory: one `[[partner]]` TOML table per bookstore. Written by the operator (or
//! by partner-sim for its own stores); partners cannot register themselves.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::destination::Country;
use crate::{Currency, DurationMs, PartnerId};

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
    /// Most quote questions outstanding at once.
    #[serde(default = "default_in_flight")]
    pub in_flight_max: u32,
}

fn default_settle() -> DurationMs {
    DurationMs::from_secs(120)
}

fn default_response() -> DurationMs {
    DurationMs(1000)
}

fn default_in_flight() -> u32 {
    1000
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
