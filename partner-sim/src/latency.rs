//! How long an answer takes: a log-normal-like curve through two known points, in integers.

use serde::{Deserialize, Serialize};

/// Quantiles of a log-normal distribution with p99 = 4 × p50, as (permille, weight). Up to the
/// median the weight is a permille of p50; above it, a permille of the way from p50 to p99.
const BELOW_MEDIAN: [(u64, u64); 8] =
    [(0, 200), (10, 250), (50, 375), (100, 466), (200, 605), (300, 731), (400, 860), (500, 1000)];
const ABOVE_MEDIAN: [(u64, u64); 9] = [
    (500, 0),
    (600, 54),
    (700, 122),
    (800, 217),
    (900, 382),
    (950, 555),
    (990, 1000),
    (999, 1770),
    (1000, 1900),
];

/// Median and 99th percentile of a response time; both 0 means at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Latency {
    /// Half of the answers take at most this long, milliseconds.
    pub p50_ms: u64,
    /// 99 of 100 answers take at most this long, milliseconds; at least `p50_ms`.
    pub p99_ms: u64,
}

impl Latency {
    pub const INSTANT: Self = Self { p50_ms: 0, p99_ms: 0 };

    pub const fn new(p50_ms: u64, p99_ms: u64) -> Self {
        Self { p50_ms, p99_ms }
    }

    pub const fn is_instant(self) -> bool {
        self.p50_ms == 0 && self.p99_ms == 0
    }

    /// The response time at a quantile given in millionths, milliseconds.
    pub fn at_quantile(self, millionths: u64) -> u64 {
        let at = millionths.min(1_000_000);
        if at <= 500_000 {
            return self.p50_ms.saturating_mul(weight(&BELOW_MEDIAN, at)) / 1_000_000;
        }
        let stretch = self.p99_ms.saturating_sub(self.p50_ms);
        let more = stretch.saturating_mul(weight(&ABOVE_MEDIAN, at)) / 1_000_000;
        self.p50_ms.saturating_add(more)
    }
}

/// Linear interpolation in one of the tables; the result is in millionths.
fn weight(table: &[(u64, u64)], at: u64) -> u64 {
    let upper = table.partition_point(|(permille, _)| permille * 1000 < at).max(1);
    let ((from, low), (to, high)) = (table[upper - 1], table[upper.min(table.len() - 1)]);
    let span = (to - from) * 1000;
    let into = at.saturating_sub(from * 1000).min(span);
    low * 1000 + (high - low) * 1000 * into / span
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_curve_goes_through_the_median_and_the_99th_percentile() {
        let latency = Latency::new(40, 400);
        assert_eq!(latency.at_quantile(500_000), 40);
        assert_eq!(latency.at_quantile(990_000), 400);
    }

    #[test]
    fn the_curve_never_falls() {
        let latency = Latency::new(40, 400);
        let curve: Vec<u64> = (0..=1000).map(|q| latency.at_quantile(q * 1000)).collect();
        assert!(curve.is_sorted());
        assert!(curve[0] > 0 && curve[1000] < 800);
    }

    #[test]
    fn instant_is_zero_everywhere() {
        assert!((0..=1000).all(|q| Latency::INSTANT.at_quantile(q * 1000) == 0));
    }
}
