//! Customers by the hundred thousand: the whole broker over a real nats-server, under load.
//!
//! One run is: start everything as processes of their own ([`stage`]), let customers come
//! ([`drive`]: at seeded instants, whether or not anybody was served before, or as many as are in
//! flight), listen to what they are told ([`ear`]), look at all processes meanwhile ([`sample`]);
//! then wait until everything is at rest, let the auditor of package `tests` check every promise
//! over everything, and say what it cost ([`measure`], [`report`]).
//!
//! A latency runs from the instant at which a customer *meant* to send to the instant at which the
//! notification was heard: a generator or a server that stands still does not hide it.

mod args;
mod arrivals;
mod asked;
mod awaited;
mod budget;
mod drive;
mod ear;
mod market;
mod measure;
mod mix;
mod plan;
mod progress;
mod quantiles;
mod raw;
pub mod report;
mod sample;
mod scrape;
mod shop;
mod slope;
mod stage;

use std::time::Duration;

use anyhow::Context;

pub use args::Args;
pub(crate) use arrivals::Arrivals;
pub use plan::{Profile, room_for_outcomes};
pub(crate) use quantiles::Values;
pub(crate) use raw::{RAW_ROLE, RawArgs, serve as serve_raw};
pub use report::Report;
pub(crate) use stage::programs;

use crate::calibration::Fsync;
use plan::Plan;

/// Runs one profile to its report; the report's budgets and promises decide the exit code.
pub fn run(profile: Profile, args: &Args) -> anyhow::Result<()> {
    let plan = Plan::new(profile, args);
    std::fs::create_dir_all(&args.dir)?;
    let runtime = tokio::runtime::Runtime::new()?;
    let report = runtime.block_on(measure_all(&plan, args))?;
    report::table::print(&report);
    if let Some(file) = &args.json {
        let text = serde_json::to_string_pretty(&report)?;
        std::fs::write(file, text).with_context(|| format!("writing {}", file.display()))?;
    }
    if let Some(file) = &args.html {
        let page = report::html::page(&report);
        std::fs::write(file, page).with_context(|| format!("writing {}", file.display()))?;
    }
    anyhow::ensure!(report.promises.kept, "a promise was broken\n{}", report.promises.said);
    let missed: Vec<String> =
        report.budgets.iter().filter(|budget| !budget.met).map(ToString::to_string).collect();
    anyhow::ensure!(missed.is_empty(), "missed: {}", missed.join("; "));
    Ok(())
}

async fn measure_all(plan: &Plan, args: &Args) -> anyhow::Result<Report> {
    let disk = Fsync::measure(&args.dir, Duration::from_millis(500))?;
    let played = stage::play(plan, &args.dir).await?;
    let mut report = measure::report(plan, &played)?;
    report.machine.disk = disk.to_string();
    if args.baseline.is_some() {
        report.baseline = Some(raw::measure(plan, &report, &args.dir).await?);
    }
    report.budgets = budget::judge(&plan.budgets, &report);
    Ok(report)
}
