//! The project's own directory of servers: `<cache>/nats-server/<version>/nats-server`.
//!
//! Test binaries run in parallel and all want the same file on a fresh machine, so one of them
//! downloads under a file lock while the others wait, and the binary appears by a rename: whoever
//! looks without the lock sees a whole file or none.

use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// The cache of server binaries under one root.
#[derive(Debug, Clone)]
pub(super) struct Cache {
    root: PathBuf,
}

/// Held while this process is the one that downloads; other processes wait for its drop.
#[derive(Debug)]
pub(super) struct CacheLock {
    _file: File,
}

impl Cache {
    /// The cache below `cache_dir`; nothing is created until something is installed.
    pub(super) fn new(cache_dir: &Path) -> Self {
        Self { root: cache_dir.join("nats-server") }
    }

    /// Where the binary of `version` is, or would be.
    pub(super) fn binary(&self, version: &str) -> PathBuf {
        self.root.join(version).join("nats-server")
    }

    /// Waits until no other process is downloading into this cache.
    pub(super) fn lock(&self) -> io::Result<CacheLock> {
        fs::create_dir_all(&self.root)?;
        let file = File::create(self.root.join("lock"))?;
        file.lock()?;
        Ok(CacheLock { _file: file })
    }

    /// An empty directory for one download, on the same file system as the cache, gone on drop.
    pub(super) fn scratch(&self) -> io::Result<TempDir> {
        fs::create_dir_all(&self.root)?;
        tempfile::Builder::new().prefix("download-").tempdir_in(&self.root)
    }

    /// Puts a binary in its place: written whole, made executable, synced, then renamed.
    pub(super) fn install(
        &self,
        _lock: &CacheLock,
        version: &str,
        binary: &[u8],
    ) -> io::Result<PathBuf> {
        let place = self.binary(version);
        let dir = self.root.join(version);
        fs::create_dir_all(&dir)?;
        let mut file = tempfile::NamedTempFile::new_in(&dir)?;
        file.write_all(binary)?;
        file.as_file().set_permissions(Permissions::from_mode(0o755))?;
        file.as_file().sync_all()?;
        file.persist(&place).map_err(|error| error.error)?;
        Ok(place)
    }
}
