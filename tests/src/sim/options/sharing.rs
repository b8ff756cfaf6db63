//! What the requests of a run share: questions and offers, where stores allow it, and copies.

use std::fmt;

use broker_core::Policy;
use broker_core::partner::PartnerProfile;
use schemas::DurationMs;

use crate::sim::choices::{Choices, Lane};

/// The tamest is that everybody asks for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sharing {
    /// Quotes are good for several orders, and are used again with more copies than this.
    pub reuse_above: Option<u32>,
    /// How long an offer is used again; 0: as long as the store's prices usually hold.
    pub offer_ttl_ms: u32,
    /// How long others are waited for who are buying the best offer.
    pub slot_wait_ms: u32,
}

impl Sharing {
    pub(super) fn draw(choices: &mut Choices) -> Self {
        let lane = Lane::Options;
        Self {
            reuse_above: *choices.pick(lane, &[None, Some(100), Some(0), Some(u32::MAX)]),
            offer_ttl_ms: *choices.pick(lane, &[0, 1_000, 3_600_000]),
            slot_wait_ms: *choices.pick(lane, &[500, 0, 5_000]),
        }
    }

    /// The store with these settings in its entry.
    #[must_use]
    pub fn of_store(&self, store: PartnerProfile) -> PartnerProfile {
        let ttl = DurationMs(self.offer_ttl_ms.into());
        PartnerProfile {
            quotes_reusable: self.reuse_above.is_some(),
            reuse_above: self.reuse_above.unwrap_or(u32::MAX),
            offer_ttl: (ttl > DurationMs::ZERO).then_some(ttl),
            ..store
        }
    }

    /// The policy with these numbers in it.
    #[must_use]
    pub fn applied_to(&self, policy: Policy) -> Policy {
        let slot_wait = DurationMs(self.slot_wait_ms.into());
        Policy { slot_wait, slot_wait_max: policy.slot_wait_max.max(slot_wait), ..policy }
    }
}

impl fmt::Display for Sharing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { reuse_above, offer_ttl_ms, slot_wait_ms } = self;
        match reuse_above {
            None => write!(f, "nothing is shared, ")?,
            Some(above) => write!(f, "shared, used again above {above} for {offer_ttl_ms} ms, ")?,
        }
        write!(f, "{slot_wait_ms} ms for others to buy")
    }
}
