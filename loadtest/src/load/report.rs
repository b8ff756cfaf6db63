//! The report: one structure for machines, and what people read.

pub(super) mod html;
mod svg;
pub(super) mod table;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use super::budget::Budget;
pub use super::quantiles::{Bucket, Quantiles};
pub use super::sample::Point;
pub use super::scrape::Queues;

/// Of the JSON form; raised when a field changes its meaning or goes away.
pub const REPORT_VERSION: u32 = 1;

/// One run. Times are milliseconds unless the name says otherwise.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    pub version: u32,
    pub profile: String,
    pub load: LoadSaid,
    pub machine: Machine,
    pub requests: Requests,
    /// Intended send to first notification.
    pub latency: Quantiles,
    pub latency_buckets: Vec<Bucket>,
    /// Change of the latency per hour, over the run.
    pub latency_slope_per_hour: f64,
    pub overhead: OverheadSaid,
    pub calls: Calls,
    pub prices: Vec<Price>,
    /// Standard deviation over stores as a share of the average.
    pub price_dispersion: f64,
    pub processes: Vec<ProcessSaid>,
    /// Broker's CPU per partner call, microseconds.
    pub broker_call_us: f64,
    /// Messages that JetStream stored, by order.
    pub messages_per_order: f64,
    pub points: Vec<Point>,
    pub flash: Option<Flash>,
    pub baseline: Option<Raw>,
    pub promises: Promises,
    pub budgets: Vec<Budget>,
}

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LoadSaid {
    /// `open` or `closed`.
    pub kind: String,
    /// Customers per second, of an open load.
    pub rate: Option<u32>,
    /// Requests at a time, of a closed load.
    pub in_flight: Option<usize>,
    pub seconds: u64,
    pub partners: u16,
    /// `shared` or `own`.
    pub connections: String,
    pub strategies: String,
    pub seed: u64,
    pub tier_size: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    pub cores: usize,
    pub disk: String,
    /// Whether this was compiled with optimisation.
    pub optimised: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Requests {
    pub sent: usize,
    pub unanswered: usize,
    pub outcomes: BTreeMap<String, usize>,
    /// Within the measured time.
    pub outcomes_per_second: f64,
    pub orders_per_second: f64,
    /// How late the generator itself was.
    pub generator_late: Quantiles,
    /// From the last outcome until everything was at rest.
    pub drained_after_s: f64,
}

/// What the broker, nats-server and the stores' disks added to what the stores took.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct OverheadSaid {
    pub total: Quantiles,
    /// Until the first store was asked.
    pub before: Quantiles,
    /// From the last answer that was awaited.
    pub after: Quantiles,
    pub buckets: Vec<Bucket>,
    /// Orders in which every step was asked once; the others are left out.
    pub counted: usize,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Calls {
    /// Questions that the stores counted.
    pub total: u64,
    /// Messages they came in.
    pub messages: u64,
    pub per_message: f64,
    pub per_request: f64,
    /// Share of asking every partner once for every request.
    pub of_everyone: f64,
    pub per_second: f64,
    /// Requests by how many partners their sweeps asked.
    pub asked: Vec<Asked>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Asked {
    pub partners: u64,
    pub requests: usize,
}

/// Price paid above the cheapest that any store with a copy asked at decision time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Price {
    pub strategy: String,
    pub orders: usize,
    /// Partners asked per request of this strategy.
    pub asked: f64,
    pub above_percent: Quantiles,
    /// Orders at the minimum itself.
    pub at_minimum: usize,
    pub latency_p50_ms: f64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProcessSaid {
    pub name: String,
    /// Used on average while customers came.
    pub cores: f64,
    pub resident_mb_first: f64,
    pub resident_mb_max: f64,
    pub resident_mb_last: f64,
    /// Over the second half of the run.
    pub resident_mb_per_hour: f64,
}

/// The sale of few copies to many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flash {
    pub copies: u32,
    /// Copies of orders that stand.
    pub sold: u64,
    /// Copies sold by any store beyond what it had.
    pub oversold: u64,
}

/// The same quote messages without a broker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Raw {
    pub calls_per_second: f64,
    /// Questions to a message, as in the run.
    pub per_message: usize,
    /// The run's calls per second as a share of these.
    pub share: f64,
    /// CPU of nats-server per call here, microseconds.
    pub server_call_us: f64,
    /// The same with one question to a message.
    pub single_per_second: f64,
    pub single_share: f64,
    pub single_call_us: f64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Promises {
    pub kept: bool,
    /// The auditor's summary; all it found if a promise was broken.
    pub said: String,
}
