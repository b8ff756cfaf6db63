//! `cargo test-clients`: the examples for people who bring their own NATS or HTTP client, each run as
//! a reader would run it, against a real nats-server, the broker with its gateway, and stores.
//!
//! What an example prints is compared with what the broker itself says of that customer's requests
//! (`broker get --json`): a program that shows a pleasing line and bought nothing fails. The example
//! of a bookstore sells to one of them, and is then asked what a broker asks after a crash.

mod bookstore;
mod broker;
mod programs;
mod report;
mod stage;
mod story;
mod tools;

use std::process::ExitCode;

use anyhow::Context as _;

use crate::demo::roles;

/// Runs the examples, or the part that the first argument names.
pub fn main() -> ExitCode {
    roles::play(std::env::args_os()).unwrap_or_else(run)
}

fn run() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let done = runtime
        .context("starting the async runtime")
        .and_then(|runtime| runtime.block_on(stage::run()));
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("the examples could not be run: {error:#}");
            ExitCode::FAILURE
        }
    }
}
