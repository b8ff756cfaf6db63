//! partner-sim as a binary of this package, so that its tests find it on a bare clone.

use std::process::ExitCode;

fn main() -> ExitCode {
    partner_sim::cli::run()
}
