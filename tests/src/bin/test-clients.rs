//! `cargo test-clients`; everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    tests::clients::main()
}
