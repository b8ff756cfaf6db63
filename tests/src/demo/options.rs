//! What can be asked of the demo.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

/// Shows the Book Purchase Broker at work: a real nats-server, 20 simulated bookstores of mixed
/// temper, a payment provider, and 30 purchase requests of every kind. Ends with a check of the
/// promises against everybody's ledgers; the exit code says whether all were kept.
#[derive(Debug, Parser)]
#[command(name = "cargo demo", version)]
pub(super) struct Options {
    /// How many purchase requests to make; kinds repeat beyond 30
    #[arg(long, value_name = "N", default_value_t = 30,
        value_parser = clap::value_parser!(u32).range(1..=300))]
    pub(super) requests: u32,

    /// Same seed, same shelves, prices and tempers
    #[arg(long, default_value_t = 7)]
    pub(super) seed: u64,

    /// Keep configuration, logs, ledgers and the broker's store in this empty directory
    #[arg(long, value_name = "DIR")]
    pub(super) keep: Option<PathBuf>,

    /// Keep everything running after the last request, to look at the page; Ctrl-C ends
    #[arg(long)]
    pub(super) stay: bool,

    /// Print plain lines even on a terminal
    #[arg(long)]
    pub(super) plain: bool,

    /// Break something on purpose, to see that the check at the end notices
    #[arg(long = "break", value_name = "WHAT", hide = true)]
    pub(super) breakage: Option<Breakage>,
}

/// What can be broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Breakage {
    /// The stores do not recognise a second copy of an order.
    DuplicateCheck,
}
