//! How far each source stream has been read in this life of the process: the last sequence the
//! server delivered. Written by ingress, remembered by egress with its progress.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use broker_core::batch::{SourceStream, StreamPosition};

/// Shared; cloning is cheap.
#[derive(Debug, Clone, Default)]
pub struct Positions(Arc<[AtomicU64; SourceStream::ALL.len()]>);

impl Positions {
    pub fn note(&self, position: StreamPosition) {
        self.slot(position.stream).fetch_max(position.sequence, Ordering::Relaxed);
    }

    /// 0 if nothing was delivered.
    pub fn of(&self, source: SourceStream) -> u64 {
        self.slot(source).load(Ordering::Relaxed)
    }

    /// The stream gives its sequences out again from here.
    pub fn restart(&self, source: SourceStream, sequence: u64) {
        self.slot(source).store(sequence, Ordering::Relaxed);
    }

    fn slot(&self, source: SourceStream) -> &AtomicU64 {
        &self.0[usize::from(source.number())]
    }
}
