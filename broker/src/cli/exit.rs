//! What the process says by its exit code.

use std::io;

use super::error::CliError;
use crate::config::ConfigError;
use crate::serve::ServeError;

pub(super) const HELP: &str = "\
Exit codes:
  0  done; for `watch` and `submit --wait`: ordered
  1  failed; the message says why
  2  the command line or the configuration cannot be used; trying again is useless
  3  the broker refused the command; the message has its code and number
  4  there is no such request, dead letter or stream
  5  nobody answered: whether it was done is not known; the same command is safe to repeat
  6  a check found something to mend
  7  the request ended without an order, or rests without one";

pub(super) const FAILED: u8 = 1;
pub(super) const USAGE: u8 = 2;
pub(super) const REFUSED: u8 = 3;
pub(super) const NOT_FOUND: u8 = 4;
pub(super) const SILENT: u8 = 5;
pub(super) const FINDINGS: u8 = 6;
pub(super) const NOT_ORDERED: u8 = 7;

/// The code of an error, whatever was wrapped around it.
pub(super) fn of(error: &anyhow::Error) -> u8 {
    let known = |cause: &(dyn std::error::Error + 'static)| {
        if let Some(cli) = cause.downcast_ref::<CliError>() {
            return Some(cli.exit());
        }
        let usage = cause.is::<ConfigError>()
            || matches!(cause.downcast_ref(), Some(ServeError::Config(_)));
        usage.then_some(USAGE)
    };
    error.chain().find_map(known).unwrap_or(FAILED)
}

/// `broker list | head` ends us, and that is no failure.
pub(super) fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        let io = cause.downcast_ref::<io::Error>();
        io.is_some_and(|io| io.kind() == io::ErrorKind::BrokenPipe)
    })
}
