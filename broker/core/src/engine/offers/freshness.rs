//! How long a store's prices stay true: learned from how often they had changed when it was asked
//! again.

use schemas::DurationMs;

/// Bounds of how long an offer is reused without asking again.
const TTL_MIN: DurationMs = DurationMs::from_secs(30);
const TTL_MAX: DurationMs = DurationMs::from_secs(90);
/// Before anything is known of a store.
const TTL_DEFAULT: DurationMs = DurationMs::from_secs(60);
/// A reused price may be a stale one this often, thousandths.
const STALE_PERMILLE: u64 = 50;
/// Second looks before a store's own rate of changes is believed.
const LOOKS_MIN: u32 = 8;
/// When so many second looks are counted, all counts are halved: old ones fade.
const LOOKS_MAX: u32 = 256;

/// Second looks at one store's prices.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Freshness {
    looks: u32,
    changes: u32,
    /// Time between the looks, summed.
    apart: DurationMs,
}

impl Freshness {
    /// A price was seen again `apart` after it had been seen before.
    pub(super) fn looked_again(&mut self, apart: DurationMs, changed: bool) {
        self.looks += 1;
        self.changes += u32::from(changed);
        self.apart = DurationMs(self.apart.0.saturating_add(apart.0));
        if self.looks >= LOOKS_MAX {
            self.looks /= 2;
            self.changes /= 2;
            self.apart.0 /= 2;
        }
    }

    /// How long an offer of this store is taken for true.
    pub(super) fn ttl(&self) -> DurationMs {
        if self.looks < LOOKS_MIN {
            return TTL_DEFAULT;
        }
        let Some(between_changes) = self.apart.0.checked_div(u64::from(self.changes)) else {
            return TTL_MAX;
        };
        let ttl = between_changes.saturating_mul(STALE_PERMILLE) / 1000;
        DurationMs(ttl.clamp(TTL_MIN.0, TTL_MAX.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(looks: u32, changes: u32, apart: DurationMs) -> DurationMs {
        let mut freshness = Freshness::default();
        (0..looks).for_each(|look| freshness.looked_again(apart, look < changes));
        freshness.ttl()
    }

    #[test]
    fn an_unknown_store_is_believed_for_a_minute() {
        assert_eq!(seen(0, 0, DurationMs(0)), DurationMs(60_000));
        assert_eq!(seen(LOOKS_MIN - 1, 7, DurationMs(1)), DurationMs(60_000));
    }

    #[test]
    fn a_store_that_never_changes_its_prices_is_believed_longest() {
        assert_eq!(seen(20, 0, DurationMs(10_000)), DurationMs(90_000));
    }

    #[test]
    fn a_store_whose_prices_jump_is_believed_shortest() {
        assert_eq!(seen(20, 20, DurationMs(10_000)), DurationMs(30_000));
    }

    #[test]
    fn in_between_one_reused_price_in_twenty_may_be_stale() {
        // A change in 20 minutes: after a minute one price in twenty has changed.
        assert_eq!(seen(20, 1, DurationMs(60_000)), DurationMs(60_000));
    }

    #[test]
    fn what_a_store_did_long_ago_fades() {
        let mut freshness = Freshness::default();
        (0..100).for_each(|_| freshness.looked_again(DurationMs(10_000), true));
        (0..4000).for_each(|_| freshness.looked_again(DurationMs(10_000), false));
        assert_eq!(freshness.ttl(), DurationMs(90_000));
    }
}
