//! The purchase request: the aggregate that every transition reads and rewrites.

use std::sync::Arc;

use schemas::id::{OrderId, PaymentToken, ReservationId};
use schemas::purchase::{Mode, PurchaseStatus, Strategy};
use schemas::text::Text;
use schemas::trace::purchase_span;
use schemas::{
    Condition, CustomerId, Destination, Digest, Isbn13, Money, PartnerId, RejectReason, RequestId,
    Timestamp, TraceContext,
};

use crate::policy::Policy;
use crate::quote::Quote;
use crate::timer::Timers;

/// Number of changes applied to a request, from 1; the compare-and-set guard of every commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(pub u64);

/// What the customer asked for; written once.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Submission {
    pub id: RequestId,
    pub customer: CustomerId,
    /// Digest of the submitted body; another body under the same id is a conflict.
    pub digest: Digest,
    pub isbn: Isbn13,
    pub quantity: u8,
    pub destination: Destination,
    pub payment_token: PaymentToken,
    pub condition: Condition,
    pub mode: Mode,
    pub rebuy: bool,
    pub created_at: Timestamp,
    /// Terms as first submitted; updates change [`PurchaseRequest::terms`].
    pub terms: Terms,
    /// The customer's own trace, if the create came with one.
    pub trace: Option<TraceContext>,
}

impl Submission {
    /// The span of the whole purchase, in the customer's trace or in one of its own.
    pub fn purchase_trace(&self) -> TraceContext {
        let own = || TraceContext::of_request(self.id);
        self.trace.map_or_else(own, |trace| trace.at(purchase_span(self.id)))
    }
}

/// The part of the order that updates may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Terms {
    pub max_total: Money,
    pub expires_at: Timestamp,
    pub strategy: Strategy,
}

/// The head: small, rewritten by every transition.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PurchaseRequest {
    pub submission: Arc<Submission>,
    pub version: Version,
    pub terms: Terms,
    pub status: Status,
    /// The current attempt to buy, or the last one.
    pub checkout: Option<Checkout>,
    /// Compensations still without proof, in the order in which they run.
    pub undo: Vec<Undo>,
    /// Orders that no longer stand or that nobody wanted, canceled or about to be: another copy of
    /// their confirmation is no news. At most [`KNOWN_ORDERS_MAX`].
    pub known_orders: Vec<KnownOrder>,
    pub cancel_requested: bool,
    /// Number of the last sweep started, from 1. A purchase of an offer at hand counts as one.
    pub sweep: u32,
    /// Sweeps in a row that ended without a usable answer.
    pub fruitless: u8,
    /// Partner of each attempt begun so far; attempt n is at index n − 1.
    pub tried: Vec<PartnerId>,
    /// Notifications sent so far; the next one has this number.
    pub notified: u16,
    /// Total of the best price the customer has been told, minor units; the maximum when told
    /// that nobody has it.
    pub told_best: Option<u64>,
    pub incident: Option<Incident>,
    pub timers: Timers,
    /// Set once a resting `quoted`/`out_of_stock` request may no longer change.
    pub closed_at: Option<Timestamp>,
    /// Since a restore that may have forgotten what became of it: nothing is bought for it until a
    /// human releases it.
    pub frozen_at: Option<Timestamp>,
}

/// Canonical status, with what belongs to it.
///
/// ```text
/// pending ─▶ searching ─▶ ordering ─▶ ordered
///              │  ▲  ▲        │  (T16)    │ T21
///       T5/T6  ▼  │T9 └───────┘           ▼
///      quoted / out_of_stock        failed / canceled / expired
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Status {
    Pending,
    Searching,
    Quoted(Offered),
    OutOfStock,
    Ordering,
    Ordered,
    Expired,
    Failed(RejectReason),
    Canceled,
}

/// The offer that an accept_quote token names.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Offered {
    pub quote: Quote,
    /// Digest of the token; the token itself is only in the notification.
    pub token_digest: Digest,
}

