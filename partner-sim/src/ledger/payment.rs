//! What became of one payment key at the provider.

use schemas::id::{Key, PaymentToken};
use schemas::payment::PaymentOutcome;
use schemas::{Money, ProviderId, RequestId, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Asked, Decisions};

/// One payment key: at most one authorisation, one capture, one void, one refund.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaymentRecord {
    pub provider: ProviderId,
    pub payment_key: Key,
    pub request_id: RequestId,
    pub attempt: u8,
    /// From the first `authorize`; absent if none ever came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount: Option<Money>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<PaymentToken>,
    pub state: PaymentState,
    /// What moved or held money, oldest first. A step in the reader's future has not happened.
    pub steps: Vec<PaymentStep>,
    /// Copies of `authorize` that arrived.
    pub copies: u32,
    /// Copies of `authorize` with another amount or token: always a broker's mistake.
    #[serde(default)]
    pub conflicting_copies: u32,
    pub decisions: Decisions<PaymentOutcome>,
}

/// An authorisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    pub amount: Money,
    /// It lapses then.
    pub valid_until: Timestamp,
}

/// What became of the key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum PaymentState {
    /// Nothing was decided for the key: it can still be authorised.
    Open,
    /// A void or look-up came first: it can never be authorised.
    Tombstoned {
        by: Asked,
        at: Timestamp,
    },
    Declined {
        reason: String,
        at: Timestamp,
    },
    /// The customer is asked to authenticate.
    ActionRequired {
        url: String,
        /// When they will have done so, and what comes of it; `None`: they never do.
        resolves: Option<(Timestamp, ActionResult)>,
    },
    Authorized(Hold),
    Captured {
        amount: Money,
        at: Timestamp,
    },
    Voided {
        at: Timestamp,
    },
    Refunded {
        amount: Money,
        at: Timestamp,
    },
}

/// What comes of an authentication.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActionResult {
    Authorized(Hold),
    Declined,
}

/// One effective operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaymentStep {
    pub operation: Asked,
    pub amount: Money,
    pub at: Timestamp,
}

impl PaymentRecord {
    /// Whether the customer's money is held at `at`: authorised, and not captured, voided or
    /// lapsed.
    pub fn is_open(&self, at: Timestamp) -> bool {
        match &self.state {
            PaymentState::Authorized(hold) => at < hold.valid_until,
            PaymentState::ActionRequired { resolves: Some((when, result)), .. } => {
                *when <= at
                    && matches!(result, ActionResult::Authorized(hold) if at < hold.valid_until)
            }
            _ => false,
        }
    }

    /// Captured minus refunded, minor units.
    pub fn net_captured_minor(&self) -> u64 {
        let sum = |operation| -> u64 {
            self.steps.iter().filter(|s| s.operation == operation).map(|s| s.amount.minor()).sum()
        };
        sum(Asked::Capture).saturating_sub(sum(Asked::Refund))
    }

    pub fn step(&self, operation: Asked) -> Option<&PaymentStep> {
        self.steps.iter().find(|s| s.operation == operation)
    }
}
