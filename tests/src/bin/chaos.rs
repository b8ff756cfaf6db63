//! `cargo chaos`; everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    tests::chaos::main()
}
