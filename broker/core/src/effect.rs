//! What should happen outside, as data. Effects leave only through the outbox.

use schemas::id::{PaymentToken, QuoteId};
use schemas::{Condition, Destination, DurationMs, Isbn13, Money, PartnerId, Timestamp};

use crate::request::PurchaseRequest;

/// One thing to send. The request is known from the outbox row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    Partner {
        partner: PartnerId,
        attempt: u8,
        command: PartnerCommand,
    },
    Payment {
        attempt: u8,
        command: PaymentCommand,
    },
    /// A fact for anyone who follows the request.
    Event {
        kind: EventKind,
        snapshot: Box<PurchaseRequest>,
    },
    /// The outcome, or a numbered correction of it, for the customer.
    Notify {
        outcome: Outcome,
        number: u16,
        token: Option<AcceptToken>,
        snapshot: Box<PurchaseRequest>,
    },
}

/// Commands to a partner. Keys follow from (operation, request, attempt): see [`crate::keys`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum PartnerCommand {
    Reserve {
        quote_id: QuoteId,
        isbn: Isbn13,
        quantity: u8,
        ttl: DurationMs,
        not_after: Timestamp,
    },
    Release,
    Place {
        quote_id: QuoteId,
        /// Whether a reservation under this attempt's key belongs to the order.
        reserved: bool,
        isbn: Isbn13,
        quantity: u8,
        condition: Condition,
        price_cap: Money,
        destination: Destination,
        not_after: Timestamp,
    },
    Cancel,
    Lookup,
}

/// Commands to the payment provider.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum PaymentCommand {
    Authorize { amount: Money, token: PaymentToken, not_after: Timestamp },
    Capture { amount: Money },
    Void,
    Refund,
    Lookup,
}

/// Lifecycle events; the last token of `purchase.event.<customer>.<request>.<event>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EventKind {
    Created,
    Updated,
    Quoted,
    OutOfStock,
    Ordering,
    Ordered,
    Completed,
    Expired,
    Failed,
    Canceled,
    CancelRequested,
    CancelRefused,
    Incident,
}

impl EventKind {
    pub const ALL: [Self; 13] = [
        Self::Created,
        Self::Updated,
        Self::Quoted,
        Self::OutOfStock,
        Self::Ordering,
        Self::Ordered,
        Self::Completed,
        Self::Expired,
        Self::Failed,
        Self::Canceled,
        Self::CancelRequested,
        Self::CancelRefused,
        Self::Incident,
    ];

    pub const fn label(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Quoted => "quoted",
            Self::OutOfStock => "out_of_stock",
            Self::Ordering => "ordering",
            Self::Ordered => "ordered",
            Self::Completed => "completed",
            Self::Expired => "expired",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
            Self::CancelRequested => "cancel_requested",
            Self::CancelRefused => "cancel_refused",
            Self::Incident => "incident",
        }
    }
}

/// What a customer is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    Ordered,
    Quoted,
    OutOfStock,
    Expired,
    Failed,
    Canceled,
    ActionRequired,
    Incident,
}

impl Outcome {
    pub const ALL: [Self; 8] = [
        Self::Ordered,
        Self::Quoted,
        Self::OutOfStock,
        Self::Expired,
        Self::Failed,
        Self::Canceled,
        Self::ActionRequired,
        Self::Incident,
    ];

    pub const fn label(self) -> &'static str {
        match self {
            Self::Ordered => "ordered",
            Self::Quoted => "quoted",
            Self::OutOfStock => "out_of_stock",
            Self::Expired => "expired",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
            Self::ActionRequired => "action_required",
            Self::Incident => "incident",
        }
    }
}

/// 128 unguessable bits that let their holder buy one quote.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AcceptToken(pub [u8; 16]);

/// Rows of one lane of one request are first published in order; lanes do not wait for each
/// other, so a void never waits for the answer it resolves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Lane {
    Partner = 0,
    Payment = 1,
    Event = 2,
}

impl Effect {
    pub const fn lane(&self) -> Lane {
        match self {
            Self::Partner { .. } => Lane::Partner,
            Self::Payment { .. } => Lane::Payment,
            Self::Event { .. } | Self::Notify { .. } => Lane::Event,
        }
    }

    /// Sending it later than this is worse than not sending it.
    pub const fn send_by(&self) -> Option<Timestamp> {
        match self {
            Self::Partner { command, .. } => match command {
                PartnerCommand::Reserve { not_after, .. }
                | PartnerCommand::Place { not_after, .. } => Some(*not_after),
                PartnerCommand::Release | PartnerCommand::Cancel | PartnerCommand::Lookup => None,
            },
            Self::Payment { command, .. } => match command {
                PaymentCommand::Authorize { not_after, .. } => Some(*not_after),
                PaymentCommand::Capture { .. }
                | PaymentCommand::Void
                | PaymentCommand::Refund
                | PaymentCommand::Lookup => None,
            },
            Self::Event { .. } | Self::Notify { .. } => None,
        }
    }
}
