//! A copy of the whole store, made from one snapshot while commits go on, and the check of every
//! row that it makes on the way.
//!
//! The copy is a store of its own. Where its high-water mark belongs stands a sentence until the
//! last row is synced, and no broker opens a directory with such a mark: half a copy can never be
//! taken for a whole one, nor for an empty one.

use std::fs::File;
use std::path::Path;

use fjall::{Database, Keyspace, PersistMode, Readable, Snapshot};

use super::chunks::Place;
use super::hwm::{self, Mark};
use super::reader::FjallReader;
use super::spaces::{self, Spaces};
use super::{FjallStore, STORE_FORMAT, engine, keys};
use crate::store::disk::encode;
use crate::store::disk::meta::DiskIdentity;
use crate::store::disk::seal::{open, seal};
use crate::store::error::StoreError;
use crate::store::row::{CommitNumber, Incarnation};

/// Rows written at once. Small: the writer of a serving broker shares the disk.
const BATCH_ROWS_MAX: usize = 512;

/// What a copy holds, or a check looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    pub rows: u64,
    /// Keys and values, without the overhead of files.
    pub bytes: u64,
    /// The last commit in it.
    pub commit: CommitNumber,
    pub incarnation: Incarnation,
}

/// Copies and checks a store from any thread. Blocks: not on an async runtime's thread.
pub struct FjallCopier(FjallReader);

impl FjallStore {
    /// For whoever makes backups.
    pub fn copier(&self) -> FjallCopier {
        FjallCopier(self.fjall_reader())
    }
}

impl FjallCopier {
    /// Copies everything into `into`, which must be empty or missing. A copy that is to live on
    /// (a restore) gets a new incarnation, a backup keeps the old one.
    ///
    /// # Errors
    /// `into` holds something, cannot be written, or a row of this store is damaged: damage is
    /// never copied.
    pub fn copy_to(&self, into: &Path, fresh: Option<Incarnation>) -> Result<Extent, StoreError> {
        prepare(into)?;
        let (spaces, snapshot, commit) = self.view()?;
        let incarnation = fresh.unwrap_or(self.0.incarnation);
        let db =
            Database::builder(into.join("db")).open().map_err(|e| engine("creating", into, e))?;
        // The standard keyspaces first: their settings are fixed by whoever creates them.
        Spaces::open(&db, into)?;
        let mut extent = Extent { rows: 0, bytes: 0, commit, incarnation };
        for from in &spaces {
            let target = target(&db, into, from)?;
            self.copy_space(&snapshot, from, (&db, &target, into), &mut extent)?;
        }
        let meta = Spaces::open(&db, into)?.meta;
        let identity = DiskIdentity { store_format: STORE_FORMAT, incarnation: incarnation.0 };
        meta.insert(keys::IDENTITY, seal(keys::IDENTITY, &encode(&identity)))
            .map_err(|e| engine("writing", into, e))?;
        db.persist(PersistMode::SyncAll).map_err(|e| engine("syncing", into, e))?;
        drop((meta, db));
        hwm::write(into, Mark { incarnation, commit })?;
        Ok(extent)
    }

    /// Looks at every row, and tells each that is damaged.
    ///
    /// # Errors
    /// A file cannot be read on.
    pub fn check_rows(&self, mut damaged: impl FnMut(StoreError)) -> Result<Extent, StoreError> {
        let (spaces, snapshot, commit) = self.view()?;
        let incarnation = self.0.incarnation;
        let mut extent = Extent { rows: 0, bytes: 0, commit, incarnation };
        for space in &spaces {
            for entry in snapshot.iter(space) {
                let place = self.place(space);
                let (key, value) = entry.into_inner().map_err(|e| place.broken(e))?;
                count(&mut extent, &key, &value);
                if let Err(error) = open(&key, &value) {
                    damaged(place.damaged(&key, &error));
                }
            }
        }
        Ok(extent)
    }

    /// Days first: one that is created after the snapshot is empty in it.
    fn view(&self) -> Result<(Vec<Keyspace>, Snapshot, CommitNumber), StoreError> {
        let days = self.0.buckets.all();
        let mut spaces: Vec<Keyspace> = self.0.spaces.all().into_iter().cloned().collect();
        spaces.extend(days);
        let snapshot = self.0.db.snapshot();
        let tail = self.0.tail(&snapshot)?.unwrap_or_default();
        Ok((spaces, snapshot, tail.commit))
    }

    fn place(&self, space: &Keyspace) -> Place<'_> {
        let fixed = [
            spaces::HEAD,
            spaces::PARTS,
            spaces::TIMERS,
            spaces::INDEX,
            spaces::AUDIT,
            spaces::META,
        ];
        let name: &str = space.name();
        let keyspace = fixed.into_iter().find(|fixed| *fixed == name).unwrap_or(spaces::OUTBOX);
        Place { path: &self.0.path, keyspace }
    }

    fn copy_space(
        &self,
        snapshot: &Snapshot,
        from: &Keyspace,
        (db, target, into): (&Database, &Keyspace, &Path),
        extent: &mut Extent,
    ) -> Result<(), StoreError> {
        let place = self.place(from);
        let mut batch = db.batch();
        for entry in snapshot.iter(from) {
            let (key, value) = entry.into_inner().map_err(|e| place.broken(e))?;
            open(&key, &value).map_err(|e| place.damaged(&key, &e))?;
            count(extent, &key, &value);
            batch.insert(target, key, value);
            if batch.len() >= BATCH_ROWS_MAX {
                let full = std::mem::replace(&mut batch, db.batch());
                full.commit().map_err(|e| engine("writing", into, e))?;
            }
        }
        batch.commit().map_err(|e| engine("writing", into, e))
    }
}

impl std::fmt::Debug for FjallCopier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FjallCopier").field("path", &self.0.path).finish_non_exhaustive()
    }
}

fn target(db: &Database, into: &Path, from: &Keyspace) -> Result<Keyspace, StoreError> {
    let name: &str = from.name();
    let fixed = Spaces::open(db, into)?;
    match fixed.all().into_iter().find(|space| space.name() == from.name()) {
        Some(space) => Ok(space.clone()),
        None => spaces::outbox(db, into, name),
    }
}

fn count(extent: &mut Extent, key: &[u8], value: &[u8]) {
    let bytes = u64::try_from(key.len() + value.len()).unwrap_or(u64::MAX);
    extent.rows = extent.rows.saturating_add(1);
    extent.bytes = extent.bytes.saturating_add(bytes);
}

const UNFINISHED: &str = "this copy was not finished\n";

/// An empty directory that nobody can open yet; its own entry is synced.
fn prepare(into: &Path) -> Result<(), StoreError> {
    let file = |doing| move |source| StoreError::File { doing, path: into.to_owned(), source };
    std::fs::create_dir_all(into).map_err(file("creating"))?;
    let mut entries = std::fs::read_dir(into).map_err(file("reading"))?;
    if entries.next().is_some() {
        let source = std::io::Error::from(std::io::ErrorKind::DirectoryNotEmpty);
        return Err(file("copying a store into")(source));
    }
    std::fs::write(hwm::path_in(into), UNFINISHED).map_err(file("writing into"))?;
    File::open(hwm::path_in(into)).and_then(|mark| mark.sync_all()).map_err(file("syncing"))?;
    File::open(into).and_then(|dir| dir.sync_all()).map_err(file("syncing"))?;
    let parent = into.parent().filter(|parent| !parent.as_os_str().is_empty());
    let parent = parent.unwrap_or_else(|| Path::new("."));
    File::open(parent).and_then(|dir| dir.sync_all()).map_err(file("syncing the parent of"))
}
