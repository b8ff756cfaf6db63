//! What the process says by its exit code.

use crate::config::ConfigError;
use crate::serve::ServeError;

pub(super) const HELP: &str = "\
Exit codes:
  0  done
  1  failed; the message says why
  2  the command line or the configuration cannot be used; trying again is useless";

const FAILED: u8 = 1;
const USAGE: u8 = 2;

/// The code of an error, whatever was wrapped around it.
pub(super) fn of(error: &anyhow::Error) -> u8 {
    let usage = |cause: &(dyn std::error::Error + 'static)| {
        cause.is::<ConfigError>() || matches!(cause.downcast_ref(), Some(ServeError::Config(_)))
    };
    if error.chain().any(usage) { USAGE } else { FAILED }
}
