//! Records of any size in values below 4 KiB: payload split into chunks, chunk number last in the
//! key. A batch is atomic, so a record is always complete.

use fjall::{Keyspace, Readable, Snapshot};

use super::engine;
use super::keys::hex;
use crate::store::disk::DiskError;
use crate::store::disk::seal::{PAYLOAD_BYTES_MAX, open, seal};
use crate::store::error::StoreError;
use std::path::Path;

/// Where a value is read from, for errors.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) path: &'a Path,
    pub(super) keyspace: &'static str,
}

impl Place<'_> {
    pub(super) fn damaged(self, key: &[u8], error: &DiskError) -> StoreError {
        StoreError::Damaged { keyspace: self.keyspace, key: hex(key), why: error.to_string() }
    }

    pub(super) fn broken(self, error: fjall::Error) -> StoreError {
        engine("reading", self.path, error)
    }
}

/// Keys and sealed values of a record.
pub(super) fn split(prefix: &[u8], payload: &[u8]) -> impl Iterator<Item = (Vec<u8>, Vec<u8>)> {
    let chunk_count = payload.len().div_ceil(PAYLOAD_BYTES_MAX).max(1);
    (0u8..=u8::MAX).take(chunk_count).map(move |n| {
        let from = usize::from(n) * PAYLOAD_BYTES_MAX;
        let to = payload.len().min(from + PAYLOAD_BYTES_MAX);
        let key = [prefix, &[n]].concat();
        let value = seal(&key, &payload[from..to]);
        (key, value)
    })
}

/// A stored record: its key without the chunk number, and its payload.
pub(super) struct Record {
    pub(super) prefix: Vec<u8>,
    pub(super) payload: Vec<u8>,
}

/// Puts the chunks of consecutive records together, at most `limit` records. Entries must be in
/// the order of keys.
pub(super) fn join(
    place: Place<'_>,
    entries: impl Iterator<Item = fjall::Guard>,
    limit: usize,
) -> Result<Vec<Record>, StoreError> {
    let mut records: Vec<Record> = Vec::new();
    for entry in entries {
        let (key, value) = entry.into_inner().map_err(|e| place.broken(e))?;
        let payload = open(&key, &value).map_err(|e| place.damaged(&key, &e))?;
        let (chunk, prefix) = key
            .split_last()
            .ok_or_else(|| place.damaged(&key, &DiskError::new("key", "it is empty")))?;
        if *chunk > 0 {
            let last = records.last_mut().filter(|record| record.prefix == prefix);
            let lost = || place.damaged(&key, &DiskError::new("record", "its start is missing"));
            last.ok_or_else(lost)?.payload.extend_from_slice(payload);
            continue;
        }
        if records.len() >= limit {
            break;
        }
        records.push(Record { prefix: prefix.to_vec(), payload: payload.to_vec() });
    }
    Ok(records)
}

/// The payload of a value that is never split.
pub(super) fn get(
    place: Place<'_>,
    snapshot: &Snapshot,
    keyspace: &Keyspace,
    key: &[u8],
) -> Result<Option<Vec<u8>>, StoreError> {
    let Some(value) = snapshot.get(keyspace, key).map_err(|e| place.broken(e))? else {
        return Ok(None);
    };
    let payload = open(key, &value).map_err(|e| place.damaged(key, &e))?;
    Ok(Some(payload.to_vec()))
}