/// One attempt: the saga reserve → authorise → place → capture.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Checkout {
    /// From 1; part of every key of this attempt.
    pub attempt: u8,
    pub quote: Quote,
    /// Next-best quotes, for a definite failure of this one.
    pub runners_up: Vec<Quote>,
    pub step: Step,
    pub reservation: Option<Reservation>,
    pub authorization: Option<Authorization>,
    /// Durable before the order leaves: the point of no return.
    pub intent: Option<PlacementIntent>,
    pub order: Option<PlacedOrder>,
}

/// Where the saga stands.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Step {
    Reserving {
        not_after: Timestamp,
    },
    Authorizing {
        not_after: Timestamp,
        asks: u8,
    },
    /// The customer must authenticate at `url` before `until`.
    ActionRequired {
        until: Timestamp,
        url: Text<300>,
    },
    Placing,
    PlacementUnknown(Unknown),
    /// The order stands; the money is being taken.
    Capturing {
        tries: u8,
    },
    Completed,
    /// Definitely not (or no longer) an order. Compensation may still be open in
    /// [`PurchaseRequest::undo`].
    Failed(RejectReason),
}

/// A placement without an answer, and how far we are in finding out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Unknown {
    pub since: Timestamp,
    /// Look-ups (or copies of the order) sent so far.
    pub asks: u8,
    /// Change that sent the first question asked after the order could no longer be accepted, and
    /// would be visible. Only answers to it or to later questions say anything about its absence.
    /// After a first such answer it is counted anew, from the first question asked late enough
    /// after that answer.
    pub conclusive_from: Option<Version>,
    /// When the partner first said, late enough for proof or a fence, that it knows nothing of it.
    pub absent_since: Option<Timestamp>,
    /// A fencing cancel is out: its answer decides.
    pub fencing: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Reservation {
    pub id: ReservationId,
    pub valid_until: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Authorization {
    pub amount: Money,
    pub valid_until: Timestamp,
}

/// What we promised ourselves before sending the order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PlacementIntent {
    /// Version of the request whose limit this order obeys.
    pub version: Version,
    pub price_cap: Money,
    pub not_after: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PlacedOrder {
    pub order_id: OrderId,
    pub total: Money,
}

/// Orders remembered besides the one of the current attempt. Honest stores cannot make more than
/// attempts are allowed; a store that goes on inventing orders is not followed for ever.
pub const KNOWN_ORDERS_MAX: usize = 8;

/// An order that is dealt with.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct KnownOrder {
    pub attempt: u8,
    pub order_id: OrderId,
}

/// One compensation: durable, retried until its answer proves it done.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Undo {
    pub kind: UndoKind,
    pub attempt: u8,
    pub partner: PartnerId,
    /// Copies sent so far; 0 means it waits for the compensation before it.
    pub tries: u8,
    /// "Nothing found", asked after this instant, is believed even from a receiver without
    /// tombstones: the undone command's `not_after`, or the end of the hold.
    pub lapses_at: Timestamp,
    /// Change that first sent a copy of this void or refund after `lapses_at`: only answers to it
    /// or to later copies say anything about the absence of money.
    pub conclusive_from: Option<Version>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UndoKind {
    CancelOrder,
    Void,
    Refund,
    Release,
}

/// Something a human should look at. The request goes on being resolved meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Incident {
    /// No proof about an order within the time for machines.
    PlacementUnknown,
    /// An order turned up after we had proof that there was none.
    LateOrder,
    /// The partner confirmed above the cap it was given.
    PriceAboveCap,
    /// The order stands and the money could not be taken.
    CaptureFailed,
    /// A compensation is not getting through.
    UndoStuck,
}

impl Incident {
    pub const ALL: [Self; 5] = [
        Self::PlacementUnknown,
        Self::LateOrder,
        Self::PriceAboveCap,
        Self::CaptureFailed,
        Self::UndoStuck,
    ];

    /// Stable name, for lists and alerts.
    pub const fn label(self) -> &'static str {
        match self {
            Self::PlacementUnknown => "placement_unknown",
            Self::LateOrder => "late_order",
            Self::PriceAboveCap => "price_above_cap",
            Self::CaptureFailed => "capture_failed",
            Self::UndoStuck => "undo_stuck",
        }
    }
}

impl PlacementIntent {
    /// A copy of the order that is sent now has as much time as it needs.
    pub fn has_time_for_a_copy(&self, now: Timestamp, policy: &Policy) -> bool {
        now.saturating_add(policy.place_budget) <= self.not_after
    }
}

