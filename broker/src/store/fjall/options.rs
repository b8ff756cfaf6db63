//! Settings. Memtable sizes are persisted by fjall when a keyspace is created and cannot be
//! changed afterwards.

use crate::store::row::Incarnation;

const MIB: u64 = 1024 * 1024;

/// How a store is opened.
#[derive(Debug, Clone)]
pub struct FjallOptions {
    /// Identity of a store that is created now; random. An existing store keeps its own.
    /// Without one nothing is created.
    pub fresh_incarnation: Option<Incarnation>,
    /// Block cache, bytes; 20–25 % of the machine's memory.
    pub cache_bytes: u64,
    /// Journals on disk before memtables are forced out, bytes: bounds recovery to about a second.
    pub journal_bytes_max: u64,
    /// Threads that flush and compact.
    pub worker_threads: usize,
    /// Days of fully published outbox rows kept for rewinding, today not counted.
    pub outbox_keep_days: u32,
}

impl FjallOptions {
    /// The measured settings. `fresh_incarnation` must be random.
    pub const fn standard(fresh_incarnation: Incarnation) -> Self {
        Self {
            fresh_incarnation: Some(fresh_incarnation),
            cache_bytes: 128 * MIB,
            journal_bytes_max: 256 * MIB,
            // Of several workers fjall keeps the first for flushing: while another one compacts, it
            // takes each further compaction from the queue and puts it back at once, without
            // pause. On two cores that cost a third of the broker's CPU and stalls of a second.
            worker_threads: 1,
            outbox_keep_days: 2,
        }
    }

    /// The same for a store that is there already.
    pub const fn existing() -> Self {
        Self { fresh_incarnation: None, ..Self::standard(Incarnation(0)) }
    }
}
