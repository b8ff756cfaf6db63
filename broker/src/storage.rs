//! The store as the rest of the shell sees it: one writer thread, a few reader threads, answers to
//! the engine, durable outbox rows to egress.
//!
//! A store that fails, or refuses a write that the core decided, ends the process through the
//! `fatal` hook: nothing may leave that is not known to be durable.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use broker_core::Batch;
use broker_core::batch::StreamPosition;
use broker_core::engine::input::{CommitToken, Input, TimerRow};
use broker_core::engine::ranking::snapshot::{Snapshot, SnapshotNumber};
use crossbeam_channel::{Receiver, Sender, unbounded};
use schemas::{RequestId, Timestamp};
use tokio::sync::oneshot;

use crate::crash;
use crate::mailbox::Results;
use crate::metrics;
use crate::open::{Open, Passed};
use crate::store::{
    Committed, DeadLetterRow, DroppedLetter, Fatal, Listing, OutboxProgress, Reader, Refusal,
    Store, StoreError, StoreThread, StoredRow, Write, WriterEnded,
};

/// Due timers read at once. More of them are found by the next scan.
const TIMERS_PER_SCAN_MAX: usize = 4096;
/// Before a write is offered again to a writer whose queue is full.
const QUEUE_PAUSE: Duration = Duration::from_millis(5);
/// Ids of active requests read at once.
const RECOVERY_PAGE_MAX: usize = 1024;

/// Names a write in flight.
enum Tag {
    Batch(CommitToken, Passed),
    Letter(oneshot::Sender<Result<(), Refusal>>),
    Progress(oneshot::Sender<()>),
    Ranking(SnapshotNumber),
    Drop(oneshot::Sender<()>),
}

enum Question {
    Load(RequestId),
    Timers(Timestamp),
}

/// Handle for all threads; see [`Storage::close`] for its end.
pub struct Storage {
    writer: StoreThread<Tag>,
    questions: Sender<Question>,
    readers: Vec<JoinHandle<()>>,
    reader: Arc<dyn Reader>,
    open: Arc<Open>,
    fatal: Fatal,
}

impl Storage {
    /// Starts the threads. `on_rows` is called on the writer's thread with the rows of each
    /// commit, in order of sequence, once they are durable; it must not block.
    ///
    /// # Errors
    /// A thread cannot be started.
    pub fn start(
        store: Box<dyn Store>,
        reader_threads: usize,
        results: &Results,
        fatal: Fatal,
        on_rows: impl FnMut(Vec<StoredRow>) + Send + 'static,
    ) -> std::io::Result<Self> {
        let reader = store.reader();
        let open = Arc::new(Open::default());
        let (questions, inbox) = unbounded();
        let readers = (0..reader_threads)
            .map(|n| {
                let answering = Answering {
                    inbox: inbox.clone(),
                    reader: Arc::clone(&reader),
                    results: results.clone(),
                    open: Arc::clone(&open),
                    fatal: Arc::clone(&fatal),
                };
                let thread = std::thread::Builder::new().name(format!("store-read-{n}"));
                thread.spawn(move || answering.run())
            })
            .collect::<std::io::Result<Vec<_>>>()?;
        let done = on_done(results.clone(), Arc::clone(&open), Arc::clone(&fatal), on_rows);
        let writer = StoreThread::spawn(store, Arc::clone(&fatal), done)?;
        Ok(Self { writer, questions, readers, reader, open, fatal })
    }

    /// For reads outside of the engine. Blocks: not on an async runtime's thread.
    pub fn reader(&self) -> Arc<dyn Reader> {
        Arc::clone(&self.reader)
    }

    /// The store cannot be trusted any more: ends the process.
    pub fn fail(&self, reason: &str) {
        (self.fatal)(reason);
    }

    /// Answered with [`Input::Loaded`].
    pub fn load(&self, request: RequestId) {
        // The threads end only with this handle.
        let _ = self.questions.send(Question::Load(request));
    }

    /// Answered with [`Input::Timers`].
    pub fn scan_timers(&self, until: Timestamp) {
        let _ = self.questions.send(Question::Timers(until));
    }

