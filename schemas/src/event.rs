//! What the broker says unasked: events for anyone, notifications for the customer, dead letters
//! for the operator. All of them are CloudEvents 1.0 in binary mode: attributes travel in `ce-*`
//! headers ([`EventHeaders`]), the body is the data. `ce-id` is also the `Nats-Msg-Id`, so a copy
//! is recognisable; events carry the request's `version`, and readers ignore older ones.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::purchase::{PurchaseStatus, PurchaseView};
use crate::{CustomerId, RequestId, Timestamp};

mod dead_letter;
mod headers;
mod notification;
mod receipt;
mod running;
mod search;

pub use dead_letter::{DEAD_PAYLOAD_BYTES_MAX, DeadLetter, DeadPayload, OriginalError};
pub use headers::{EventHeaders, HeaderError};
pub use notification::{Notification, NotificationOutcome};
pub use receipt::{Receipt, UnaffordableQuote, UnaffordableReason, Verdict};
pub use running::{RunningOffer, RunningSweep};
pub use search::{
    ASKED_LISTED_MAX, AnswerSource, AskedPartner, CallOutcome, Degraded, RoundReason, Search,
    SearchEnding, SearchRound, SkipReason, SkippedPartners,
};

/// Reverse-DNS prefix of every CloudEvents `type`.
pub const TYPE_PREFIX: &str = "com.bookpurchasebroker";

/// CloudEvents `source` of everything the broker emits.
pub const SOURCE_BROKER: &str = "/bpb/broker";

/// What happened to a purchase request; the last token of its subject.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum PurchaseEventKind {
    Created,
    Updated,
    Quoted,
    OutOfStock,
    Ordering,
    Ordered,
    /// The money is captured too.
    Completed,
    Expired,
    Failed,
    Canceled,
    /// A cancel arrived after the point of no return; the order's outcome decides.
    CancelRequested,
    /// The partner keeps the order although a cancel was requested.
    CancelRefused,
    /// A human has to look at it.
    Incident,
}

impl PurchaseEventKind {
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

    pub fn parse(label: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.label() == label)
    }

    /// CloudEvents `type`, such as `com.bookpurchasebroker.purchase_request.ordered`.
    pub fn event_type(self) -> String {
        format!("{TYPE_PREFIX}.purchase_request.{}", self.label())
    }
}

/// `purchase.event.<customer_id>.<request_id>.<event>`: a fact about one purchase request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PurchaseEvent {
    pub request_id: RequestId,
    pub customer_id: CustomerId,
    /// Version of the request after the change; readers ignore older ones.
    pub version: u64,
    pub status: PurchaseStatus,
    pub event: PurchaseEventKind,
    /// When it happened.
    pub at: Timestamp,
    /// The request after the change.
    pub request: PurchaseView,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wire_names_and_subject_tokens_of_events_are_their_labels() {
        for kind in PurchaseEventKind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.label());
            assert_eq!(PurchaseEventKind::parse(kind.label()), Some(kind));
        }
        for outcome in NotificationOutcome::ALL {
            assert_eq!(serde_json::to_value(outcome).unwrap(), outcome.label());
            assert_eq!(NotificationOutcome::parse(outcome.label()), Some(outcome));
        }
    }
}
