//! The writer thread: owns the store, groups what waits, commits once for all, acknowledges in
//! order.
//!
//! There is no timer. The thread blocks for the first write, takes what else has queued up while
//! the last group was being synced, and commits: under load groups grow by themselves, without
//! load a write waits for nobody.
//!
//! A failed commit, or one that takes longer than [`COMMIT_STALL_MS`], ends the process through
//! the `fatal` hook: what is durable is unknown until the store is opened again. Time in which the
//! whole process stood still (stopped, suspended) is no part of a commit.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};

use super::error::StoreError;
use super::port::Store;
use super::watchdog::Watchdog;
use super::write::{Committed, Write};
use crate::{crash, metrics};

/// Most writes synced together.
pub const GROUP_WRITES_MAX: usize = 1024;

/// Most bytes (roughly) synced together.
pub const GROUP_BYTES_MAX: usize = 512 * 1024;

/// Writes that may wait; a full queue blocks [`StoreThread::submit`].
pub const QUEUE_WRITES_MAX: usize = 4096;

/// A commit that takes longer ends the process: back-pressure inside the store has no other bound.
pub const COMMIT_STALL_MS: u64 = 5000;

/// Ends the process. Tests inject one that records the reason instead; then the thread stops.
pub type Fatal = Arc<dyn Fn(&str) + Send + Sync>;

/// The hook of a real process: says why and aborts.
pub fn abort_process() -> Fatal {
    Arc::new(|reason| {
        tracing::error!(reason, "the store ends the process");
        eprintln!("the store ends the process: {reason}");
        std::process::abort();
    })
}

/// Handle of the writer thread. `T` is the caller's name for a write, given back with the answer.
#[derive(Debug)]
pub struct StoreThread<T> {
    queue: Option<Sender<(T, Write)>>,
    thread: Option<JoinHandle<Result<(), StoreError>>>,
}

/// The writer has ended; the write was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the store's writer has ended")]
pub struct WriterEnded;

impl<T: Send + 'static> StoreThread<T> {
    /// Starts the writer. `on_done` is called on the writer's thread with each answer, in the
    /// order of submission, after the write is durable; it must not block for long.
    pub fn spawn(
        store: Box<dyn Store>,
        fatal: Fatal,
        on_done: impl FnMut(T, Committed) + Send + 'static,
    ) -> std::io::Result<Self> {
        Self::spawn_with_limit(store, fatal, COMMIT_STALL_MS, on_done)
    }

    /// The same with another limit than [`COMMIT_STALL_MS`].
    pub fn spawn_with_limit(
        store: Box<dyn Store>,
        fatal: Fatal,
        stall_ms: u64,
        on_done: impl FnMut(T, Committed) + Send + 'static,
    ) -> std::io::Result<Self> {
        let (sender, receiver) = bounded(QUEUE_WRITES_MAX);
        let watchdog = Watchdog::spawn(stall_ms, Arc::clone(&fatal))?;
        let writer = Writer { store, receiver, watchdog, fatal, on_done };
        let thread = std::thread::Builder::new().name("store".to_owned());
        let thread = thread.spawn(move || writer.run())?;
        Ok(Self { queue: Some(sender), thread: Some(thread) })
    }

    /// Queues a write; blocks while [`QUEUE_WRITES_MAX`] wait. Never call it on an async runtime's
    /// thread. **Durability:** none until `on_done` is called with `tag`.
    pub fn submit(&self, tag: T, write: Write) -> Result<(), WriterEnded> {
        let queue = self.queue.as_ref().ok_or(WriterEnded)?;
        queue.send((tag, write)).map_err(|_| WriterEnded)
    }

    /// The same for callers that must not block: gives the write back if the queue is full.
    pub fn try_submit(&self, tag: T, write: Write) -> Result<Result<(), (T, Write)>, WriterEnded> {
        let queue = self.queue.as_ref().ok_or(WriterEnded)?;
        match queue.try_send((tag, write)) {
            Ok(()) => Ok(Ok(())),
            Err(TrySendError::Full(back)) => Ok(Err(back)),
            Err(TrySendError::Disconnected(_)) => Err(WriterEnded),
        }
    }

    /// Writes that wait to be taken into a group.
    pub fn queued(&self) -> usize {
        self.queue.as_ref().map_or(0, Sender::len)
    }

    /// Commits what is queued, acknowledges it, closes the store. Blocks until done.
    pub fn close(mut self) -> Result<(), StoreError> {
        self.queue = None;
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(result)) => result,
            Some(Err(panic)) => std::panic::resume_unwind(panic),
            None => Ok(()),
        }
    }
}

struct Writer<T, F> {
    store: Box<dyn Store>,
    receiver: Receiver<(T, Write)>,
    watchdog: Watchdog,
    fatal: Fatal,
    on_done: F,
}

impl<T, F: FnMut(T, Committed)> Writer<T, F> {
    fn run(mut self) -> Result<(), StoreError> {
        let mut tags = Vec::with_capacity(GROUP_WRITES_MAX);
        while let Ok(first) = self.receiver.recv() {
            let writes = collect(first, &self.receiver, &mut tags);
            self.commit(&mut tags, writes)?;
        }
        self.store.close()
    }

    fn commit(&mut self, tags: &mut Vec<T>, writes: Vec<Write>) -> Result<(), StoreError> {
        crash::point(crash::STORE_BEFORE_COMMIT);
        let (started, count) = (Instant::now(), writes.len());
        let running = self.watchdog.commit_starts();
        let result = self.store.commit(writes);
        drop(running);
        let answers = result.inspect_err(|error| (self.fatal)(&chain(error)))?;
        metrics::machine::committed(count, started.elapsed());
        crash::point(crash::STORE_AFTER_COMMIT);
        for (tag, answer) in tags.drain(..).zip(answers) {
            (self.on_done)(tag, answer);
            crash::point(crash::STORE_BETWEEN_ACKS);
        }
        Ok(())
    }
}

/// One group: `first` and whatever has queued up behind it, within the limits.
fn collect<T>(first: (T, Write), receiver: &Receiver<(T, Write)>, tags: &mut Vec<T>) -> Vec<Write> {
    let mut writes = Vec::with_capacity(receiver.len() + 1);
    let mut bytes = 0;
    let mut next = Some(first);
    while let Some((tag, write)) = next {
        bytes += write.approx_bytes();
        tags.push(tag);
        writes.push(write);
        let full = writes.len() >= GROUP_WRITES_MAX || bytes >= GROUP_BYTES_MAX;
        next = if full { None } else { receiver.try_recv().ok() };
    }
    writes
}

/// The error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
