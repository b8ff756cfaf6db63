//! When an answer is delivered, if ever: latency first, then the faults of the way back.

use schemas::{DurationMs, Timestamp};
use serde::{Deserialize, Serialize};

use crate::dice::{Dice, Lane, Roll, Salt};
use crate::fault::{Fault, Permille};
use crate::latency::Latency;

/// A value and the instant at which it is to be delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scheduled<T> {
    pub at: Timestamp,
    pub value: T,
}

/// The way back of one kind of answer.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Delivery {
    pub latency: Latency,
    /// Answers that are never sent.
    pub silent_permille: Permille,
    /// Answers that are sent twice.
    pub duplicate_permille: Permille,
    /// The second copy follows within this time, milliseconds.
    pub duplicate_within_ms: u64,
    /// Answers that are held back so that others overtake them.
    pub reorder_permille: Permille,
    /// Held back by up to this time, milliseconds.
    pub reorder_within_ms: u64,
    /// Answers that arrive after the deadline of what they answer.
    pub late_permille: Permille,
    /// How long after the deadline, milliseconds.
    pub late_by_ms: u64,
}

/// The instants at which one answer is delivered: none, one or two; and what struck it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Times {
    pub(crate) first: Option<Timestamp>,
    pub(crate) second: Option<Timestamp>,
    pub(crate) faults: Vec<Fault>,
}

impl Delivery {
    /// At once and without faults.
    pub(crate) fn is_plain(&self) -> bool {
        self.latency.is_instant()
            && self.silent_permille.is_never()
            && self.duplicate_permille.is_never()
            && self.reorder_permille.is_never()
            && self.late_permille.is_never()
    }

    pub(crate) fn latency(&self, dice: &Dice, lane: Lane, roll: Roll) -> DurationMs {
        if self.latency.is_instant() {
            return DurationMs::ZERO;
        }
        DurationMs(self.latency.at_quantile(dice.below(lane, Salt::Latency, roll, 1_000_000)))
    }

    /// Delivery of one answer whose latency is already in `ready`. Without a deadline, "late" is
    /// counted from `ready`.
    pub(crate) fn times(
        &self,
        (dice, lane, roll): (&Dice, Lane, Roll),
        ready: Timestamp,
        deadline: Option<Timestamp>,
    ) -> Times {
        let mut faults = Vec::new();
        let mut strikes = |fault, chance| {
            let struck = dice.strikes(lane, fault, roll, chance);
            if struck {
                faults.push(fault);
            }
            struck
        };
        if strikes(Fault::Silent, self.silent_permille) {
            return Times { faults, ..Times::default() };
        }
        let mut at = ready;
        if strikes(Fault::Late, self.late_permille) {
            at = deadline.unwrap_or(ready).max(ready).saturating_add(DurationMs(self.late_by_ms));
        }
        if strikes(Fault::Reorder, self.reorder_permille) {
            let by = dice.below(lane, Salt::ReorderBy, roll, self.reorder_within_ms);
            at = at.saturating_add(DurationMs(by));
        }
        let second = strikes(Fault::Duplicate, self.duplicate_permille).then(|| {
            let after = dice.below(lane, Salt::DuplicateAfter, roll, self.duplicate_within_ms);
            at.saturating_add(DurationMs(after))
        });
        Times { first: Some(at), second, faults }
    }
}
