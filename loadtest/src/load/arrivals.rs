//! When customers come: a Poisson process, the same for the same seed. It does not look at whether
//! anybody was served: that is what makes the load open.

use std::time::Duration;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Exp};

/// Instants since the start of the load, ascending, below its length.
#[derive(Debug)]
pub(crate) struct Arrivals {
    dice: ChaCha8Rng,
    gaps: Exp<f64>,
    at: Duration,
    length: Duration,
}

impl Arrivals {
    /// `rate` customers a second on average, at least one.
    pub(crate) fn new(seed: u64, rate: u32, length: Duration) -> Self {
        let gaps = Exp::new(f64::from(rate.max(1))).expect("a rate of at least one");
        let mut dice = ChaCha8Rng::seed_from_u64(seed);
        dice.set_stream(1);
        Self { dice, gaps, at: Duration::ZERO, length }
    }
}

impl Iterator for Arrivals {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        self.at += Duration::from_secs_f64(self.gaps.sample(&mut self.dice));
        (self.at < self.length).then_some(self.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrivals(seed: u64) -> Vec<Duration> {
        Arrivals::new(seed, 200, Duration::from_secs(100)).collect()
    }

    #[test]
    fn the_same_seed_gives_the_same_arrivals_and_another_one_others() {
        assert_eq!(arrivals(7), arrivals(7));
        assert_ne!(arrivals(7), arrivals(8));
    }

    #[test]
    fn as_many_come_as_the_rate_says_and_their_gaps_scatter_like_those_of_strangers() {
        let all = arrivals(7);
        assert!((19_500..20_500).contains(&all.len()), "{}", all.len());
        assert!(all.is_sorted());
        let gaps: Vec<f64> = all.windows(2).map(|pair| (pair[1] - pair[0]).as_secs_f64()).collect();
        let mean = gaps.iter().sum::<f64>() / gaps.len() as f64;
        let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / gaps.len() as f64;
        // Of an exponential distribution mean and standard deviation are the same.
        assert!((variance.sqrt() / mean - 1.0).abs() < 0.05, "{mean} {variance}");
    }
}
