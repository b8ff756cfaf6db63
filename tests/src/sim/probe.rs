//! One run, looked at from outside: whatever happens in it, also a panic of the product, becomes a
//! finding with the choices that led to it.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

use schemas::RequestId;

use super::buyers::Customers;
use super::choices::{self, Script};
use super::coverage::Coverage;
use super::script::Case;
use crate::auditor::{Promise, Verdict};

/// What was done in a run or a hunt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// Purchase requests the broker took in.
    pub requests: u64,
    /// Inputs that the engine worked through.
    pub events: u64,
    /// Faults that struck, those of bookstores and provider included.
    pub faults: u64,
    /// Times the broker was started.
    pub lives: u64,
    /// Virtual time that passed, milliseconds.
    pub virtual_ms: u64,
}

impl Stats {
    pub fn add(&mut self, other: Self) {
        self.requests += other.requests;
        self.events += other.events;
        self.faults += other.faults;
        self.lives += other.lives;
        self.virtual_ms += other.virtual_ms;
    }
}

/// What is wrong with a run: the first thing found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The check that found it; [`PANICKED`] when something could not go on.
    pub check: String,
    pub promise: Option<Promise>,
    pub request: Option<RequestId>,
    pub said: String,
    /// Everything known about the request, by time.
    pub timeline: Option<String>,
}

/// In place of a check's name: the product, or the simulator, gave up.
pub const PANICKED: &str = "panicked";

/// What came of a run.
#[derive(Debug, Clone)]
pub struct Probe {
    /// The choices it made.
    pub made: Script,
    /// Hash over everything that happened; nothing after a panic.
    pub hash: Option<u64>,
    pub coverage: Coverage,
    pub stats: Stats,
    pub failure: Option<Failure>,
}

/// A way to run a case: the simulator, or a stand-in for tests of what is built around it.
pub trait Runner: Sync {
    fn run(&self, case: &Case) -> Probe;
}

impl<F: Fn(&Case) -> Probe + Sync> Runner for F {
    fn run(&self, case: &Case) -> Probe {
        self(case)
    }
}

/// The simulator itself, with the customers of [`Customers`].
#[derive(Debug, Clone, Copy, Default)]
pub struct Simulator;

impl Runner for Simulator {
    fn run(&self, case: &Case) -> Probe {
        catching(|| {
            let run = super::run::run(case.choices(), |options, choices| {
                Box::new(Customers::plan(options, choices))
            });
            Probe {
                failure: Failure::of(&run.verdict),
                made: run.script,
                hash: Some(run.trace_hash),
                coverage: run.coverage,
                stats: run.stats,
            }
        })
    }
}

impl Failure {
    /// The first violation, if there is one.
    pub fn of(verdict: &Verdict) -> Option<Self> {
        let first = verdict.violations().next()?;
        Some(Self {
            check: first.check.to_owned(),
            promise: Some(first.promise),
            request: first.request,
            said: first.said.clone(),
            timeline: verdict.timeline.clone(),
        })
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { check, promise, request, said, .. } = self;
        if let Some(promise) = promise {
            write!(f, "{} ", promise.label())?;
        }
        write!(f, "{check}: BROKEN")?;
        if let Some(request) = request {
            write!(f, ", request {request}")?;
        }
        write!(f, ": {said}")
    }
}

thread_local! {
    static PROBING: Cell<bool> = const { Cell::new(false) };
    static LAST_WORDS: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Runs `body`; a panic becomes a failed probe.
pub fn catching(body: impl FnOnce() -> Probe) -> Probe {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let usual = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if PROBING.get() {
                LAST_WORDS.set(info.to_string());
            } else {
                usual(info);
            }
        }));
    });
    let before = PROBING.replace(true);
    let result = panic::catch_unwind(AssertUnwindSafe(body));
    PROBING.set(before);
    result.unwrap_or_else(|_| Probe {
        made: choices::left_by_a_panic(),
        hash: None,
        coverage: Coverage::default(),
        stats: Stats::default(),
        failure: Some(Failure {
            check: PANICKED.to_owned(),
            promise: None,
            request: None,
            said: LAST_WORDS.take(),
            timeline: None,
        }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::choices::{Choices, Lane};

    #[test]
    fn a_panic_is_a_finding_with_the_choices_that_led_to_it() {
        let probe = catching(|| {
            let mut choices = Choices::from_seed(3);
            choices.below(Lane::Plan, 10);
            panic!("after {} choice", choices.made().lanes[Lane::Plan as usize].len());
        });
        let failure = probe.failure.unwrap();
        assert_eq!(failure.check, PANICKED);
        assert!(failure.said.contains("after 1 choice"), "{}", failure.said);
        assert_eq!(probe.made.lanes[Lane::Plan as usize].len(), 1);
    }
}
