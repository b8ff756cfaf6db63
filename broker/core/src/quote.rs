//! A quote: one partner's offer completed to the landed cost at one destination.

use schemas::id::QuoteId;
use schemas::{Condition, Currency, Money, PartnerId, Timestamp};

/// One part of the landed cost, minor units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Cost {
    Exact(u64),
    /// The final figure is never above this.
    AtMost(u64),
    /// The partner stated nothing. Nothing is assumed to be free, so the quote has no worst case.
    Unknown,
}

impl Cost {
    pub const fn worst(self) -> Option<u64> {
        match self {
            Self::Exact(minor) | Self::AtMost(minor) => Some(minor),
            Self::Unknown => None,
        }
    }
}

/// An offer for the whole quantity, in one currency.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Quote {
    pub partner: PartnerId,
    pub quote_id: QuoteId,
    pub currency: Currency,
    pub item: u64,
    pub shipping: Cost,
    pub tax: Cost,
    pub fee: Cost,
    pub condition: Condition,
    pub in_stock: u32,
    pub valid_until: Timestamp,
}

impl Quote {
    /// The most this purchase can cost, landed; `None` when a component is unknown or the sum
    /// leaves the range of money.
    pub fn worst_total(&self) -> Option<Money> {
        let minor = self
            .item
            .checked_add(self.shipping.worst()?)?
            .checked_add(self.tax.worst()?)?
            .checked_add(self.fee.worst()?)?;
        Money::new(minor, self.currency).ok()
    }

    /// Affordable means: even the worst case is within the limit, in the limit's currency.
    pub fn is_affordable(&self, max_total: Money) -> bool {
        self.worst_total().is_some_and(|total| total.at_most(max_total).unwrap_or(false))
    }

    /// The order in which quotes are preferred: worst total, then better condition, then the
    /// longer validity, then the partner's id. Unknown totals come last. Total and deterministic.
    pub fn rank(&self) -> (u64, Condition, std::cmp::Reverse<Timestamp>, PartnerId) {
        let total = self.worst_total().map_or(u64::MAX, Money::minor);
        (total, self.condition, std::cmp::Reverse(self.valid_until), self.partner.clone())
    }
}
