//! The ranking's own stream of numbers, and draws from a Beta distribution. Part of the state:
//! the same state makes the same choices, also after a restart.

use super::fixed::ONE;
use super::rate::Rate;

/// SplitMix64: one word of state, stable across platforms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stream(pub u64);

/// Up to this many observations a draw is exact; beyond it a bell curve is as good.
const EXACT_MAX: u64 = 24;

impl Stream {
    /// The next 64 bits.
    pub fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`; 0 when there is none.
    pub fn below(&mut self, bound: u64) -> u64 {
        u64::try_from((u128::from(self.word()) * u128::from(bound)) >> 64).unwrap_or(0)
    }

    /// What the record may be worth, 16 fractional bits: a draw from Beta(hits + 1, misses + 1).
    pub fn beta(&mut self, record: &Rate) -> u64 {
        let (a, b) = (record.hits.saturating_add(ONE), record.misses.saturating_add(ONE));
        let round = |value: u64| value.saturating_add(ONE / 2) / ONE;
        let n = round(a).saturating_add(round(b)).saturating_sub(1);
        if n <= EXACT_MAX { self.nth_of(round(a).max(1), n) } else { self.bell(a, b) }
    }

    /// The a-th smallest of n even draws is Beta(a, n + 1 − a).
    fn nth_of(&mut self, a: u64, n: u64) -> u64 {
        let mut draws = [0_u16; EXACT_MAX as usize];
        let n = usize::try_from(n).unwrap_or(draws.len()).clamp(1, draws.len());
        for four in draws[..n].chunks_mut(4) {
            let mut word = self.word();
            for draw in four {
                *draw = u16::try_from(word & 0xffff).unwrap_or(u16::MAX);
                word >>= 16;
            }
        }
        let place = usize::try_from(a - 1).unwrap_or(0).min(n - 1);
        let (_, found, _) = draws[..n].select_nth_unstable(place);
        u64::from(*found)
    }

    /// A bell curve with the mean and the deviation of Beta(a, b); the sum of twelve even draws is
    /// one with deviation 1.
    fn bell(&mut self, a: u64, b: u64) -> u64 {
        let (a, all) = (u128::from(a), u128::from(a) + u128::from(b));
        let one = u128::from(ONE);
        let mean = a * one / all;
        let variance = mean * (one - mean) * one / (all + one);
        let deviation = i64::try_from(variance.isqrt()).unwrap_or(0);
        let sum: u64 = (0..3)
            .map(|_| {
                let word = self.word();
                (0..4).map(|k| (word >> (16 * k)) & 0xffff).sum::<u64>()
            })
            .sum();
        let off = sum.cast_signed() - (6 * ONE).cast_signed();
        let mean = i64::try_from(mean).unwrap_or(0);
        let drawn = mean + deviation * off / ONE.cast_signed();
        drawn.clamp(0, ONE.cast_signed()).cast_unsigned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use schemas::Timestamp;

    fn record(hits: u64, misses: u64) -> Rate {
        Rate { hits: hits * ONE, misses: misses * ONE, at: Timestamp::ZERO }
    }

    /// Mean and deviation of many draws, thousandths.
    fn moments(record: &Rate) -> (u64, u64) {
        const DRAWS: u64 = 20_000;
        let mut stream = Stream(42);
        let draws: Vec<u64> = (0..DRAWS).map(|_| stream.beta(record)).collect();
        let mean = draws.iter().sum::<u64>() / DRAWS;
        let variance = draws.iter().map(|x| x.abs_diff(mean).pow(2)).sum::<u64>() / DRAWS;
        (mean * 1000 / ONE, variance.isqrt() * 1000 / ONE)
    }

    #[track_caller]
    fn assert_close((mean, deviation): (u64, u64), wanted: (u64, u64)) {
        assert!(mean.abs_diff(wanted.0) <= 6, "mean {mean}, wanted {wanted:?}");
        assert!(deviation.abs_diff(wanted.1) <= 6, "deviation {deviation}, wanted {wanted:?}");
    }

    #[test]
    fn draws_have_the_mean_and_deviation_of_the_distribution() {
        assert_close(moments(&record(0, 0)), (500, 289));
        assert_close(moments(&record(3, 9)), (286, 117));
        assert_close(moments(&record(0, 19)), (48, 45));
        assert_close(moments(&record(40, 60)), (402, 48));
        assert_close(moments(&record(900, 100)), (899, 10));
    }

    #[test]
    fn a_good_record_mostly_wins_and_an_unknown_one_is_tried() {
        let mut stream = Stream(7);
        let wins = |stream: &mut Stream, one: &Rate, other: &Rate| {
            (0..1000).filter(|_| stream.beta(one) > stream.beta(other)).count()
        };
        assert!(wins(&mut stream, &record(30, 10), &record(10, 30)) > 990);
        let unknown = wins(&mut stream, &record(0, 0), &record(30, 10));
        assert!((150..350).contains(&unknown), "{unknown}");
    }

    #[test]
    fn the_same_state_makes_the_same_draws() {
        let (mut one, mut other) = (Stream(9), Stream(9));
        assert!((0..100).all(|n| one.beta(&record(n, 3)) == other.beta(&record(n, 3))));
        assert_eq!(one, other);
        assert_eq!(one.below(0), 0);
        assert!((0..1000).all(|_| one.below(7) < 7));
    }
}
