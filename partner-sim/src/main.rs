//! `partner-sim serve --config FILE`; everything else is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    partner_sim::cli::run()
}
