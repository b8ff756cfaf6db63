//! Whether something grows: the slope of the straight line that fits best.

/// Change per hour of values measured at so many seconds; 0 of fewer than two.
pub(super) fn per_hour(points: &[(f64, f64)]) -> f64 {
    let count = points.len() as f64;
    let mean_at = points.iter().map(|(at, _)| at).sum::<f64>() / count;
    let mean = points.iter().map(|(_, value)| value).sum::<f64>() / count;
    let spread = points.iter().map(|(at, _)| (at - mean_at).powi(2)).sum::<f64>();
    if points.len() < 2 || spread == 0.0 {
        return 0.0;
    }
    let shared = points.iter().map(|(at, value)| (at - mean_at) * (value - mean)).sum::<f64>();
    shared / spread * 3600.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slope_is_per_hour_and_flat_is_flat() {
        let growing: Vec<(f64, f64)> =
            (0..10).map(|n| (f64::from(n), 5.0 + f64::from(n) / 100.0)).collect();
        assert!((per_hour(&growing) - 36.0).abs() < 1e-6);
        assert_eq!(per_hour(&[(0.0, 7.0), (10.0, 7.0)]), 0.0);
        assert_eq!(per_hour(&[(0.0, 7.0)]), 0.0);
        assert_eq!(per_hour(&[]), 0.0);
    }
}
