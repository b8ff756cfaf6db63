//! What can be asked of a load run. What is not said is what the profile says.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use partner_sim::config;

use super::mix::Mix;
use crate::calibration::default_dir;

#[derive(Debug, Clone, Parser)]
pub struct Args {
    /// For so long customers come; for `ceiling` it is measured after two seconds of warm-up.
    #[arg(long, value_name = "N")]
    pub seconds: Option<u64>,
    /// Customers per second on average; not for `ceiling`.
    #[arg(long, value_name = "N")]
    pub rate: Option<u32>,
    /// Requests in flight; only for `ceiling`.
    #[arg(long, value_name = "N")]
    pub in_flight: Option<usize>,
    #[arg(long, value_name = "N")]
    pub partners: Option<u16>,
    /// Same seed, same arrivals, books, limits, strategies, prices and tempers.
    #[arg(long, default_value_t = 7)]
    pub seed: u64,
    /// One strategy, or a mix such as `balanced=70,cheapest=20,fast=10`.
    #[arg(long, value_name = "MIX")]
    pub strategy: Option<Mix>,
    /// How customers send: published to the stream, or asked of the micro service.
    #[arg(long, value_enum, default_value_t = Door::Stream)]
    pub door: Door,
    /// One connection for all partners, or one each.
    #[arg(long, value_enum, default_value_t = Connections::Shared)]
    pub connections: Connections,
    /// The same as `--connections own`.
    #[arg(long, conflicts_with = "connections")]
    pub own_connections: bool,
    /// Partners that a sweep asks at once; the broker's own number if not said.
    #[arg(long, value_name = "N")]
    pub tier_size: Option<u16>,
    /// Beside it: the same quote messages over NATS without a broker, in the same run.
    #[arg(long, value_enum)]
    pub baseline: Option<Baseline>,
    /// Write the report as JSON.
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
    /// Write the report as one HTML page with plots.
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Directory for everything the run writes; must be on the disk to be measured.
    #[arg(long, default_value_os_t = default_dir())]
    pub dir: PathBuf,
    #[command(flatten)]
    pub budgets: BudgetArgs,
}

/// What a run may cost; missing one fails the run. What is not said is what the profile says.
#[derive(Debug, Clone, Copy, Default, Parser)]
pub struct BudgetArgs {
    /// Judge promises only.
    #[arg(long)]
    pub no_budgets: bool,
    /// Intended send to outcome, 90 of 100 requests.
    #[arg(long, value_name = "MS")]
    pub budget_p90_ms: Option<f64>,
    /// Intended send to outcome, 99 of 100 requests.
    #[arg(long, value_name = "MS")]
    pub budget_p99_ms: Option<f64>,
    /// What the broker adds to the stores' own time, 90 of 100 orders.
    #[arg(long, value_name = "MS")]
    pub budget_overhead_p90_ms: Option<f64>,
    /// Broker and nats-server together.
    #[arg(long, value_name = "CORES")]
    pub budget_cores: Option<f64>,
    /// Partner calls, as a share of asking everyone.
    #[arg(long, value_name = "SHARE")]
    pub budget_calls_share: Option<f64>,
    /// Price paid above the true minimum, on average, per cent; `fast` orders, which take the first
    /// affordable offer, are not counted.
    #[arg(long, value_name = "PERCENT")]
    pub budget_price_percent: Option<f64>,
    /// Orders per second, at least.
    #[arg(long, value_name = "N")]
    pub budget_orders_per_second: Option<f64>,
    /// Partner calls per second as a share of `--baseline raw`, at least.
    #[arg(long, value_name = "SHARE")]
    pub budget_raw_share: Option<f64>,
    /// Broker's own CPU per partner call, microseconds.
    #[arg(long, value_name = "US")]
    pub budget_call_us: Option<f64>,
    /// JetStream messages per order.
    #[arg(long, value_name = "N")]
    pub budget_messages: Option<f64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Connections {
    Shared,
    Own,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Door {
    /// Published to JetStream: the acknowledgement says that the server has it.
    Stream,
    /// Request and reply: the answer says that the broker has it, or that it has too much to do.
    Service,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Baseline {
    /// The raw transport.
    Raw,
}

impl Args {
    pub(super) fn connections(&self) -> config::Connections {
        match (self.own_connections, self.connections) {
            (true, _) | (_, Connections::Own) => config::Connections::Own,
            (false, Connections::Shared) => config::Connections::Shared,
        }
    }
}
