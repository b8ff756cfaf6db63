//! `cargo test-web`; everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    tests::web::main()
}
