//! Why a command was refused or a request failed: one list for replies, events and metrics.
//! Numbers are stable and append-only; a retired one stays reserved.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $label:literal, $transient:literal;)*) => {
        /// Stable, numbered reason.
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
            JsonSchema,
        )]
        #[serde(rename_all = "snake_case")]
        #[repr(u16)]
        pub enum RejectReason { $($(#[$doc])* $name = $number,)* }

        impl RejectReason {
            /// Every reason, in the order of its number.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The stable number; what other systems may store.
            pub const fn number(self) -> u16 { self as u16 }

            /// The snake_case name used on the wire, in metrics and in logs.
            pub const fn label(self) -> &'static str {
                match self { $(Self::$name => $label,)* }
            }

            /// Whether the same bytes sent again later may be answered differently.
            pub const fn is_transient(self) -> bool {
                match self { $(Self::$name => $transient,)* }
            }

            pub fn from_number(number: u16) -> Option<Self> {
                Self::ALL.iter().copied().find(|r| r.number() == number)
            }
        }
    };
}

reasons! {
    // 1–99: the outcome of a purchase request
    NoInventory = 1, "no_inventory", false;
    PriceAboveMax = 2, "price_above_max", false;
    PriceChanged = 3, "price_changed", false;
    RequestExpired = 4, "request_expired", false;
    QuoteExpired = 5, "quote_expired", false;
    ReservationRejected = 6, "reservation_rejected", false;
    ReservationExpired = 7, "reservation_expired", false;
    PaymentDeclined = 8, "payment_declined", false;
    PaymentActionRequired = 9, "payment_action_required", false;
    PaymentTimeout = 10, "payment_timeout", false;
    AuthorizationExpired = 11, "authorization_expired", false;
    CaptureFailed = 12, "capture_failed", false;
    PartnerRejected = 13, "partner_rejected", false;
    PartnerTimeout = 14, "partner_timeout", false;
    PartnerUnavailable = 15, "partner_unavailable", false;
    PartnerCanceled = 16, "partner_canceled", false;
    PlacementUnknown = 17, "placement_unknown", true;
    CanceledByCustomer = 18, "canceled_by_customer", false;
    // 100–199: a command was refused
    Malformed = 100, "malformed", false;
    FieldInvalid = 101, "field_invalid", false;
    IdentifierInvalid = 102, "identifier_invalid", false;
    IdentifierUnknown = 103, "identifier_unknown", false;
    IdentifierAmbiguous = 104, "identifier_ambiguous", false;
    CurrencyUnsupported = 105, "currency_unsupported", false;
    DestinationUnserviceable = 106, "destination_unserviceable", false;
    ExpiryOutOfRange = 107, "expiry_out_of_range", false;
    RequestIdOutOfRange = 108, "request_id_out_of_range", false;
    PayloadTooLarge = 109, "payload_too_large", false;
    PanNotAccepted = 110, "pan_not_accepted", false;
    /// Same id, other body.
    Conflict = 111, "conflict", false;
    NotFound = 112, "not_found", false;
    TransitionNotAllowed = 113, "transition_not_allowed", false;
    /// The placement intent was durable first; its outcome decides.
    TooLate = 114, "too_late", false;
    TokenInvalid = 115, "token_invalid", false;
    VersionConflict = 116, "version_conflict", false;
    TooManyCommands = 117, "too_many_commands", false;
    RateLimited = 118, "rate_limited", true;
    Overloaded = 119, "overloaded", true;
    ShuttingDown = 120, "shutting_down", true;
    /// So many creates of this customer wait in the stream already that no further one is kept.
    TooManyCreates = 121, "too_many_creates", false;
    // 200–299: a partner's or provider's message was refused
    UnknownRequest = 200, "unknown_request", false;
    WrongSender = 201, "wrong_sender", false;
    NotAsked = 202, "not_asked", false;
    UnknownPartner = 203, "unknown_partner", false;
    // 900: ours
    Internal = 900, "internal", true;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wire_names_are_the_labels_and_numbers_are_unique() {
        let mut numbers = std::collections::BTreeSet::new();
        for reason in RejectReason::ALL {
            let json = serde_json::to_string(reason).unwrap();
            assert_eq!(json, format!("{:?}", reason.label()));
            assert!(numbers.insert(reason.number()), "{} is used twice", reason.number());
            assert_eq!(RejectReason::from_number(reason.number()), Some(*reason));
        }
    }
}
