//! What can go wrong around the processes of a test, with their own words.

use std::error::Error;
use std::fmt;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::nats_server::ServerError;

/// Why the cluster is not in the state it was asked to be in.
#[derive(thiserror::Error)]
pub enum HarnessError {
    #[error(transparent)]
    Server(#[from] ServerError),
    #[error("{doing}")]
    Io { doing: String, source: std::io::Error },
    #[error("{doing}")]
    Nats { doing: String, source: Box<dyn Error + Send + Sync> },
    #[error("{what} cannot be read")]
    Decode { what: String, source: Box<dyn Error + Send + Sync> },
    #[error("the store of the broker cannot be read: {doing}")]
    Store { doing: String, source: Box<dyn Error + Send + Sync> },
    #[error("{} is not empty, and what is in it would be judged with this run", dir.display())]
    NotEmpty { dir: PathBuf },
    #[error("{name} is still running; kill or stop it before starting it again")]
    StillRunning { name: &'static str },
    #[error("{name} is not running, so it cannot be sent {signal}")]
    NotRunning { name: &'static str, signal: Signal },
    #[error("{name} could not be sent {signal}")]
    Signal { name: &'static str, signal: Signal, source: nix::Error },
    #[error("{name} ended unasked ({status}); its log ends:\n{log}")]
    Ended { name: &'static str, status: ExitStatus, log: String },
    #[error("{name} had not ended after {}s; its log ends:\n{log}", after.as_secs())]
    NotEnded { name: &'static str, after: Duration, log: String },
    #[error("{name} is not ready after {}s; its log ends:\n{log}", after.as_secs())]
    NotReady { name: &'static str, after: Duration, log: String },
    #[error("{}s went by without this: {what}", after.as_secs())]
    TimedOut { what: String, after: Duration },
}

impl HarnessError {
    pub(crate) fn io(doing: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Io { doing, source }
    }

    pub(crate) fn nats<E>(doing: impl Into<String>) -> impl FnOnce(E) -> Self
    where
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        let doing = doing.into();
        move |source| Self::Nats { doing, source: source.into() }
    }

    pub(crate) fn store<E>(doing: impl Into<String>) -> impl FnOnce(E) -> Self
    where
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        let doing = doing.into();
        move |source| Self::Store { doing, source: source.into() }
    }

    pub(crate) fn decode<E>(what: impl Into<String>) -> impl FnOnce(E) -> Self
    where
        E: Into<Box<dyn Error + Send + Sync>>,
    {
        let what = what.into();
        move |source| Self::Decode { what, source: source.into() }
    }
}

/// The message with all its causes, line breaks kept: most who see it see the `unwrap` of a test.
impl fmt::Debug for HarnessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")?;
        let mut cause = self.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}
