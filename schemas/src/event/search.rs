//! How a sweep went about it: whom it asked, in which order and why, and whom it did not.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{DurationMs, PartnerId};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Search {
    /// Number of the ranking snapshot that the order of questions goes back to; 0 before the first.
    pub ranking: u64,
    pub ended: SearchEnding,
    /// Rounds of questions, the first one first.
    pub rounds: Vec<SearchRound>,
    /// Partners that were not asked, by reason.
    pub skipped: Vec<SkippedPartners>,
    /// Partners whose good offer was not taken: requests that came before were buying the last
    /// copies known there, or orders there were failing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub passed_over: Vec<PartnerId>,
    /// What was given up because there was too much to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub degraded: Option<Degraded>,
}

/// What a search did without under load.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Degraded {
    /// Only the best ranked were asked.
    #[serde(rename = "tier_1_only")]
    TierOneOnly,
    /// … and of those none whose offer of before still held.
    CachedOffers,
}

/// Partners asked at the same time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SearchRound {
    /// Milliseconds since the sweep began.
    pub after_ms: DurationMs,
    pub why: RoundReason,
    /// At most [`ASKED_LISTED_MAX`], those with an offer first.
    pub asked: Vec<AskedPartner>,
    /// How many more were asked.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unlisted: u16,
}

/// Partners of one round that a receipt lists: hundreds without the book say no more than their
/// number, and notifications are kept for days.
pub const ASKED_LISTED_MAX: usize = 20;

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(count: &u16) -> bool {
    *count == 0
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AskedPartner {
    pub partner_id: PartnerId,
    pub outcome: CallOutcome,
    #[serde(default)]
    pub source: AnswerSource,
    /// With source `remembered`: milliseconds since the partner had said it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age_ms: Option<DurationMs>,
    /// Milliseconds from the question to its end.
    pub took_ms: DurationMs,
}

/// What came of a question.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum CallOutcome {
    /// An offer.
    Ok,
    NoStock,
    /// An offer of too few copies, or of worse ones than were asked for.
    Unsuitable,
    /// It would not say.
    Refused,
    Timeout,
    /// Nobody listened there, or the answer was about something else.
    Error,
    /// The decision did not wait for it.
    Canceled,
    /// Too many questions to this partner were open.
    SkippedBusy,
}

/// Where an answer came from.
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
#[serde(rename_all = "snake_case")]
pub enum AnswerSource {
    /// A question of this request.
    #[default]
    Asked,
    /// The same question of another request that was on its way.
    Shared,
    /// What the partner had just said to the same question; nobody was asked.
    Remembered,
}

/// Why a round of questions was opened.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum RoundReason {
    Everybody,
    BestRanked,
    /// All asked so far had answered, and nothing affordable had come.
    NothingAffordable,
    /// Nothing affordable had come in time.
    Slow,
    /// A better offer than the one at hand was likely enough to be worth the questions.
    BetterLikely,
}

/// Why a search ended.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum SearchEnding {
    /// Nobody was left to ask or to wait for.
    AllEnded,
    /// The first affordable offer, as `fast` wants it.
    FirstFit,
    /// Clearly below the limit, and nobody left was likely to beat it.
    ClearlyBelow,
    /// The time for better offers was over.
    GraceOver,
    /// Asking on was not worth it.
    NotWorthAsking,
    HardStop,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SkippedPartners {
    pub why: SkipReason,
    pub count: u16,
    /// The first of them, best ranked first; nobody is named as not considered.
    pub partner_ids: Vec<PartnerId>,
}

#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum SkipReason {
    /// Not in this currency or not to this country.
    NotServed,
    /// The search ended before it was its turn.
    SkippedEarlyExit,
    /// The broker does not buy there for now.
    NotConsidered,
    /// Its rate, or that of the country, was used up for too long.
    RateLimited,
    /// It had asked to be left alone for longer than there was time.
    SkippedBusy,
    /// Most of what it was sent lately failed, or an operator said so.
    SkippedOpen,
    /// There was too much to do for asking more than the best ranked.
    SkippedOverload,
}
