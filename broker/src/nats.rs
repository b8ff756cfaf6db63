//! Everything about the server itself: the connection, the streams, what its word is worth.

use std::path::PathBuf;

pub mod connect;
pub mod durability;
pub mod headers;
pub mod http_get;
pub mod login;
pub mod plan;
pub mod server_time;
pub mod streams;

/// Oldest server that keeps the promises of the stream declarations.
pub const SERVER_VERSION_MIN: (i64, i64, i64) = (2, 11, 0);

/// What can go wrong with the server before the broker serves.
#[derive(Debug, thiserror::Error)]
pub enum NatsError {
    #[error("cannot use the {what} {}", path.display())]
    Login { what: &'static str, path: PathBuf, source: std::io::Error },
    #[error("cannot connect to NATS")]
    Connect { source: async_nats::ConnectError },
    #[error(
        "nats-server {found} is too old: at least {}.{}.{} is needed",
        SERVER_VERSION_MIN.0, SERVER_VERSION_MIN.1, SERVER_VERSION_MIN.2
    )]
    TooOld { found: String },
    #[error("{doing} {stream}")]
    Stream { doing: &'static str, stream: String, source: Box<dyn std::error::Error + Send + Sync> },
    #[error(
        "stream {stream} exists with {setting} = {found}, but the broker needs {wanted}; this \
         cannot be changed in place: empty and delete the stream, or use another account"
    )]
    Incompatible { stream: String, setting: &'static str, found: String, wanted: String },
    #[error("cannot subscribe to {subject}")]
    Subscribe { subject: String, source: async_nats::SubscribeError },
    #[error("cannot start the micro service")]
    Service { source: async_nats::Error },
}