    /// Answered with [`Input::Committed`] or [`Input::Conflicted`]; its rows go to `on_rows`.
    pub fn commit(&self, token: CommitToken, batch: Box<Batch>) {
        self.submit(Tag::Batch(token, Passed::of(&batch)), Write::Request(batch));
    }

    /// Answered with [`Input::RankingKept`].
    pub fn keep_ranking(&self, snapshot: Box<Snapshot>) {
        self.submit(Tag::Ranking(snapshot.number), Write::Ranking(snapshot));
    }

    /// Shows what is open and what waits to be written, for operators.
    pub fn show(&self, now: Timestamp) {
        self.open.show(now);
        metrics::machine::store_queue(self.writer.queued());
    }

    /// Returns once the letter is durable. No thread waits for it: a flood of letters would have
    /// as many of them as the runtime allows, each with memory of its own.
    ///
    /// # Errors
    /// The letter is too large to be stored, or the writer has ended.
    pub async fn write_letter(
        &self,
        letter: DeadLetterRow,
        source: Option<StreamPosition>,
    ) -> Result<Result<(), Refusal>, WriterEnded> {
        let (sender, durable) = oneshot::channel();
        self.queue(Tag::Letter(sender), Write::DeadLetter { letter, source }).await?;
        durable.await.map_err(|_ended| WriterEnded)
    }

    /// Returns once it is durable who drops the letter, and why.
    ///
    /// # Errors
    /// The writer has ended.
    pub async fn write_drop(&self, letter: DroppedLetter) -> Result<(), WriterEnded> {
        let (sender, durable) = oneshot::channel();
        self.queue(Tag::Drop(sender), Write::Drop(Box::new(letter))).await?;
        durable.await.map_err(|_ended| WriterEnded)
    }

    /// Blocks until the progress is durable.
    ///
    /// # Errors
    /// The writer has ended.
    pub fn write_progress(&self, progress: OutboxProgress) -> Result<(), WriterEnded> {
        let (sender, durable) = oneshot::channel();
        self.writer.submit(Tag::Progress(sender), Write::Outbox(progress))?;
        durable.blocking_recv().map_err(|_ended| WriterEnded)
    }

    /// Writes what is queued, ends the threads, closes the store. Blocks.
    ///
    /// # Errors
    /// The store could not be closed cleanly; what was acknowledged is durable nevertheless.
    pub fn close(self) -> Result<(), StoreError> {
        drop(self.questions);
        for reader in self.readers {
            if let Err(panic) = reader.join() {
                std::panic::resume_unwind(panic);
            }
        }
        self.writer.close()
    }

    /// Waits for room in the writer's queue, without a thread.
    async fn queue(&self, tag: Tag, write: Write) -> Result<(), WriterEnded> {
        let mut next = (tag, write);
        while let Err(full) = self.writer.try_submit(next.0, next.1)? {
            next = full;
            tokio::time::sleep(QUEUE_PAUSE).await;
        }
        Ok(())
    }

    fn submit(&self, tag: Tag, write: Write) {
        if self.writer.submit(tag, write).is_err() {
            (self.fatal)("the store's writer has ended before the engine");
        }
    }
}

impl std::fmt::Debug for Storage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Storage").field("queued", &self.writer.queued()).finish_non_exhaustive()
    }
}

fn on_done(
    results: Results,
    open: Arc<Open>,
    fatal: Fatal,
    mut on_rows: impl FnMut(Vec<StoredRow>) + Send + 'static,
) -> impl FnMut(Tag, Committed) + Send + 'static {
    move |tag, committed| match (tag, committed) {
        (Tag::Batch(token, passed), Committed::Request { outbox, .. }) => {
            crash::point(crash::DRIVER_AFTER_COMMIT);
            open.passed(passed);
            if !outbox.is_empty() {
                on_rows(outbox);
            }
            results.send(Input::Committed { token });
        }
        (Tag::Batch(token, _), Committed::Conflict { .. }) => {
            results.send(Input::Conflicted { token });
        }
        (Tag::Letter(done), Committed::DeadLetter { outbox }) => {
            if !outbox.is_empty() {
                on_rows(outbox);
            }
            // The asker may have been told to stop in the meantime; the letter stands.
            let _ = done.send(Ok(()));
        }
        (Tag::Letter(done), Committed::Refused(refusal)) => {
            let _ = done.send(Err(refusal));
        }
        (Tag::Progress(done), Committed::Outbox) => {
            let _ = done.send(());
        }
        (Tag::Ranking(number), Committed::Ranking) => results.send(Input::RankingKept(number)),
        (Tag::Drop(done), Committed::Dropped) => {
            let _ = done.send(());
        }
        (
            Tag::Batch(..) | Tag::Progress(_) | Tag::Ranking(_) | Tag::Drop(_),
            Committed::Refused(refusal),
        ) => {
            fatal(&format!("the store refuses what was decided: {refusal}"));
        }
        (_, other) => fatal(&format!("the store answered another write: {other:?}")),
    }
}

