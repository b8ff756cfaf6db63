//! Units of durability and the store's answers to them.

use broker_core::batch::{Batch, StreamPosition};
use broker_core::engine::ranking::snapshot::Snapshot;
use broker_core::request::Version;
use smol_str::SmolStr;

use super::error::Refusal;
use super::row::{CommitNumber, DeadLetterRow, DroppedLetter, OutboxSeq, StoredRow};

/// Longest message id kept in a [`StreamMark`].
pub const MARK_ID_BYTES_MAX: usize = 256;

/// One unit: all of it or nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Write {
    /// Compare-and-set on one request; its outbox rows get sequences from the store.
    Request(Box<Batch>),
    /// A message that will never be processed. Known ones (same source, stored at the same
    /// instant) are not written twice.
    DeadLetter { letter: DeadLetterRow, source: Option<StreamPosition> },
    /// What egress achieved and what was seen of the streams.
    Outbox(OutboxProgress),
    /// What was learned about partners; replaces what was kept of them before.
    Ranking(Box<Snapshot>),
    /// A dead letter will be deleted from its stream. A known one (same number, same bytes) is not
    /// written twice.
    Drop(Box<DroppedLetter>),
}

/// Progress of publishing. Rows are not deleted one by one: whole days of fully published rows go
/// at once, so a stream that lost its tail can be healed by moving the cursor back.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OutboxProgress {
    /// New cursor: every row up to and including this one is published. May move back (rewind).
    pub sent: Option<OutboxSeq>,
    /// Replaces what is known of each named stream.
    pub marks: Vec<StreamMark>,
}

/// Identity of a stream and how far we know it, to notice at reconnect that it was recreated, cut
/// or came back shorter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamMark {
    /// Name of the stream on the server.
    pub stream: SmolStr,
    /// The server's creation instant of the stream, unix nanoseconds.
    pub created_unix_ns: i128,
    /// Sequence of the last message we published to it, or applied from it.
    pub sequence: u64,
    /// `Nats-Msg-Id` of that message, at most [`MARK_ID_BYTES_MAX`] bytes.
    pub message_id: Option<SmolStr>,
    /// The outbox row that became that message.
    pub outbox: Option<OutboxSeq>,
    /// Every row for this stream up to and including this one is published. Nothing for streams
    /// that others write to.
    pub settled: Option<OutboxSeq>,
}

/// Answer to one [`Write`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Committed {
    /// The batch is durable. Its outbox rows may leave.
    Request { commit: CommitNumber, outbox: Vec<StoredRow> },
    /// The version had moved on (`None`: there is no such request). Nothing was written.
    Conflict { found: Option<Version> },
    /// The letter is durable; no row when it was already known.
    DeadLetter { outbox: Vec<StoredRow> },
    /// The cursor and marks are durable.
    Outbox,
    /// The ranking is durable.
    Ranking,
    /// Who dropped the letter, and why, is durable.
    Dropped,
    /// This write can never be stored. Nothing of it was written; others in the group were.
    Refused(Refusal),
}

impl Write {
    /// Rough size in the journal, for bounding a group. Bytes.
    pub fn approx_bytes(&self) -> usize {
        const HEAD: usize = 512;
        const ROW: usize = 256;
        const QUOTE: usize = 64;
        match self {
            Self::Request(batch) => {
                let quotes: usize = batch
                    .parts
                    .iter()
                    .map(|part| match part {
                        broker_core::Part::Receipt(receipt) => receipt.quotes.len(),
                        broker_core::Part::Submission | broker_core::Part::Command(_) => 4,
                    })
                    .sum();
                let rows = batch.outbox.len() + batch.audit.len() + batch.timers.len();
                HEAD + rows * ROW + quotes * QUOTE
            }
            Self::DeadLetter { letter, .. } => ROW + letter.body.len(),
            Self::Outbox(progress) => ROW * (1 + progress.marks.len()),
            Self::Ranking(snapshot) => ROW * (1 + snapshot.partners.len() + snapshot.words.len()),
            Self::Drop(letter) => HEAD + letter.subject.len(),
        }
    }
}
