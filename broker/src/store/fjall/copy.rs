//! A copy of the whole store, made from one snapshot while commits go on, and the check of every
//! row that it makes on the way.
//!
//! The copy is a store of its own. Where its high-water mark belongs stands a sentence until the
//! last row is synced, and no broker opens a directory with such a mark: half a copy can never be
//! taken for a whole one, nor for an empty one.
//!
//! A copy is a backup, and says so by a file: a broker that served it would give message ids out a
//! second time, for something else, and forget what was done since. A restore takes the file away
//! when it has seen to both.

use std::fs::{DirBuilder, File};
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::time::{Duration, Instant};

use fjall::{Database, Keyspace, PersistMode, Readable, Snapshot};

use super::chunks::Place;
use super::hwm::{self, Mark};
use super::reader::FjallReader;
use super::spaces::{self, Spaces};
use super::{FjallOptions, FjallStore, STORE_FORMAT, keys};
use crate::store::disk::encode;
use crate::store::disk::meta::DiskIdentity;
use crate::store::disk::seal::{open, seal};
use crate::store::error::StoreError;
use crate::store::row::{CommitNumber, Incarnation};

/// Rows written at once. Small: the writer of a serving broker shares the disk.
const BATCH_ROWS_MAX: usize = 512;
/// Bytes synced at once. What piles up before a sync holds up the commits of a broker that serves
/// from the same disk, and a commit that stalls ends it.
const SYNC_BYTES: u64 = 8 * 1024 * 1024;

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

/// What kind of copy, and how long it may take.
#[derive(Debug, Clone, Default)]
pub struct Copying {
    /// A copy that is to live on (a restore) gets a new incarnation, a backup keeps the old one.
    pub fresh: Option<Incarnation>,
    /// After this the copy is given up: as long as it is made, the moment that it shows is kept in
    /// the memory of whoever serves.
    pub time_max: Option<Duration>,
}

/// Copies and checks a store from any thread. Blocks: not on an async runtime's thread.
pub struct FjallCopier(FjallReader);

impl FjallStore {
    /// For whoever makes backups.
    pub fn copier(&self) -> FjallCopier {
        FjallCopier(self.fjall_reader())
    }

    /// Whether `path` holds a backup: only a restore may bring it to life.
    pub fn is_backup(path: &Path) -> bool {
        path.join(BACKUP).exists()
    }

    /// The last step of a restore: from now on the copy at `path` may serve.
    ///
    /// # Errors
    /// The directory cannot be written.
    pub fn bring_to_life(path: &Path) -> Result<(), StoreError> {
        let file = |doing| move |source| StoreError::File { doing, path: path.to_owned(), source };
        std::fs::remove_file(path.join(BACKUP)).map_err(file("bringing to life"))?;
        sync(path).map_err(file("syncing"))
    }
}

impl FjallCopier {
    /// Copies everything into `into`, which must be empty or missing. `beside` names files in the
    /// store's directory that go along, if they are there. Every copy is a backup until
    /// [`FjallStore::bring_to_life`].
    ///
    /// # Errors
    /// `into` holds something, cannot be written, or not in time; or a row of this store is
    /// damaged: damage is never copied.
    pub fn copy_to(
        &self,
        into: &Path,
        copying: &Copying,
        beside: &[&str],
    ) -> Result<Extent, StoreError> {
        prepare(into)?;
        let extent = self.fill(into, copying).and_then(|extent| {
            beside.iter().try_for_each(|name| copy_beside(&self.0.path, into, name))?;
            let Extent { incarnation, commit, .. } = extent;
            hwm::write(into, Mark { incarnation, commit })?;
            Ok(extent)
        });
        extent.inspect_err(|_| make_room(into))
    }

    /// Every row, synced.
    fn fill(&self, into: &Path, copying: &Copying) -> Result<Extent, StoreError> {
        let patience = Patience { since: Instant::now(), time_max: copying.time_max };
        let incarnation = copying.fresh.unwrap_or(self.0.incarnation);
        let options = FjallOptions::standard(incarnation);
        let db = Database::builder(into.join("db"))
            .max_journaling_size(options.journal_bytes_max)
            .worker_threads(options.worker_threads)
            .open()
            .map_err(|e| failed("creating", into, e))?;
        // The standard keyspaces first: their settings are fixed by whoever creates them.
        Spaces::open(&db, into)?;
        let (spaces, snapshot, commit) = self.view()?;
        let mut extent = Extent { rows: 0, bytes: 0, commit, incarnation };
        for from in &spaces {
            let target = target(&db, into, from)?;
            self.copy_space(&snapshot, from, (&db, &target, into), (&mut extent, &patience))?;
        }
        let meta = Spaces::open(&db, into)?.meta;
        let identity = DiskIdentity { store_format: STORE_FORMAT, incarnation: incarnation.0 };
        meta.insert(keys::IDENTITY, seal(keys::IDENTITY, &encode(&identity)))
            .map_err(|e| failed("writing", into, e))?;
        db.persist(PersistMode::SyncAll).map_err(|e| failed("syncing", into, e))?;
        Ok(extent)
    }

