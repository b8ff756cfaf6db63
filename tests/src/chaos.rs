//! `cargo chaos`: the product as real processes, with everything broken that can be broken.
//!
//! nats-server, the broker and the simulated stores run as processes of their own, the two clients
//! behind a [`crate::harness::FaultProxy`] each, the broker's store and the server's streams on
//! disks of their own where the machine allows it. Customers keep asking while one fault follows
//! the other, in an order that a printed seed decides. At the end everything comes to rest and the
//! [`crate::auditor`] reads what everybody wrote down.
//!
//! A fault that was not injected, on a machine that does not allow it or in a run with too few
//! orders, is reported as not proven, never passed over.

mod disk;
mod flip;
mod inject;
mod kind;
mod load;
mod native;
mod options;
mod pass;
mod percentiles;
mod report;
mod rig;
mod run;
mod upgrade;
mod world;

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Parser as _;
use tempfile::TempDir;

use crate::demo::roles;
use crate::harness::Programs;

pub use kind::Kind;
pub use options::{Options, Required, Script};
pub use percentiles::Percentiles;
pub use report::{ORDERED_MIN, Report, Tally};
pub use run::run;

/// Runs chaos, or the part that the first argument names.
pub fn main() -> ExitCode {
    roles::play(std::env::args_os()).unwrap_or_else(|| {
        let options = Options::parse();
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
        let done = runtime
            .context("starting the async runtime")
            .and_then(|runtime| runtime.block_on(show(&options)));
        match done {
            Ok(true) => ExitCode::SUCCESS,
            Ok(false) => ExitCode::FAILURE,
            Err(error) => {
                eprintln!("\nFAILED: {error:?}");
                ExitCode::FAILURE
            }
        }
    })
}

/// Whether every promise was kept and everything required was proven.
async fn show(options: &Options) -> anyhow::Result<bool> {
    let programs = roles::programs().context("finding this executable")?;
    if let Some(file) = &options.freeze {
        upgrade::freeze(programs, file).await?;
        return Ok(true);
    }
    match &options.keep {
        Some(dir) => {
            std::fs::create_dir_all(dir).with_context(|| format!("making {}", dir.display()))?;
            show_in(options, programs, dir).await
        }
        None => {
            let dir = TempDir::with_prefix("chaos-").context("making a temporary directory")?;
            show_in(options, programs, dir.path()).await
        }
    }
}

async fn show_in(options: &Options, programs: Programs, dir: &Path) -> anyhow::Result<bool> {
    let report = tokio::select! {
        report = run(options, programs, dir) => report?,
        // Everything started is dropped, and what was mounted is unmounted.
        _ = tokio::signal::ctrl_c() => anyhow::bail!("interrupted"),
    };
    println!("{report}");
    Ok(report.is_good(options))
}
