//! The parts that the demo, or a chaos run, plays in processes of their own.

use std::ffi::OsString;
use std::io;
use std::process::ExitCode;

use crate::harness::{Program, Programs};

const BROKER: &str = "__broker";
const PARTNER_SIM: &str = "__partner-sim";

/// Plays the part that the first argument names; `None` if it names none.
pub(crate) fn play(arguments: impl Iterator<Item = OsString>) -> Option<ExitCode> {
    let mut arguments = arguments.collect::<Vec<_>>().into_iter();
    let program = arguments.next()?;
    let part = arguments.next()?;
    let rest = std::iter::once(program).chain(arguments);
    match part.to_str() {
        Some(BROKER) => Some(broker::cli::main_from(rest)),
        Some(PARTNER_SIM) => Some(partner_sim::cli::run_from(rest)),
        _ => None,
    }
}

/// This executable in its other parts.
pub(crate) fn programs() -> io::Result<Programs> {
    let this = Program::new(std::env::current_exe()?);
    Ok(Programs { broker: this.clone().role(BROKER), partner_sim: this.role(PARTNER_SIM) })
}
