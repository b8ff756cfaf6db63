//! Engine and store with in-process partners: every saga step durable, no NATS.
//!
//! A fixed number of requests is in flight; each one that is ordered and paid is replaced by a new
//! one. Partners and the payment provider answer at once, so the figure is what deciding and
//! remembering cost.

mod audit;
mod book;
mod partners;
mod run;

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

use crate::calibration::{Fsync, default_dir};
use run::Figures;

#[derive(Debug, Clone, Parser)]
pub struct Args {
    /// Partners asked per request; repeat for several runs.
    #[arg(long, default_values_t = [10usize, 50, 100])]
    partners: Vec<usize>,
    /// Requests in flight; repeat for several runs.
    #[arg(long, default_values_t = [64usize, 256])]
    in_flight: Vec<usize>,
    /// Measured seconds per run, after one second of warm-up.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Directory for stores; must be on the disk to be measured.
    #[arg(long, default_value_os_t = default_dir())]
    dir: PathBuf,
}

/// Runs every combination and prints one line each.
pub fn run(args: &Args) -> anyhow::Result<()> {
    std::fs::create_dir_all(&args.dir)?;
    println!(
        "closed loop: engine + store (fjall, every step synced) + in-process partners, no NATS"
    );
    for partners in &args.partners {
        for in_flight in &args.in_flight {
            let disk = Fsync::measure(&args.dir, Duration::from_millis(500))?;
            let dir = tempfile::tempdir_in(&args.dir)?;
            let window = Duration::from_secs(args.seconds);
            let figures = run::measure(dir.path(), *partners, *in_flight, window)?;
            print_line(*partners, *in_flight, &figures, &disk);
        }
    }
    Ok(())
}

fn print_line(partners: usize, in_flight: usize, figures: &Figures, disk: &Fsync) {
    println!(
        "N={partners:<4} in flight={in_flight:<4} {:>7.0} requests/s  {:.3} ms CPU/request  \
         {:.2} commits/request  {:.1} KB written/request  {:.1} requests per fdatasync of the \
         calibration  ({disk})",
        figures.requests_per_second(),
        figures.cpu_ms_per_request(),
        figures.commits_per_request(),
        figures.kb_written_per_request(),
        figures.requests_per_second() / disk.per_second,
    );
}
