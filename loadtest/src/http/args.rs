//! What can be asked of a run.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

use crate::calibration::default_dir;

#[derive(Debug, Clone, Parser)]
pub struct Args {
    /// Callers per second on average. Without it: half of the target, then the highest rate that
    /// is sustained.
    #[arg(long, value_name = "N")]
    pub rate: Option<u32>,
    /// For so long callers come, in each run.
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub seconds: u64,
    /// Creates per second that the product is to take.
    #[arg(long, value_name = "N", default_value_t = 5_000)]
    pub target: u32,
    /// Connections of all callers together, kept alive.
    #[arg(long, value_name = "N", default_value_t = 128)]
    pub connections: usize,
    /// Customers, each with a token of their own.
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    pub customers: u32,
    /// Same seed, same instants and customers.
    #[arg(long, default_value_t = 7)]
    pub seed: u64,
    /// Not beside it: the least that any such server does.
    #[arg(long)]
    pub no_raw: bool,
    /// Report only, fail for broken promises alone.
    #[arg(long)]
    pub no_budgets: bool,
    /// Intended call to its 202, 99 of 100 calls, in runs at a rate.
    #[arg(long, value_name = "MS", default_value_t = 50.0)]
    pub budget_p99_ms: f64,
    /// Directory for everything the run writes; must be on the disk to be measured.
    #[arg(long, default_value_os_t = default_dir())]
    pub dir: PathBuf,
}

impl Args {
    pub(super) const fn length(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }
}
