//! What a run may cost, and whether it did.

use std::fmt;

use schemas::purchase::Strategy;
use serde::{Deserialize, Serialize};

use super::args::BudgetArgs;
use super::mix::label;
use super::report::{Price, Report};

/// One figure and its bound.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Budget {
    pub what: String,
    /// `at most` or `at least`.
    pub bound: String,
    pub limit: f64,
    pub measured: f64,
    pub met: bool,
}

impl fmt::Display for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, bound, limit, measured, .. } = self;
        write!(f, "{what} {measured:.3} ({bound} {limit})")
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bound {
    AtMost,
    AtLeast,
}

/// Holds every stated budget against the report. A promise that every copy is sold is one, too.
pub(super) fn judge(stated: &BudgetArgs, report: &Report) -> Vec<Budget> {
    use Bound::{AtLeast, AtMost};
    if stated.no_budgets {
        return Vec::new();
    }
    let both_cores: f64 = report.processes.iter().take(2).map(|process| process.cores).sum();
    let above = above(report);
    let raw = report.baseline.as_ref().map(|raw| raw.share);
    let sold = report.flash.map(|flash| {
        let copies = f64::from(flash.copies).min(report.requests.sent as f64);
        (copies, flash.sold as f64)
    });
    let mut budgets = Vec::new();
    let mut hold = |what: &str, bound, limit: Option<f64>, measured: Option<f64>| {
        let (Some(limit), Some(measured)) = (limit, measured) else { return };
        let met = match bound {
            AtMost => measured <= limit,
            AtLeast => measured >= limit,
        };
        let bound = if bound == AtMost { "at most" } else { "at least" };
        let (what, bound) = (what.to_owned(), bound.to_owned());
        budgets.push(Budget { what, bound, limit, measured, met });
    };
    let answered = report.requests.sent - report.requests.unanswered;
    hold("requests answered", AtLeast, Some(report.requests.sent as f64), Some(answered as f64));
    hold("latency p90, ms", AtMost, stated.budget_p90_ms, Some(report.latency.p90));
    hold("latency p99, ms", AtMost, stated.budget_p99_ms, Some(report.latency.p99));
    let overhead = Some(report.overhead.total.p90);
    hold("overhead p90, ms", AtMost, stated.budget_overhead_p90_ms, overhead);
    hold("broker and nats-server, cores", AtMost, stated.budget_cores, Some(both_cores));
    let calls = Some(report.calls.of_everyone);
    hold("calls, share of asking everyone", AtMost, stated.budget_calls_share, calls);
    hold("price above the minimum, %", AtMost, stated.budget_price_percent, above);
    let per_second = Some(report.requests.orders_per_second);
    hold("orders per second", AtLeast, stated.budget_orders_per_second, per_second);
    hold("calls, share of the raw transport", AtLeast, stated.budget_raw_share, raw);
    hold("broker CPU per call, us", AtMost, stated.budget_call_us, Some(report.broker_call_us));
    let messages = Some(report.messages_per_order);
    hold("JetStream messages per order", AtMost, stated.budget_messages, messages);
    hold("copies sold", AtLeast, sold.map(|(copies, _)| copies), sold.map(|(_, sold)| sold));
    hold("copies sold", AtMost, sold.map(|(copies, _)| copies), sold.map(|(_, sold)| sold));
    let oversold = report.flash.map(|flash| flash.oversold as f64);
    hold("copies oversold", AtMost, Some(0.0), oversold);
    budgets
}

/// What is paid on average above the minimum by those who compare: `fast` does not.
fn above(report: &Report) -> Option<f64> {
    let compare = |price: &&Price| price.strategy != label(Strategy::Fast) && price.orders > 0;
    let prices: Vec<&Price> = report.prices.iter().filter(compare).collect();
    let orders: usize = prices.iter().map(|price| price.orders).sum();
    let sum: f64 = prices.iter().map(|price| price.orders as f64 * price.above_percent.mean).sum();
    (orders > 0).then(|| sum / orders as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::report::html::tests::report;

    fn judged(stated: BudgetArgs) -> Vec<Budget> {
        judge(&stated, &report())
    }

    #[test]
    fn a_budget_that_is_missed_says_so_with_both_figures() {
        let stated = BudgetArgs { budget_p90_ms: Some(1.0), ..BudgetArgs::default() };
        let judged = judged(stated);
        let missed: Vec<&Budget> = judged.iter().filter(|budget| !budget.met).collect();
        assert_eq!(missed.len(), 1);
        assert_eq!(missed[0].to_string(), "latency p90, ms 900.000 (at most 1)");
    }

    #[test]
    fn what_was_not_stated_or_not_measured_is_not_judged() {
        let stated = BudgetArgs { budget_raw_share: Some(0.5), ..BudgetArgs::default() };
        assert!(judged(stated).iter().all(|budget| !budget.what.contains("raw")));
        let none = BudgetArgs { no_budgets: true, ..BudgetArgs::default() };
        assert!(judged(none).is_empty());
    }
}
