//! The auditor: reads what everybody wrote down and says which promises were broken.
//!
//! A pure function over [`Evidence`]: what customers sent and were told, what bookstores and
//! payment provider really did, what was on the wire, and the broker's own store opened again
//! after it stopped. It never asks a running broker. The same function judges the demo, the
//! end-to-end suite and long runs under load.
//!
//! Each check is one function that names its promise (P1–P8 of the design) and its invariant. The
//! audit log is replayed through the pure core first ([`casebook`]); the other checks compare that
//! history with ledgers and wire. A check that examined nothing says so, and each one is tested
//! with a planted violation: a check that cannot fail proves nothing.

mod casebook;
mod checks;
mod coverage;
mod evidence;
mod market;
mod peek;
mod timeline;
mod verdict;

#[cfg(test)]
mod planted;

pub(crate) use casebook::is_with_a_human;
pub use coverage::{Coverage, Reach};
pub use evidence::{
    Answer, Background, Command, Disturbance, Evidence, Route, Seen, Sent, Standing, Trouble,
    Vouched,
};
pub use market::{liars, standing, vouched};
pub use timeline::timeline;
pub use verdict::{Checked, Promise, Verdict, Violation};

/// Judges one run.
pub fn audit(evidence: &Evidence) -> Verdict {
    let book = casebook::Casebook::open(evidence);
    let checked = checks::ALL.iter().map(|check| check.judge(&book)).collect();
    Verdict::new(checked, Coverage::of(&book), evidence)
}

/// Every check by name, with the numbers of the invariants it is made of.
pub fn checks() -> impl Iterator<Item = (&'static str, &'static [u8])> {
    checks::ALL.iter().map(|check| (check.name, check.invariants))
}
