//! Logging of the process: levels by what they ask of people. ERROR and WARN want somebody to look,
//! INFO tells the life of the process, DEBUG the life of requests. Addresses, tokens and bodies of
//! customers are never logged.

use tracing_subscriber::EnvFilter;

use crate::config::LogConfig;

/// Installs the subscriber, to standard error. `RUST_LOG` overrides the configured filter.
///
/// # Errors
/// The filter cannot be parsed, or another subscriber is installed.
pub fn install(config: &LogConfig) -> anyhow::Result<()> {
    let filter = match std::env::var("RUST_LOG") {
        Ok(filter) if !filter.is_empty() => EnvFilter::try_new(filter)?,
        _ => EnvFilter::try_new(&config.filter)?,
    };
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let installed =
        if config.json { builder.json().try_init() } else { builder.with_ansi(false).try_init() };
    installed.map_err(|error| anyhow::anyhow!("cannot install the log: {error}"))
}
