//! The only place that reads the system's clocks.
//!
//! `now` never goes backwards: it is the latest of the wall clock, the wall clock at start plus
//! monotonic time since, and what was already given out or persisted. A wall clock that was set
//! back therefore slows nothing down, and one that jumped ahead is noticed: while the clocks
//! disagree by more than [`agreement::DISAGREEMENT_MAX_MS`] no order may be placed, because
//! "before the deadline" cannot be judged. How such a doubt ends: [`agreement`].
//!
//! A jump ahead brings deadlines nearer, which is safe, but it also pretends that somebody has
//! waited, and by a clock that is ahead of everybody's a command lapses before it does for its
//! receiver. [`Clock::steady_since`] says since when as much time has passed as `now` shows, without
//! a doubt: only waiting since then proves anything, for instance that an order cannot come to
//! exist any more.

pub mod agreement;
mod shown;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use schemas::{DurationMs, Timestamp};

use agreement::{Agreement, Doubt, Finding, Reading};
use shown::Shown;

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
    known: Mutex<Known>,
}

#[derive(Debug)]
struct Known {
    agreement: Agreement,
    shown: Shown,
}

/// The clocks when the server was asked for its time.
#[derive(Debug, Clone, Copy)]
pub struct Asked(Reading);

impl Clock {
    /// The system's clocks.
    pub fn system() -> Self {
        Self::new(System { start: Instant::now() })
    }

    pub fn new(source: impl TimeSource) -> Self {
        let start = read(&source);
        let known = Known { agreement: Agreement::new(start), shown: Shown::new(start) };
        Self { inner: Arc::new(Inner { source: Box::new(source), known: Mutex::new(known) }) }
    }

    /// Never before `at`: the latest instant that a store remembers.
    pub fn not_before(&self, at: Timestamp) {
        let (mut known, reading) = self.look();
        known.agreement.remember(at.as_unix_ms(), reading);
        known.shown.show(at.as_unix_ms(), reading.monotonic_ms);
    }

    pub fn now(&self) -> Timestamp {
        let (mut known, reading) = self.look();
        let latest_ms = reading.wall_ms.max(known.agreement.steady_ms(reading));
        Timestamp::from_unix_ms(known.shown.show(latest_ms, reading.monotonic_ms))
    }

    /// Since when as much time has passed as [`Self::now`] shows, by a clock that is not doubted:
    /// the start, the last jump ahead, or this very moment, as long as a doubt lasts.
    pub fn steady_since(&self) -> Timestamp {
        let (mut known, reading) = self.look();
        let given_ms = known.shown.floor_ms;
        let since_ms = match known.agreement.look(reading, given_ms) {
            Ok(()) => known.shown.steady_since_ms,
            // Others may count the same instant later by as much as this clock is wrong.
            Err(_) => given_ms,
        };
        Timestamp::from_unix_ms(since_ms)
    }

    /// Why nothing may be ordered now; `None` if deadlines can be trusted enough.
    pub fn doubt(&self) -> Option<Doubt> {
        let (mut known, reading) = self.look();
        let given_ms = known.shown.floor_ms;
        known.agreement.look(reading, given_ms).err()
    }

    /// Whether deadlines can be trusted enough to order something.
    pub fn placement_allowed(&self) -> bool {
        self.doubt().is_none()
    }

    /// Largest difference between wall clock, monotonic time and the time given out.
    pub fn disagreement(&self) -> DurationMs {
        let (known, reading) = self.look();
        let steady_ms = known.agreement.steady_ms(reading);
        let latest_ms = known.shown.floor_ms.max(reading.wall_ms).max(steady_ms);
        DurationMs(latest_ms.saturating_sub(reading.wall_ms.min(steady_ms)))
    }

    /// Present when only the server's time is missing to end a doubt. Ask it now.
    pub fn server_time_wanted(&self) -> Option<Asked> {
        let (known, reading) = self.look();
        known.agreement.has_settled(reading).then_some(Asked(reading))
    }

    /// The server's time has come.
    pub fn server_time(&self, asked: Asked, server: Timestamp) -> Finding {
        let (mut known, answered) = self.look();
        known.agreement.hear(server.as_unix_ms(), asked.0, answered)
    }

    /// The clocks are read while nobody else can give out a later instant.
    fn look(&self) -> (MutexGuard<'_, Known>, Reading) {
        // Nothing panics while it is held.
        let known = self.inner.known.lock().unwrap_or_else(PoisonError::into_inner);
        let reading = read(self.inner.source.as_ref());
        (known, reading)
    }
}

fn read(source: &dyn TimeSource) -> Reading {
    Reading { wall_ms: source.wall_ms(), monotonic_ms: source.monotonic_ms() }
}

impl std::fmt::Debug for Clock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Clock").field("known", &self.inner.known).finish_non_exhaustive()
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
mod tests;
