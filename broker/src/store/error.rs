//! What can go wrong, and what it was about.

use std::path::PathBuf;

use schemas::RequestId;

/// Why a store could not be opened, read or written. Errors of [`super::Store::commit`] are final
/// for the process.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("another process has the store at {path} open")]
    Locked { path: PathBuf },
    /// What came after it would be done again, under message ids that were given out before.
    #[error(
        "{path} holds a backup, which must not serve: set store.dir to an empty directory, and \
         `broker store restore --from {path}`"
    )]
    Backup { path: PathBuf },
    #[error("{doing} the store at {path}")]
    Engine {
        doing: &'static str,
        path: PathBuf,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error("{doing} {path}")]
    File {
        doing: &'static str,
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error(
        "copying into {into} took more than {max:?} and was given up, so that what serves is not \
         held up: try a quieter time or a faster disk, or raise limits.backup_max_ms"
    )]
    CopyTooSlow { into: PathBuf, max: std::time::Duration },
    /// A directory that was made and never became a store.
    #[error("there is no store at {path}: nothing was ever written to it")]
    Empty { path: PathBuf },
    /// fjall cannot tell a torn last batch from a damaged one and opens neither.
    #[error(
        "the journal of the store at {path} does not replay; see runbook \"{}\"",
        runbook::JOURNAL
    )]
    Journal {
        path: PathBuf,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A file of the engine is not what was written.
    #[error(
        "{doing} the store at {path}: a file is damaged or missing; see runbook \"{}\"",
        runbook::DAMAGED
    )]
    DamagedFile {
        doing: &'static str,
        path: PathBuf,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The value is there but is not what was written.
    #[error(
        "damaged value in {keyspace} under key {key}: {why}; see runbook \"{}\"",
        runbook::DAMAGED
    )]
    Damaged { keyspace: &'static str, key: String, why: String },
    #[error(
        "the store has format {found}, this program knows up to {known}; see runbook \"{}\"",
        runbook::NEWER
    )]
    NewerFormat { found: u16, known: u16 },
    #[error(
        "the store ends at commit {found} but commit {promised} was durable before; \
         see runbook \"{}\"",
        runbook::SHORTER
    )]
    Shorter { found: u64, promised: u64 },
    /// A message of its own life that it does not know: an earlier state was put back.
    #[error(
        "stream {stream} ends with {message}, which this store sent and knows nothing of; \
         see runbook \"{}\"",
        runbook::OLDER
    )]
    Older { stream: &'static str, message: String },
    #[error(
        "{path} is missing or unreadable beside a store that is not empty: {why}; see runbook \"{}\"",
        runbook::NO_MARK
    )]
    NoHighWaterMark { path: PathBuf, why: String },
    #[error(
        "the audit chain is broken at commit {commit}: {why}; see runbook \"{}\"",
        runbook::BROKEN_CHAIN
    )]
    BrokenChain { commit: u64, why: String },
    /// An earlier commit failed; only a restart shows what is durable.
    #[error("the store refuses to go on after a failed commit")]
    Poisoned,
    /// Injected by a test through the in-memory store.
    #[error("injected failure of a commit")]
    Injected,
}

/// Why one write can never be stored, however often it is tried.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("request {request}: {what} takes {bytes} bytes, at most {max} can be stored")]
    TooLarge { request: RequestId, what: &'static str, bytes: usize, max: usize },
    #[error("dead letter of {stream}: {bytes} bytes, at most {max} can be stored")]
    LetterTooLarge { stream: String, bytes: usize, max: usize },
    #[error("stream mark of {stream}: {why}")]
    Mark { stream: String, why: &'static str },
    /// A batch must move the version by exactly its number of audit rows, at least one.
    #[error("request {request}: version {version} does not follow {expected} by {rows} audit rows")]
    VersionNotDense { request: RequestId, version: u64, expected: u64, rows: usize },
    #[error("the outbox cursor cannot be {sent}: the last row is {last}")]
    CursorAhead { sent: u64, last: u64 },
}

/// Headings of `RUNBOOK.md` beside this module.
pub mod runbook {
    pub const JOURNAL: &str = "Store: the journal does not replay";
    pub const DAMAGED: &str = "Store: a value is damaged";
    pub const NEWER: &str = "Store: the format is newer than the program";
    pub const SHORTER: &str = "Store: it came back shorter";
    pub const OLDER: &str = "Store: it is older than what it sent";
    pub const NO_MARK: &str = "Store: the high-water mark is missing";
    pub const BROKEN_CHAIN: &str = "Store: the audit chain is broken";
    pub const ALL: [&str; 7] = [JOURNAL, DAMAGED, NEWER, SHORTER, OLDER, NO_MARK, BROKEN_CHAIN];
}
