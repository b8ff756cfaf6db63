//! A breaker: whom most questions fail, is left alone for a while. Then a few are tried one at a
//! time; if they are answered, all is well, otherwise it is left alone for twice as long.

use schemas::{DurationMs, Timestamp};

use super::load::Circuit;
use crate::engine::ranking::sampling::Stream;

/// The window is counted in so many parts.
const BUCKETS: u64 = 10;
/// An order whose outcome is unknown weighs as much as so many failures.
const UNKNOWN_WEIGHT: u32 = 3;
/// The pause is up to so many thousandths shorter or longer, so that not all come back at once.
const JITTER_PERMILLE: u64 = 200;

/// When a breaker opens and closes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerPolicy {
    /// What is older is forgotten.
    pub window: DurationMs,
    /// Fewer calls than these say nothing.
    pub calls_min: u32,
    /// Shares that open it, thousandths.
    pub failed_permille: u32,
    pub slow_permille: u32,
    /// The first pause; each further one in a row is twice as long.
    pub pause: DurationMs,
    pub pause_max: DurationMs,
    /// Good trials in a row that close it.
    pub trials: u32,
    /// After so long a trial that nobody heard of again is no longer waited for.
    pub trial_timeout: DurationMs,
}

/// How a call went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Good,
    /// An answer, but much later than usual.
    Slow,
    Failed,
    /// An order that may or may not stand.
    Unknown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Closed,
    /// Left alone until then.
    Open {
        until: Timestamp,
    },
    /// Tried, one call at a time.
    HalfOpen {
        good: u32,
        trial_until: Option<Timestamp>,
    },
}

/// What a verdict changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Switched {
    Opened,
    Closed,
}

impl Switched {
    pub const fn label(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Closed => "closed",
        }
    }
}

/// One breaker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Breaker {
    state: State,
    /// Openings in a row.
    openings: u32,
    /// Of the jitter: different for each breaker.
    salt: u64,
    buckets: [Bucket; BUCKETS as usize],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Bucket {
    slot: u64,
    calls: u32,
    failed: u32,
    slow: u32,
}

impl Breaker {
    pub fn new(salt: u64) -> Self {
        let buckets = [Bucket::default(); BUCKETS as usize];
        Self { state: State::Closed, openings: 0, salt, buckets }
    }

    pub fn state(&self) -> State {
        self.state
    }

    /// A pause that is over has no trial yet, but the next call is one.
    pub fn circuit(&self, now: Timestamp) -> Circuit {
        match self.state {
            State::Closed => Circuit::Closed,
            State::Open { until } if now < until => Circuit::Open,
            State::Open { .. } | State::HalfOpen { .. } => Circuit::HalfOpen,
        }
    }

    /// Whether a call may not be made now.
    pub fn blocks(&self, now: Timestamp) -> bool {
        match self.state {
            State::Closed => false,
            State::Open { until } => now < until,
            State::HalfOpen { trial_until, .. } => trial_until.is_some_and(|until| now < until),
        }
    }

    /// A call is made; false if it may not. When half open, it is the trial.
    pub fn admit(&mut self, policy: &BreakerPolicy, now: Timestamp) -> bool {
        if self.blocks(now) {
            return false;
        }
        let trial_until = Some(now.saturating_add(policy.trial_timeout));
        match self.state {
            State::Closed => {}
            State::Open { .. } => self.state = State::HalfOpen { good: 0, trial_until },
            State::HalfOpen { good, .. } => self.state = State::HalfOpen { good, trial_until },
        }
        true
    }

    /// A call has ended.
    pub fn record(
        &mut self,
        verdict: Verdict,
        policy: &BreakerPolicy,
        now: Timestamp,
    ) -> Option<Switched> {
        match self.state {
            State::Closed => {
                self.count(verdict, policy, now);
                self.is_tripped(policy, now).then(|| self.open(policy, now))
            }
            // Of a call from before: it says nothing about now.
            State::Open { .. } => None,
            State::HalfOpen { good, .. } => match verdict {
                Verdict::Good if good + 1 >= policy.trials => {
                    self.state = State::Closed;
                    self.openings = 0;
                    self.buckets = [Bucket::default(); BUCKETS as usize];
                    Some(Switched::Closed)
                }
                Verdict::Good => {
                    self.state = State::HalfOpen { good: good + 1, trial_until: None };
                    None
                }
                Verdict::Slow | Verdict::Failed | Verdict::Unknown => Some(self.open(policy, now)),
            },
        }
    }

    fn open(&mut self, policy: &BreakerPolicy, now: Timestamp) -> Switched {
        let doubled = policy.pause.as_ms().saturating_mul(1 << self.openings.min(20));
        let pause = doubled.min(policy.pause_max.as_ms());
        self.openings = self.openings.saturating_add(1);
        let spread = pause * JITTER_PERMILLE / 1000;
        let off = Stream(self.salt ^ u64::from(self.openings)).below(2 * spread + 1);
        let until = now.saturating_add(DurationMs(pause - spread + off));
        self.state = State::Open { until };
        Switched::Opened
    }

    fn count(&mut self, verdict: Verdict, policy: &BreakerPolicy, now: Timestamp) {
        let slot = slot(policy, now);
        let index = usize::try_from(slot % BUCKETS).unwrap_or_default();
        let bucket = &mut self.buckets[index];
        if bucket.slot != slot {
            *bucket = Bucket { slot, ..Bucket::default() };
        }
        let (calls, failed, slow) = match verdict {
            Verdict::Good => (1, 0, 0),
            Verdict::Slow => (1, 0, 1),
            Verdict::Failed => (1, 1, 0),
            Verdict::Unknown => (UNKNOWN_WEIGHT, UNKNOWN_WEIGHT, 0),
        };
        bucket.calls = bucket.calls.saturating_add(calls);
        bucket.failed = bucket.failed.saturating_add(failed);
        bucket.slow = bucket.slow.saturating_add(slow);
    }

    fn is_tripped(&self, policy: &BreakerPolicy, now: Timestamp) -> bool {
        let oldest = slot(policy, now).saturating_sub(BUCKETS - 1);
        let recent = self.buckets.iter().filter(|bucket| bucket.slot >= oldest);
        let (calls, failed, slow) = recent.fold((0u32, 0u32, 0u32), |(calls, failed, slow), b| {
            (
                calls.saturating_add(b.calls),
                failed.saturating_add(b.failed),
                slow.saturating_add(b.slow),
            )
        });
        let share = |part: u32, permille: u32| {
            u64::from(part) * 1000 >= u64::from(calls) * u64::from(permille)
        };
        calls >= policy.calls_min.max(1)
            && (share(failed, policy.failed_permille) || share(slow, policy.slow_permille))
    }
}

fn slot(policy: &BreakerPolicy, now: Timestamp) -> u64 {
    now.as_unix_ms() / (policy.window.as_ms() / BUCKETS).max(1)
}
