//! A share of observations that forgets: an exponentially weighted average with a half-life, and
//! how much it rests on.

use schemas::{DurationMs, Timestamp};

use super::fixed::{ONE, faded, steps};

/// Weighted hits and misses with 16 fractional bits, both as of `at`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rate {
    pub hits: u64,
    pub misses: u64,
    pub at: Timestamp,
}

impl Rate {
    /// Takes one observation in. Irregular sampling is right: weights follow time, not counts.
    pub fn observe(&mut self, hit: bool, now: Timestamp, half_life: DurationMs) {
        self.fade(now, half_life);
        let side = if hit { &mut self.hits } else { &mut self.misses };
        *side = side.saturating_add(ONE);
    }

    fn fade(&mut self, now: Timestamp, half_life: DurationMs) {
        let (steps, reached) = steps(self.at, now, half_life);
        if steps > 0 {
            self.hits = faded(self.hits, steps);
            self.misses = faded(self.misses, steps);
            self.at = reached;
        }
    }

    /// One observation in a record whose older ones lose a thousandth with each new one
    /// (discounted Thompson sampling).
    pub fn observe_discounted(&mut self, hit: bool, now: Timestamp) {
        self.hits -= self.hits >> DISCOUNT_BITS;
        self.misses -= self.misses >> DISCOUNT_BITS;
        let side = if hit { &mut self.hits } else { &mut self.misses };
        *side = side.saturating_add(ONE);
        self.at = now;
    }

    /// The share of hits in thousandths, as if `prior` observations had come before, `prior_hits`
    /// of them hits.
    pub fn permille(&self, prior_hits: u64, prior: u64) -> u64 {
        let hits = self.hits.saturating_add(prior_hits * ONE);
        let all = self.hits.saturating_add(self.misses).saturating_add(prior * ONE).max(1);
        u64::try_from(u128::from(hits) * 1000 / u128::from(all)).unwrap_or(1000)
    }

    /// Observations it rests on, rounded down.
    pub fn weight(&self) -> u64 {
        self.hits.saturating_add(self.misses) / ONE
    }
}

/// 1 − 2^−10 is 0.999.
const DISCOUNT_BITS: u32 = 10;

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: DurationMs = DurationMs(24 * 3_600_000);

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_unix_ms(1_000_000_000_000 + ms)
    }

    #[test]
    fn what_happened_lately_counts_more() {
        let mut rate = Rate { at: at(0), ..Rate::default() };
        (0..100).for_each(|n| rate.observe(true, at(n), DAY));
        assert_eq!(rate.permille(0, 0), 1000);
        let later = DAY.as_ms() * 2;
        (0..100).for_each(|n| rate.observe(false, at(later + n), DAY));
        assert_eq!(rate.permille(0, 0), 200);
        assert_eq!(rate.weight(), 125);
    }

    #[test]
    fn nothing_seen_is_the_prior() {
        assert_eq!(Rate::default().permille(1, 2), 500);
        assert_eq!(Rate::default().permille(9, 10), 900);
    }

    #[test]
    fn a_discounted_record_never_grows_beyond_a_thousand_observations() {
        let mut rate = Rate::default();
        (0..20_000).for_each(|_| rate.observe_discounted(true, at(0)));
        assert!((1000..=1024).contains(&rate.weight()), "{}", rate.weight());
        (0..1000).for_each(|_| rate.observe_discounted(false, at(0)));
        assert!(rate.permille(0, 0) < 400);
    }
}
