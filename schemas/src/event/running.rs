//! A sweep while it is under way.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Currency, Money, PartnerId, Timestamp};

/// What the sweep under way has found so far. Nothing is decided yet, and nothing of it is kept: a
/// broker that restarts begins the sweep again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RunningSweep {
    /// Sweep of the request, from 1.
    pub sweep: u32,
    pub started_at: Timestamp,
    /// It ends then at the latest.
    pub ends_by: Timestamp,
    /// Limit in force now.
    pub max_total: Money,
    /// Partners whose answer counts.
    pub eligible: u16,
    /// Questions sent so far.
    pub asked: u16,
    /// Partners that answered with an offer or with "no stock" so far.
    pub answered: u16,
    /// What came, oldest first.
    pub offers: Vec<RunningOffer>,
}

/// What a partner has offered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RunningOffer {
    pub partner_id: PartnerId,
    pub offered_at: Timestamp,
    pub currency: Currency,
    /// The most it can cost, landed; absent when a part of it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<Money>,
    /// Within the limit in force now.
    pub affordable: bool,
}
