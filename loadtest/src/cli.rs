//! The command line.

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::load::{self, Profile};
use crate::{closed_loop, http, latency, recovery};

#[derive(Debug, Parser)]
#[command(name = "loadtest", about = "Measures the broker, beside a calibration of the machine")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Engine and store with in-process partners, no NATS, closed loop.
    ClosedLoop(closed_loop::Args),
    /// The whole broker over a real nats-server, one request in flight.
    Latency(latency::Args),
    /// Kills of the broker with many requests open: time until it is there again.
    Recovery(recovery::Args),
    /// 200 requests/s, 100 partners with log-normal response times, time-outs and errors.
    Peak(load::Args),
    /// 2,000 requests/s for one book of which all stores together have 500 copies.
    Flash(load::Args),
    /// A steady load for 20 minutes: does memory or latency grow?
    Soak(load::Args),
    /// Instant partners, everybody asked, as many orders as this machine carries.
    Ceiling(load::Args),
    /// Creates through the HTTP gateway: at a rate, and as many as are sustained.
    Http(http::Args),
    /// This executable as the broker under measurement.
    #[command(hide = true, name = latency::BROKER_ROLE)]
    Broker(Passed),
    /// This executable as its bookstores and payment provider.
    #[command(hide = true, name = latency::PARTNER_SIM_ROLE)]
    PartnerSim(Passed),
    /// This executable as partners without a broker.
    #[command(hide = true, name = load::RAW_ROLE)]
    RawPartners(load::RawArgs),
    /// This executable as the least that takes creates over HTTP.
    #[command(hide = true, name = http::RAW_HTTP_ROLE)]
    RawHttp(http::RawHttpArgs),
}

/// Arguments for another program's own command line.
#[derive(Debug, Clone, clap::Args)]
struct Passed {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

impl Passed {
    /// With the program's name in front, as a command line has it.
    fn of(self, program: &str) -> impl Iterator<Item = OsString> {
        std::iter::once(OsString::from(program)).chain(self.arguments)
    }
}

/// Runs the command line to its end.
pub fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::ClosedLoop(args) => closed_loop::run(&args),
        Command::Latency(args) => latency::run(&args),
        Command::Recovery(args) => recovery::run(&args),
        Command::Peak(args) => load::run(Profile::Peak, &args),
        Command::Flash(args) => load::run(Profile::Flash, &args),
        Command::Soak(args) => load::run(Profile::Soak, &args),
        Command::Ceiling(args) => load::run(Profile::Ceiling, &args),
        Command::Http(args) => http::run(&args),
        Command::RawPartners(args) => return load::serve_raw(&args),
        Command::RawHttp(args) => return http::serve_raw(&args),
        Command::Broker(passed) => return broker::cli::main_from(passed.of("broker")),
        Command::PartnerSim(passed) => return partner_sim::cli::run_from(passed.of("partner-sim")),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("loadtest: {error:#}");
            ExitCode::FAILURE
        }
    }
}
