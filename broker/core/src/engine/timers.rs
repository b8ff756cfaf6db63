//! Durable timers of the near future, in memory. Farther ones stay in the store until a scan
//! brings them in, so memory follows activity, not the number of waiting requests.

use std::collections::BTreeSet;

use schemas::{DurationMs, RequestId, Timestamp};

use super::input::TimerRow;
use crate::timer::{TimerKind, TimerOp};

/// How far a scan looks ahead.
const HORIZON: DurationMs = DurationMs(60_000);
/// A new scan is wanted when less than this is left of the old one.
const LOW_WATER: DurationMs = DurationMs(30_000);

/// Why the engine wants to be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum WakeReason {
    Timer(TimerKind),
    Sweep,
    Scan,
    /// A question that was held back may leave.
    Pace,
    /// A repetition that was held back may leave.
    Repeat,
    /// The patience of somebody who waits to be let in ends, or calm has lasted long enough.
    Admission,
}

#[derive(Debug, Default)]
pub(super) struct DurableTimers {
    near: BTreeSet<TimerRow>,
    /// All stored timers up to here are in `near`.
    scanned: Timestamp,
    /// A scan up to here is under way.
    scanning: Option<Timestamp>,
}

impl DurableTimers {
    /// Mirrors the timer changes of a durable commit.
    pub(super) fn apply(&mut self, request: RequestId, ops: &[TimerOp]) {
        let horizon = self.scanning.unwrap_or(self.scanned);
        for op in ops {
            match *op {
                TimerOp::Set { kind, at } if at <= horizon => {
                    self.near.insert(TimerRow { at, request, kind });
                }
                TimerOp::Set { .. } => {}
                TimerOp::Clear { kind, at } => {
                    self.near.remove(&TimerRow { at, request, kind });
                }
            }
        }
    }

    pub(super) fn scanned(&mut self, until: Timestamp, timers: Vec<TimerRow>) {
        self.near.extend(timers);
        self.scanned = self.scanned.max(until);
        self.scanning = None;
    }

    /// Asks for a scan when the known future gets short.
    pub(super) fn scan_wanted(&mut self, now: Timestamp) -> Option<Timestamp> {
        if self.scanning.is_some() || now < self.scan_at() {
            return None;
        }
        let until = now.saturating_add(HORIZON);
        self.scanning = Some(until);
        Some(until)
    }

    fn scan_at(&self) -> Timestamp {
        self.scanned.saturating_sub(LOW_WATER)
    }

    pub(super) fn pop_due(&mut self, now: Timestamp) -> Option<TimerRow> {
        let first = *self.near.first()?;
        if first.at > now {
            return None;
        }
        self.near.remove(&first);
        Some(first)
    }

    pub(super) fn next_wake(&self) -> Option<(Timestamp, WakeReason)> {
        let timer = self.near.first().map(|row| (row.at, WakeReason::Timer(row.kind)));
        let scan = self.scanning.is_none().then(|| (self.scan_at(), WakeReason::Scan));
        [timer, scan].into_iter().flatten().min_by_key(|(at, _)| *at)
    }
}
