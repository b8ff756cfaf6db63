//! The in-memory twin: the same answers as the store on disk, without the disk. Simulator, engine
//! tests and benches run on it.
//!
//! It has two images like a real disk: what is synced (all that readers see) and what was only
//! handed over. [`MemStore::crash`] throws the second away; [`MemStore::fail_next_commit`] makes a
//! commit fail in either of the two ways a real one can, written or not.

mod image;
mod reader;

use std::sync::{Arc, RwLock};

use image::Image;
use reader::MemReader;

use super::error::StoreError;
use super::port::{Reader, Store};
use super::row::Incarnation;
use super::write::{Committed, Write};

/// How an injected failure leaves the disk. The caller cannot tell: that is the point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailedCommit {
    /// The error came after the writes had reached the disk: they are there after the crash.
    Durable,
    /// Nothing of the writes will be there.
    NotDurable,
}

#[derive(Debug)]
pub struct MemStore {
    image: Arc<RwLock<Image>>,
    /// Handed over, not synced.
    staged: Vec<Write>,
    /// Reached the disk although their commit failed.
    limbo: Vec<Write>,
    fail_next: Option<FailedCommit>,
    poisoned: bool,
}

impl MemStore {
    pub fn new(incarnation: Incarnation) -> Self {
        Self {
            image: Arc::new(RwLock::new(Image::new(incarnation))),
            staged: Vec::new(),
            limbo: Vec::new(),
            fail_next: None,
            poisoned: false,
        }
    }

    /// Hands writes over without syncing. **Durability:** none; nobody sees them until
    /// [`MemStore::sync`], and a crash loses them.
    pub fn stage(&mut self, writes: Vec<Write>) {
        self.staged.extend(writes);
    }

    /// Applies everything staged. **Durability:** synced when it returns.
    pub fn sync(&mut self) -> Result<Vec<Committed>, StoreError> {
        if self.poisoned {
            return Err(StoreError::Poisoned);
        }
        if let Some(how) = self.fail_next.take() {
            self.poisoned = true;
            let staged = std::mem::take(&mut self.staged);
            self.limbo = match how {
                FailedCommit::Durable => staged,
                FailedCommit::NotDurable => Vec::new(),
            };
            return Err(StoreError::Injected);
        }
        let staged = std::mem::take(&mut self.staged);
        Ok(self.apply(staged))
    }

    /// The next commit fails, and every later one until [`MemStore::crash`].
    pub fn fail_next_commit(&mut self, how: FailedCommit) {
        self.fail_next = Some(how);
    }

    /// Power cut and restart: what was not synced is gone, the store can be used again. Writes of
    /// a commit that failed as [`FailedCommit::Durable`] turn out to have happened.
    pub fn crash(&mut self) {
        self.staged.clear();
        let limbo = std::mem::take(&mut self.limbo);
        self.apply(limbo);
        self.poisoned = false;
        self.fail_next = None;
    }

    fn apply(&self, writes: Vec<Write>) -> Vec<Committed> {
        let mut image = self.image.write().expect("nobody panics while holding the image");
        writes.into_iter().map(|write| image.apply(write)).collect()
    }
}

impl Store for MemStore {
    fn commit(&mut self, writes: Vec<Write>) -> Result<Vec<Committed>, StoreError> {
        let before = self.staged.len();
        if self.poisoned {
            return Err(StoreError::Poisoned);
        }
        self.stage(writes);
        let mut answers = self.sync()?;
        Ok(answers.split_off(before))
    }

    fn reader(&self) -> Arc<dyn Reader> {
        Arc::new(MemReader::new(Arc::clone(&self.image)))
    }

    fn close(self: Box<Self>) -> Result<(), StoreError> {
        Ok(())
    }
}
