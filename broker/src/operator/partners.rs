//! How partners stand, and an operator's word about one.

use broker_core::engine::limits::load::{Circuit, PartnerLoad};
use broker_core::engine::ranking::{Standing, Steer, Steering, View, Word};
use schemas::problem::Problem;
use schemas::text::Text;
use schemas::{DurationMs, PartnerId, RejectReason, Timestamp};
use serde::{Deserialize, Serialize};

/// Longest time for which a partner is pinned or banned at once; who means "for ever" says so
/// again, or takes the partner out of the directory.
pub const STEER_FOR_MAX_MS: DurationMs = DurationMs(366 * 24 * 3_600_000);

/// An operator's word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SteerPartner {
    pub partner_id: PartnerId,
    pub action: SteerAction,
    /// How long it holds; absent when it takes back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub for_ms: Option<DurationMs>,
    pub by: Text<64>,
    pub reason: Text<200>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SteerAction {
    /// Asked first.
    Pin,
    /// Not asked at all.
    Ban,
    /// What was said before no longer holds.
    TakeBack,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "result", rename_all = "snake_case")]
pub enum SteerReply {
    /// It holds, and it is in the audit log.
    Kept,
    Rejected(Problem),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "result", rename_all = "snake_case")]
pub enum StandingsReply {
    Shown { partners: Vec<PartnerStanding> },
    Rejected(Problem),
}

/// How one partner stands, with the numbers behind it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartnerStanding {
    pub partner_id: PartnerId,
    pub tier: Tier,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steered: Option<Steered>,
    pub answers: u64,
    /// Shares in thousandths.
    pub score_permille: u64,
    pub won_permille: u64,
    pub kept_permille: u64,
    pub in_time_permille: u64,
    pub in_stock_permille: u64,
    /// Decisions that the share of wins rests on.
    pub decisions: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p50_ms: Option<DurationMs>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub p95_ms: Option<DurationMs>,
    /// Quote questions that may be open there at once.
    pub concurrency_limit: u32,
    pub circuit: CircuitState,
}

/// The worst of its breakers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CircuitState {
    Closed,
    /// Tried, one call at a time.
    HalfOpen,
    /// Left alone; look-ups, cancels and releases go on.
    Open,
    /// Left alone because the directory says so.
    ForcedOpen,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tier {
    First,
    Second,
    Third,
    Shadow,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Steered {
    pub action: SteerAction,
    pub until: Timestamp,
    pub said_at: Timestamp,
    pub by: Text<64>,
    pub reason: Text<200>,
}

impl SteerPartner {
    /// The word that this asks for.
    ///
    /// # Errors
    /// It says for how long when it must not, or not when it must.
    pub fn into_word(self, now: Timestamp) -> Result<Word, Problem> {
        let invalid = |why: String| Problem::new(RejectReason::FieldInvalid, why);
        let Self { partner_id: partner, action, for_ms, by, reason: why } = self;
        let until = match (action, for_ms) {
            (SteerAction::TakeBack, None) => now,
            (SteerAction::TakeBack, Some(_)) => {
                return Err(invalid(
                    "for_ms: what is taken back is taken back for good".to_owned(),
                ));
            }
            (SteerAction::Pin | SteerAction::Ban, Some(length))
                if length > DurationMs(0) && length <= STEER_FOR_MAX_MS =>
            {
                now.saturating_add(length)
            }
            (SteerAction::Pin | SteerAction::Ban, _) => {
                return Err(invalid(format!("for_ms: must be 1 to {}", STEER_FOR_MAX_MS.as_ms())));
            }
        };
        let steer = match action {
            SteerAction::Pin => Some(Steer::Pin),
            SteerAction::Ban => Some(Steer::Ban),
            SteerAction::TakeBack => None,
        };
        Ok(Word { partner, steer, until, said_at: now, by, why })
    }
}

impl PartnerStanding {
    pub fn new(partner_id: PartnerId, view: View, load: PartnerLoad) -> Self {
        let circuit = match load.circuit {
            Circuit::Closed => CircuitState::Closed,
            Circuit::HalfOpen => CircuitState::HalfOpen,
            Circuit::Open => CircuitState::Open,
            Circuit::ForcedOpen => CircuitState::ForcedOpen,
        };
        let tier = match view.standing {
            Standing::First => Tier::First,
            Standing::Second => Tier::Second,
            Standing::Third => Tier::Third,
            Standing::Shadow => Tier::Shadow,
        };
        let steered = |Steering { steer, until, said_at, by, why }| Steered {
            action: match steer {
                Steer::Pin => SteerAction::Pin,
                Steer::Ban => SteerAction::Ban,
            },
            until,
            said_at,
            by,
            reason: why,
        };
        Self {
            partner_id,
            tier,
            steered: view.steering.map(steered),
            answers: view.answers,
            score_permille: view.score_permille,
            won_permille: view.near_permille,
            kept_permille: view.kept_permille,
            in_time_permille: view.in_time_permille,
            in_stock_permille: view.in_stock_permille,
            decisions: view.decisions,
            p50_ms: view.p50,
            p95_ms: view.p95,
            concurrency_limit: load.limit,
            circuit,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> Result<Word, String> {
        let asked: SteerPartner = serde_json::from_str(text).map_err(|e| e.to_string())?;
        asked.into_word(Timestamp::from_unix_ms(1_000)).map_err(|problem| problem.detail)
    }

    #[test]
    fn a_word_says_who_what_why_and_for_how_long() {
        let word =
            said(r#"{"partner_id":"acme","action":"ban","for_ms":500,"by":"ann","reason":"bait"}"#);
        let word = word.unwrap();
        assert_eq!((word.steer, word.until.as_unix_ms()), (Some(Steer::Ban), 1_500));
        assert_eq!((word.by.as_str(), word.why.as_str()), ("ann", "bait"));
    }

    #[test]
    fn a_word_without_an_end_or_a_reason_is_refused_by_the_name_of_the_field() {
        let error = said(r#"{"partner_id":"acme","action":"pin","by":"ann","reason":"x"}"#);
        assert!(error.unwrap_err().starts_with("for_ms: must be 1 to"));
        let error = said(r#"{"partner_id":"acme","action":"pin","for_ms":5,"by":"ann"}"#);
        assert!(error.unwrap_err().contains("reason"));
        let ever = STEER_FOR_MAX_MS.as_ms() + 1;
        let error = said(&format!(
            r#"{{"partner_id":"a","action":"pin","for_ms":{ever},"by":"ann","reason":"x"}}"#
        ));
        assert!(error.is_err());
        let back = r#"{"partner_id":"a","action":"take_back","for_ms":5,"by":"b","reason":"x"}"#;
        assert!(said(back).is_err());
    }
}
