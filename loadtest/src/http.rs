//! Creates over HTTP: how many a second the gateway takes, and what one waits for its 202.
//!
//! nats-server and one broker with the roles broker and gateway run as processes of their own. No
//! bookstore serves the country of these orders, so that each request is created, looked for once,
//! and then watches: what is measured is acceptance. Callers come at seeded instants whether or not
//! anybody was answered before ([`run`]); a latency counts from the instant at which the caller
//! *meant* to call. At the end the broker is killed and its store opened: every request that was
//! answered with 202 must be there, and none that nobody asked for ([`kept`]).
//!
//! Beside it, in the same run and with the same callers: the least that any such server does, one
//! JSON body, one synced write ([`raw`]).

mod args;
mod callers;
mod connection;
mod figures;
mod kept;
mod raw;
mod run;
mod search;
mod stage;
mod table;

use std::time::Duration;

use anyhow::Context;

pub use args::Args;
pub(crate) use raw::{RAW_HTTP_ROLE, RawHttpArgs, serve as serve_raw};

use crate::calibration::Fsync;
use figures::Figures;
use search::Ceiling;
use stage::Stage;

/// All that one measurement found.
struct Found {
    /// Open loads, by what they are called.
    runs: Vec<(String, Figures)>,
    ceiling: Option<Ceiling>,
    raw: Option<raw::Found>,
    kept: kept::Kept,
}

/// Starts everything, measures, prints, stops everything, and looks at what is left in the store.
pub fn run(args: &Args) -> anyhow::Result<()> {
    std::fs::create_dir_all(&args.dir)?;
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(measure(args))
}

async fn measure(args: &Args) -> anyhow::Result<()> {
    let disk = Fsync::measure(&args.dir, Duration::from_millis(500))?;
    let home = tempfile::tempdir_in(&args.dir)?;
    let mut stage = Stage::start(args, home.path()).await?;
    stage.warm_up().await.context("warming up")?;
    let (mut runs, mut ceiling) = (Vec::new(), None);
    if let Some(rate) = args.rate {
        runs.push((format!("{rate}/s"), stage.open(rate, args.length()).await?));
    } else {
        let half = args.target / 2;
        runs.push((
            format!("half of the target, {half}/s"),
            stage.open(half, args.length()).await?,
        ));
        ceiling = Some(search::ceiling(&mut stage, args).await?);
    }
    let kept = stage.end().await?;
    let raw = if args.no_raw { None } else { Some(raw::measure(args, &runs).await?) };
    let found = Found { runs, ceiling, raw, kept };
    print!("{}", table::text(args, &found, &disk.to_string()));
    judge(args, &found)
}

/// A broken promise always fails; a figure that is missed, unless nobody wanted to know.
fn judge(args: &Args, found: &Found) -> anyhow::Result<()> {
    found.kept.judge()?;
    if args.no_budgets {
        return Ok(());
    }
    let mut missed = Vec::new();
    for (what, figures) in &found.runs {
        if figures.latency.p99 > args.budget_p99_ms {
            missed.push(format!("{what}: p99 {:.1} ms", figures.latency.p99));
        }
    }
    if let Some(ceiling) = &found.ceiling
        && ceiling.per_second < f64::from(args.target)
    {
        missed.push(format!("{:.0} creates/s of {}", ceiling.per_second, args.target));
    }
    anyhow::ensure!(missed.is_empty(), "missed: {}", missed.join("; "));
    Ok(())
}
