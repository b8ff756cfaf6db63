//! How a partner's prices compare with everybody's: a histogram of its total over the median of the
//! same sweep, and from it the price below which asking it is not worth a question (Weitzman's
//! reservation value).

/// Width of a bucket, thousandths of the median.
const WIDTH: u64 = 8;
/// Ratios below and above go into the first and the last bucket.
const LOWEST: u64 = 744;
const BUCKETS: usize = 64;
/// Above this many samples all counts are halved: old prices fade.
const SAMPLES_MAX: u32 = 1024;
/// Everybody's prices count as this many samples of one partner, until it has enough of its own.
const POOL_WEIGHT: u64 = 16;
/// Fewer samples of everybody say nothing.
const POOL_MIN: u32 = 32;

/// Counts of ratios, in thousandths of the sweep's median total.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prices {
    pub counts: [u16; BUCKETS],
    pub samples: u32,
}

impl Default for Prices {
    fn default() -> Self {
        Self { counts: [0; BUCKETS], samples: 0 }
    }
}

impl Prices {
    pub fn observe(&mut self, total: u64, median: u64) {
        let ratio = u128::from(total) * 1000 / u128::from(median.max(1));
        let above = u64::try_from(ratio).unwrap_or(u64::MAX).saturating_sub(LOWEST) / WIDTH;
        let bucket = usize::try_from(above).unwrap_or(BUCKETS).min(BUCKETS - 1);
        self.counts[bucket] += 1;
        self.samples += 1;
        if self.samples > SAMPLES_MAX {
            self.counts.iter_mut().for_each(|count| *count /= 2);
            self.samples = self.counts.iter().map(|count| u32::from(*count)).sum();
        }
    }
}

/// The ratio z that solves `p · E[(z − X)+] = cost`: with a better price than z in hand this
/// partner is not worth asking. `p` is the chance in thousandths that it makes an offer at all, the
/// cost of a question is in ten-thousandths of the price. `None` while too little is known.
pub fn reservation(own: &Prices, pool: &Prices, p: u64, cost: u64) -> Option<u64> {
    if pool.samples < POOL_MIN || p == 0 {
        return None;
    }
    // In counts scaled by the pool: weight of a bucket = own · pool.samples + pool · POOL_WEIGHT.
    let all =
        u64::from(own.samples) * u64::from(pool.samples) + POOL_WEIGHT * u64::from(pool.samples);
    // Σ weight · (z − x) must reach this, in thousandths.
    let wanted = u128::from(cost) * u128::from(all) * 1000 / (10 * u128::from(p));
    let (mut weight, mut area, mut z) = (0_u128, 0_u128, LOWEST);
    for (own_count, pool_count) in own.counts.iter().zip(&pool.counts) {
        let grown = area + weight * u128::from(WIDTH);
        if grown >= wanted && weight > 0 {
            break;
        }
        // The prices of a bucket are taken to lie at its upper end.
        weight += u128::from(*own_count) * u128::from(pool.samples)
            + u128::from(*pool_count) * u128::from(POOL_WEIGHT);
        area = grown;
        z += WIDTH;
    }
    let missing = wanted.saturating_sub(area);
    let further = missing.checked_div(weight).unwrap_or(0);
    Some(z + u64::try_from(further).unwrap_or(u64::MAX).min(1_000_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Prices spread evenly from `low` to `high`, thousandths of the median.
    fn even(low: u64, high: u64) -> Prices {
        let mut prices = Prices::default();
        (0..500).for_each(|n| prices.observe(low + (high - low) * n / 500, 1000));
        prices
    }

    #[test]
    fn the_reservation_value_of_evenly_spread_prices_is_the_known_one() {
        // p (z − low)² / (2 (high − low)) = c; with p = 1, c = 0.5 ‰: z = low + √(0.5 · 2 · 300).
        let pool = even(850, 1150);
        let z = reservation(&Prices::default(), &pool, 1000, 5).unwrap();
        assert!((862..=872).contains(&z), "{z}");
        // A question that costs 16 times as much is worth it four times less deep.
        let dear = reservation(&Prices::default(), &pool, 1000, 80).unwrap();
        assert!((914..=924).contains(&dear), "{dear}");
    }

    #[test]
    fn a_cheap_partner_is_worth_asking_at_a_price_where_a_dear_one_is_not() {
        let pool = even(850, 1150);
        let value = |own: &Prices| reservation(own, &pool, 900, 5).unwrap();
        assert!(value(&even(760, 860)) < value(&pool));
        assert!(value(&even(1000, 1150)) > value(&pool));
    }

    #[test]
    fn an_unreliable_partner_is_worth_less_than_a_reliable_one() {
        let pool = even(850, 1150);
        let value = |p| reservation(&Prices::default(), &pool, p, 5).unwrap();
        assert!(value(100) > value(900));
        assert_eq!(reservation(&Prices::default(), &pool, 0, 5), None);
    }

    #[test]
    fn little_known_is_not_known() {
        let mut pool = Prices::default();
        (0..31).for_each(|_| pool.observe(1000, 1000));
        assert_eq!(reservation(&pool, &pool, 900, 5), None);
        pool.observe(1000, 1000);
        assert!(reservation(&pool, &pool, 900, 5).is_some());
    }

    #[test]
    fn old_prices_fade_and_no_count_overflows() {
        let mut prices = Prices::default();
        (0..100_000).for_each(|_| prices.observe(u64::MAX, 1));
        (0..5_000).for_each(|_| prices.observe(900, 1000));
        assert!(prices.samples <= SAMPLES_MAX);
        assert!(prices.counts[BUCKETS - 1] < 32, "{:?}", prices.counts);
    }
}
