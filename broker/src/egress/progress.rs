//! How far publishing is: the cursor and one mark per stream, made durable now and then. Cursor
//! and marks are written together, so that the marks always cover the cursor.
//!
//! A mark also says how far the rows of its stream are settled: a start goes on there with each
//! stream, however long another one has refused what there is for it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use broker_core::batch::SourceStream;
use schemas::id::MessageId;
use schemas::stream::{StreamSpec, all};
use smol_str::SmolStr;
use tokio::task::JoinHandle;

use super::session::TARGETS;
use super::window::Settled;
use crate::crash;
use crate::positions::Positions;
use crate::storage::Storage;
use crate::store::{Meta, OutboxProgress, OutboxSeq, StreamMark, WriterEnded};

/// Shortest time between two durable cursors. A crash sends at most the rows of this time again.
pub const SAVE_INTERVAL: Duration = Duration::from_millis(100);

/// Where each stream was left.
pub fn settled(meta: &Meta) -> Settled {
    let cursor = meta.outbox_sent.0;
    let of = |stream: &'static str| {
        // An older mark does not say; a cursor covers every stream.
        let own = meta.stream(stream).and_then(|mark| mark.settled);
        (stream, own.map_or(cursor, |own| own.0.max(cursor)))
    };
    Settled { cursor, streams: TARGETS.into_iter().map(of).collect() }
}

/// The marks, and when they are made durable.
#[derive(Debug)]
pub struct Progress {
    marks: Marks,
    saved_at: Instant,
    saving: Option<JoinHandle<Result<(), WriterEnded>>>,
}

impl Progress {
    pub fn new(meta: &Meta, read: Positions) -> Self {
        Self { marks: Marks::new(meta, read), saved_at: Instant::now(), saving: None }
    }

    pub fn marks(&self) -> &Marks {
        &self.marks
    }

    pub fn marks_mut(&mut self) -> &mut Marks {
        &mut self.marks
    }

    /// Starts a write if there is something to write, none is under way, and it is time.
    pub fn save_if_due(&mut self, storage: &Arc<Storage>, settled: Settled) {
        if self.saving.as_ref().is_some_and(JoinHandle::is_finished) {
            self.saving = None;
        }
        let due = self.marks.is_dirty(&settled) && self.saved_at.elapsed() >= SAVE_INTERVAL;
        if due && self.saving.is_none() {
            let progress = self.take(settled);
            let storage = Arc::clone(storage);
            self.saving = Some(tokio::task::spawn_blocking(move || {
                crash::point(crash::EGRESS_BEFORE_CURSOR);
                storage.write_progress(progress)
            }));
        }
    }

    /// Until the next write may be due; long if there is nothing to write.
    pub fn pause(&self, settled: &Settled) -> Duration {
        if !self.marks.is_dirty(settled) {
            return Duration::MAX;
        }
        SAVE_INTERVAL.saturating_sub(self.saved_at.elapsed())
    }

    /// The last write, waited for.
    pub async fn finish(&mut self, storage: &Arc<Storage>, settled: Settled) {
        if let Some(saving) = self.saving.take() {
            // Failed or not: the store's own thread reports its end.
            let _ = saving.await;
        }
        if self.marks.is_dirty(&settled) {
            let progress = self.take(settled);
            let storage = Arc::clone(storage);
            let _ = tokio::task::spawn_blocking(move || storage.write_progress(progress)).await;
        }
    }

    fn take(&mut self, settled: Settled) -> OutboxProgress {
        self.saved_at = Instant::now();
        self.marks.take(settled)
    }
}

/// What is known of the streams, and what of it is not durable yet. Pure.
#[derive(Debug)]
pub struct Marks {
    marks: BTreeMap<&'static str, StreamMark>,
    /// Streams whose mark moved since the last write.
    moved: BTreeSet<&'static str>,
    /// How far the source streams were read; their marks follow it whenever there is a write.
    read: Positions,
    saved: Settled,
}