struct Answering {
    inbox: Receiver<Question>,
    reader: Arc<dyn Reader>,
    results: Results,
    open: Arc<Open>,
    fatal: Fatal,
}

impl Answering {
    fn run(self) {
        while let Ok(question) = self.inbox.recv() {
            match self.answer(question) {
                Ok(input) => self.results.send(input),
                Err(error) => {
                    (self.fatal)(&describe(&error));
                    return;
                }
            }
        }
    }

    fn answer(&self, question: Question) -> Result<Input, StoreError> {
        match question {
            Question::Load(request) => {
                let stored = self.reader.load(request)?.map(Box::new);
                if let Some(stored) = &stored {
                    self.open.read(&stored.request);
                }
                Ok(Input::Loaded { request, stored })
            }
            Question::Timers(until) => due_timers(self.reader.as_ref(), until),
        }
    }
}

/// The answer to a scan: everything due up to `until`, or up to an earlier instant if that is too
/// much at once.
///
/// # Errors
/// The store cannot be read.
pub fn due_timers(reader: &dyn Reader, until: Timestamp) -> Result<Input, StoreError> {
    let mut limit = TIMERS_PER_SCAN_MAX;
    loop {
        let timers = reader.due_timers(until, limit)?;
        if let Some((until, timers)) = complete(until, timers, limit) {
            return Ok(Input::Timers { until, timers });
        }
        limit = limit.saturating_mul(2);
    }
}

/// After a start: every request that was active goes on. Gives their number.
///
/// # Errors
/// The store cannot be read.
pub fn recover(reader: &dyn Reader, mut tell: impl FnMut(Input)) -> Result<usize, StoreError> {
    let mut after = None;
    let mut count = 0;
    loop {
        let ids = reader.ids(&Listing::Active, after, RECOVERY_PAGE_MAX)?;
        let Some(last) = ids.last().copied() else {
            return Ok(count);
        };
        count += ids.len();
        for id in ids {
            tell(Input::Recover(id));
        }
        after = Some(last);
    }
}

/// The engine is told all timers up to an instant. A list that was cut at `limit` is complete only
/// up to just before its last instant; `None` if that leaves nothing.
fn complete(
    until: Timestamp,
    mut timers: Vec<TimerRow>,
    limit: usize,
) -> Option<(Timestamp, Vec<TimerRow>)> {
    if timers.len() < limit {
        return Some((until, timers));
    }
    let last = timers.last()?.at;
    timers.retain(|timer| timer.at < last);
    let complete_until = timers.last()?.at;
    Some((complete_until, timers))
}

pub(crate) fn describe(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use broker_core::timer::TimerKind;

    use super::*;

    #[test]
    fn a_short_list_is_complete_as_asked() {
        let timers = rows(&[1, 2]);
        assert_eq!(complete(at(9), timers.clone(), 3), Some((at(9), timers)));
    }

    #[test]
    fn a_cut_list_is_complete_before_its_last_instant_only() {
        assert_eq!(complete(at(9), rows(&[1, 2, 4, 4]), 4), Some((at(2), rows(&[1, 2]))));
    }

    #[test]
    fn a_cut_list_of_one_instant_must_be_read_again_longer() {
        assert_eq!(complete(at(9), rows(&[4, 4, 4]), 3), None);
    }

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_unix_ms(ms)
    }

    fn rows(instants: &[u64]) -> Vec<TimerRow> {
        let request = RequestId::from_parts(1, 1);
        instants.iter().map(|ms| TimerRow { at: at(*ms), request, kind: TimerKind::Step }).collect()
    }
}
