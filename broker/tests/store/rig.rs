//! What a clause needs of a store: to use it, and to lose everything that is not durable.

use broker::store::{FjallOptions, FjallStore, Incarnation, MemStore, Store};
use tempfile::TempDir;

pub(crate) const INCARNATION: Incarnation = Incarnation(0xfeed);

pub(crate) trait Rig {
    fn store(&mut self) -> &mut dyn Store;

    /// Power off and on again. Readers from before are void.
    fn crash(&mut self);
}

pub(crate) struct MemRig(pub MemStore);

impl MemRig {
    pub(crate) fn new() -> Self {
        Self(MemStore::new(INCARNATION))
    }
}

impl Rig for MemRig {
    fn store(&mut self) -> &mut dyn Store {
        &mut self.0
    }

    fn crash(&mut self) {
        self.0.crash();
    }
}

/// On disk. A crash here is the process ending without closing the store; the child process tests
/// and the bench's calibration see to the rest.
pub(crate) struct FjallRig {
    dir: TempDir,
    store: Option<FjallStore>,
}

pub(crate) fn options() -> FjallOptions {
    FjallOptions::standard(INCARNATION)
}

impl FjallRig {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = FjallStore::open(dir.path(), &options()).unwrap();
        Self { dir, store: Some(store) }
    }
}

impl Rig for FjallRig {
    fn store(&mut self) -> &mut dyn Store {
        self.store.as_mut().expect("only a crash takes it, and puts it back")
    }

    fn crash(&mut self) {
        self.store = None;
        self.store = Some(FjallStore::open(self.dir.path(), &options()).unwrap());
    }
}