impl Marks {
    pub fn new(meta: &Meta, read: Positions) -> Self {
        let known = |spec: StreamSpec| Some((spec.name, meta.stream(spec.name)?.clone()));
        Self {
            marks: all().into_iter().filter_map(known).collect(),
            moved: BTreeSet::new(),
            read,
            saved: settled(meta),
        }
    }

    pub fn mark(&self, stream: &str) -> Option<&StreamMark> {
        self.marks.get(stream)
    }

    /// The stream as it was found at this connection. Its mark starts anew if it is another one
    /// or came back with a loss; what was known before is being sent again then.
    pub fn found(&mut self, stream: &'static str, created_unix_ns: i128, is_new: bool) {
        if is_new || !self.marks.contains_key(stream) {
            self.begin(stream, created_unix_ns, 0);
        }
    }

    /// The same for a stream that others write to, and its last sequence.
    pub fn found_source(
        &mut self,
        source: SourceStream,
        created_unix_ns: i128,
        last: u64,
        is_new: bool,
    ) {
        if is_new {
            self.read.restart(source, last);
        }
        if is_new || !self.marks.contains_key(source.name()) {
            self.begin(source.name(), created_unix_ns, last);
        }
    }

    fn begin(&mut self, stream: &'static str, created_unix_ns: i128, sequence: u64) {
        let mark = StreamMark {
            stream: SmolStr::new_static(stream),
            created_unix_ns,
            sequence,
            message_id: None,
            outbox: None,
            settled: None,
        };
        self.marks.insert(stream, mark);
        self.moved.insert(stream);
    }

    /// How far a source stream was read in this life.
    pub fn read_of(&self, source: SourceStream) -> u64 {
        self.read.of(source)
    }

    /// The server has stored a row.
    pub fn acked(&mut self, stream: &'static str, sequence: u64, id: &MessageId, row: u64) {
        let Some(mark) = self.marks.get_mut(stream) else { return };
        if sequence <= mark.sequence {
            return;
        }
        mark.sequence = sequence;
        mark.message_id = Some(SmolStr::new(id.as_str()));
        mark.outbox = Some(OutboxSeq(row));
        self.moved.insert(stream);
    }

    /// Whether there is something to write.
    pub fn is_dirty(&self, settled: &Settled) -> bool {
        *settled != self.saved || !self.moved.is_empty()
    }

    /// What is to be written now.
    pub fn take(&mut self, settled: Settled) -> OutboxProgress {
        self.follow_sources();
        for (stream, row) in &settled.streams {
            let settled = Some(OutboxSeq(*row));
            let mark = self.marks.get_mut(stream).filter(|mark| mark.settled != settled);
            if let Some(mark) = mark {
                mark.settled = settled;
                self.moved.insert(stream);
            }
        }
        let moved = std::mem::take(&mut self.moved);
        let marks = moved.iter().filter_map(|stream| self.marks.get(stream).cloned()).collect();
        let sent = Some(OutboxSeq(settled.cursor));
        self.saved = settled;
        OutboxProgress { sent, marks }
    }

