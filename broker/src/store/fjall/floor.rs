//! Where the timer table can begin.
//!
//! Fired timers leave tombstones at the front of the table until compaction gets to them. A scan
//! that starts at the beginning walks over all of them, every time. So scans start at a floor: no
//! timer lies before it. A scan raises it to the first timer it finds, a commit lowers it to the
//! earliest timer it sets.

use std::sync::{Mutex, MutexGuard};

use schemas::Timestamp;

#[derive(Debug, Default)]
pub(super) struct TimerFloor {
    /// One scan at a time, so that `low` belongs to it.
    scan: Mutex<()>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    floor: Timestamp,
    /// Earliest timer set since the running scan began.
    low: Option<Timestamp>,
}

const UNPOISONED: &str = "nobody panics while holding the timer floor";

impl TimerFloor {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect(UNPOISONED)
    }

    /// A commit that set a timer at `at` is visible. Call it before the commit is acknowledged.
    pub(super) fn set(&self, at: Timestamp) {
        let mut state = self.state();
        state.floor = state.floor.min(at);
        state.low = Some(state.low.map_or(at, |low| low.min(at)));
    }

    /// Runs a scan from the floor. `scan` returns its result and the instant before which it saw
    /// no timer.
    pub(super) fn scan<T, E>(
        &self,
        scan: impl FnOnce(Timestamp) -> Result<(T, Timestamp), E>,
    ) -> Result<T, E> {
        let _one_at_a_time = self.scan.lock().expect(UNPOISONED);
        let from = {
            let mut state = self.state();
            state.low = None;
            state.floor
        };
        let (result, first) = scan(from)?;
        let mut state = self.state();
        // A commit may have become visible behind the scan's back: it is in `low`, or it will
        // still lower the floor.
        state.floor = state.low.map_or(first, |low| low.min(first));
        Ok(result)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_unix_ms(ms)
    }

    fn floor_of(floor: &TimerFloor) -> Timestamp {
        floor.scan(|from| Ok::<_, ()>((from, from))).unwrap()
    }

    #[test]
    fn a_scan_raises_the_floor_and_an_earlier_timer_lowers_it_again() {
        let floor = TimerFloor::default();
        floor.scan(|from| Ok::<_, ()>((assert_eq!(from, at(0)), at(50)))).unwrap();
        assert_eq!(floor_of(&floor), at(50));
        floor.set(at(60));
        assert_eq!(floor_of(&floor), at(50));
        floor.set(at(40));
        assert_eq!(floor_of(&floor), at(40));
    }

    #[test]
    fn a_timer_set_while_a_scan_runs_stays_above_the_floor() {
        let floor = TimerFloor::default();
        floor
            .scan(|_| {
                floor.set(at(30));
                Ok::<_, ()>(((), at(50)))
            })
            .unwrap();
        assert_eq!(floor_of(&floor), at(30));
    }

    #[test]
    fn a_failed_scan_changes_nothing() {
        let floor = TimerFloor::default();
        assert_eq!(floor.scan(|_| Err::<((), Timestamp), _>("disk")), Err("disk"));
        assert_eq!(floor_of(&floor), at(0));
    }
}
