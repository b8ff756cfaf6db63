//! Opening, with every check that needs no full scan, and closing.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fjall::{Database, Keyspace, PersistMode};

use super::buckets::Buckets;
use super::chunks::{self, Place};
use super::floor::TimerFloor;
use super::hwm::{self, HighWater, Mark};
use super::last_words::while_opening;
use super::published::Published;
use super::reader::FjallReader;
use super::spaces::{self, Spaces};
use super::{FjallOptions, FjallStore, LiveStats, STORE_FORMAT, engine, keys};
use crate::store::chain::{self, Chain};
use crate::store::disk::meta::{DiskIdentity, Tail};
use crate::store::disk::seal::seal;
use crate::store::disk::{decode, encode};
use crate::store::error::StoreError;
use crate::store::port::Reader;
use crate::store::row::{ChainHash, CommitNumber, Incarnation, OutboxSeq};

/// Audit records checked at every open; `verify` checks all.
const CHECKED_RECORDS: u64 = 2000;

/// Longest wait for memtables to be written out on a graceful stop.
const CLOSE_TIMEOUT_MS: u64 = 10_000;

const FILES_MAX: usize = 4096;

pub(super) fn open(path: &Path, options: &FjallOptions) -> Result<FjallStore, StoreError> {
    while_opening(path, || open_checked(path, options))
}

fn open_checked(path: &Path, options: &FjallOptions) -> Result<FjallStore, StoreError> {
    std::fs::create_dir_all(path).map_err(|source| StoreError::File {
        doing: "creating the directory",
        path: path.to_owned(),
        source,
    })?;
    let db = open_db(path, options)?;
    let spaces = Spaces::open(&db, path)?;
    let mark = hwm::read(path)?;
    let incarnation = match identity(&db, &spaces, path)? {
        Some(identity) => identity,
        None => {
            let empty = || StoreError::Empty { path: path.to_owned() };
            let fresh = options.fresh_incarnation.ok_or_else(empty)?;
            create(&db, &spaces, path, mark, fresh)?
        }
    };
    let reader = FjallReader {
        path: path.to_owned(),
        buckets: Buckets::open(&db, path, options.outbox_keep_days)?,
        floor: Arc::new(TimerFloor::default()),
        published: Published::of(&db),
        spaces,
        incarnation,
    };
    let snapshot = reader.published.get();
    let tail = reader.tail(&snapshot)?.unwrap_or_default();
    check_mark(path, incarnation, &tail)?;
    let chain = check_chain(&reader, &tail)?;
    check_outbox(&reader, &tail)?;
    let marks = reader.marks(&snapshot)?;
    drop(snapshot);
    Ok(FjallStore {
        high_water: HighWater::spawn(path, incarnation, tail.commit)?,
        path: reader.path,
        db,
        published: reader.published,
        spaces: reader.spaces,
        buckets: reader.buckets,
        floor: reader.floor,
        incarnation,
        tail,
        chain,
        marks: marks
            .into_iter()
            .map(|mark| (mark.stream.clone(), mark))
            .collect::<BTreeMap<_, _>>(),
        versions: HashMap::new(),
        stats: LiveStats::default(),
        poisoned: false,
    })
}

fn open_db(path: &Path, options: &FjallOptions) -> Result<Database, StoreError> {
    Database::builder(path.join("db"))
        .cache_size(options.cache_bytes)
        .max_journaling_size(options.journal_bytes_max)
        .max_cached_files(Some(FILES_MAX))
        .worker_threads(options.worker_threads)
        .open()
        .map_err(|e| engine("opening", path, e))
}

/// Identity of an existing store.
fn identity(
    db: &Database,
    spaces: &Spaces,
    path: &Path,
) -> Result<Option<Incarnation>, StoreError> {
    let place = Place { path, keyspace: spaces::META };
    let snapshot = db.snapshot();
    let Some(payload) = chunks::get(place, &snapshot, &spaces.meta, keys::IDENTITY)? else {
        return Ok(None);
    };
    let identity: DiskIdentity =
        decode("identity", &payload).map_err(|e| place.damaged(keys::IDENTITY, &e))?;
    if identity.store_format > STORE_FORMAT {
        let (found, known) = (identity.store_format, STORE_FORMAT);
        return Err(StoreError::NewerFormat { found, known });
    }
    Ok(Some(identity.incarnation()))
}

