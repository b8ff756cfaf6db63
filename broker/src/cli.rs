//! The command line. Thin binaries, here and in other packages, only call [`main`].

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Parser, Subcommand};

mod config;
mod exit;

use crate::{crash, logs, serve, shutdown};
use config::{ConfigArgs, ConfigCommand};

/// Buys books: the best landed price among many bookstores, at most once, before the deadline.
#[derive(Debug, Parser)]
#[command(name = "broker", version, about, after_help = exit::HELP)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serves until SIGTERM or SIGINT.
    Serve(ConfigArgs),
    /// Shows the configuration in force, or every key there is.
    #[command(subcommand)]
    Config(ConfigCommand),
}

/// Parses the arguments of the process and does what they say.
pub fn main() -> ExitCode {
    main_from(std::env::args_os())
}

/// [`main`] with other arguments, the name of the program first: for a binary that plays several
/// parts.
pub fn main_from(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let result = match Cli::parse_from(arguments).command {
        Command::Serve(args) => run(&args),
        Command::Config(command) => command.run(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("broker: {error:#}");
            // Crash-only: threads that still run have nothing to finish that is not durable.
            std::process::exit(exit::of(&error).into())
        }
    }
}

fn run(args: &ConfigArgs) -> anyhow::Result<()> {
    let config = args.load()?.config;
    logs::install(&config.log)?;
    crash::arm_from_env()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let stop = shutdown::signals();
    let result = runtime.block_on(async { serve::serve(config, stop).await });
    runtime.shutdown_background();
    Ok(result?)
}
