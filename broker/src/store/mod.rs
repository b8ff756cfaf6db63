//! The broker's memory: what is written here is what the broker knows after a crash.
//!
//! ```text
//!  engine ──Write──▶ StoreThread ──▶ one group ──▶ Store::commit (fsync) ──▶ ack, in order
//!                    (one thread,       ▲ everything that waits, up to
//!                     owns the store)   │ GROUP_WRITES_MAX / GROUP_BYTES_MAX
//!  engine, API, auditor ◀── Reader (any thread, durable state only)
//! ```
//!
//! Three promises, kept by both stores and checked by the conformance suite:
//!
//! 1. **All or nothing.** A [`Write`] is applied whole or not at all; a request's batch only if
//!    the stored version is the expected one.
//! 2. **Durable before told.** When [`Store::commit`] returns, its writes survive a power cut.
//!    A reader never sees anything that could still be lost.
//! 3. **Nothing silent.** Every value carries a format byte and a checksum, commits are numbered
//!    densely and chained by hash, and a store that came back shorter is refused at open.
//!
//! An error of [`Store::commit`] says nothing about whether the writes will be there after a
//! restart: the process must end ([`StoreThread`] sees to it) and recovery decides from what is
//! durable.

pub mod chain;
pub mod disk;
mod encode;
pub mod error;
pub mod fjall;
pub mod mem;
pub mod port;
pub mod rollback;
pub mod row;
pub mod thread;
pub mod verify;
mod watchdog;
pub mod write;

pub use self::fjall::{
    Copying, Extent, FjallCopier, FjallOptions, FjallStore, LiveStats, StoreStats,
};
pub use error::{Refusal, StoreError};
pub use mem::{FailedCommit, MemStore};
pub use port::{Listing, Meta, Reader, Store};
pub use row::{
    AuditBody, AuditRecord, ChainHash, CommitNumber, DeadLetterRow, DroppedLetter, Incarnation,
    OutboxSeq, Outgoing, StoredRow,
};
pub use thread::{Fatal, StoreThread, WriterEnded, abort_process};
pub use write::{Committed, OutboxProgress, StreamMark, Write};
