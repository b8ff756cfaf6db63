//! Measured times in one line.

use std::fmt;
use std::time::Duration;

/// Where the middle and the ends of some measured times lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Percentiles {
    pub count: usize,
    pub p50: Duration,
    pub p99: Duration,
    pub max: Duration,
}

impl Percentiles {
    /// None of nothing.
    pub fn of(mut times: Vec<Duration>) -> Option<Self> {
        times.sort_unstable();
        let max = *times.last()?;
        let at = |percent: usize| {
            let rank = (times.len() * percent).div_ceil(100).max(1);
            times.get(rank - 1).copied().unwrap_or(max)
        };
        Some(Self { count: times.len(), p50: at(50), p99: at(99), max })
    }
}

impl fmt::Display for Percentiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { count, p50, p99, max } = self;
        let ms = |time: &Duration| time.as_millis();
        write!(f, "p50 {} ms, p99 {} ms, max {} ms of {count}", ms(p50), ms(p99), ms(max))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_nearest_rank() {
        let ms = |n: u64| Duration::from_millis(n);
        assert_eq!(Percentiles::of(Vec::new()), None);
        let of = Percentiles::of((1..=200).rev().map(ms).collect()).unwrap();
        assert_eq!((of.count, of.p50, of.p99, of.max), (200, ms(100), ms(198), ms(200)));
        assert_eq!(Percentiles::of(vec![ms(7)]).unwrap().p50, ms(7));
    }
}
