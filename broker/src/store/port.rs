//! The port: what the broker asks of a store.

use std::sync::Arc;

use broker_core::batch::{SourceStream, Stored};
use broker_core::engine::input::TimerRow;
use broker_core::engine::ranking::snapshot::Snapshot;
use broker_core::receipt::Receipt;
use schemas::{CustomerId, RequestId, Timestamp};

use super::error::StoreError;
use super::row::{AuditRecord, CommitNumber, DroppedLetter, Incarnation, OutboxSeq, StoredRow};
use super::write::{Committed, StreamMark, Write};

/// The writing side: exactly one owner, usually [`super::StoreThread`].
pub trait Store: Send {
    /// Applies the writes in order, each all or nothing, and returns one answer for each, in
    /// order. A write sees the ones before it in the same call.
    ///
    /// **Durability:** everything answered is synced to disk when this returns. After an error
    /// nothing is known about any of the writes, every later commit fails too, and the process
    /// must restart to find out.
    fn commit(&mut self, writes: Vec<Write>) -> Result<Vec<Committed>, StoreError>;

    /// A handle for other threads. It sees a commit before that commit's answer is returned, and
    /// never anything that is not durable.
    fn reader(&self) -> Arc<dyn Reader>;

    /// Leaves the store so that the next open is fast. **Durability:** nothing depends on it.
    fn close(self: Box<Self>) -> Result<(), StoreError>;
}

/// The reading side. Every method reads one consistent state; none blocks the writer for long.
/// Calls block the calling thread (8 µs typically, up to 50 ms behind a flush): never call them on
/// an async runtime's thread.
pub trait Reader: Send + Sync {
    /// The request with its submission and its applied commands, oldest command first.
    fn load(&self, request: RequestId) -> Result<Option<Stored>, StoreError>;

    /// Its decision receipts, oldest sweep first.
    fn receipts(&self, request: RequestId) -> Result<Vec<Receipt>, StoreError>;

    /// Ids of a listing in its order, those behind `after` only, at most `limit`.
    fn ids(
        &self,
        listing: &Listing,
        after: Option<RequestId>,
        limit: usize,
    ) -> Result<Vec<RequestId>, StoreError>;

    /// Timers with `at <= until`, earliest first, at most `limit`. Rows stay until a batch clears
    /// them.
    fn due_timers(&self, until: Timestamp, limit: usize) -> Result<Vec<TimerRow>, StoreError>;

    /// Outbox rows with `seq > after`, in order, at most `limit`. Published rows are kept for a
    /// while (see [`OutboxProgress`](super::OutboxProgress)), so `after` may lie before the cursor.
    fn outbox_after(&self, after: OutboxSeq, limit: usize) -> Result<Vec<StoredRow>, StoreError>;

    /// Audit records with a commit number greater than `after`, in order, at most `limit`.
    fn audit_after(
        &self,
        after: CommitNumber,
        limit: usize,
    ) -> Result<Vec<AuditRecord>, StoreError>;

    /// What is in the audit log of the dead letter of this number, if it was dropped: the last one,
    /// if several had it.
    fn dropped(&self, number: u64) -> Result<Option<DroppedLetter>, StoreError>;

    /// What was last kept of the ranking, with every partner that was ever kept.
    fn ranking(&self) -> Result<Option<Snapshot>, StoreError>;

    /// Cursors and marks.
    fn meta(&self) -> Result<Meta, StoreError>;
}

/// What [`Reader::ids`] walks through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listing {
    /// Every request, by id.
    All,
    /// Requests the engine must look at after a restart, by id.
    Active,
    /// One customer's requests, newest id first.
    Customer(CustomerId),
}

/// Where the store stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meta {
    /// First part of every message id this store gives.
    pub incarnation: Incarnation,
    /// Number of the last audited commit; 0 before the first.
    pub last_commit: CommitNumber,
    /// Latest instant any batch carried: time must not appear to go back behind it.
    pub last_at: Timestamp,
    /// Last outbox sequence given out; 0 before the first.
    pub outbox_last: OutboxSeq,
    /// The outbox cursor: every row up to and including this one is published.
    pub outbox_sent: OutboxSeq,
    /// Highest applied sequence of each source stream, indexed by `SourceStream::number`.
    pub applied: [u64; SourceStream::ALL.len()],
    /// What is known of the streams themselves, by name.
    pub streams: Vec<StreamMark>,
}

impl Meta {
    /// Highest sequence of `stream` that some commit applied; 0 when none did.
    pub fn applied(&self, stream: SourceStream) -> u64 {
        self.applied[usize::from(stream.number())]
    }

    pub fn stream(&self, name: &str) -> Option<&StreamMark> {
        self.streams.iter().find(|mark| mark.stream == name)
    }
}
