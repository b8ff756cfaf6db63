//! Whether an endpoint is worth an attempt. In memory: after a restart each endpoint is tried anew.

use schemas::{DurationMs, Timestamp};

/// What an attempt told of its endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It works, whatever it said about this delivery.
    Works,
    /// It does not work.
    Fails,
    /// It asks to be left alone until then.
    Busy { until: Timestamp },
    /// Nothing: it was not asked.
    Unknown,
}

/// When an endpoint is left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BreakerLimits {
    /// Failures in a row that open it.
    pub failures: u32,
    pub open: DurationMs,
}

/// One endpoint's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Breaker {
    failures: u32,
    closed_until: Option<Timestamp>,
    open: bool,
}

/// What changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Switch {
    None,
    Opened,
    Closed,
}

impl Breaker {
    /// It failed last time: one attempt at a time, from the share of those that failed.
    pub const fn is_suspect(&self) -> bool {
        self.failures > 0
    }

    /// Before this nothing is sent.
    pub fn ready_at(&self) -> Timestamp {
        self.closed_until.unwrap_or(Timestamp::ZERO)
    }

    pub fn hear(&mut self, verdict: Verdict, limits: BreakerLimits, now: Timestamp) -> Switch {
        let was_open = self.open;
        match verdict {
            Verdict::Works => *self = Self::default(),
            Verdict::Fails => {
                self.failures = self.failures.saturating_add(1);
                if self.failures >= limits.failures {
                    self.open = true;
                    self.leave_alone_until(now.saturating_add(limits.open));
                }
            }
            Verdict::Busy { until } => self.leave_alone_until(until),
            Verdict::Unknown => {}
        }
        match (was_open, self.open) {
            (false, true) => Switch::Opened,
            (true, false) => Switch::Closed,
            (false, false) | (true, true) => Switch::None,
        }
    }

    /// An answer that comes late does not shorten what an earlier one asked for.
    fn leave_alone_until(&mut self, until: Timestamp) {
        self.closed_until = self.closed_until.max(Some(until));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: BreakerLimits = BreakerLimits { failures: 3, open: DurationMs(1000) };

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_unix_ms(ms)
    }

    #[test]
    fn it_opens_after_failures_in_a_row_and_closes_with_the_first_success() {
        let mut breaker = Breaker::default();
        let mut hear = |verdict, now| {
            let switch = breaker.hear(verdict, LIMITS, at(now));
            (switch, breaker.ready_at())
        };
        assert_eq!(hear(Verdict::Fails, 1), (Switch::None, at(0)));
        assert_eq!(hear(Verdict::Works, 2), (Switch::None, at(0)));
        assert_eq!(hear(Verdict::Fails, 3), (Switch::None, at(0)));
        assert_eq!(hear(Verdict::Fails, 4), (Switch::None, at(0)));
        assert_eq!(hear(Verdict::Fails, 5), (Switch::Opened, at(1005)));
        assert_eq!(hear(Verdict::Unknown, 6), (Switch::None, at(1005)));
        assert_eq!(hear(Verdict::Fails, 1005), (Switch::None, at(2005)));
        assert_eq!(hear(Verdict::Works, 2005), (Switch::Closed, at(0)));
    }

    #[test]
    fn a_busy_endpoint_is_left_alone_as_long_as_it_asked() {
        let mut breaker = Breaker::default();
        breaker.hear(Verdict::Busy { until: at(9000) }, LIMITS, at(1));
        breaker.hear(Verdict::Busy { until: at(5000) }, LIMITS, at(2));
        assert_eq!(breaker.ready_at(), at(9000));
        assert!(!breaker.is_suspect());
    }
}
