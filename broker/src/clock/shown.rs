//! What was given out, and how much of it has really passed.

use super::agreement::Reading;

/// What `now` may gain on monotonic time, all in all, before it counts as a jump.
pub(super) const GAIN_MAX_MS: u64 = 100;

/// What was given out so far.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shown {
    /// Latest instant given out or known from before.
    pub(super) floor_ms: u64,
    pub(super) steady_since_ms: u64,
    /// An instant and the monotonic time at which it was given out: `now` has gained nothing since.
    base_ms: u64,
    base_monotonic_ms: u64,
}

impl Shown {
    /// Nothing was given out before.
    pub(super) fn new(start: Reading) -> Self {
        Self {
            floor_ms: start.wall_ms,
            steady_since_ms: start.wall_ms,
            base_ms: start.wall_ms,
            base_monotonic_ms: start.monotonic_ms,
        }
    }

    /// Gives out `now_ms`, or what was given out before, if that is later.
    pub(super) fn show(&mut self, now_ms: u64, monotonic_ms: u64) -> u64 {
        self.floor_ms = self.floor_ms.max(now_ms);
        let passed = monotonic_ms.saturating_sub(self.base_monotonic_ms);
        let expected_ms = self.base_ms.saturating_add(passed);
        if self.floor_ms > expected_ms.saturating_add(GAIN_MAX_MS) {
            self.steady_since_ms = self.floor_ms;
        }
        if self.floor_ms < expected_ms || self.steady_since_ms == self.floor_ms {
            (self.base_ms, self.base_monotonic_ms) = (self.floor_ms, monotonic_ms);
        }
        self.floor_ms
    }
}
