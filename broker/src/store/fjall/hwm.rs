//! The high-water mark: how far the store was known to be durable, in a file that the database
//! does not touch.
//!
//! A damaged journal can lose its end without an error. The mark shows it: a store that ends
//! before its own mark has lost acknowledged commits. It is written each second, so a loss of less
//! than a second can go unnoticed here (the audit chain and our own streams are compared too).

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::files;
use crate::store::error::StoreError;
use crate::store::row::{CommitNumber, Incarnation};

const FILE: &str = "high-water";
const INTERVAL_MS: u64 = 1000;

/// Content of the file: readable and writable by hand, as the runbook says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) incarnation: Incarnation,
    pub(super) commit: CommitNumber,
}

impl Mark {
    fn to_text(self) -> String {
        format!("incarnation {}\ncommit {}\n", self.incarnation, self.commit.0)
    }

    fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_suffix('\n')?.strip_prefix("incarnation ")?;
        let (incarnation, commit) = rest.split_once("\ncommit ")?;
        Some(Self {
            incarnation: Incarnation(u64::from_str_radix(incarnation, 16).ok()?),
            commit: CommitNumber(commit.parse().ok()?),
        })
    }
}

pub(super) fn path_in(store: &Path) -> PathBuf {
    store.join(FILE)
}

/// The mark beside the store; `None` when there is no file.
pub(super) fn read(store: &Path) -> Result<Option<Mark>, StoreError> {
    let path = path_in(store);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(StoreError::File { doing: "reading", path, source }),
    };
    let unreadable = || StoreError::NoHighWaterMark { path, why: format!("it says {text:?}") };
    Mark::parse(&text).map(Some).ok_or_else(unreadable)
}

/// Replaces the file as a whole, so that no crash leaves half a mark. **Durability:** synced.
pub(super) fn write(store: &Path, mark: Mark) -> Result<(), StoreError> {
    let written = files::replace(store, FILE, mark.to_text().as_bytes());
    let path = path_in(store);
    written.map_err(|source| StoreError::File { doing: "writing", path, source })
}

/// Keeps the file up to date from its own thread, away from the commits.
pub(super) struct HighWater {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    store: PathBuf,
    incarnation: Incarnation,
    durable: AtomicU64,
    stop: AtomicBool,
    failed: AtomicBool,
}

impl HighWater {
    /// `durable` is the commit number at which the store was opened.
    pub(super) fn spawn(
        store: &Path,
        incarnation: Incarnation,
        durable: CommitNumber,
    ) -> Result<Self, StoreError> {
        let shared = Arc::new(Shared {
            store: store.to_owned(),
            incarnation,
            durable: AtomicU64::new(durable.0),
            stop: AtomicBool::new(false),
            failed: AtomicBool::new(false),
        });
        let seen = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("store-high-water".to_owned())
            .spawn(move || keep(&seen))
            .map_err(|source| StoreError::File {
                doing: "starting the thread that writes",
                path: path_in(store),
                source,
            })?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// `commit` is durable.
    pub(super) fn note(&self, commit: CommitNumber) {
        self.shared.durable.store(commit.0, Ordering::Release);
    }

    /// The file could not be written: the store must not go on without its guard.
    pub(super) fn is_failed(&self) -> bool {
        self.shared.failed.load(Ordering::Acquire)
    }
}

impl Drop for HighWater {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // It writes at most once more.
            let _ended = thread.join();
        }
    }
}

fn keep(shared: &Shared) {
    let mut written = None;
    loop {
        let stop = shared.stop.load(Ordering::Acquire);
        let commit = CommitNumber(shared.durable.load(Ordering::Acquire));
        if written != Some(commit) {
            let mark = Mark { incarnation: shared.incarnation, commit };
            if let Err(error) = write(&shared.store, mark) {
                tracing::error!(%error, cause = ?std::error::Error::source(&error), "high-water mark");
                shared.failed.store(true, Ordering::Release);
                return;
            }
            written = Some(commit);
        }
        if stop {
            return;
        }
        std::thread::park_timeout(Duration::from_millis(INTERVAL_MS));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_reads_back_and_anything_else_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(read(dir.path()).unwrap(), None);
        let mark = Mark { incarnation: Incarnation(0xabc), commit: CommitNumber(17) };
        write(dir.path(), mark).unwrap();
        assert_eq!(read(dir.path()).unwrap(), Some(mark));
        std::fs::write(path_in(dir.path()), "incarnation abc\ncommit 1").unwrap();
        assert!(matches!(read(dir.path()), Err(StoreError::NoHighWaterMark { .. })));
    }

    #[test]
    fn what_was_noted_last_is_in_the_file_when_the_keeper_ends() {
        let dir = tempfile::tempdir().unwrap();
        let keeper = HighWater::spawn(dir.path(), Incarnation(1), CommitNumber(3)).unwrap();
        keeper.note(CommitNumber(99));
        drop(keeper);
        assert_eq!(read(dir.path()).unwrap().map(|mark| mark.commit), Some(CommitNumber(99)));
    }
}
