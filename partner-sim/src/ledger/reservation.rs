//! What became of one reservation key at one store.

use schemas::id::{Key, ReservationId};
use schemas::partner::PartnerOutcome;
use schemas::{Isbn13, PartnerId, RequestId, Timestamp};
use serde::{Deserialize, Serialize};

use super::Decisions;

/// One reservation key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReservationRecord {
    pub partner: PartnerId,
    pub reservation_key: Key,
    pub request_id: RequestId,
    pub attempt: u8,
    /// Absent if only `release` ever named the key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub isbn: Option<Isbn13>,
    /// Copies held.
    pub quantity: u8,
    pub state: ReservationState,
    /// Copies of `reserve` that arrived.
    pub copies: u32,
    pub decisions: Decisions<PartnerOutcome>,
}

/// What became of the key. Expiry is not a state: it is read from `until`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum ReservationState {
    /// No copy was decided for the key.
    Open,
    Refused {
        reason: String,
        at: Timestamp,
    },
    Held {
        reservation_id: ReservationId,
        reserved_at: Timestamp,
        until: Timestamp,
    },
    /// Became an order.
    Committed {
        reservation_id: ReservationId,
        placement_key: Key,
        until: Timestamp,
        at: Timestamp,
    },
    /// Given back, or released before it was ever made: it can never hold anything again.
    Released {
        at: Timestamp,
    },
}

impl ReservationRecord {
    /// Held at `at` and neither expired, released nor ordered.
    pub fn is_active(&self, at: Timestamp) -> bool {
        match &self.state {
            ReservationState::Held { reserved_at, until, .. } => *reserved_at <= at && at < *until,
            _ => false,
        }
    }
}
