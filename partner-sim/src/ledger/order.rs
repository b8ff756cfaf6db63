//! What became of one placement key at one store.

use schemas::id::{Key, OrderId, QuoteId};
use schemas::partner::PartnerOutcome;
use schemas::{Condition, Isbn13, Money, PartnerId, RequestId, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Asked, Decisions};
use crate::fault::Fault;

/// One placement key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderRecord {
    pub partner: PartnerId,
    pub placement_key: Key,
    pub request_id: RequestId,
    pub attempt: u8,
    /// From the first `place`; absent if only `cancel` or `lookup` ever named the key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terms: Option<OrderTerms>,
    pub state: OrderState,
    /// Copies of `place` that arrived.
    pub copies: u32,
    /// Copies whose terms differed from the first one's: always a broker's mistake.
    #[serde(default)]
    pub conflicting_copies: u32,
    pub decisions: Decisions<PartnerOutcome>,
}

/// What the first `place` asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderTerms {
    pub quote_id: QuoteId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reservation_key: Option<Key>,
    pub isbn: Isbn13,
    pub quantity: u8,
    pub condition: Condition,
    pub price_cap: Money,
    pub not_after: Timestamp,
    /// Where notices about this order go.
    pub notice_to: String,
}

/// What became of the key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum OrderState {
    /// No copy was decided for the key: it can still be ordered.
    Open,
    /// Refused for good.
    Refused { reason: String, at: Timestamp },
    /// A cancel or look-up came first: it can never be ordered.
    Tombstoned { by: Asked, at: Timestamp },
    /// Ordered.
    Accepted {
        order_id: OrderId,
        /// What is charged, landed.
        total: Money,
        accepted_at: Timestamp,
        /// From when on a look-up sees it.
        visible_at: Timestamp,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        end: Option<OrderEnd>,
    },
}

/// When and by whom an order ended; the instant may lie in the future.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderEnd {
    pub at: Timestamp,
    pub by: OrderEndedBy,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderEndedBy {
    /// The broker's `cancel`.
    Broker,
    /// The store, unasked.
    Partner,
}

impl OrderRecord {
    /// What this store calls the second order that it says it took under the key; a lie, of which
    /// its books know nothing.
    pub fn second_order_id(&self) -> Option<OrderId> {
        let order_id = self.order_id().filter(|_| self.decisions.struck_by(Fault::SecondOrder))?;
        Some(OrderId::parse(&format!("{order_id}-2")).expect("a key with both fits"))
    }

    /// Accepted by `at` and not ended by `at`.
    pub fn is_live(&self, at: Timestamp) -> bool {
        match &self.state {
            OrderState::Accepted { accepted_at, end, .. } => {
                *accepted_at <= at && end.is_none_or(|end| end.at > at)
            }
            OrderState::Open | OrderState::Refused { .. } | OrderState::Tombstoned { .. } => false,
        }
    }

    pub fn accepted_at(&self) -> Option<Timestamp> {
        match &self.state {
            OrderState::Accepted { accepted_at, .. } => Some(*accepted_at),
            _ => None,
        }
    }

    /// What the store charges, if it accepted.
    pub fn total(&self) -> Option<Money> {
        match &self.state {
            OrderState::Accepted { total, .. } => Some(*total),
            _ => None,
        }
    }

    pub fn order_id(&self) -> Option<&OrderId> {
        match &self.state {
            OrderState::Accepted { order_id, .. } => Some(order_id),
            _ => None,
        }
    }

    /// How the order ended, if it did by `at`.
    pub fn ended(&self, at: Timestamp) -> Option<OrderEnd> {
        match &self.state {
            OrderState::Accepted { end, .. } => end.filter(|end| end.at <= at),
            _ => None,
        }
    }

    /// Whether no copy of the order can be accepted any more and none was.
    pub fn is_final_negative(&self) -> bool {
        matches!(self.state, OrderState::Refused { .. } | OrderState::Tombstoned { .. })
    }
}
