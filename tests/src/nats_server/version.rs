//! What a nats-server binary says about itself.

use std::fmt;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};
use std::str::FromStr;
use std::time::Duration;

use super::poll;

/// The oldest server the broker supports: per-message TTL, consumer pause and the strict
/// publish expectations it relies on are all there from 2.11 on.
pub const MINIMUM_VERSION: ServerVersion = ServerVersion { major: 2, minor: 11, patch: 0 };

/// How long a just-written binary may stay "text file busy" before we call it broken.
const BUSY_DEADLINE: Duration = Duration::from_secs(5);

/// A release number of nats-server, ordered as releases are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ServerVersion {
    pub major: u32,
    pub minor: u32,
    pub patch: u32,
}

/// Why a file could not be taken for a nats-server.
#[derive(Debug, thiserror::Error)]
pub enum VersionError {
    #[error("could not be run with --version")]
    Run(#[source] io::Error),
    #[error("said {said:?} for --version, which names no nats-server release")]
    Unreadable { said: String },
}

impl ServerVersion {
    /// Asks the binary at `path` for its version.
    ///
    /// # Errors
    /// When the file cannot be run, or answers with something else than a nats-server release.
    pub fn of(path: &Path) -> Result<Self, VersionError> {
        // Another thread may have forked while this file was open for writing; the child keeps
        // it busy until its own exec. That passes by itself, so it is waited for, not reported.
        let run = || match Command::new(path).arg("--version").stdin(Stdio::null()).output() {
            Err(error) if error.kind() == io::ErrorKind::ExecutableFileBusy => None,
            result => Some(result),
        };
        let output = poll::until(BUSY_DEADLINE, run)
            .unwrap_or_else(|| Err(io::ErrorKind::ExecutableFileBusy.into()))
            .map_err(VersionError::Run)?;
        let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        said.parse()
    }
}

impl FromStr for ServerVersion {
    type Err = VersionError;

    /// Reads `nats-server: v2.15.1`; a pre-release tail (`-RC.2`) does not count.
    fn from_str(said: &str) -> Result<Self, VersionError> {
        let unreadable = || VersionError::Unreadable { said: said.to_owned() };
        let number = said.strip_prefix("nats-server: v").ok_or_else(unreadable)?;
        let release = number.split(['-', '+', ' ']).next().ok_or_else(unreadable)?;
        let mut parts = release.split('.').map(|part| part.parse::<u32>().ok());
        match (parts.next().flatten(), parts.next().flatten(), parts.next().flatten()) {
            (Some(major), Some(minor), Some(patch)) => Ok(Self { major, minor, patch }),
            _ => Err(unreadable()),
        }
    }
}

impl fmt::Display for ServerVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(said: &str) -> Option<ServerVersion> {
        said.parse().ok()
    }

    #[test]
    fn a_release_and_a_pre_release_are_read() {
        let release = ServerVersion { major: 2, minor: 15, patch: 1 };
        assert_eq!(parse("nats-server: v2.15.1"), Some(release));
        assert_eq!(parse("nats-server: v2.15.1-RC.2"), Some(release));
    }

    #[test]
    fn another_program_is_not_taken_for_a_server() {
        assert_eq!(parse("nats-streaming-server version 0.25.6"), None);
        assert_eq!(parse("nats-server: v2.15"), None);
        assert_eq!(parse(""), None);
    }

    #[test]
    fn releases_are_ordered_by_number_not_by_text() {
        assert!(parse("nats-server: v2.9.25") < Some(MINIMUM_VERSION));
        assert!(parse("nats-server: v2.10.29") < Some(MINIMUM_VERSION));
        assert!(parse("nats-server: v2.11.0") == Some(MINIMUM_VERSION));
    }
}
