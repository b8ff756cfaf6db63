//! Fixed-point arithmetic: two machines must rank alike, so nothing here is a float.

use schemas::{DurationMs, Timestamp};

/// 1 in fixed point with 16 fractional bits.
pub(super) const ONE: u64 = 1 << 16;

/// Steps per half-life.
const STEPS: u64 = 64;
/// 2^(−2^k / 64) for k = 0 … 5, with 32 fractional bits.
const POWERS: [u64; 6] =
    [4_248_701_965, 4_202_935_003, 4_112_874_773, 3_938_502_376, 3_611_622_603, 3_037_000_500];

/// Whole 64ths of a half-life between two instants, and the instant they reach. What is left over
/// counts next time: many short steps fade as much as one long one.
pub(super) fn steps(from: Timestamp, to: Timestamp, half_life: DurationMs) -> (u64, Timestamp) {
    let half_life = half_life.as_ms().max(STEPS);
    let steps = to.since(from).as_ms().saturating_mul(STEPS) / half_life;
    let reached = from.saturating_add(DurationMs(steps.saturating_mul(half_life) / STEPS));
    (steps, reached)
}

/// `value` after so many 64ths of a half-life.
pub(super) fn faded(value: u64, steps: u64) -> u64 {
    let halvings = steps / STEPS;
    if halvings >= 64 {
        return 0;
    }
    let mut value = u128::from(value >> halvings);
    for (bit, power) in POWERS.iter().enumerate() {
        if (steps % STEPS) & (1 << bit) != 0 {
            value = (value * u128::from(*power)) >> 32;
        }
    }
    u64::try_from(value).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: DurationMs = DurationMs(3_600_000);

    #[test]
    fn a_value_halves_within_its_half_life_and_goes_away() {
        assert_eq!(faded(1 << 40, 64), 1 << 39);
        assert_eq!(faded(1 << 40, 64 * 10), 1 << 30);
        assert_eq!(faded(u64::MAX, 64 * 64), 0);
        assert_eq!(faded(12_345, 0), 12_345);
    }

    #[test]
    fn a_64th_of_the_half_life_64_times_is_the_half_life() {
        let start = 1_u64 << 40;
        let end = (0..64).fold(start, |value, _| faded(value, 1));
        assert!(end.abs_diff(start / 2) < 1 << 12, "{end}");
        let between = faded(start, 63);
        assert!(between > start / 2 && between < faded(start, 62));
    }

    #[test]
    fn short_steps_add_up_to_a_long_one() {
        let start = Timestamp::from_unix_ms(1_000_000);
        let end = start.saturating_add(HOUR);
        let (whole, _) = steps(start, end, HOUR);
        assert_eq!(whole, 64);
        let (mut at, mut sum) = (start, 0);
        for ms in 0..3_600_u64 {
            let now = start.saturating_add(DurationMs((ms + 1) * 1_000));
            let (some, reached) = steps(at, now, HOUR);
            (at, sum) = (reached, sum + some);
        }
        assert_eq!(sum, 64);
    }
}
