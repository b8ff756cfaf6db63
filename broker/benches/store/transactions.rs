//! The same rows through fjall's own transactions: one fsync per commit, a thread per request.

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use broker::store::disk::basic::DiskCommand;
use broker::store::disk::head::DiskHead;
use broker::store::disk::receipt;
use broker::store::disk::seal::seal;
use broker::store::disk::submission::DiskSubmission;
use broker::store::disk::{audit, outbox};
use broker::store::{ChainHash, CommitNumber};
use broker_core::batch::{Batch, IndexOp, Part};
use broker_core::timer::TimerOp;
use fjall::{
    KeyspaceCreateOptions, PersistMode, Readable, SingleWriterTxDatabase, SingleWriterTxKeyspace,
};

use crate::lives::{Lives, report};

struct Tables {
    db: SingleWriterTxDatabase,
    head: SingleWriterTxKeyspace,
    parts: SingleWriterTxKeyspace,
    outbox: SingleWriterTxKeyspace,
    timers: SingleWriterTxKeyspace,
    index: SingleWriterTxKeyspace,
    audit: SingleWriterTxKeyspace,
    meta: SingleWriterTxKeyspace,
    next: AtomicU64,
}

impl Tables {
    fn open(path: &Path) -> fjall::Result<Self> {
        let db = SingleWriterTxDatabase::builder(path).worker_threads(2).open()?;
        let space = |name: &str, mib: u64| {
            db.keyspace(name, || KeyspaceCreateOptions::default().max_memtable_size(mib << 20))
        };
        Ok(Self {
            head: space("head", 16)?,
            parts: space("parts", 32)?,
            outbox: space("outbox", 16)?,
            timers: space("timers", 4)?,
            index: space("index", 4)?,
            audit: space("audit", 8)?,
            meta: space("meta", 4)?,
            next: AtomicU64::new(1),
            db,
        })
    }

    /// Compare-and-set of one batch, all rows in one transaction.
    fn commit(&self, batch: &Batch) -> fjall::Result<()> {
        let id = *batch.request.id().as_bytes();
        let commit = self.next.fetch_add(1, Ordering::Relaxed);
        let mut tx = self.db.write_tx().durability(Some(PersistMode::SyncData));
        std::hint::black_box(tx.get(&self.head, id)?);
        let mut put = |space: &SingleWriterTxKeyspace, key: &[u8], payload: &[u8]| {
            tx.insert(space, key, seal(key, payload));
        };
        put(&self.head, &id, &bytes(&DiskHead::from(&batch.request)));
        for (part, n) in batch.parts.iter().zip(0u8..) {
            let payload = match part {
                Part::Submission => bytes(&DiskSubmission::from(batch.request.submission.as_ref())),
                Part::Command(record) => bytes(&DiskCommand::from(record)),
                Part::Receipt(receipt) => receipt::write(receipt),
            };
            put(&self.parts, &[id.as_slice(), &[n]].concat(), &payload);
        }
        let at = batch.audit[0].at;
        let rows = outbox::effects_record(batch.request.id(), at, &batch.outbox);
        put(&self.outbox, &commit.to_be_bytes(), &rows);
        let body = audit::request_body(batch.request.id(), &batch.audit);
        let hash = audit::link(ChainHash::GENESIS, CommitNumber(commit), &body);
        put(&self.audit, &commit.to_be_bytes(), &audit::record(hash, &body));
        put(&self.meta, b"tail", &[0; 24]);
        for op in &batch.timers {
            let (TimerOp::Set { kind, at } | TimerOp::Clear { kind, at }) = *op;
            let at = at.as_unix_ms().to_be_bytes();
            let key = [at.as_slice(), &[kind.number()], &id].concat();
            match op {
                TimerOp::Set { .. } => tx.insert(&self.timers, &key, seal(&key, &[])),
                TimerOp::Clear { .. } => tx.remove(&self.timers, key),
            }
        }
        for op in &batch.index {
            let (name, is_set): (&[u8], bool) = match op {
                IndexOp::AddToCustomer => (b"1c1", true),
                IndexOp::AddActive => (b"2", true),
                IndexOp::RemoveActive => (b"2", false),
            };
            let key = [name, &id].concat();
            if is_set {
                tx.insert(&self.index, &key, seal(&key, &[]));
            } else {
                tx.remove(&self.index, key);
            }
        }
        tx.commit()
    }
}

fn bytes<T: serde::Serialize>(value: &T) -> Vec<u8> {
    postcard::to_stdvec(value).expect("disk types serialize")
}

/// Returns commits per second.
pub(crate) fn run(path: &Path, in_flight: usize, long: Duration) -> f64 {
    let tables = Tables::open(path).expect("a fresh database opens");
    let lives = Mutex::new(Lives::new(1, in_flight));
    let times = Mutex::new(Vec::new());
    let started = Instant::now();
    std::thread::scope(|scope| {
        for slot in 0..in_flight {
            let (tables, lives, times) = (&tables, &lives, &times);
            scope.spawn(move || {
                let mut own = Vec::new();
                while started.elapsed() < long {
                    let batch = lives.lock().expect("nobody panics").next_batch(slot);
                    let before = Instant::now();
                    tables.commit(&batch).expect("the disk works");
                    own.push(before.elapsed());
                }
                times.lock().expect("nobody panics").extend(own);
            });
        }
    });
    let took = started.elapsed();
    let mut times = times.into_inner().expect("nobody panics");
    report("SingleWriterTxDatabase, same rows, 64 threads", &mut times, took, 1.0)
}
