//! Many seeds, on all cores, until something is wrong.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::coverage::Coverage;
use super::probe::{Failure, Probe, Runner, Stats};
use super::script::Case;

/// Time between two lines about the progress.
const PROGRESS_EVERY: Duration = Duration::from_secs(5);
/// Failures that are kept with their seed; the others are only counted.
const FAILURES_MAX: usize = 20;

/// Which seeds, and for how long.
#[derive(Debug, Clone)]
pub struct Hunt {
    pub seeds: Range<u64>,
    /// No new run begins after this time.
    pub at_most: Option<Duration>,
    /// Runs at the same time.
    pub jobs: usize,
    /// Goes on after a failure, to see how often what fails.
    pub keep_going: bool,
}

/// A seed that failed.
#[derive(Debug, Clone)]
pub struct Failed {
    pub seed: u64,
    pub failure: Failure,
    pub probe: Probe,
}

/// What came of a hunt, or of the part of it that is over.
#[derive(Debug, Clone, Default)]
pub struct Hunted {
    pub runs: u64,
    pub stats: Stats,
    pub coverage: Coverage,
    /// The first failures of each check, by seed.
    pub failures: Vec<Failed>,
    /// How often each check failed.
    pub broken: BTreeMap<String, u64>,
    pub took: Duration,
}

impl Hunted {
    fn take(&mut self, seed: u64, probe: Probe) {
        self.runs += 1;
        self.stats.add(probe.stats);
        self.coverage.merge(&probe.coverage);
        let Some(failure) = probe.failure.clone() else { return };
        let times = self.broken.entry(failure.check.clone()).or_default();
        *times += 1;
        // A few of each, so that a frequent failure does not hide a rare one.
        if *times <= 3 && self.failures.len() < FAILURES_MAX {
            self.failures.push(Failed { seed, failure, probe });
        }
    }

    /// One line.
    pub fn progress(&self) -> String {
        let seconds = self.took.as_secs_f64().max(0.001);
        let each = |count: u64| (count as f64 / seconds).round();
        format!(
            "{:>6.0} s {:>9} runs {:>7} runs/s {:>8} requests/s {:>9} events/s {:>8} faults/s",
            seconds,
            self.runs,
            each(self.runs),
            each(self.stats.requests),
            each(self.stats.events),
            each(self.stats.faults)
        )
    }
}

impl Hunt {
    /// Runs them; `progress` is told now and then.
    ///
    /// # Panics
    /// When a thread of the hunt does, which it never should.
    pub fn run(&self, runner: &impl Runner, progress: impl Fn(&Hunted) + Sync) -> Hunted {
        let started = Instant::now();
        let next = AtomicU64::new(self.seeds.start);
        let is_over = AtomicBool::new(false);
        let shared = Mutex::new((Hunted::default(), started));
        std::thread::scope(|scope| {
            for _ in 0..self.jobs.max(1) {
                scope.spawn(|| {
                    while !is_over.load(Ordering::Relaxed) {
                        let seed = next.fetch_add(1, Ordering::Relaxed);
                        if seed >= self.seeds.end {
                            return;
                        }
                        let probe = runner.run(&Case::Seed(seed));
                        let failed = probe.failure.is_some() && !self.keep_going;
                        let late = self.at_most.is_some_and(|most| started.elapsed() >= most);
                        if failed || late {
                            is_over.store(true, Ordering::Relaxed);
                        }
                        let mut guard = shared.lock().expect("no thread panics in a hunt");
                        let (hunted, told) = &mut *guard;
                        hunted.take(seed, probe);
                        hunted.took = started.elapsed();
                        if told.elapsed() >= PROGRESS_EVERY {
                            *told = Instant::now();
                            progress(hunted);
                        }
                    }
                });
            }
        });
        let (mut hunted, _) = shared.into_inner().expect("no thread panics in a hunt");
        hunted.took = started.elapsed();
        hunted.failures.sort_by_key(|failed| failed.seed);
        hunted
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::choices::Script;
    use crate::sim::fault::Fault;

    /// Fails for every multiple of ten but zero.
    fn stand_in(case: &Case) -> Probe {
        let Case::Seed(seed) = case else { panic!("a hunt runs seeds") };
        let mut coverage = Coverage::default();
        coverage.note_fault(Fault::Garbage);
        let failure = (seed % 10 == 0 && *seed > 0).then(|| Failure {
            check: "tens".to_owned(),
            promise: None,
            request: None,
            said: format!("{seed} is one"),
            timeline: None,
        });
        let stats = Stats { requests: 2, ..Stats::default() };
        Probe { made: Script::default(), hash: Some(*seed), coverage, stats, failure }
    }

    fn hunt(seeds: Range<u64>, keep_going: bool) -> Hunted {
        Hunt { seeds, at_most: None, jobs: 2, keep_going }.run(&stand_in, |_| {})
    }

    #[test]
    fn every_seed_is_run_once_and_counted() {
        let hunted = hunt(1..10, false);
        assert_eq!((hunted.runs, hunted.stats.requests), (9, 18));
        assert_eq!(hunted.coverage.total(crate::sim::coverage::Group::Fault), 9);
        assert!(hunted.failures.is_empty());
    }

    #[test]
    fn it_ends_with_the_first_failure_unless_it_is_to_go_on() {
        let hunted = hunt(1..1_000_000, false);
        assert!(hunted.runs < 1_000);
        assert!(!hunted.failures.is_empty());
        let hunted = hunt(0..100, true);
        assert_eq!((hunted.runs, hunted.broken["tens"], hunted.failures.len()), (100, 9, 3));
    }
}
