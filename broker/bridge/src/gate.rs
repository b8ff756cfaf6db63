//! How much of one store at once: calls at the same time, calls per second, and a pause that the
//! store asked for.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use schemas::{DurationMs, Timestamp};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};

use crate::clock;
use crate::store::file::LimitsSection;

/// Which line a call stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Line {
    /// Quotes leave room for commands.
    Quotes,
    Commands,
}

/// The call would have to wait for longer than it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Busy {
    /// How long at least.
    pub(crate) wait: DurationMs,
}

#[derive(Debug)]
pub(crate) struct Gate {
    all: Semaphore,
    quotes: Semaphore,
    waiting: Arc<Semaphore>,
    rate: DefaultDirectRateLimiter,
    paused_until: AtomicU64,
    pause_max: DurationMs,
}

/// The right to make one call.
#[derive(Debug)]
pub(crate) struct Pass<'a> {
    _all: SemaphorePermit<'a>,
    _quotes: Option<SemaphorePermit<'a>>,
}

impl Gate {
    pub(crate) fn new(limits: &LimitsSection) -> Self {
        let at_once = limits.concurrency_max.max(1) as usize;
        let per_s = NonZeroU32::new(limits.calls_per_s).unwrap_or(NonZeroU32::MIN);
        let burst = NonZeroU32::new(limits.calls_burst).unwrap_or(NonZeroU32::MIN);
        Self {
            all: Semaphore::new(at_once),
            quotes: Semaphore::new((at_once * 3 / 4).max(1)),
            waiting: Arc::new(Semaphore::new(limits.waiting_max)),
            rate: RateLimiter::direct(Quota::per_second(per_s).allow_burst(burst)),
            paused_until: AtomicU64::new(0),
            pause_max: limits.retry_after_max_ms,
        }
    }

    /// A place to wait in for one command; `None` when all are taken.
    pub(crate) fn seat(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.waiting).try_acquire_owned().ok()
    }

    /// The store asked to be left alone.
    pub(crate) fn pause(&self, for_ms: DurationMs) -> DurationMs {
        let pause = for_ms.min(self.pause_max);
        let until = clock::now().saturating_add(pause).as_unix_ms();
        self.paused_until.fetch_max(until, Ordering::Relaxed);
        pause
    }

    /// Waits for a turn, at most until `deadline`.
    pub(crate) async fn enter(&self, line: Line, deadline: Timestamp) -> Result<Pass<'_>, Busy> {
        let (clock, now) = (DefaultClock::default(), clock::now());
        let paused = Timestamp::from_unix_ms(self.paused_until.load(Ordering::Relaxed));
        if paused > now {
            return Err(Busy { wait: paused.since(now) });
        }
        let rest = Duration::from(deadline.since(now));
        let take = async {
            let quotes = match line {
                Line::Quotes => Some(self.quotes.acquire().await),
                Line::Commands => None,
            };
            (self.all.acquire().await, quotes)
        };
        let taken = tokio::time::timeout(rest, take).await;
        let Ok((Ok(all), quotes)) = taken else { return Err(Busy { wait: DurationMs(1000) }) };
        let pass = Pass { _all: all, _quotes: quotes.and_then(Result::ok) };
        while let Err(early) = self.rate.check() {
            let wait = early.wait_time_from(clock.now()).max(Duration::from_millis(1));
            let wait_ms = DurationMs(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).max(1));
            if clock::now().saturating_add(wait_ms) > deadline {
                return Err(Busy { wait: wait_ms });
            }
            tokio::time::sleep(wait).await;
        }
        Ok(pass)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(concurrency_max: u32, calls_per_s: u32, calls_burst: u32) -> Gate {
        Gate::new(&LimitsSection {
            concurrency_max,
            calls_per_s,
            calls_burst,
            ..LimitsSection::default()
        })
    }

    fn soon(ms: u64) -> Timestamp {
        clock::now().saturating_add(DurationMs(ms))
    }

    #[tokio::test]
    async fn quotes_leave_room_for_commands() {
        let gate = gate(4, 1000, 100);
        let mut held = Vec::new();
        for _ in 0..3 {
            held.push(gate.enter(Line::Quotes, soon(1000)).await.unwrap());
        }
        assert!(gate.enter(Line::Quotes, soon(20)).await.is_err());
        held.push(gate.enter(Line::Commands, soon(1000)).await.unwrap());
        assert!(gate.enter(Line::Commands, soon(20)).await.is_err());
    }

    #[tokio::test]
    async fn who_comes_too_fast_is_told_when_to_come_again() {
        let gate = gate(100, 1, 1);
        gate.enter(Line::Commands, soon(1000)).await.unwrap();
        let busy = gate.enter(Line::Commands, soon(10)).await.unwrap_err();
        assert!((500..=1000).contains(&busy.wait.as_ms()), "{busy:?}");
    }

    #[tokio::test]
    async fn a_pause_is_kept_and_never_longer_than_allowed() {
        let gate = gate(4, 1000, 100);
        assert_eq!(gate.pause(DurationMs(u64::MAX)), DurationMs(60_000));
        let busy = gate.enter(Line::Commands, soon(100_000)).await.unwrap_err();
        assert!((50_000..=60_000).contains(&busy.wait.as_ms()), "{busy:?}");
    }
}
