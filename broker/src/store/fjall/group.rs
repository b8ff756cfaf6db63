//! Writes that are synced together: one fjall batch and what becomes true when it is durable.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use broker_core::batch::StreamPosition;
use broker_core::engine::ranking::snapshot::Snapshot;
use broker_core::request::Version;
use fjall::{Database, Keyspace, OwnedWriteBatch, PersistMode};
use schemas::{RequestId, Timestamp};
use smol_str::SmolStr;

use super::chunks::split;
use crate::store::disk::meta::Tail;
use crate::store::disk::seal::seal;
use crate::store::row::ChainHash;
use crate::store::write::StreamMark;

/// Framing of one operation in fjall's journal, besides key and value.
const ITEM_BYTES: usize = 1 + 1 + 1 + 8 + 2 + 4 + 4;

/// Framing of one batch: start (tag, count, sequence number) and end (tag, checksum, magic).
const BATCH_BYTES: usize = (1 + 4 + 8) + (1 + 8 + 4);

pub(super) struct Group {
    batch: OwnedWriteBatch,
    journal_bytes: usize,
    pub(super) commits: u64,
    pub(super) tail: Tail,
    pub(super) chain: ChainHash,
    /// Requests changed in this group, and whether each is active afterwards.
    pub(super) changed: HashMap<RequestId, (Version, bool)>,
    pub(super) marks: BTreeMap<SmolStr, StreamMark>,
    /// Sources of the letters in this group, and when each message was stored.
    pub(super) letters: BTreeMap<StreamPosition, Timestamp>,
    /// Numbers of the dropped letters that this group writes down.
    pub(super) dropped: BTreeSet<u64>,
    pub(super) earliest_timer: Option<Timestamp>,
    /// The last one of this group.
    pub(super) ranking: Option<Box<Snapshot>>,
}

impl Group {
    pub(super) fn new(db: &Database, tail: Tail, chain: ChainHash) -> Self {
        Self {
            batch: OwnedWriteBatch::with_capacity(db.clone(), 64)
                .durability(Some(PersistMode::SyncData)),
            journal_bytes: BATCH_BYTES,
            commits: 0,
            tail,
            chain,
            changed: HashMap::new(),
            marks: BTreeMap::new(),
            letters: BTreeMap::new(),
            dropped: BTreeSet::new(),
            earliest_timer: None,
            ranking: None,
        }
    }

    /// Writes a value that is never split. A key may be written once per group.
    pub(super) fn put(&mut self, keyspace: &Keyspace, key: &[u8], payload: &[u8]) {
        let value = seal(key, payload);
        self.journal_bytes += ITEM_BYTES + key.len() + value.len();
        self.batch.insert(keyspace, key, value);
    }

    /// Writes a record of any size under `prefix`, chunk by chunk.
    pub(super) fn put_record(&mut self, keyspace: &Keyspace, prefix: &[u8], payload: &[u8]) {
        for (key, value) in split(prefix, payload) {
            self.journal_bytes += ITEM_BYTES + key.len() + value.len();
            self.batch.insert(keyspace, key, value);
        }
    }

    pub(super) fn remove(&mut self, keyspace: &Keyspace, key: &[u8]) {
        self.journal_bytes += ITEM_BYTES + key.len();
        self.batch.remove(keyspace, key);
    }

    pub(super) fn timer_set(&mut self, at: Timestamp) {
        self.earliest_timer = Some(self.earliest_timer.map_or(at, |earliest| earliest.min(at)));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.batch.is_empty()
    }

    /// Writes and syncs. Returns the bytes this took in the journal.
    pub(super) fn sync(self) -> fjall::Result<usize> {
        self.batch.commit()?;
        Ok(self.journal_bytes)
    }
}
