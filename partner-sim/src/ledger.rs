//! Ground truth: what each store and the payment provider really did, for auditors only.
//!
//! One record per key. A record says what became of the key and keeps the decision on each copy
//! that arrived. Instants in a record may lie in the future of the reader (an order that the store
//! is going to cancel): whether something holds is always asked with an instant.

mod order;
mod payment;
mod reservation;

use schemas::id::MessageId;
use schemas::{RequestId, Timestamp};
use serde::{Deserialize, Serialize};

pub use order::{OrderEnd, OrderEndedBy, OrderRecord, OrderState, OrderTerms};
pub use payment::{ActionResult, Hold, PaymentRecord, PaymentState, PaymentStep};
pub use reservation::{ReservationRecord, ReservationState};

use crate::fault::Fault;

/// Decisions kept in one record; further copies are only counted.
pub const DECISIONS_MAX: usize = 64;

/// What was asked about a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Asked {
    Reserve,
    Release,
    Place,
    Cancel,
    Lookup,
    Authorize,
    Capture,
    Void,
    Refund,
}

/// The decision on one copy of one command. `O` is the wire outcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision<O> {
    pub asked: Asked,
    /// Id of the copy.
    pub id: MessageId,
    /// Copies of this command on this key so far, from 1.
    pub copy: u32,
    pub received_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_after: Option<Timestamp>,
    /// `None`: the copy was lost and nothing was done.
    #[serde(default = "Option::default", skip_serializing_if = "Option::is_none")]
    pub outcome: Option<O>,
    /// What struck the decision or its answer; with `silent` the outcome was never sent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<Fault>,
}

/// The decisions on one key, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(bound(serialize = "O: Serialize", deserialize = "O: Deserialize<'de>"))]
pub struct Decisions<O> {
    /// The first [`DECISIONS_MAX`] of them.
    pub kept: Vec<Decision<O>>,
    /// How many more there were.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub dropped: u64,
}

// Serde's `skip_serializing_if` passes a reference.
fn is_zero(n: &u64) -> bool {
    *n == 0
}

impl<O> Default for Decisions<O> {
    fn default() -> Self {
        Self { kept: Vec::new(), dropped: 0 }
    }
}

impl<O> Decisions<O> {
    pub(crate) fn push(&mut self, decision: Decision<O>) {
        if self.kept.len() < DECISIONS_MAX {
            self.kept.push(decision);
        } else {
            self.dropped += 1;
        }
    }

    pub fn of(&self, asked: Asked) -> impl Iterator<Item = &Decision<O>> {
        self.kept.iter().filter(move |d| d.asked == asked)
    }

    pub fn struck_by(&self, fault: Fault) -> bool {
        self.kept.iter().any(|d| d.faults.contains(&fault))
    }
}

/// All orders and reservations of all partners.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PartnerLedger {
    pub orders: Vec<OrderRecord>,
    pub reservations: Vec<ReservationRecord>,
}

impl PartnerLedger {
    pub fn orders_of(&self, request: RequestId) -> impl Iterator<Item = &OrderRecord> {
        self.orders.iter().filter(move |o| o.request_id == request)
    }

    /// Orders of a request that stand at `at`: accepted by then and not ended. At most one, if
    /// the broker keeps its first promise.
    pub fn live_orders(&self, request: RequestId, at: Timestamp) -> Vec<&OrderRecord> {
        self.orders_of(request).filter(|o| o.is_live(at)).collect()
    }

    /// Holds of a request that still keep stock from others at `at`.
    pub fn active_reservations(
        &self,
        request: RequestId,
        at: Timestamp,
    ) -> Vec<&ReservationRecord> {
        let of_request = |r: &&ReservationRecord| r.request_id == request && r.is_active(at);
        self.reservations.iter().filter(of_request).collect()
    }
}

/// All payments.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct PaymentLedger {
    pub payments: Vec<PaymentRecord>,
}

impl PaymentLedger {
    pub fn payments_of(&self, request: RequestId) -> impl Iterator<Item = &PaymentRecord> {
        self.payments.iter().filter(move |p| p.request_id == request)
    }

    /// Payments of a request whose authorisation still holds the customer's money at `at`.
    pub fn open_authorizations(&self, request: RequestId, at: Timestamp) -> Vec<&PaymentRecord> {
        self.payments_of(request).filter(|p| p.is_open(at)).collect()
    }

    /// Captured minus refunded over all payments of a request, minor units.
    pub fn net_captured_minor(&self, request: RequestId) -> u64 {
        self.payments_of(request).map(PaymentRecord::net_captured_minor).sum()
    }
}

/// A record that was created or changed: one line of the synced ledger file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum LedgerEntry {
    Order(Box<OrderRecord>),
    Reservation(Box<ReservationRecord>),
    Payment(Box<PaymentRecord>),
}
