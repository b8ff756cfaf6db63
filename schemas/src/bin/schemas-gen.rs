//! `schemas-gen` writes the generated documents; `schemas-gen --check` only says which are stale.

use std::path::Path;
use std::process::ExitCode;

fn main() -> std::io::Result<ExitCode> {
    let dir = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/generated"));
    match std::env::args().nth(1).as_deref() {
        None => schemas::generate::write(dir).map(|()| ExitCode::SUCCESS),
        Some("--check") => {
            let stale = schemas::generate::stale(dir)?;
            for name in &stale {
                eprintln!("stale: schemas/generated/{name} (run: cargo run -p schemas)");
            }
            Ok(if stale.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        Some(other) => {
            eprintln!("usage: schemas-gen [--check], got {other:?}");
            Ok(ExitCode::from(2))
        }
    }
}
