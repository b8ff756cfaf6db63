//! The command line. Thin binaries, here and in other packages, only call [`main`].
//!
//! `serve` is the broker itself. Everything else is a client of a running one, by the same public
//! subjects as everybody's, or looks at files.

use std::ffi::OsString;
use std::future::Future;
use std::process::ExitCode;

use anyhow::Context;
use clap::{CommandFactory, Parser, Subcommand};

mod call;
mod check;
mod config;
mod connect;
mod context;
mod dead_letters;
mod error;
mod exit;
mod incidents;
mod out;
mod partner;
mod partners;
mod requests;
mod rights;
mod store;
mod streams;
mod submit;
mod token;
mod values;
mod view;
mod watch;
mod webhooks;

use crate::{crash, logs, serve, shutdown};
use config::{ConfigCommand, Serve};

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
    Serve(Serve),
    /// Asks a running broker to buy a book.
    Submit(Box<submit::Submit>),
    /// Shows one request.
    Get(requests::Get),
    /// Lists a customer's requests, newest first.
    List(requests::List),
    /// Follows one request live.
    Watch(watch::Watch),
    /// Cancels a request.
    Cancel(requests::Cancel),
    /// Changes limit, end or strategy of an open request.
    Update(requests::Update),
    /// Buys the quote of a `quoted` notification, although it is above the limit.
    Accept(requests::Accept),
    /// Checks and shows the partner directory; shows how partners stand; pins and bans them.
    Partners(partners::PartnersArgs),
    /// Tries out a bookstore that speaks HTTP.
    #[command(subcommand)]
    Partner(partner::PartnerCommand),
    /// What customers are sent by e-mail and webhook: what waits, what failed, what to do about it.
    #[command(subcommand)]
    Webhooks(webhooks::Webhooks),
    /// Messages that the broker gave up.
    #[command(subcommand)]
    DeadLetters(dead_letters::DeadLetters),
    /// What waits for a human.
    #[command(subcommand)]
    Incidents(incidents::Incidents),
    /// The streams on the server.
    #[command(subcommand)]
    Streams(streams::Streams),
    /// What the broker remembers: looked at, checked, copied, brought back.
    #[command(subcommand)]
    Store(store::StoreCommand),
    /// Checks a configuration against files, server and permissions, and says what `serve` would
    /// change. Changes nothing.
    CheckConfig(check::Check),
    /// Shows the configuration in force, or every key there is.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Makes a token for the HTTP gateway: it is shown once, and its hash goes into a file.
    Token(token::Token),
    /// Writes a completion script for a shell to standard output.
    Completions { shell: clap_complete::Shell },
}

impl Command {
    fn wants_json(&self) -> bool {
        let wanted = std::env::args_os().any(|argument| argument == "--json");
        wanted && !matches!(self, Self::Serve(_) | Self::Completions { .. })
    }

    fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Serve(args) => serve(&args),
            Self::Submit(command) => block_on(command.run()),
            Self::Get(command) => block_on(command.run()),
            Self::List(command) => block_on(command.run()),
            Self::Watch(command) => block_on(command.run()),
            Self::Cancel(command) => block_on(command.run()),
            Self::Update(command) => block_on(command.run()),
            Self::Accept(command) => block_on(command.run()),
            Self::Partners(command) => block_on(command.run()),
            Self::Partner(command) => block_on(command.run()),
            Self::Webhooks(command) => block_on(command.run()),
            Self::DeadLetters(command) => block_on(command.run()),
            Self::Incidents(command) => block_on(command.run()),
            Self::Streams(command) => block_on(command.run()),
            Self::Store(command) => block_on(command.run()),
            Self::CheckConfig(command) => block_on(command.run()),
            Self::Config(command) => command.run(),
            Self::Token(command) => command.run(),
            Self::Completions { shell } => {
                let mut script = Vec::new();
                clap_complete::generate(shell, &mut Cli::command(), "broker", &mut script);
                Ok(out::line(&String::from_utf8_lossy(&script))?)
            }
        }
    }
}

/// Parses the arguments of the process and does what they say.
pub fn main() -> ExitCode {
    main_from(std::env::args_os())
}

/// [`main`] with other arguments, the name of the program first: for a binary that plays several
/// parts.
pub fn main_from(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let command = Cli::parse_from(arguments).command;
    // One for the whole process, said before anybody needs it; nobody has set another one yet.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let json = command.wants_json();
    match command.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if exit::is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            if json {
                eprintln!("{}", error::as_json(&error));
            } else {
                eprintln!("broker: {error:#}");
            }
            // Crash-only: threads that still run have nothing to finish that is not durable.
            std::process::exit(exit::of(&error).into())
        }
    }
}

/// Reads of the store and of files at once, and a backup; more of them wait.
const BLOCKING_THREADS_MAX: usize = 32;

fn serve(args: &Serve) -> anyhow::Result<()> {
    let config = args.load()?.config;
    logs::install(&config.log)?;
    crash::arm_from_env()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .max_blocking_threads(BLOCKING_THREADS_MAX)
        .build()
        .context("cannot start the runtime")?;
    let stop = shutdown::signals();
    let result = runtime.block_on(async { serve::serve(config, stop).await });
    runtime.shutdown_background();
    Ok(result?)
}

/// Commands do one thing at a time.
fn block_on(work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.context("cannot start the runtime")?.block_on(work)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }
}
