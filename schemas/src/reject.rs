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
    /// Reserved, not sent: the request does not fail, its outcome is `out_of_stock`.
    NoInventory = 1, "no_inventory", false;
    /// Reserved, not sent: the request does not fail, its outcome is `quoted`.
    PriceAboveMax = 2, "price_above_max", false;
    /// The store asked more than it had quoted, and it was not bought. Request it again.
    PriceChanged = 3, "price_changed", false;
    /// `expires_at` passed before an order was sent. Request it again.
    RequestExpired = 4, "request_expired", false;
    /// Reserved, not sent: a quote that lapses, also an accepted one, is asked for anew.
    QuoteExpired = 5, "quote_expired", false;
    /// The store would not hold the book, nor would the next best. Request it again.
    ReservationRejected = 6, "reservation_rejected", false;
    /// The hold ended before the order was sent. Request it again.
    ReservationExpired = 7, "reservation_expired", false;
    /// The payment provider declined, or would hold less than is needed or money of another
    /// currency; `failure_detail` has the amounts then. Request it with another payment token.
    PaymentDeclined = 8, "payment_declined", false;
    /// The customer did not authenticate in time. Request it again and do.
    PaymentActionRequired = 9, "payment_action_required", false;
    /// The payment provider did not answer in time; no money is taken. Request it again.
    PaymentTimeout = 10, "payment_timeout", false;
    /// The hold on the money ended before the order was sent. Request it again.
    AuthorizationExpired = 11, "authorization_expired", false;
    /// The order stood and could not be paid; it is canceled where the store allows that, and a
    /// human looks at it.
    CaptureFailed = 12, "capture_failed", false;
    /// The store refused the order, and so did the next best. Request it again.
    PartnerRejected = 13, "partner_rejected", false;
    /// The store did not answer in time, and no order stands. Request it again.
    PartnerTimeout = 14, "partner_timeout", false;
    /// Too few stores answered to say anything. Request it again later, or with mode `watch`.
    PartnerUnavailable = 15, "partner_unavailable", false;
    /// The store canceled what it had confirmed; the money is given back. Request it again, or
    /// set `rebuy` the next time.
    PartnerCanceled = 16, "partner_canceled", false;
    /// Whether the order stands is not known yet; a correction follows. Do not buy elsewhere.
    PlacementUnknown = 17, "placement_unknown", true;
    /// The customer canceled it, and no order stands.
    CanceledByCustomer = 18, "canceled_by_customer", false;
    // 100–199: a command was refused
    /// Not the JSON of this message. `field` and `detail` say what to mend.
    Malformed = 100, "malformed", false;
    /// A field is out of its range. `field` and `detail` say what to mend.
    FieldInvalid = 101, "field_invalid", false;
    /// No ISBN: its length or its check digit is wrong.
    IdentifierInvalid = 102, "identifier_invalid", false;
    /// The catalog has no such title or identifier. Use the ISBN.
    IdentifierUnknown = 103, "identifier_unknown", false;
    /// More than one edition has this title; `detail` lists them. Use the ISBN.
    IdentifierAmbiguous = 104, "identifier_ambiguous", false;
    /// Not a currency, not the one of the request, or one that no store takes.
    CurrencyUnsupported = 105, "currency_unsupported", false;
    /// No store delivers to this country.
    DestinationUnserviceable = 106, "destination_unserviceable", false;
    /// `expires_at` has passed or is too far away; `detail` has the bounds.
    ExpiryOutOfRange = 107, "expiry_out_of_range", false;
    /// The time in the UUID is too far from now. Make the id when sending, by a right clock.
    RequestIdOutOfRange = 108, "request_id_out_of_range", false;
    /// The message is too large; `detail` has the limit.
    PayloadTooLarge = 109, "payload_too_large", false;
    /// A payment card number is in the message; nothing was kept. Send the provider's token.
    PanNotAccepted = 110, "pan_not_accepted", false;
    /// Same id, other body: the first one counts. Make a new id for another wish.
    Conflict = 111, "conflict", false;
    /// This customer has no such request.
    NotFound = 112, "not_found", false;
    /// The request is not in a state that allows it; `get` tells the state.
    TransitionNotAllowed = 113, "transition_not_allowed", false;
    /// The placement intent was durable first; its outcome decides. Wait for it.
    TooLate = 114, "too_late", false;
    /// The token is not that of the quote on offer. Take it from the last notification.
    TokenInvalid = 115, "token_invalid", false;
    /// The request has another version than `if_version`. `get` it and decide anew.
    VersionConflict = 116, "version_conflict", false;
    /// This request was changed too often; it takes no further change.
    TooManyCommands = 117, "too_many_commands", false;
    /// Too many in a short time. Send the same bytes again after `retry_after_ms`.
    RateLimited = 118, "rate_limited", true;
    /// There is too much to do. Send the same bytes again after `retry_after_ms`.
    Overloaded = 119, "overloaded", true;
    /// The broker is stopping. Send the same bytes again in some seconds.
    ShuttingDown = 120, "shutting_down", true;
    /// So many creates of this customer wait in the stream already that no further one is kept.
    /// Make a new id, and send it when others are decided.
    TooManyCreates = 121, "too_many_creates", false;
    /// The headers say that the body is something else than the JSON of this message.
    ContentTypeUnsupported = 122, "content_type_unsupported", false;
    /// The headers say that the body follows a later version of the contract than this broker
    /// knows.
    VersionUnsupported = 123, "version_unsupported", false;
    // 200–299: a partner's or provider's message was refused
    /// An answer about a request that there is not.
    UnknownRequest = 200, "unknown_request", false;
    /// An answer by somebody who was not asked. Answer on the subject named in the question.
    WrongSender = 201, "wrong_sender", false;
    /// An answer to a question that was not asked in this attempt, or on a partition that nobody
    /// serves; `detail` has the subject to use.
    NotAsked = 202, "not_asked", false;
    /// The partner is not in the directory. Its operator adds it.
    UnknownPartner = 203, "unknown_partner", false;
    // 900: ours
    /// The broker failed at it. Send the same bytes again; tell the operator if it stays.
    Internal = 900, "internal", true;
    /// The broker panicked with this message in hand again and again, and set it aside. Its
    /// operator reports the dead letter; the fields of another message may not meet the fault.
    Quarantined = 901, "quarantined", false;
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
