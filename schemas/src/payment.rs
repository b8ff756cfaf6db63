//! Broker ⇄ payment provider. One `payment_key` per attempt names one payment intent; every
//! operation on it is idempotent. A `void` or `lookup` of an unknown key tombstones it when the
//! answer says `final_for_key`, so that a late `authorize` cannot take the money hostage.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::id::{Key, PaymentToken};
use crate::partner::{CommandHeader, ReplyHeader};
use crate::text::Text;
use crate::{Money, Timestamp};

/// `payment.<provider>.authorize`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Authorize {
    #[serde(flatten)]
    pub header: CommandHeader,
    pub payment_key: Key,
    pub amount: Money,
    pub payment_token: PaymentToken,
    pub not_after: Timestamp,
}

/// `payment.<provider>.capture`; never lapses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Capture {
    #[serde(flatten)]
    pub header: CommandHeader,
    pub payment_key: Key,
    /// At most the authorised amount.
    pub amount: Money,
}

/// `payment.<provider>.void`: give the authorisation back; tombstones the key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Void {
    #[serde(flatten)]
    pub header: CommandHeader,
    pub payment_key: Key,
}

/// `payment.<provider>.refund`: return all that was captured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Refund {
    #[serde(flatten)]
    pub header: CommandHeader,
    pub payment_key: Key,
}

/// `payment.<provider>.lookup`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PaymentLookup {
    #[serde(flatten)]
    pub header: CommandHeader,
    pub payment_key: Key,
}

/// An answer to one payment command, on the `reply_to` of that command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PaymentReply {
    #[serde(flatten)]
    pub header: ReplyHeader,
    #[serde(flatten)]
    pub outcome: PaymentOutcome,
}

/// The state of the payment intent after the operation (or found by the lookup).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum PaymentOutcome {
    /// Money is held until `valid_until`.
    Authorized {
        amount: Money,
        valid_until: Timestamp,
    },
    /// Final: this payment token will not pay this amount.
    Declined {
        reason: Text<200>,
    },
    /// The customer must authenticate at `url`; a second answer follows when they did.
    ActionRequired {
        url: Text<300>,
    },
    Captured {
        amount: Money,
    },
    Voided,
    Refunded {
        amount: Money,
    },
    /// No such key. Final only if the provider tombstoned it.
    NotFound {
        final_for_key: bool,
    },
    /// The operation failed; the intent is unchanged. Asking again may help.
    Failed {
        reason: Text<200>,
    },
}
