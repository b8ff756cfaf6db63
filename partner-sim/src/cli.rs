//! The command line, callable from a thin binary of any package.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use crate::config::SimConfig;

/// Simulated bookstores and a payment provider.
#[derive(Debug, Parser)]
#[command(name = "partner-sim", version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the configured partners on NATS until SIGTERM or SIGINT.
    Serve {
        /// The partner-sim.toml to use.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Print the partner directory that the broker needs.
    Directory {
        /// The partner-sim.toml to use.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
}

/// Parses the arguments of this process and runs. Logs go to standard error, filtered by
/// `RUST_LOG` (default `info`).
pub fn run() -> ExitCode {
    run_from(std::env::args_os())
}

/// [`run`] with other arguments, the name of the program first: for a binary that plays several
/// parts.
pub fn run_from(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments = Arguments::parse_from(arguments);
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    let done = match arguments.command {
        Command::Serve { config } => serve(&config),
        Command::Directory { config } => print_directory(&config),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn serve(path: &std::path::Path) -> anyhow::Result<()> {
    let config = SimConfig::load(path)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("starting the async runtime")?;
    runtime.block_on(async {
        let mut terminate = signal(SignalKind::terminate()).context("listening for SIGTERM")?;
        let mut interrupt = signal(SignalKind::interrupt()).context("listening for SIGINT")?;
        let asked_to_stop = async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        };
        Ok(crate::nats::serve(config, asked_to_stop).await?)
    })
}

fn print_directory(path: &std::path::Path) -> anyhow::Result<()> {
    let directory = crate::World::new(&SimConfig::load(path)?)?.directory();
    print!("{}", toml::to_string(&directory)?);
    Ok(())
}
