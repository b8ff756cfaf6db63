//! Where the middle and the ends of many measured values lie. All values are kept: a quantile is
//! one of them, not an estimate from buckets.

use serde::{Deserialize, Serialize};

/// Measured values in one unit.
#[derive(Debug, Clone, Default)]
pub(crate) struct Values(Vec<f64>);

/// The figures of a report.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Quantiles {
    pub count: usize,
    pub mean: f64,
    pub p50: f64,
    pub p90: f64,
    pub p99: f64,
    pub max: f64,
}

/// How many values fell between `from` and `to`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Bucket {
    pub from: f64,
    pub to: f64,
    pub count: usize,
}

/// Buckets per factor of ten.
const BUCKETS_PER_DECADE: f64 = 12.0;

impl FromIterator<f64> for Values {
    fn from_iter<I: IntoIterator<Item = f64>>(values: I) -> Self {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        Self(values)
    }
}

impl Values {
    /// The value of the nearest rank; 0 of nothing.
    pub(crate) fn at(&self, permille: usize) -> f64 {
        let rank = (self.0.len() * permille).div_ceil(1000).max(1);
        self.0.get(rank - 1).or(self.0.last()).copied().unwrap_or(0.0)
    }

    pub(super) fn quantiles(&self) -> Quantiles {
        let count = self.0.len();
        let mean = if count == 0 { 0.0 } else { self.0.iter().sum::<f64>() / count as f64 };
        let [p50, p90, p99, max] = [500, 900, 990, 1000].map(|permille| self.at(permille));
        Quantiles { count, mean, p50, p90, p99, max }
    }

    /// Buckets of equal width on a logarithmic axis, from the first to the last that has any.
    /// Values below one are in the first.
    pub(super) fn buckets(&self) -> Vec<Bucket> {
        let place = |value: f64| (value.max(1.0).log10() * BUCKETS_PER_DECADE).floor();
        let (Some(first), Some(last)) = (self.0.first(), self.0.last()) else { return Vec::new() };
        let (mut n, end) = (place(*first), place(*last));
        let mut buckets = Vec::new();
        while n <= end {
            let count = self.0.iter().filter(|value| place(**value) == n).count();
            let edge = |n: f64| 10_f64.powf(n / BUCKETS_PER_DECADE);
            buckets.push(Bucket { from: edge(n), to: edge(n + 1.0), count });
            n += 1.0;
        }
        buckets
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_of_the_nearest_rank() {
        let values: Values = (1..=200).rev().map(f64::from).collect();
        let Quantiles { count, mean, p50, p90, p99, max } = values.quantiles();
        assert_eq!((count, mean, p50, p90, p99, max), (200, 100.5, 100.0, 180.0, 198.0, 200.0));
        assert_eq!(Values::default().quantiles(), Quantiles::default());
    }

    #[test]
    fn every_value_is_in_exactly_one_bucket_and_buckets_have_no_gaps() {
        let values: Values = [0.2, 1.0, 9.9, 10.1, 250.0, 251.0, 4_000.0].into_iter().collect();
        let buckets = values.buckets();
        assert_eq!(buckets.iter().map(|bucket| bucket.count).sum::<usize>(), 7);
        assert!(buckets.windows(2).all(|pair| (pair[0].to - pair[1].from).abs() < 1e-9));
        let full = buckets.iter().find(|bucket| bucket.from <= 250.0 && 250.0 < bucket.to);
        assert_eq!(full.unwrap().count, 2);
        assert!(Values::default().buckets().is_empty());
    }
}
