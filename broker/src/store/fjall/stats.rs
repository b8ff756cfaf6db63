//! What the store wrote since it was opened.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StoreStats {
    /// Synced groups.
    pub groups: u64,
    /// Requests' batches and dead letters in them.
    pub commits: u64,
    /// Bytes in fjall's journal, framing included.
    pub journal_bytes: u64,
}

/// A view that follows the store.
#[derive(Debug, Clone, Default)]
pub struct LiveStats(Arc<Counters>);

#[derive(Debug, Default)]
struct Counters {
    groups: AtomicU64,
    commits: AtomicU64,
    journal_bytes: AtomicU64,
}

impl LiveStats {
    pub fn get(&self) -> StoreStats {
        StoreStats {
            groups: self.0.groups.load(Ordering::Relaxed),
            commits: self.0.commits.load(Ordering::Relaxed),
            journal_bytes: self.0.journal_bytes.load(Ordering::Relaxed),
        }
    }

    pub(super) fn add(&self, group: StoreStats) {
        self.0.groups.fetch_add(group.groups, Ordering::Relaxed);
        self.0.commits.fetch_add(group.commits, Ordering::Relaxed);
        self.0.journal_bytes.fetch_add(group.journal_bytes, Ordering::Relaxed);
    }
}
