//! `cargo sim`; everything is in the library.

use std::process::ExitCode;

/// A run makes and drops some thousand small values per request.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    tests::sim::cli::main()
}
