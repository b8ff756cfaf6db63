//! The broker as a binary of this package, so that its tests find it on a bare clone.

use std::process::ExitCode;

fn main() -> ExitCode {
    broker::cli::main()
}
