//! The store's own rows.

use broker_core::batch::{SourceStream, StreamPosition};
use schemas::Timestamp;
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use super::basic::{at, ms};
use super::{DiskError, decode, decode_first, encode};
use crate::store::row::{CommitNumber, Incarnation, OutboxSeq};
use crate::store::write::StreamMark;

/// Written once, at creation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskIdentity {
    /// Format of the whole store: keyspaces, keys and value formats.
    pub store_format: u16,
    pub incarnation: u64,
}

impl DiskIdentity {
    pub const fn incarnation(self) -> Incarnation {
        Incarnation(self.incarnation)
    }
}

/// Rewritten by every group: where everything that only grows stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskTail {
    commit: u64,
    last_at: u64,
    outbox_last: u64,
    outbox_sent: u64,
    /// By `SourceStream::number`; streams appended later are absent and stand at 0.
    applied: Vec<u64>,
}

/// The domain side of [`DiskTail`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tail {
    pub commit: CommitNumber,
    pub last_at: Timestamp,
    pub outbox_last: OutboxSeq,
    pub outbox_sent: OutboxSeq,
    pub applied: [u64; SourceStream::ALL.len()],
}

impl From<&Tail> for DiskTail {
    fn from(tail: &Tail) -> Self {
        Self {
            commit: tail.commit.0,
            last_at: ms(tail.last_at),
            outbox_last: tail.outbox_last.0,
            outbox_sent: tail.outbox_sent.0,
            applied: tail.applied.to_vec(),
        }
    }
}

impl TryFrom<DiskTail> for Tail {
    type Error = DiskError;
    fn try_from(disk: DiskTail) -> Result<Self, DiskError> {
        let mut applied = [0; SourceStream::ALL.len()];
        if disk.applied.len() > applied.len() {
            return Err(DiskError::new("tail", "it knows more source streams than this program"));
        }
        applied[..disk.applied.len()].copy_from_slice(&disk.applied);
        Ok(Self {
            commit: CommitNumber(disk.commit),
            last_at: at(disk.last_at),
            outbox_last: OutboxSeq(disk.outbox_last),
            outbox_sent: OutboxSeq(disk.outbox_sent),
            applied,
        })
    }
}

/// What is known of one stream; its name is the key. Behind it, for a stream that we publish to,
/// the row up to which its rows are published: marks of earlier versions end before that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskMark<'a> {
    created_unix_ns: i128,
    sequence: u64,
    message_id: Option<&'a str>,
    outbox: Option<u64>,
}

/// The payload of a mark.
pub fn mark_payload(mark: &StreamMark) -> Vec<u8> {
    let mut payload = encode(&DiskMark {
        created_unix_ns: mark.created_unix_ns,
        sequence: mark.sequence,
        message_id: mark.message_id.as_deref(),
        outbox: mark.outbox.map(|seq| seq.0),
    });
    payload.extend(mark.settled.iter().flat_map(|seq| encode(&seq.0)));
    payload
}

/// The mark stored for `stream`.
///
/// # Errors
/// Bytes that are no mark, or bytes left over.
pub fn read_mark(stream: &str, payload: &[u8]) -> Result<StreamMark, DiskError> {
    let (disk, rest) = decode_first::<DiskMark<'_>>("mark", payload)?;
    let settled = if rest.is_empty() { None } else { Some(decode("mark", rest)?) };
    Ok(StreamMark {
        stream: SmolStr::new(stream),
        created_unix_ns: disk.created_unix_ns,
        sequence: disk.sequence,
        message_id: disk.message_id.map(SmolStr::new),
        outbox: disk.outbox.map(OutboxSeq),
        settled: settled.map(OutboxSeq),
    })
}

impl Tail {
    /// A message of `position` is applied. The store keeps the highest: messages of different
    /// requests commit in any order.
    pub fn apply(&mut self, position: StreamPosition) {
        let applied = &mut self.applied[usize::from(position.stream.number())];
        *applied = position.sequence.max(*applied);
    }

    /// A stream that was created anew counts from the start again.
    pub fn see(&mut self, before: Option<&StreamMark>, now: &StreamMark) {
        let recreated = before.is_some_and(|b| b.created_unix_ns != now.created_unix_ns);
        let source = SourceStream::ALL.into_iter().find(|source| source.name() == now.stream);
        if let Some(source) = source.filter(|_| recreated) {
            self.applied[usize::from(source.number())] = now.sequence;
        }
    }
}
