//! How often something may happen: the generic cell rate algorithm. One instant is all it keeps,
//! nothing is refilled in the background, and between two looks no clock is needed.

use std::collections::BTreeMap;

use schemas::{DurationMs, Timestamp};

const NS_PER_MS: u64 = 1_000_000;
const PERMILLE: u64 = 1000;

/// So many per time, and so many at once after a quiet while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// From one to the next at the steady rate. Rounded up: never more than was said.
    interval_ns: u64,
    /// How far ahead of the steady rate it may run.
    tolerance_ns: u64,
}

impl Quota {
    /// `count` per `period`, `burst` at once; none of them below 1.
    pub fn new(count: u32, period: DurationMs, burst: u32) -> Self {
        let period_ns = period.as_ms().max(1).saturating_mul(NS_PER_MS);
        let interval_ns = period_ns.div_ceil(u64::from(count.max(1)));
        let ahead = u64::from(burst.max(1) - 1);
        Self { interval_ns, tolerance_ns: interval_ns.saturating_mul(ahead) }
    }

    /// Refilled so many thousandths as fast, with the same burst.
    #[must_use]
    pub fn refilled_at(self, permille: u16) -> Self {
        let faster = |ns: u64| ns.saturating_mul(PERMILLE).div_ceil(u64::from(permille.max(1)));
        let burst = self.tolerance_ns / self.interval_ns;
        let interval_ns = faster(self.interval_ns);
        Self { interval_ns, tolerance_ns: interval_ns.saturating_mul(burst) }
    }

    /// The time that so many take at the steady rate.
    pub fn time_of(self, count: usize) -> DurationMs {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        DurationMs(self.interval_ns.saturating_mul(count).div_ceil(NS_PER_MS))
    }
}

/// What a limit has let through: the instant at which it would be used up at the steady rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Gcra {
    arrival_ns: u64,
}

impl Gcra {
    /// How long one more has to wait; zero if it may go now.
    pub fn wait(&self, quota: Quota, now: Timestamp) -> DurationMs {
        let ahead = self.arrival_ns.saturating_sub(ns(now));
        DurationMs(ahead.saturating_sub(quota.tolerance_ns).div_ceil(NS_PER_MS))
    }

    /// One more goes now. Only after [`Gcra::wait`] has said that it may.
    pub fn take(&mut self, quota: Quota, now: Timestamp) {
        self.arrival_ns = self.arrival_ns.max(ns(now)).saturating_add(quota.interval_ns);
    }

    /// One that was taken has not gone after all.
    pub fn give_back(&mut self, quota: Quota) {
        self.arrival_ns = self.arrival_ns.saturating_sub(quota.interval_ns);
    }

    /// It is as if nothing had ever been let through.
    pub fn is_fresh(&self, now: Timestamp) -> bool {
        self.arrival_ns <= ns(now)
    }
}

/// All of these limits or none: one that cannot go counts nowhere. Otherwise the longest wait.
///
/// # Errors
/// How long to wait.
pub fn take_all(levels: &mut [(&mut Gcra, Quota)], now: Timestamp) -> Result<(), DurationMs> {
    let wait = levels.iter().map(|(limit, quota)| limit.wait(*quota, now)).max();
    match wait {
        Some(wait) if wait > DurationMs::ZERO => Err(wait),
        Some(_) | None => {
            levels.iter_mut().for_each(|(limit, quota)| limit.take(*quota, now));
            Ok(())
        }
    }
}

/// One limit for each key; those that are fresh again are forgotten.
#[derive(Debug)]
pub struct Keyed<K> {
    limits: BTreeMap<K, Gcra>,
    tidy_at: usize,
}

/// No tidying below so many keys.
const TIDY_MIN: usize = 1024;

impl<K> Default for Keyed<K> {
    fn default() -> Self {
        Self { limits: BTreeMap::new(), tidy_at: TIDY_MIN }
    }
}

impl<K: Ord + Clone> Keyed<K> {
    pub fn wait(&self, key: &K, quota: Quota, now: Timestamp) -> DurationMs {
        self.limits.get(key).map_or(DurationMs::ZERO, |limit| limit.wait(quota, now))
    }

    pub fn at(&mut self, key: &K, now: Timestamp) -> &mut Gcra {
        if self.limits.len() >= self.tidy_at && !self.limits.contains_key(key) {
            self.limits.retain(|_, limit| !limit.is_fresh(now));
            self.tidy_at = self.limits.len().saturating_mul(2).max(TIDY_MIN);
        }
        self.limits.entry(key.clone()).or_default()
    }

    pub fn len(&self) -> usize {
        self.limits.len()
    }

    pub fn is_empty(&self) -> bool {
        self.limits.is_empty()
    }
}

const fn ns(at: Timestamp) -> u64 {
    at.as_unix_ms().saturating_mul(NS_PER_MS)
}
