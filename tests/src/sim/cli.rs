//! `cargo sim`: one run, many runs, the same run twice, a kept run, a smaller run.

use std::num::NonZero;
use std::ops::Range;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::{Args, Parser};

use super::fault::Fault;
use super::hunt::{Hunt, Hunted};
use super::probe::{Failure, Probe, Runner, Simulator};
use super::report;
use super::script::Case;

/// Fewer runs than this cannot reach everything, so a hunt is not blamed for it.
pub const RUNS_FOR_COVERAGE: u64 = 20_000;
/// Seeds of hunts by time lie this far apart, so that no two hunts run the same ones.
const SEEDS_PER_SECOND: u64 = 100_000;

/// Runs the shipped engine and store in a simulated world, years of faults in minutes. Every run
/// follows from its seed; what fails is made smaller and can be replayed. The exit code says
/// whether every promise was kept.
#[derive(Debug, Parser)]
#[command(name = "cargo sim", version)]
struct Arguments {
    #[command(flatten)]
    what: What,

    /// Runs at the same time [default: one for each core]
    #[arg(long, value_name = "N")]
    jobs: Option<NonZero<usize>>,

    /// Go on after a failure and count what fails how often
    #[arg(long)]
    keep_going: bool,

    /// Leave a failing run as it is
    #[arg(long)]
    no_shrink: bool,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct What {
    /// One run: options, plans, verdict
    #[arg(long)]
    seed: Option<u64>,

    /// All runs from A up to B
    #[arg(long, value_name = "A..B", value_parser = seeds)]
    seeds: Option<Range<u64>>,

    /// Runs with seeds that nobody has tried, for so long
    #[arg(long)]
    minutes: Option<u64>,

    /// One run twice: everything that happens must be the same
    #[arg(long, value_name = "SEED")]
    meta: Option<u64>,

    /// The run in a file, as a failing run or `tests/sim/regressions` has it
    #[arg(long, value_name = "FILE")]
    replay: Option<PathBuf>,

    /// Make a failing run smaller
    #[arg(long, value_name = "SEED")]
    shrink: Option<u64>,

    /// The faults there are
    #[arg(long)]
    list: bool,
}

fn seeds(text: &str) -> Result<Range<u64>, String> {
    let parsed = text
        .split_once("..")
        .and_then(|(from, until)| Some(from.trim().parse().ok()?..until.trim().parse().ok()?));
    parsed.ok_or_else(|| "write the first and the one after the last, such as 0..1000".to_owned())
}

/// Does what the command line says.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match act(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::from(2)
        }
    }
}

/// Whether all is well.
fn act(arguments: &Arguments) -> anyhow::Result<bool> {
    let simulator = Simulator;
    let What { seed, seeds, minutes, meta, replay, shrink, list } = &arguments.what;
    if *list {
        for fault in Fault::ALL {
            println!("{}", fault.label());
        }
        return Ok(true);
    }
    if let Some(seed) = seed {
        return Ok(one(&simulator, &Case::Seed(*seed)));
    }
    if let Some(file) = replay {
        return Ok(one(&simulator, &Case::parse(&std::fs::read_to_string(file)?)?));
    }
    if let Some(seed) = meta {
        return Ok(twice(&simulator, &Case::Seed(*seed)));
    }
    if let Some(seed) = shrink {
        let probe = simulator.run(&Case::Seed(*seed));
        let Some(failure) = &probe.failure else {
            println!("seed {seed} breaks nothing");
            return Ok(true);
        };
        smaller(&simulator, *seed, &probe, failure)?;
        return Ok(false);
    }
    let at_most = minutes.map(|minutes| Duration::from_secs(minutes * 60));
    let cores = || std::thread::available_parallelism().map_or(1, NonZero::get);
    let jobs = arguments.jobs.map_or_else(cores, NonZero::get);
    let seeds = seeds.clone().unwrap_or_else(untried);
    let hunt = Hunt { seeds, at_most, jobs, keep_going: arguments.keep_going };
    many(&simulator, &hunt, !arguments.no_shrink)
}

fn untried() -> Range<u64> {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
    let first = seconds.saturating_mul(SEEDS_PER_SECOND);
    first..u64::MAX
}

fn one(simulator: &Simulator, case: &Case) -> bool {
    print!("{}", report::outline(case));
    let probe = simulator.run(case);
    let stats = probe.stats;
    println!("{stats:?}");
    match &probe.failure {
        Some(failure) => {
            print!("{failure}\n{}", failure.timeline.as_deref().unwrap_or_default());
            false
        }
        None => {
            print!("{}", probe.coverage);
            println!("every promise was kept");
            true
        }
    }
}

fn twice(simulator: &Simulator, case: &Case) -> bool {
    let (first, second) = (simulator.run(case), simulator.run(case));
    let same =
        first.hash == second.hash && first.made == second.made && first.failure == second.failure;
    let hash = |probe: &Probe| probe.hash.map_or("-".to_owned(), |hash| format!("{hash:016x}"));
    let (one, other) = (hash(&first), hash(&second));
    println!("{} {one} {other}", if same { "same" } else { "DIFFERENT" });
    same
}

fn many(simulator: &Simulator, hunt: &Hunt, shrinks: bool) -> anyhow::Result<bool> {
    eprintln!("seeds from {}, {} at a time", hunt.seeds.start, hunt.jobs);
    let hunted = hunt.run(simulator, |hunted| eprintln!("{}", hunted.progress()));
    println!("{}", hunted.progress());
    print!("{}", hunted.coverage);
    let reached = coverage(&hunted);
    for (check, times) in &hunted.broken {
        println!("{check} is broken in {times} of {} runs", hunted.runs);
    }
    for failed in &hunted.failures {
        if hunt.keep_going {
            println!("cargo sim -- --seed {}   # {}", failed.seed, failed.failure);
        } else {
            print!("{}", report::failure(&Case::Seed(failed.seed), &failed.failure));
            if shrinks {
                smaller(simulator, failed.seed, &failed.probe, &failed.failure)?;
            }
        }
    }
    let clean = hunted.failures.is_empty();
    if clean {
        println!("no promise was broken in {} runs", hunted.runs);
    }
    Ok(clean && reached)
}

/// Whether a long hunt reached everything it should have.
fn coverage(hunted: &Hunted) -> bool {
    let (missing, surprises) = (hunted.coverage.unreached(), hunted.coverage.surprises());
    if !missing.is_empty() {
        println!("never reached: {}", missing.join(", "));
    }
    for surprise in &surprises {
        println!("reached although it cannot be: {surprise}");
    }
    missing.is_empty() && surprises.is_empty() || hunted.runs < RUNS_FOR_COVERAGE
}

fn smaller(
    simulator: &Simulator,
    seed: u64,
    probe: &Probe,
    failure: &Failure,
) -> anyhow::Result<()> {
    let shrunk = report::shrunk(simulator, probe, failure);
    let case = Case::Script(Box::new(shrunk.script));
    let path = report::write(&format!("{}-{seed}", failure.check), &case, failure)?;
    println!("shrunk in {} runs:\n{}{case}", shrunk.runs, report::outline(&case));
    println!("replay: cargo sim -- --replay {}", path.display());
    Ok(())
}
