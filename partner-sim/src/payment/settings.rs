//! The character of the payment provider.

use serde::{Deserialize, Serialize};

use crate::delivery::Delivery;
use crate::fault::Permille;

/// What the provider does besides its duty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PaymentSettings {
    /// How answers come back.
    pub answers: Delivery,
    /// An authorisation lapses after this time, milliseconds.
    pub authorization_valid_ms: u64,
    /// The customer takes this long to authenticate, milliseconds.
    pub action_takes_ms: u64,
    /// A void or look-up of an unknown key makes sure that it can never be authorised.
    pub fences: bool,
    /// Refuses an authorise whose `not_after` has passed.
    pub honours_not_after: bool,
    pub faults: PaymentFaults,
}

impl Default for PaymentSettings {
    fn default() -> Self {
        Self {
            answers: Delivery::default(),
            authorization_valid_ms: 7 * 24 * 3600 * 1000,
            action_takes_ms: 1_000,
            fences: true,
            honours_not_after: true,
            faults: PaymentFaults::default(),
        }
    }
}

/// How often each misbehaviour strikes. Delivery faults are in [`Delivery`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PaymentFaults {
    /// Payments declined.
    pub declined_permille: Permille,
    /// Payments that need the customer to authenticate.
    pub action_required_permille: Permille,
    /// Commands lost before the provider acted on them.
    pub lost_permille: Permille,
    /// Operations that fail and change nothing.
    pub failed_permille: Permille,
}
