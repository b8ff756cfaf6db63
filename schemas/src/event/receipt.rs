//! The decision receipt: why the broker bought there, or did not buy at all.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Search;
use crate::purchase::{QuoteView, Strategy};
use crate::{Currency, Money, PartnerId, Timestamp};

/// What one sweep found and what was decided from it, under the limits in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Receipt {
    /// Sweep of the request, from 1.
    pub sweep: u32,
    pub decided_at: Timestamp,
    pub strategy: Strategy,
    /// Limit in force when it was decided.
    pub max_total: Money,
    pub verdict: Verdict,
    /// Partners that came in question and could answer in time, whether or not it was their turn;
    /// `search` tells which of them were asked. 0 in receipts from before there was this field.
    #[serde(default)]
    pub eligible: u16,
    /// The same number as `eligible`, under the name it had when everybody was always asked.
    pub asked: u16,
    /// Partners that answered with an offer or with "no stock"; silence is not an answer.
    pub answered: u16,
    /// `answered` of `eligible`, in thousandths.
    #[schemars(range(min = 0, max = 1000))]
    pub coverage_permille: u16,
    /// Digest of the partner directory used, 64 lower-case hex digits.
    #[schemars(regex(pattern = "^[0-9a-f]{64}$"))]
    pub directory_version: String,
    /// The quote that was bought, with verdict `buy`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub winner: Option<QuoteView>,
    /// Affordable quotes that lost, best first.
    pub beaten: Vec<QuoteView>,
    /// Quotes that could not be bought under the limit, best first.
    pub unaffordable: Vec<UnaffordableQuote>,
    /// Whom the sweep asked and whom not; absent when an offer at hand was bought.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search: Option<Search>,
}

/// What a sweep ended in.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Buy,
    /// In stock, but nothing affordable.
    TooDear,
    /// Enough partners answered, none has it.
    NoStock,
    /// Too few partners answered to conclude anything.
    NoAnswer,
}

/// A quote that was no candidate, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UnaffordableQuote {
    pub partner_id: PartnerId,
    pub why: UnaffordableReason,
    pub currency: Currency,
    /// Worst case; absent when a component is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<Money>,
    /// Amounts in minor units, worst case.
    pub item: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shipping: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tax: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fee: Option<u64>,
    pub valid_until: Timestamp,
}

#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum UnaffordableReason {
    AboveLimit,
    /// Shipping, tax or fee was not stated; nothing is assumed to be free.
    ComponentMissing,
    OtherCurrency,
    /// The offer lapsed before it could be bought.
    Expired,
}
