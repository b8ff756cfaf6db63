//! How long a partner takes to answer: a sketch of its quantiles over the last five to ten minutes.
//!
//! Buckets are an eighth of a power of two wide, so a quantile is at most 12.5 % too high and never
//! too low: a hedge is rather sent too late than too soon.

use schemas::{DurationMs, Timestamp};

/// A window is filled for so long, then kept for as long again.
const WINDOW: DurationMs = DurationMs(5 * 60_000);
const SUB_BITS: u32 = 3;
const SUBS: u64 = 1 << SUB_BITS;
/// The last bucket begins at about a minute and takes everything above.
const BUCKETS: usize = 14 * SUBS as usize;

/// Two windows; see the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Latency {
    filling: [u16; BUCKETS],
    kept: [u16; BUCKETS],
    /// When the window being filled was begun.
    since: Timestamp,
    samples: u32,
}

impl Default for Latency {
    fn default() -> Self {
        Self { filling: [0; BUCKETS], kept: [0; BUCKETS], since: Timestamp::ZERO, samples: 0 }
    }
}

impl Latency {
    pub(super) fn observe(&mut self, took: DurationMs, now: Timestamp) {
        self.rotate(now);
        let count = &mut self.filling[bucket(took.as_ms())];
        if *count < u16::MAX {
            *count += 1;
            self.samples += 1;
        }
    }

    fn rotate(&mut self, now: Timestamp) {
        let age = now.since(self.since);
        if age < WINDOW {
            return;
        }
        let filled = std::mem::replace(&mut self.filling, [0; BUCKETS]);
        self.kept = if age < DurationMs(WINDOW.as_ms() * 2) { filled } else { [0; BUCKETS] };
        self.since = now;
        self.samples = self.kept.iter().map(|count| u32::from(*count)).sum();
    }

    /// Answers seen in the windows.
    pub(super) fn samples(&self) -> u32 {
        self.samples
    }

    /// So many thousandths of the answers took at most this long; `None` before the first.
    pub(super) fn quantile(&self, permille: u32) -> Option<DurationMs> {
        if self.samples == 0 {
            return None;
        }
        let wanted = (u64::from(self.samples) * u64::from(permille)).div_ceil(1000).max(1);
        let mut seen = 0;
        for (index, (filling, kept)) in self.filling.iter().zip(&self.kept).enumerate() {
            seen += u64::from(*filling) + u64::from(*kept);
            if seen >= wanted {
                return Some(DurationMs(upper(index)));
            }
        }
        None
    }
}

fn bucket(ms: u64) -> usize {
    if ms < SUBS {
        return usize::try_from(ms).unwrap_or(0);
    }
    let exponent = ms.ilog2() - SUB_BITS;
    let index = u64::from(exponent + 1) * SUBS + ((ms >> exponent) - SUBS);
    usize::try_from(index).unwrap_or(BUCKETS).min(BUCKETS - 1)
}

/// The longest time of a bucket.
fn upper(index: usize) -> u64 {
    let index = index as u64;
    if index < SUBS {
        return index;
    }
    let exponent = index / SUBS - 1;
    ((SUBS + index % SUBS + 1) << exponent) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_unix_ms(1_000_000_000_000 + ms)
    }

    #[test]
    fn every_time_lies_in_its_bucket_and_no_bucket_is_wider_than_an_eighth() {
        for ms in 0..40_000_u64 {
            let upper = upper(bucket(ms));
            assert!(upper >= ms && upper - ms <= ms / 8, "{ms} became {upper}");
            assert_eq!(bucket(upper), bucket(ms));
        }
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn quantiles_come_from_what_was_seen() {
        let mut latency = Latency::default();
        assert_eq!(latency.quantile(500), None);
        (1..=100).for_each(|ms| latency.observe(DurationMs(ms), at(ms)));
        let of = |permille| latency.quantile(permille).unwrap().as_ms();
        assert!((50..=56).contains(&of(500)), "{}", of(500));
        assert!((95..=107).contains(&of(950)), "{}", of(950));
        assert_eq!(of(0), 1);
    }

    #[test]
    fn old_answers_are_forgotten_after_two_windows() {
        let mut latency = Latency::default();
        latency.observe(DurationMs(1000), at(0));
        latency.observe(DurationMs(7), at(WINDOW.as_ms()));
        assert_eq!(latency.samples(), 2);
        latency.observe(DurationMs(7), at(WINDOW.as_ms() * 2));
        assert_eq!((latency.samples(), latency.quantile(1000)), (2, Some(DurationMs(7))));
        latency.observe(DurationMs(7), at(WINDOW.as_ms() * 9));
        assert_eq!(latency.samples(), 1);
    }
}
