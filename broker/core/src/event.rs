//! Everything that can happen to a purchase request after its creation.

use schemas::id::{CommandId, OrderId, ReservationId};
use schemas::purchase::Strategy;
use schemas::subject::{PartnerOperation, PaymentOperation};
use schemas::text::Text;
use schemas::{Digest, Money, PartnerId, Timestamp};

use crate::effect::AcceptToken;
use crate::quote::Quote;
use crate::request::Version;
use crate::timer::TimerKind;

/// An input to [`crate::transition::transition`]. Stored whole in the audit log.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Event {
    /// The request may start searching.
    Admitted,
    SweepClosed(Conclusion),
    /// An affordable offer of a queued partner, after its sweep had ended.
    LateOffer(Quote),
    Update(Update),
    Cancel {
        command: CommandId,
    },
    AcceptQuote {
        command: CommandId,
        token_digest: Digest,
    },
    Partner(PartnerAnswer),
    Payment(PaymentAnswer),
    Timer(TimerKind),
    /// The outbox did not send a copy because its time had passed. Earlier copies may have left.
    Lapsed {
        attempt: u8,
        operation: LapsedOperation,
    },
    /// A human has looked.
    Operator(OperatorWord),
}

/// What a human says, and who answers for it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct OperatorWord {
    pub actor: Text<100>,
    pub reason: Text<500>,
    pub ruling: Ruling,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Ruling {
    /// The unknown order of this attempt stands at the partner.
    Found { attempt: u8, order_id: OrderId, total: Money },
    /// It does not exist, and cannot come to exist.
    NotFound { attempt: u8 },
    /// The request may have gone on in a life that was lost: nothing is bought for it any more.
    Freeze,
    /// It may go on.
    Release,
}

impl Ruling {
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Found { .. } => "found",
            Self::NotFound { .. } => "not_found",
            Self::Freeze => "freeze",
            Self::Release => "release",
        }
    }
}

/// What a finished sweep says.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Conclusion {
    pub sweep: u32,
    pub finding: Finding,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Finding {
    /// At least one affordable quote; best first, at most as many as attempts are allowed.
    Affordable(Vec<Quote>),
    /// In stock somewhere, but not within the limit. The token accepts exactly this quote.
    TooDear { best: Quote, token: OfferToken },
    /// Enough partners answered, and none has it.
    NoStock,
    /// Too few answers to say anything.
    NoAnswer,
}

/// An accept token on its way to the customer. Only its digest is kept at rest: an event read back
/// from the audit log has no secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct OfferToken {
    pub digest: Digest,
    pub secret: Option<AcceptToken>,
}

impl From<AcceptToken> for OfferToken {
    fn from(token: AcceptToken) -> Self {
        Self { digest: Digest::of(&token.0), secret: Some(token) }
    }
}

/// Absent fields stay as they are.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Update {
    pub command: CommandId,
    pub if_version: Option<u64>,
    pub max_total: Option<Money>,
    pub expires_at: Option<Timestamp>,
    pub strategy: Option<Strategy>,
}

/// A partner's word on one attempt: an answer to a command, or a notice (no operation asked).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PartnerAnswer {
    pub partner: PartnerId,
    pub attempt: u8,
    /// `None` for an unasked notice.
    pub operation: Option<PartnerOperation>,
    /// Version of the change that sent the answered command; `None` for a notice. A "not found"
    /// is worth as much as the instant at which it was asked for, not at which it arrived.
    pub in_reply_to: Option<Version>,
    pub outcome: PartnerOutcome,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum PartnerOutcome {
    Reserved {
        id: ReservationId,
        valid_until: Timestamp,
    },
    Released,
    Confirmed {
        order_id: OrderId,
        total: Money,
    },
    /// No id only in events recorded before it was kept.
    Canceled {
        order_id: Option<OrderId>,
    },
    NotFound {
        final_for_key: bool,
    },
    Refused {
        reason: Text<200>,
        final_for_key: bool,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PaymentAnswer {
    pub attempt: u8,
    pub operation: PaymentOperation,
    /// Version of the change that sent the answered command; `None` only in events recorded before
    /// answers said so. Counts for a "not found", as in [`PartnerAnswer::in_reply_to`].
    pub in_reply_to: Option<Version>,
    pub outcome: PaymentOutcome,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum PaymentOutcome {
    Authorized { amount: Money, valid_until: Timestamp },
    Declined,
    ActionRequired { url: Text<300> },
    Captured { amount: Money },
    Voided,
    Refunded,
    NotFound { final_for_key: bool },
    Failed,
}

/// Commands that carry `not_after`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LapsedOperation {
    Reserve,
    Authorize,
    Place,
}

impl Event {
    /// Stable name for logs, metrics and golden tables.
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Admitted => "admitted",
            Self::SweepClosed(_) => "sweep_closed",
            Self::LateOffer(_) => "late_offer",
            Self::Update(_) => "update",
            Self::Cancel { .. } => "cancel",
            Self::AcceptQuote { .. } => "accept_quote",
            Self::Partner(_) => "partner",
            Self::Payment(_) => "payment",
            Self::Timer(_) => "timer",
            Self::Lapsed { .. } => "lapsed",
            Self::Operator(_) => "operator",
        }
    }

    /// The requester's id of this command, if it is one.
    pub const fn command(&self) -> Option<&CommandId> {
        match self {
            Self::Update(update) => Some(&update.command),
            Self::Cancel { command } | Self::AcceptQuote { command, .. } => Some(command),
            Self::Admitted
            | Self::SweepClosed(_)
            | Self::LateOffer(_)
            | Self::Partner(_)
            | Self::Payment(_)
            | Self::Timer(_)
            | Self::Lapsed { .. }
            | Self::Operator(_) => None,
        }
    }
}
