//! `cargo demo`; everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    tests::demo::main()
}
