//! Dropped letters: their records in the audit log, found again by number.

use fjall::{Keyspace, Snapshot};

use super::chunks::{self, Place};
use super::commit::put_audit;
use super::group::Group;
use super::{FjallStore, keys, spaces};
use crate::store::disk::audit::{self, DiskDropped};
use crate::store::disk::{decode, encode};
use crate::store::error::StoreError;
use crate::store::row::DroppedLetter;
use crate::store::write::Committed;

impl FjallStore {
    /// What is written down of this very letter already is not written again.
    pub(super) fn add_drop(
        &self,
        group: &mut Group,
        letter: &DroppedLetter,
    ) -> Result<Committed, StoreError> {
        let place = Place { path: &self.path, keyspace: spaces::INDEX };
        let known = find(place, &self.db.snapshot(), &self.spaces.index, letter.number)?;
        if known.is_none_or(|known| known.digest() != letter.digest) {
            let commit = put_audit(&self.spaces.audit, group, &audit::dropped_body(letter));
            let row = encode(&DiskDropped::new(commit, letter.digest));
            group.put(&self.spaces.index, &keys::dropped(letter.number), &row);
            group.dropped.insert(letter.number);
            group.tail.last_at = group.tail.last_at.max(letter.said_at);
        }
        Ok(Committed::Dropped)
    }
}

/// The last dropped letter of this number.
pub(super) fn find(
    place: Place<'_>,
    snapshot: &Snapshot,
    index: &Keyspace,
    number: u64,
) -> Result<Option<DiskDropped>, StoreError> {
    let key = keys::dropped(number);
    let payload = chunks::get(place, snapshot, index, &key)?;
    let read =
        |payload: Vec<u8>| decode("dropped letter", &payload).map_err(|e| place.damaged(&key, &e));
    payload.map(read).transpose()
}
