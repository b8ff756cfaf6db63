//! `cargo test-web`: the gateway as browsers and strangers' programs meet it, against real processes.
//!
//! The page is used in a headless Chromium, by mouse and by keyboard; and the contract that the
//! gateway serves is taken at its word by a program that makes calls of it, allowed ones and
//! forbidden ones. At the end the auditor judges what all of that did to the broker.

mod programs;
mod stage;
mod tools;

use std::process::ExitCode;

use anyhow::Context as _;

use crate::demo::roles;

/// Runs the tests, or the part that the first argument names.
pub fn main() -> ExitCode {
    roles::play(std::env::args_os()).unwrap_or_else(run)
}

fn run() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let done = runtime
        .context("starting the async runtime")
        .and_then(|runtime| runtime.block_on(stage::run(std::env::args().nth(1).as_deref())));
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("page and API could not be tested: {error:#}");
            ExitCode::FAILURE
        }
    }
}
