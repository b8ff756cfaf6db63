//! The only place that reads the system's clocks.
//!
//! `now` never goes backwards: it is the latest of the wall clock, the wall clock at start plus
//! monotonic time since, and what was already given out or persisted. A wall clock that was set
//! back therefore slows nothing down, and one that jumped ahead is noticed: while wall and
//! monotonic time disagree by more than [`DISAGREEMENT_MAX_MS`] no order may be placed, because
//! "before the deadline" cannot be judged.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use schemas::{DurationMs, Timestamp};

/// Largest difference between wall and monotonic time at which orders are placed.
pub const DISAGREEMENT_MAX_MS: DurationMs = DurationMs(1000);

/// Raw readings, in milliseconds. Replaced in tests.
pub trait TimeSource: Send + Sync + 'static {
    /// Since the unix epoch.
    fn wall_ms(&self) -> u64;
    /// Since the source was made; never goes backwards.
    fn monotonic_ms(&self) -> u64;
}

/// Shared by all tasks; cloning is cheap.
#[derive(Clone)]
pub struct Clock {
    inner: Arc<Inner>,
}

struct Inner {
    source: Box<dyn TimeSource>,
    /// Wall time at monotonic zero.
    anchor_ms: u64,
    /// Latest instant given out or known from before.
    floor_ms: AtomicU64,
}

impl Clock {
    /// The system's clocks.
    pub fn system() -> Self {
        Self::new(System { start: Instant::now() })
    }

    pub fn new(source: impl TimeSource) -> Self {
        let anchor_ms = source.wall_ms().saturating_sub(source.monotonic_ms());
        let inner =
            Inner { source: Box::new(source), anchor_ms, floor_ms: AtomicU64::new(anchor_ms) };
        Self { inner: Arc::new(inner) }
    }

    /// Never before `at`: the latest instant that a store remembers.
    pub fn not_before(&self, at: Timestamp) {
        self.inner.floor_ms.fetch_max(at.as_unix_ms(), Ordering::Relaxed);
    }

    pub fn now(&self) -> Timestamp {
        let now_ms = self.inner.source.wall_ms().max(self.steady_ms());
        let before = self.inner.floor_ms.fetch_max(now_ms, Ordering::Relaxed);
        Timestamp::from_unix_ms(now_ms.max(before))
    }

    /// Whether deadlines can be trusted enough to order something.
    pub fn placement_allowed(&self) -> bool {
        self.disagreement() <= DISAGREEMENT_MAX_MS
    }

    /// How far wall time and monotonic time have drifted apart since start.
    pub fn disagreement(&self) -> DurationMs {
        DurationMs(self.inner.source.wall_ms().abs_diff(self.steady_ms()))
    }

    fn steady_ms(&self) -> u64 {
        self.inner.anchor_ms.saturating_add(self.inner.source.monotonic_ms())
    }
}

impl std::fmt::Debug for Clock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Clock").field("anchor_ms", &self.inner.anchor_ms).finish_non_exhaustive()
    }
}

struct System {
    start: Instant,
}

impl TimeSource for System {
    fn wall_ms(&self) -> u64 {
        // Before 1970 the clock is unset: zero, and the monotonic clock leads.
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    fn monotonic_ms(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_goes_on_when_the_wall_clock_is_set_back() {
        let (clock, hands) = clock_at(1_000_000);
        hands.set(940_000, 2_000);
        assert_eq!(clock.now(), Timestamp::from_unix_ms(1_002_000));
        assert!(!clock.placement_allowed());
    }

    #[test]
    fn no_order_is_placed_while_the_wall_clock_has_jumped_ahead() {
        let (clock, hands) = clock_at(1_000_000);
        hands.set(1_006_000, 5_000);
        assert!(clock.placement_allowed());
        hands.set(1_006_001, 5_000);
        assert!(!clock.placement_allowed());
        assert_eq!(clock.now(), Timestamp::from_unix_ms(1_006_001));
        hands.set(1_006_100, 6_000);
        assert!(clock.placement_allowed());
    }

    #[test]
    fn an_instant_that_was_given_out_is_never_undercut() {
        let (clock, hands) = clock_at(1_000_000);
        hands.set(1_009_000, 0);
        let ahead = clock.now();
        hands.set(1_000_100, 100);
        assert_eq!(clock.now(), ahead);
    }

    #[test]
    fn a_store_from_the_future_holds_the_clock_at_its_last_instant() {
        let (clock, _hands) = clock_at(1_000_000);
        clock.not_before(Timestamp::from_unix_ms(2_000_000));
        assert_eq!(clock.now(), Timestamp::from_unix_ms(2_000_000));
    }

    #[test]
    fn the_system_clock_agrees_with_itself() {
        let clock = Clock::system();
        assert!(clock.placement_allowed());
        assert!(clock.now() > Timestamp::from_unix_ms(1_600_000_000_000));
    }

    #[derive(Clone)]
    struct Hands(Arc<(AtomicU64, AtomicU64)>);

    impl Hands {
        fn set(&self, wall_ms: u64, monotonic_ms: u64) {
            self.0.0.store(wall_ms, Ordering::Relaxed);
            self.0.1.store(monotonic_ms, Ordering::Relaxed);
        }
    }

    impl TimeSource for Hands {
        fn wall_ms(&self) -> u64 {
            self.0.0.load(Ordering::Relaxed)
        }

        fn monotonic_ms(&self) -> u64 {
            self.0.1.load(Ordering::Relaxed)
        }
    }

    fn clock_at(wall_ms: u64) -> (Clock, Hands) {
        let hands = Hands(Arc::new((AtomicU64::new(wall_ms), AtomicU64::new(0))));
        (Clock::new(hands.clone()), hands)
    }
}
