//! The only place that reads the system's clocks.
//!
//! `now` never goes backwards: it is the latest of the wall clock, the wall clock at start plus
//! monotonic time since, and what was already given out or persisted. A wall clock that was set
//! back therefore slows nothing down, and one that jumped ahead is noticed: while wall and
//! monotonic time disagree by more than [`DISAGREEMENT_MAX_MS`] no order may be placed, because
//! "before the deadline" cannot be judged.
//!
//! A jump ahead brings deadlines nearer, which is safe, but it also pretends that somebody has
//! waited. [`Clock::steady_since`] says since when as much time has passed as `now` shows: only
//! waiting since then proves anything, for instance that an order cannot come to exist any more.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use schemas::{DurationMs, Timestamp};

/// Largest difference between wall and monotonic time at which orders are placed.
pub const DISAGREEMENT_MAX_MS: DurationMs = DurationMs(1000);

/// What `now` may gain on monotonic time, all in all, before it counts as a jump.
const GAIN_MAX_MS: u64 = 100;

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
    shown: Mutex<Shown>,
}

/// What was given out so far.
#[derive(Debug, Clone, Copy)]
struct Shown {
    /// Latest instant given out or known from before.
    floor_ms: u64,
    steady_since_ms: u64,
    /// An instant and the monotonic time at which it was given out: `now` has gained nothing since.
    base_ms: u64,
    base_monotonic_ms: u64,
}

impl Shown {
    fn show(&mut self, now_ms: u64, monotonic_ms: u64) -> u64 {
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

impl Clock {
    /// The system's clocks.
    pub fn system() -> Self {
        Self::new(System { start: Instant::now() })
    }

    pub fn new(source: impl TimeSource) -> Self {
        let monotonic_ms = source.monotonic_ms();
        let anchor_ms = source.wall_ms().saturating_sub(monotonic_ms);
        let start_ms = anchor_ms.saturating_add(monotonic_ms);
        let shown = Shown {
            floor_ms: start_ms,
            steady_since_ms: start_ms,
            base_ms: start_ms,
            base_monotonic_ms: monotonic_ms,
        };
        let inner = Inner { source: Box::new(source), anchor_ms, shown: Mutex::new(shown) };
        Self { inner: Arc::new(inner) }
    }

    /// Never before `at`: the latest instant that a store remembers.
    pub fn not_before(&self, at: Timestamp) {
        self.shown(|shown, monotonic_ms| shown.show(at.as_unix_ms(), monotonic_ms));
    }

    pub fn now(&self) -> Timestamp {
        let now_ms = self.shown(|shown, monotonic_ms| {
            let steady_ms = self.inner.anchor_ms.saturating_add(monotonic_ms);
            shown.show(self.inner.source.wall_ms().max(steady_ms), monotonic_ms)
        });
        Timestamp::from_unix_ms(now_ms)
    }

    /// Since when as much time has passed as [`Self::now`] shows: the start, or the last jump ahead.
    pub fn steady_since(&self) -> Timestamp {
        Timestamp::from_unix_ms(self.shown(|shown, _| shown.steady_since_ms))
    }

    fn shown(&self, read: impl FnOnce(&mut Shown, u64) -> u64) -> u64 {
        // Nothing panics while it is held.
        let mut shown = self.inner.shown.lock().unwrap_or_else(PoisonError::into_inner);
        read(&mut shown, self.inner.source.monotonic_ms())
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
    use std::sync::atomic::{AtomicU64, Ordering};

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
    fn a_jump_ahead_is_remembered_as_time_that_nobody_has_waited() {
        let (clock, hands) = clock_at(1_000_000);
        hands.set(1_005_000, 5_000);
        clock.now();
        assert_eq!(clock.steady_since(), Timestamp::from_unix_ms(1_000_000));
        hands.set(1_012_000, 6_000);
        clock.now();
        assert_eq!(clock.steady_since(), Timestamp::from_unix_ms(1_012_000));
        // Set right: time stands still. The next jump is one again.
        hands.set(1_007_000, 7_000);
        clock.now();
        assert_eq!(clock.steady_since(), Timestamp::from_unix_ms(1_012_000));
        hands.set(1_014_000, 8_000);
        clock.now();
        assert_eq!(clock.steady_since(), Timestamp::from_unix_ms(1_014_000));
    }

    #[test]
    fn many_small_steps_are_a_jump_too() {
        let (clock, hands) = clock_at(1_000_000);
        for step in 1..=GAIN_MAX_MS + 1 {
            hands.set(1_000_000 + 2 * step, step);
            clock.now();
        }
        let jumped = 1_000_000 + 2 * (GAIN_MAX_MS + 1);
        assert_eq!(clock.steady_since(), Timestamp::from_unix_ms(jumped));
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