/// A new store: its mark first, so that a store with commits always has one.
fn create(
    db: &Database,
    spaces: &Spaces,
    path: &Path,
    mark: Option<Mark>,
    incarnation: Incarnation,
) -> Result<Incarnation, StoreError> {
    if let Some(promised) = mark.map(|mark| mark.commit.0).filter(|commit| *commit > 0) {
        return Err(StoreError::Shorter { found: 0, promised });
    }
    let is_empty = spaces.head.is_empty().map_err(|e| engine("reading", path, e))?;
    if !is_empty {
        let place = Place { path, keyspace: spaces::META };
        let lost = crate::store::disk::DiskError::new("identity", "the store has lost it");
        return Err(place.damaged(keys::IDENTITY, &lost));
    }
    hwm::write(path, Mark { incarnation, commit: CommitNumber(0) })?;
    let identity = DiskIdentity { store_format: STORE_FORMAT, incarnation: incarnation.0 };
    let mut batch = db.batch().durability(Some(PersistMode::SyncAll));
    batch.insert(&spaces.meta, keys::IDENTITY, seal(keys::IDENTITY, &encode(&identity)));
    batch.commit().map_err(|e| engine("creating", path, e))?;
    Ok(incarnation)
}

/// The store must reach at least as far as it was known to.
fn check_mark(path: &Path, incarnation: Incarnation, tail: &Tail) -> Result<(), StoreError> {
    let refuse = |why: &str| {
        Err(StoreError::NoHighWaterMark { path: hwm::path_in(path), why: why.to_owned() })
    };
    let Some(mark) = hwm::read(path)? else { return refuse("there is no such file") };
    if mark.incarnation != incarnation {
        return refuse("it belongs to another store");
    }
    if tail.commit < mark.commit {
        return Err(StoreError::Shorter { found: tail.commit.0, promised: mark.commit.0 });
    }
    Ok(())
}

/// The last records must be dense, chained and end where the tail says.
fn check_chain(reader: &FjallReader, tail: &Tail) -> Result<ChainHash, StoreError> {
    let before = tail.commit.0.saturating_sub(CHECKED_RECORDS);
    let mut chain = if before == 0 {
        Chain::from_genesis()
    } else {
        // Its own predecessor is not read, so it is trusted as the start.
        let start = reader.audit_after(CommitNumber(before - 1), 1)?;
        let start = start.first().filter(|record| record.commit.0 == before);
        let start = start.ok_or_else(|| StoreError::BrokenChain {
            commit: before,
            why: "the record is missing".to_owned(),
        })?;
        Chain::after(start)
    };
    chain::follow(reader, &mut chain)?;
    if chain.last() == tail.commit {
        return Ok(chain.hash());
    }
    let why = format!("the store's tail says that {} is the last one", tail.commit.0);
    Err(StoreError::BrokenChain { commit: chain.last().0, why })
}

/// Sequences must never be given twice: the rows kept must end where the tail says.
fn check_outbox(reader: &FjallReader, tail: &Tail) -> Result<(), StoreError> {
    let last = tail.outbox_last.0;
    let rows = reader.outbox_after(OutboxSeq(last.saturating_sub(1)), 2)?;
    let found = rows.last().map(|row| row.seq.0);
    if (last == 0 && found.is_none()) || found == Some(last) {
        return Ok(());
    }
    let place = Place { path: &reader.path, keyspace: spaces::OUTBOX };
    let why = format!("the last row is {found:?}, the tail says {last}");
    let error = crate::store::disk::DiskError::new("outbox", why);
    Err(place.damaged(&keys::outbox(tail.outbox_last), &error))
}

pub(super) fn close(store: FjallStore) -> Result<(), StoreError> {
    let FjallStore { path, db, spaces, buckets, high_water, poisoned, .. } = store;
    drop(high_water);
    if poisoned {
        return Err(StoreError::Poisoned);
    }
    let days = buckets.all();
    let all: Vec<&Keyspace> = spaces.all().into_iter().chain(&days).collect();
    for keyspace in &all {
        keyspace.rotate_memtable().map_err(|e| engine("closing", &path, e))?;
    }
    let deadline = Instant::now() + Duration::from_millis(CLOSE_TIMEOUT_MS);
    while all.iter().any(|keyspace| keyspace.sealed_memtable_count() > 0) {
        if Instant::now() > deadline {
            tracing::warn!("memtables are not written out; the next start replays the journal");
            break;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    drop(db);
    Ok(())
}
