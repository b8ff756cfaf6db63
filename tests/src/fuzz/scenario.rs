//! Bytes as the choices of a simulated run: which faults, which customers, which moments. A fuzzer
//! that sees new code reached steers them where a seed finds its way only by luck.

use super::Reading;
use crate::sim::buyers::{Buyers, Customers};
use crate::sim::choices::Choices;
use crate::sim::options::Options;
use crate::sim::run;

pub(super) fn run(bytes: &[u8]) -> Reading {
    let plan = |options: &Options, choices: &mut Choices| -> Box<dyn Buyers> {
        Box::new(Customers::plan(options, choices))
    };
    let played = run::run(Choices::from_bytes(bytes), plan);
    assert!(played.verdict.is_clean(), "{}\n{}", played.options, played.verdict);
    Reading::Understood
}
