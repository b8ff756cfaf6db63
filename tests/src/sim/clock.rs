//! Virtual time: the hour at which every run begins, and the clocks that a process looks at.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use broker::clock::TimeSource;
use schemas::{DurationMs, Timestamp};

/// When every run begins.
pub const START: Timestamp = Timestamp::from_unix_ms(1_800_000_000_000);

/// The two clocks of one process, moved by the simulator.
#[derive(Debug, Clone, Default)]
pub struct Hands(Arc<Faces>);

#[derive(Debug, Default)]
struct Faces {
    wall_ms: AtomicU64,
    monotonic_ms: AtomicU64,
}

impl Hands {
    pub fn set(&self, wall: Timestamp, monotonic: DurationMs) {
        self.0.wall_ms.store(wall.as_unix_ms(), Ordering::Relaxed);
        self.0.monotonic_ms.store(monotonic.as_ms(), Ordering::Relaxed);
    }
}

impl TimeSource for Hands {
    fn wall_ms(&self) -> u64 {
        self.0.wall_ms.load(Ordering::Relaxed)
    }

    fn monotonic_ms(&self) -> u64 {
        self.0.monotonic_ms.load(Ordering::Relaxed)
    }
}
