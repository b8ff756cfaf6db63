//! `cargo sim`; everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    tests::sim::cli::main()
}
