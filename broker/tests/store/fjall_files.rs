//! The database's files from the outside, for damage that the store itself would never do.

use std::path::Path;

use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};

/// Changes a keyspace behind the back of the (closed) store at `path`.
pub(crate) fn tamper(path: &Path, keyspace: &str, change: impl FnOnce(&Keyspace)) {
    let db = Database::builder(path.join("db")).open().unwrap();
    let space = db.keyspace(keyspace, KeyspaceCreateOptions::default).unwrap();
    change(&space);
    db.persist(PersistMode::SyncAll).unwrap();
}
