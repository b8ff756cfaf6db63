//! Notices a commit that does not come back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::thread::Fatal;

/// No commit is running.
const IDLE: u64 = 0;

/// Looks several times within the limit, so that it is overrun by at most a quarter.
const LOOKS_PER_LIMIT: u64 = 4;

pub(super) struct Watchdog {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    epoch: Instant,
    /// Milliseconds since `epoch`, plus one, at which the running commit started.
    started: AtomicU64,
    stop: AtomicBool,
}

/// A commit is running until this is dropped.
pub(super) struct Running(Arc<Shared>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.started.store(IDLE, Ordering::Release);
    }
}

impl Shared {
    fn now_ms(&self) -> u64 {
        u64::try_from(self.epoch.elapsed().as_millis()).unwrap_or(u64::MAX - 1) + 1
    }

    fn running_ms(&self) -> Option<u64> {
        match self.started.load(Ordering::Acquire) {
            IDLE => None,
            started => Some(self.now_ms().saturating_sub(started)),
        }
    }
}

impl Watchdog {
    pub(super) fn spawn(limit_ms: u64, fatal: Fatal) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            epoch: Instant::now(),
            started: AtomicU64::new(IDLE),
            stop: AtomicBool::new(false),
        });
        let seen = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("store-watchdog".to_owned());
        let thread = thread.spawn(move || watch(&seen, limit_ms, &fatal))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    pub(super) fn commit_starts(&self) -> Running {
        self.shared.started.store(self.shared.now_ms(), Ordering::Release);
        Running(Arc::clone(&self.shared))
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // It only ever parks and looks, so it ends at once.
            let _ended = thread.join();
        }
    }
}

fn watch(shared: &Shared, limit_ms: u64, fatal: &Fatal) {
    while !shared.stop.load(Ordering::Acquire) {
        std::thread::park_timeout(Duration::from_millis((limit_ms / LOOKS_PER_LIMIT).max(1)));
        if let Some(ms) = shared.running_ms().filter(|ms| *ms > limit_ms) {
            fatal(&format!("a commit has been running for {ms} ms, at most {limit_ms} is allowed"));
            return;
        }
    }
}
