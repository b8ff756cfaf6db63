//! `cargo demo`: the whole product in half a minute, with its promises checked at the end.
//!
//! One binary plays every part: it starts a real nats-server, itself again as twenty simulated
//! bookstores with a payment provider, and itself again as the broker. Thirty customers' requests
//! go through NATS, a live table shows them; then everything is stopped, the store is opened again
//! and the auditor compares what everybody wrote down.

mod act;
mod board;
mod cast;
mod kind;
mod options;
mod paint;
mod promises;
pub(crate) mod roles;
mod stage;
mod story;
mod table;

use std::process::ExitCode;

/// Runs the demo, or the part that the first argument names.
pub fn main() -> ExitCode {
    roles::play(std::env::args_os()).unwrap_or_else(stage::run)
}
