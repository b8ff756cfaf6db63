//! How long a commit has been running, in time that the watchdog itself has lived through.
//!
//! A stopped process or a suspended machine stands still as a whole. To a clock that went on that
//! looks like a commit that hangs, and ending the process for it would make an outage of a pause.
//! The watchdog stands still with everything else, so it can tell: it looks at short intervals,
//! and an interval that took much longer than planned was a standstill. It counts as one planned
//! interval, never as nothing, so that a commit that hangs on a machine that can hardly run us
//! ends as well.

/// Looks within the limit: a commit that hangs is noticed at most two of them late.
pub(super) const LOOKS_PER_LIMIT: u64 = 20;

/// An interval this many times as long as planned is a standstill; below, a busy machine.
const STANDSTILL_FACTOR: u64 = 2;

/// The number of a commit, so that one that follows another is not taken for the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CommitRun(pub(super) u64);

/// See the module.
#[derive(Debug)]
pub(super) struct Patience {
    limit_ms: u64,
    watched: Option<CommitRun>,
    lived_ms: u64,
}

/// It has run for longer than allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stalled {
    pub(super) lived_ms: u64,
}

impl Patience {
    pub(super) fn new(limit_ms: u64) -> Self {
        Self { limit_ms, watched: None, lived_ms: 0 }
    }

    /// The planned interval between two looks.
    pub(super) fn interval_ms(&self) -> u64 {
        (self.limit_ms / LOOKS_PER_LIMIT).max(1)
    }

    /// One look: what is running now, and how long ago the last look was. A commit counts from
    /// the first look that sees it.
    pub(super) fn look(&mut self, running: Option<CommitRun>, since_ms: u64) -> Option<Stalled> {
        if running.is_none() || running != self.watched {
            self.watched = running;
            self.lived_ms = 0;
            return None;
        }
        self.lived_ms = self.lived_ms.saturating_add(self.lived_of(since_ms));
        (self.lived_ms > self.limit_ms).then_some(Stalled { lived_ms: self.lived_ms })
    }

    fn lived_of(&self, since_ms: u64) -> u64 {
        let planned = self.interval_ms();
        if since_ms >= planned.saturating_mul(STANDSTILL_FACTOR) { planned } else { since_ms }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT_MS: u64 = 5000;
    const PLANNED_MS: u64 = LIMIT_MS / LOOKS_PER_LIMIT;
    const FIRST: Option<CommitRun> = Some(CommitRun(1));

    #[test]
    fn a_commit_that_hangs_is_noticed_within_two_looks_of_the_limit() {
        let mut patience = Patience::new(LIMIT_MS);
        let mut passed_ms = 0;
        let stalled = (0..100).find_map(|_| {
            passed_ms += PLANNED_MS;
            patience.look(FIRST, PLANNED_MS)
        });
        assert_eq!(stalled, Some(Stalled { lived_ms: LIMIT_MS + PLANNED_MS }));
        assert_eq!(passed_ms, LIMIT_MS + 2 * PLANNED_MS);
    }

    #[test]
    fn a_standstill_of_any_length_counts_as_one_look() {
        let mut patience = Patience::new(LIMIT_MS);
        assert_eq!(patience.look(FIRST, PLANNED_MS), None);
        for hour_ms in [3_600_000, u64::MAX, 2 * PLANNED_MS] {
            assert_eq!(patience.look(FIRST, hour_ms), None);
        }
        assert_eq!(patience.lived_ms, 3 * PLANNED_MS);
    }

    #[test]
    fn a_commit_that_hangs_ends_the_process_also_when_every_look_comes_late() {
        for late_ms in [2 * PLANNED_MS - 1, 2 * PLANNED_MS, 10 * PLANNED_MS] {
            let mut patience = Patience::new(LIMIT_MS);
            let looks = (0..100).position(|_| patience.look(FIRST, late_ms).is_some());
            assert!(looks.is_some_and(|looks| looks <= 21), "{late_ms} ms: {looks:?}");
        }
    }

    #[test]
    fn a_look_that_is_late_within_reason_counts_in_full() {
        let mut patience = Patience::new(LIMIT_MS);
        assert_eq!(patience.look(FIRST, 0), None);
        assert_eq!(patience.look(FIRST, 2 * PLANNED_MS - 1), None);
        assert_eq!(patience.lived_ms, 2 * PLANNED_MS - 1);
    }

    #[test]
    fn commits_that_follow_each_other_are_not_one_long_one() {
        let mut patience = Patience::new(LIMIT_MS);
        for n in 1..1000 {
            assert_eq!(patience.look(Some(CommitRun(n)), PLANNED_MS), None);
        }
        for _ in 0..1000 {
            assert_eq!(patience.look(None, PLANNED_MS), None);
        }
        for _ in 0..LOOKS_PER_LIMIT {
            assert_eq!(patience.look(FIRST, PLANNED_MS), None);
        }
        assert_eq!(patience.look(None, PLANNED_MS), None);
        assert_eq!(patience.look(FIRST, PLANNED_MS), None);
        assert_eq!(patience.lived_ms, 0);
    }

    #[test]
    fn the_smallest_limit_still_has_an_interval() {
        assert_eq!(Patience::new(1).interval_ms(), 1);
    }
}