    /// Looks at every row, and tells each that is damaged, and each keyspace that cannot be read to
    /// its end.
    ///
    /// # Errors
    /// The store does not say where it stands.
    pub fn check_rows(&self, mut damaged: impl FnMut(StoreError)) -> Result<Extent, StoreError> {
        let (spaces, snapshot, commit) = self.view()?;
        let incarnation = self.0.incarnation;
        let mut extent = Extent { rows: 0, bytes: 0, commit, incarnation };
        for space in &spaces {
            let place = self.place(space);
            for entry in snapshot.iter(space) {
                let (key, value) = match entry.into_inner() {
                    Ok(row) => row,
                    Err(error) => {
                        damaged(place.broken(error));
                        break;
                    }
                };
                count(&mut extent, &key, &value);
                if let Err(error) = open(&key, &value) {
                    damaged(place.damaged(&key, &error));
                }
            }
        }
        Ok(extent)
    }

    /// One moment between two commits.
    fn view(&self) -> Result<(Vec<Keyspace>, Snapshot, CommitNumber), StoreError> {
        let snapshot = self.0.published.get();
        // Days last: one with rows in the snapshot was listed before they were committed. One that
        // came later is empty in it.
        let days = self.0.buckets.all();
        let mut spaces: Vec<Keyspace> = self.0.spaces.all().into_iter().cloned().collect();
        spaces.extend(days);
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
        (extent, patience): (&mut Extent, &Patience),
    ) -> Result<(), StoreError> {
        let place = self.place(from);
        let mut batch = db.batch();
        let mut synced = extent.bytes;
        for entry in snapshot.iter(from) {
            let (key, value) = entry.into_inner().map_err(|e| place.broken(e))?;
            open(&key, &value).map_err(|e| place.damaged(&key, &e))?;
            count(extent, &key, &value);
            batch.insert(target, key, value);
            if batch.len() >= BATCH_ROWS_MAX {
                let full = std::mem::replace(&mut batch, db.batch());
                full.commit().map_err(|e| failed("writing", into, e))?;
                patience.check(into)?;
                if extent.bytes.saturating_sub(synced) >= SYNC_BYTES {
                    db.persist(PersistMode::SyncData).map_err(|e| failed("syncing", into, e))?;
                    synced = extent.bytes;
                }
            }
        }
        batch.commit().map_err(|e| failed("writing", into, e))
    }
}

impl std::fmt::Debug for FjallCopier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FjallCopier").field("path", &self.0.path).finish_non_exhaustive()
    }
}

struct Patience {
    since: Instant,
    time_max: Option<Duration>,
}

impl Patience {
    fn check(&self, into: &Path) -> Result<(), StoreError> {
        match self.time_max.filter(|max| self.since.elapsed() > *max) {
            Some(max) => Err(StoreError::CopyTooSlow { into: into.to_owned(), max }),
            None => Ok(()),
        }
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

/// An error of the copy's own database: that it gave up (its disk may be full) is no failure of the
/// store.
fn failed(doing: &'static str, into: &Path, error: fjall::Error) -> StoreError {
    StoreError::Engine { doing, path: into.to_owned(), source: Box::new(error) }
}

const UNFINISHED: &str = "this copy was not finished\n";
/// The file by which a backup is known.
const BACKUP: &str = "backup";
const BACKUP_NOTE: &str = "`broker store restore` makes a store of this backup\n";

/// An empty directory that nobody can open yet, the owner's alone; its own entry is synced.
fn prepare(into: &Path) -> Result<(), StoreError> {
    let file = |doing| move |source| StoreError::File { doing, path: into.to_owned(), source };
    let missing = |dir: &&Path| !dir.as_os_str().is_empty() && !dir.exists();
    let made: Vec<&Path> = into.ancestors().take_while(missing).collect();
    let mut builder = DirBuilder::new();
    builder.recursive(true).mode(0o700).create(into).map_err(file("creating"))?;
    let mut entries = std::fs::read_dir(into).map_err(file("reading"))?;
    if entries.next().is_some() {
        let source = std::io::Error::from(ErrorKind::DirectoryNotEmpty);
        return Err(file("copying a store into")(source));
    }
    std::fs::write(hwm::path_in(into), UNFINISHED).map_err(file("writing into"))?;
    sync(&hwm::path_in(into)).map_err(file("syncing"))?;
    std::fs::write(into.join(BACKUP), BACKUP_NOTE).map_err(file("writing into"))?;
    sync(into).map_err(file("syncing"))?;
    for dir in made {
        let parent = dir.parent().filter(|parent| !parent.as_os_str().is_empty());
        let parent = parent.unwrap_or_else(|| Path::new("."));
        sync(parent).map_err(file("syncing the parent of"))?;
    }
    Ok(())
}

/// A file or a directory.
fn sync(path: &Path) -> std::io::Result<()> {
    File::open(path)?.sync_all()
}

fn copy_beside(from: &Path, into: &Path, name: &str) -> Result<(), StoreError> {
    let (from, to) = (from.join(name), into.join(name));
    match std::fs::copy(&from, &to) {
        Ok(_) => {}
        // A store that has never served may have none yet.
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(source) => return Err(StoreError::File { doing: "copying", path: from, source }),
    }
    sync(&to).map_err(|source| StoreError::File { doing: "syncing", path: to, source })
}

/// Half a copy is of no use, and what it takes up may be what the serving store lacks. Its mark
/// stays, so that the directory is still no store.
fn make_room(into: &Path) {
    match std::fs::remove_dir_all(into.join("db")) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => {
            tracing::warn!(path = %into.display(), %error, "half a copy could not be removed");
        }
    }
}
