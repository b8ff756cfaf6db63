//! Notices a commit that does not come back.

mod patience;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use patience::{CommitRun, Patience, Stalled};

use super::thread::Fatal;

/// No commit is running.
const IDLE: u64 = 0;

pub(super) struct Watchdog {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    /// Commits started so far.
    started: AtomicU64,
    /// Number of the running commit, or [`IDLE`].
    running: AtomicU64,
    stop: AtomicBool,
}

/// A commit is running until this is dropped.
pub(super) struct Running(Arc<Shared>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running.store(IDLE, Ordering::Release);
    }
}

impl Shared {
    fn running(&self) -> Option<CommitRun> {
        match self.running.load(Ordering::Acquire) {
            IDLE => None,
            number => Some(CommitRun(number)),
        }
    }
}

impl Watchdog {
    pub(super) fn spawn(limit_ms: u64, fatal: Fatal) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            started: AtomicU64::new(0),
            running: AtomicU64::new(IDLE),
            stop: AtomicBool::new(false),
        });
        let seen = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("store-watchdog".to_owned());
        let thread = thread.spawn(move || watch(&seen, limit_ms, &fatal))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    pub(super) fn commit_starts(&self) -> Running {
        let number = self.shared.started.fetch_add(1, Ordering::Relaxed) + 1;
        self.shared.running.store(number, Ordering::Release);
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
    let mut patience = Patience::new(limit_ms);
    let interval = Duration::from_millis(patience.interval_ms());
    let mut last = Instant::now();
    while !shared.stop.load(Ordering::Acquire) {
        std::thread::park_timeout(interval);
        let now = Instant::now();
        let since_ms = u64::try_from(now.duration_since(last).as_millis()).unwrap_or(u64::MAX);
        last = now;
        if let Some(Stalled { lived_ms }) = patience.look(shared.running(), since_ms) {
            let ran = format!("a commit has been running for {lived_ms} ms");
            fatal(&format!("{ran}, at most {limit_ms} is allowed"));
            return;
        }
    }
}
