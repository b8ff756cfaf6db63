//! What the customer is told: one outcome per request, then numbered corrections.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Receipt, TYPE_PREFIX};
use crate::id::MessageId;
use crate::purchase::PurchaseView;
use crate::{CustomerId, RequestId, Timestamp};

/// What the message is about; the last token of its subject.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum NotificationOutcome {
    Ordered,
    /// In stock, but above the limit; `accept_token` buys it nevertheless.
    Quoted,
    OutOfStock,
    Expired,
    Failed,
    Canceled,
    /// The outcome of the order is not known; a human is looking at it.
    Incident,
    /// The customer must authenticate at `request.checkout.action_url`.
    ActionRequired,
}

impl NotificationOutcome {
    pub const ALL: [Self; 8] = [
        Self::Ordered,
        Self::Quoted,
        Self::OutOfStock,
        Self::Expired,
        Self::Failed,
        Self::Canceled,
        Self::Incident,
        Self::ActionRequired,
    ];

    pub const fn label(self) -> &'static str {
        match self {
            Self::Ordered => "ordered",
            Self::Quoted => "quoted",
            Self::OutOfStock => "out_of_stock",
            Self::Expired => "expired",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
            Self::Incident => "incident",
            Self::ActionRequired => "action_required",
        }
    }

    pub fn parse(label: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.label() == label)
    }

    /// CloudEvents `type`, such as `com.bookpurchasebroker.notification.ordered`.
    pub fn event_type(self) -> String {
        format!("{TYPE_PREFIX}.notification.{}", self.label())
    }
}

/// `notify.<customer_id>.<outcome>`: at least once, recognisable by `notification_id`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Notification {
    /// The same for every copy of this notification.
    pub notification_id: MessageId,
    pub request_id: RequestId,
    pub customer_id: CustomerId,
    /// 0 for the first message about the request; each later one corrects those before it.
    pub number: u16,
    pub outcome: NotificationOutcome,
    /// When it was decided.
    pub at: Timestamp,
    pub request: PurchaseView,
    /// With `quoted`: 32 lower-case hex digits that accept the offered quote. A secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(regex(pattern = "^[0-9a-f]{32}$"))]
    pub accept_token: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<Receipt>,
}
