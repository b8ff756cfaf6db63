//! The keyspaces and their settings.

use std::path::Path;

use fjall::{Database, Keyspace, KeyspaceCreateOptions};

use super::engine;
use crate::store::error::StoreError;

const MIB: u64 = 1024 * 1024;

/// A flush stalls readers and writer for 0.3 µs per row of the memtable: sizes keep a memtable
/// near 40,000 rows.
const HEAD_MEMTABLE_BYTES: u64 = 16 * MIB;
const PARTS_MEMTABLE_BYTES: u64 = 32 * MIB;
const OUTBOX_MEMTABLE_BYTES: u64 = 16 * MIB;
const AUDIT_MEMTABLE_BYTES: u64 = 8 * MIB;
const SMALL_ROWS_MEMTABLE_BYTES: u64 = 4 * MIB;

/// Handles of the keyspaces that always exist.
#[derive(Clone)]
pub(super) struct Spaces {
    pub(super) head: Keyspace,
    pub(super) parts: Keyspace,
    pub(super) timers: Keyspace,
    pub(super) index: Keyspace,
    pub(super) audit: Keyspace,
    pub(super) meta: Keyspace,
}

pub(super) const HEAD: &str = "head";
pub(super) const PARTS: &str = "parts";
pub(super) const TIMERS: &str = "timers";
pub(super) const INDEX: &str = "index";
pub(super) const AUDIT: &str = "audit";
pub(super) const META: &str = "meta";
pub(super) const OUTBOX: &str = "outbox";

impl Spaces {
    pub(super) fn open(db: &Database, path: &Path) -> Result<Self, StoreError> {
        let space = |name, memtable_bytes| create(db, path, name, memtable_bytes);
        Ok(Self {
            head: space(HEAD, HEAD_MEMTABLE_BYTES)?,
            parts: space(PARTS, PARTS_MEMTABLE_BYTES)?,
            timers: space(TIMERS, SMALL_ROWS_MEMTABLE_BYTES)?,
            index: space(INDEX, SMALL_ROWS_MEMTABLE_BYTES)?,
            audit: space(AUDIT, AUDIT_MEMTABLE_BYTES)?,
            meta: space(META, SMALL_ROWS_MEMTABLE_BYTES)?,
        })
    }

    pub(super) fn all(&self) -> [&Keyspace; 6] {
        [&self.head, &self.parts, &self.timers, &self.index, &self.audit, &self.meta]
    }
}

fn create(
    db: &Database,
    path: &Path,
    name: &str,
    memtable_bytes: u64,
) -> Result<Keyspace, StoreError> {
    db.keyspace(name, || KeyspaceCreateOptions::default().max_memtable_size(memtable_bytes))
        .map_err(|e| engine("creating a keyspace of", path, e))
}

/// The outbox keyspace of one day.
pub(super) fn outbox(db: &Database, path: &Path, name: &str) -> Result<Keyspace, StoreError> {
    create(db, path, name, OUTBOX_MEMTABLE_BYTES)
}
