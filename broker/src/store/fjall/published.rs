//! The moments that readers may see.
//!
//! A batch gets its number, is synced, and only then are its rows put in; its number is made
//! visible last. But a flush or a compaction that ends meanwhile makes *its* later number visible,
//! and a snapshot opened then sees the rows of the batch as they appear: a new head without its
//! parts. So nobody opens snapshots but the writer, between its own batches, and everybody else
//! copies the last one.

use std::sync::{Arc, PoisonError, RwLock};

use fjall::{Database, Snapshot};

/// The state after the last commit, shared by the writer with all readers.
#[derive(Clone)]
pub(super) struct Published(Arc<RwLock<Snapshot>>);

impl Published {
    /// The state as it is. Only while no batch is being written.
    pub(super) fn of(db: &Database) -> Self {
        Self(Arc::new(RwLock::new(db.snapshot())))
    }

    /// The writer's: a batch is in, and no other has been begun.
    pub(super) fn renew(&self, db: &Database) {
        let now = db.snapshot();
        let before = {
            // A snapshot is whole at any time, so a panic elsewhere leaves nothing half done.
            let mut published = self.0.write().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *published, now)
        };
        // Letting go of a snapshot may tidy up: not while readers wait.
        drop(before);
    }

    pub(super) fn get(&self) -> Snapshot {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use fjall::{KeyspaceCreateOptions, Readable};

    use super::*;

    const BATCHES: u32 = 60;
    /// So many that a flush ends while they are put in.
    const ROWS: u32 = 20_000;

    #[test]
    fn nobody_sees_half_a_batch_although_memtables_are_flushed_meanwhile() {
        let dir = tempfile::tempdir().unwrap();
        let db = Database::builder(dir.path()).open().unwrap();
        let space = |name| db.keyspace(name, KeyspaceCreateOptions::default).unwrap();
        let (first, last, other) = (space("first"), space("last"), space("other"));
        let published = Published::of(&db);
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    other.insert("a", "row").unwrap();
                    other.rotate_memtable_and_wait().unwrap();
                }
            });
            let reader = scope.spawn(|| {
                let mut torn = 0;
                while !done.load(Ordering::Relaxed) {
                    let moment = published.get();
                    let begun = moment.get(&first, "row").unwrap();
                    let ended = moment.get(&last, "row").unwrap();
                    torn += u32::from(begun != ended);
                }
                torn
            });
            for n in 0..BATCHES {
                let mut batch = db.batch();
                batch.insert(&first, "row", n.to_be_bytes());
                for row in 0..ROWS {
                    batch.insert(&first, row.to_be_bytes(), "");
                }
                batch.insert(&last, "row", n.to_be_bytes());
                batch.commit().unwrap();
                published.renew(&db);
            }
            done.store(true, Ordering::Relaxed);
            assert_eq!(reader.join().unwrap(), 0, "moments with half a batch");
        });
    }
}
