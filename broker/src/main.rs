//! The broker's binary.

fn main() -> std::process::ExitCode {
    broker::cli::main()
}
