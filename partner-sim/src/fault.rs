//! What can go wrong on purpose, by name. The number of a fault salts its own random stream, so
//! numbers are never reused: switching one fault on leaves the draws of all others unchanged.

use serde::{Deserialize, Serialize};

/// One deliberate misbehaviour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// Decided, but the answer is never sent.
    Silent = 1,
    /// The answer is sent twice.
    Duplicate = 2,
    /// The answer is held back so that later ones overtake it.
    Reorder = 3,
    /// The answer arrives after the message's own deadline.
    Late = 4,
    /// "Not in stock", whatever the shelf says.
    NoStock = 5,
    /// "Busy, try again": answers this copy only.
    Busy = 6,
    /// An offer for another book than the asked one.
    WrongBook = 7,
    /// An offer whose amounts overflow any sum.
    AbsurdPrice = 8,
    /// Confirms an order and cancels it unasked a little later.
    ConfirmThenCancel = 9,
    /// Accepts an order and says nothing: the outcome is unknown to the broker.
    AcceptedWithoutAnswer = 10,
    /// Loses the copy before acting on it: the outcome is unknown to the broker.
    Lost = 11,
    /// Confirms and charges more than the cap: a breach that must become an incident.
    PriceAboveCap = 12,
    /// The price rose between quote and order.
    PriceRaised = 13,
    /// The provider declines the payment.
    Declined = 14,
    /// The provider wants the customer to authenticate first.
    ActionRequired = 15,
    /// The provider's operation fails and changes nothing.
    Failed = 16,
    /// Confirms unasked a second order under the key of the first one.
    SecondOrder = 17,
}

impl Fault {
    pub const ALL: [Self; 17] = [
        Self::Silent,
        Self::Duplicate,
        Self::Reorder,
        Self::Late,
        Self::NoStock,
        Self::Busy,
        Self::WrongBook,
        Self::AbsurdPrice,
        Self::ConfirmThenCancel,
        Self::AcceptedWithoutAnswer,
        Self::Lost,
        Self::PriceAboveCap,
        Self::PriceRaised,
        Self::Declined,
        Self::ActionRequired,
        Self::Failed,
        Self::SecondOrder,
    ];

    pub(crate) const fn salt(self) -> u64 {
        self as u64
    }
}

/// A probability in thousandths: 0 is never, 1000 is always.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(try_from = "u16", into = "u16")]
pub struct Permille(u16);

/// Why a number is not a probability.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a permille lies between 0 and 1000, got {0}")]
pub struct PermilleError(u16);

impl Permille {
    pub const NEVER: Self = Self(0);
    pub const ALWAYS: Self = Self(1000);

    /// Panics at compile time when used in constants with more than 1000.
    pub const fn new(permille: u16) -> Self {
        assert!(permille <= 1000, "a permille is at most 1000");
        Self(permille)
    }

    pub const fn get(self) -> u16 {
        self.0
    }

    pub const fn is_never(self) -> bool {
        self.0 == 0
    }
}

impl TryFrom<u16> for Permille {
    type Error = PermilleError;
    fn try_from(permille: u16) -> Result<Self, PermilleError> {
        if permille > 1000 { Err(PermilleError(permille)) } else { Ok(Self(permille)) }
    }
}

impl From<Permille> for u16 {
    fn from(permille: Permille) -> u16 {
        permille.0
    }
}