impl Undo {
    /// An order that could not be canceled by as many copies as there may be: a human was told long
    /// ago, and it is only asked about now and then.
    pub fn is_left_to_a_human(&self, policy: &Policy) -> bool {
        self.kind == UndoKind::CancelOrder && self.tries >= policy.cancel_copies_max
    }
}

impl Status {
    pub const fn kind(&self) -> PurchaseStatus {
        match self {
            Self::Pending => PurchaseStatus::Pending,
            Self::Searching => PurchaseStatus::Searching,
            Self::Quoted(_) => PurchaseStatus::Quoted,
            Self::OutOfStock => PurchaseStatus::OutOfStock,
            Self::Ordering => PurchaseStatus::Ordering,
            Self::Ordered => PurchaseStatus::Ordered,
            Self::Expired => PurchaseStatus::Expired,
            Self::Failed(_) => PurchaseStatus::Failed,
            Self::Canceled => PurchaseStatus::Canceled,
        }
    }
}

impl PurchaseRequest {
    pub fn id(&self) -> RequestId {
        self.submission.id
    }

    /// No order can come of it any more, unless a late proof turns up (T20).
    pub fn is_closed(&self) -> bool {
        match &self.status {
            Status::Quoted(_) | Status::OutOfStock => self.closed_at.is_some(),
            Status::Expired | Status::Failed(_) | Status::Canceled | Status::Ordered => true,
            Status::Pending | Status::Searching | Status::Ordering => false,
        }
    }

    /// The engine has something to do for it without any message arriving, or a human has: it is
    /// kept in memory and found again at start.
    pub fn is_active(&self) -> bool {
        let searching_or_ordering =
            matches!(self.status, Status::Pending | Status::Searching | Status::Ordering);
        let capturing = self
            .checkout
            .as_ref()
            .is_some_and(|checkout| matches!(checkout.step, Step::Capturing { .. }));
        let frozen = self.frozen_at.is_some();
        searching_or_ordering || capturing || frozen || !self.undo.is_empty()
    }

    /// The partner of an attempt, if that attempt was ever begun.
    pub fn partner_of(&self, attempt: u8) -> Option<&PartnerId> {
        self.tried.get(usize::from(attempt.checked_sub(1)?))
    }

    /// The current attempt, unless it has definitely failed.
    pub fn open_checkout(&self) -> Option<&Checkout> {
        self.checkout.as_ref().filter(|checkout| !matches!(checkout.step, Step::Failed(_)))
    }

    /// The partner whose attempt has just failed through its own doing. It comes last in the next
    /// choice: it may well refuse again, and attempts are few.
    pub fn let_down_by(&self) -> Option<&PartnerId> {
        let checkout = self.checkout.as_ref()?;
        let its_doing = matches!(
            checkout.step,
            Step::Failed(
                RejectReason::ReservationRejected
                    | RejectReason::PartnerRejected
                    | RejectReason::PartnerTimeout
                    | RejectReason::PartnerCanceled
            )
        );
        its_doing.then_some(&checkout.quote.partner)
    }

    /// A confirmation of this order has been dealt with before.
    pub fn knows_order(&self, attempt: u8, order_id: &OrderId) -> bool {
        let current = self.checkout.as_ref().filter(|checkout| checkout.attempt == attempt);
        let placed = current.and_then(|checkout| checkout.order.as_ref());
        placed.is_some_and(|placed| placed.order_id == *order_id)
            || self
                .known_orders
                .iter()
                .any(|known| known.attempt == attempt && known.order_id == *order_id)
    }

    /// Money or an order of an earlier attempt is not proven gone: nothing new may be authorised.
    pub fn is_money_open(&self) -> bool {
        self.undo.iter().any(|undo| match undo.kind {
            UndoKind::CancelOrder | UndoKind::Void | UndoKind::Refund => true,
            UndoKind::Release => false,
        })
    }

    /// The placement intent of the current attempt is durable: an order may exist.
    pub fn is_past_no_return(&self) -> bool {
        self.checkout.as_ref().is_some_and(|checkout| {
            checkout.intent.is_some() && !matches!(checkout.step, Step::Failed(_))
        })
    }
}