    fn follow_sources(&mut self) {
        for source in SourceStream::ALL {
            let read = self.read.of(source);
            let mark = self.marks.get_mut(source.name()).filter(|mark| mark.sequence < read);
            if let Some(mark) = mark {
                mark.sequence = read;
                self.moved.insert(source.name());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use broker_core::batch::StreamPosition;
    use schemas::stream::name::{PARTNER_COMMANDS, PURCHASE_EVENTS};

    use super::*;
    use crate::store::{CommitNumber, Incarnation};

    #[test]
    fn a_mark_is_the_furthest_ack_of_its_stream() {
        let mut progress = Marks::new(&meta(), Positions::default());
        progress.found(PARTNER_COMMANDS, 5, false);
        progress.acked(PARTNER_COMMANDS, 9, &id("b"), 2);
        progress.acked(PARTNER_COMMANDS, 8, &id("a"), 1);
        let mark = progress.mark(PARTNER_COMMANDS).unwrap();
        assert_eq!((mark.sequence, mark.outbox), (9, Some(OutboxSeq(2))));
        assert_eq!(mark.message_id.as_deref(), Some("b"));
    }

    #[test]
    fn cursor_and_moved_marks_are_written_together_and_once() {
        let mut progress = Marks::new(&meta(), Positions::default());
        assert!(!progress.is_dirty(&up_to(3)));
        progress.found(PARTNER_COMMANDS, 5, false);
        progress.acked(PARTNER_COMMANDS, 9, &id("b"), 4);
        let written = progress.take(up_to(4));
        assert_eq!(written.sent, Some(OutboxSeq(4)));
        assert_eq!(written.marks.len(), 1);
        assert!(!progress.is_dirty(&up_to(4)));
        assert!(progress.take(up_to(4)).marks.is_empty());
    }

    #[test]
    fn a_stream_that_was_lost_starts_with_a_fresh_mark() {
        let mut progress = Marks::new(&meta(), Positions::default());
        progress.found(PURCHASE_EVENTS, 5, false);
        progress.acked(PURCHASE_EVENTS, 9, &id("b"), 4);
        progress.found(PURCHASE_EVENTS, 5, false);
        assert_eq!(progress.mark(PURCHASE_EVENTS).unwrap().sequence, 9);
        progress.found(PURCHASE_EVENTS, 6, true);
        let mark = progress.mark(PURCHASE_EVENTS).unwrap();
        assert_eq!((mark.sequence, mark.created_unix_ns), (0, 6));
    }

    #[test]
    fn marks_of_sources_follow_what_was_read_and_ride_along() {
        let read = Positions::default();
        let mut progress = Marks::new(&meta(), read.clone());
        let source = SourceStream::PaymentReplies;
        progress.found_source(source, 5, 7, false);
        progress.take(up_to(3));
        read.note(StreamPosition { stream: source, sequence: 9 });
        assert!(!progress.is_dirty(&up_to(3)));
        let written = progress.take(up_to(4));
        assert_eq!(written.marks.iter().map(|mark| mark.sequence).collect::<Vec<_>>(), [9]);
        progress.found_source(source, 6, 0, true);
        assert_eq!(
            (progress.read_of(source), progress.mark(source.name()).unwrap().sequence),
            (0, 0)
        );
    }

    #[test]
    fn a_mark_says_how_far_its_stream_is_whatever_another_one_waits_for() {
        let mut progress = Marks::new(&meta(), Positions::default());
        progress.found(PARTNER_COMMANDS, 5, false);
        progress.take(up_to(3));
        let ahead = Settled { cursor: 3, ..up_to(7) };
        assert!(progress.is_dirty(&ahead));
        let written = progress.take(ahead);
        assert_eq!(written.sent, Some(OutboxSeq(3)));
        assert_eq!(written.marks[0].settled, Some(OutboxSeq(7)));
        let known = Meta { streams: written.marks, ..meta() };
        let left = settled(&known);
        assert_eq!((left.cursor, left.streams[PARTNER_COMMANDS]), (3, 7));
        assert_eq!(left.streams[PURCHASE_EVENTS], 3);
    }

    fn up_to(row: u64) -> Settled {
        Settled { cursor: row, streams: TARGETS.map(|stream| (stream, row)).into() }
    }

    fn id(text: &str) -> MessageId {
        MessageId::parse(text).unwrap()
    }

    fn meta() -> Meta {
        Meta {
            incarnation: Incarnation(1),
            last_commit: CommitNumber(0),
            last_at: schemas::Timestamp::ZERO,
            outbox_last: OutboxSeq(3),
            outbox_sent: OutboxSeq(3),
            applied: [0; 4],
            streams: Vec::new(),
        }
    }
}
