//! What can go wrong around the server process, with the words of the server itself.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use nix::sys::signal::Signal;

/// A start includes the recovery of every stream: seconds with millions of messages.
pub(super) const START_DEADLINE: Duration = Duration::from_secs(30);
/// A shutdown flushes and closes; on a loaded machine that still takes far less than this.
pub(super) const STOP_DEADLINE: Duration = Duration::from_secs(20);

/// Why a server is not running, stopped or signalled as asked.
#[derive(thiserror::Error)]
pub enum ServerError {
    #[error("{0}")]
    NoBinary(String),
    #[error("nats-server could not be given a {what}")]
    Prepare { what: &'static str, source: io::Error },
    #[error("{binary} could not be started")]
    Spawn { binary: PathBuf, source: io::Error },
    #[error("nats-server ended while starting ({status}); its log ends:\n{log}")]
    Ended { status: ExitStatus, log: String },
    #[error("nats-server was not ready after {}s; its log ends:\n{log}", START_DEADLINE.as_secs())]
    NotReady { log: String },
    #[error("nats-server cannot serve: {said}; its log ends:\n{log}")]
    PortTaken { said: String, log: String },
    #[error("nats-server is still running; stop or kill it before a restart")]
    StillRunning,
    #[error("nats-server is not running, so it cannot be sent {signal}")]
    NotRunning { signal: Signal },
    #[error("nats-server (pid {pid}) could not be sent {signal}")]
    Signal { signal: Signal, pid: i32, source: nix::Error },
    #[error("nats-server did not obey {signal} within {}s", STOP_DEADLINE.as_secs())]
    NotObeyed { signal: Signal },
}

/// The message with its cause, line breaks and all, because most who see it see the `unwrap` of a
/// test, and the log of the server is the part that explains.
impl fmt::Debug for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")?;
        match self.source() {
            Some(source) => write!(f, ": {source}"),
            None => Ok(()),
        }
    }
}
