//! What the store gives back: outbox rows with their sequence, audit records with their chain.

use std::fmt;

use broker_core::batch::{AuditRow, OutboxRow};
use broker_core::engine::ranking::Word;
use bytes::Bytes;
use schemas::id::MessageId;
use schemas::text::Text;
use schemas::{Digest, RejectReason, RequestId, Timestamp};
use smol_str::SmolStr;

/// Position in the outbox, dense from 1. 0 stands before the first row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct OutboxSeq(pub u64);

/// Number of an audited commit, dense from 1. 0 stands before the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct CommitNumber(pub u64);

/// Life of a store: message ids of two lives never collide. Random at creation, changed by every
/// restore from a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Incarnation(pub u64);

impl fmt::Display for Incarnation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}", self.0)
    }
}

/// A message that was given up. `body` is what is published on `dead_letter.<stream>`, opaque to
/// the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetterRow {
    /// Stream the message came from, or `core`.
    pub stream: SmolStr,
    pub at: Timestamp,
    pub body: Bytes,
}

/// One thing that waits to be published, or was published and is still kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredRow {
    pub seq: OutboxSeq,
    /// When it was decided.
    pub at: Timestamp,
    pub outgoing: Outgoing,
}

/// Effects are the rule, so their size is what a row takes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::large_enum_variant)]
pub enum Outgoing {
    Effect(OutboxRow),
    DeadLetter(DeadLetterRow),
}

impl StoredRow {
    /// Its `Nats-Msg-Id`: the same for every copy, in every life of the process.
    /// `<incarnation>-<request>-<version>-<index>`, or `<incarnation>-dead-<seq>`.
    pub fn message_id(&self, incarnation: Incarnation) -> MessageId {
        let text = match &self.outgoing {
            Outgoing::Effect(row) => {
                format!("{incarnation}-{}-{}-{}", row.request, row.version.0, row.index)
            }
            Outgoing::DeadLetter(_) => format!("{incarnation}-dead-{}", self.seq.0),
        };
        MessageId::parse(&text).expect("hex, digits and hyphens, at most 78 characters")
    }
}

/// One audited commit. `hash` covers this record and, through the one before it, all before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRecord {
    pub commit: CommitNumber,
    pub body: AuditBody,
    pub hash: ChainHash,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuditBody {
    /// Events applied to a request. Folding all of them over its submission gives its head.
    Request { request: RequestId, rows: Vec<AuditRow> },
    /// A message was given up; the letter itself is outbox row `seq`.
    DeadLetter { stream: SmolStr, at: Timestamp, seq: OutboxSeq },
    /// An operator pinned or banned a partner, or took that back.
    Steered(Word),
    /// An operator let a dead letter be deleted for ever.
    Dropped(DroppedLetter),
}

/// What stays of a dead letter that an operator let be deleted from its stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DroppedLetter {
    /// Its sequence in the stream of dead letters.
    pub number: u64,
    /// Of the message that had been given up.
    pub subject: SmolStr,
    /// Why that message had been given up.
    pub reason: RejectReason,
    /// Of the letter's bytes: a stream that is made anew gives its numbers to others.
    pub digest: Digest,
    pub by: Text<100>,
    pub why: Text<500>,
    pub said_at: Timestamp,
}

/// BLAKE3 over the hash of the record before, the commit number and the record's own bytes. The
/// first record follows [`ChainHash::GENESIS`].
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ChainHash(pub [u8; 32]);

impl ChainHash {
    pub const GENESIS: Self = Self([0; 32]);
}

impl fmt::Debug for ChainHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hex: String = self.0[..8].iter().map(|byte| format!("{byte:02x}")).collect();
        write!(f, "ChainHash({hex}..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use broker_core::effect::{Effect, PartnerCommand};
    use broker_core::request::Version;
    use schemas::PartnerId;

    #[test]
    fn message_ids_are_built_from_what_never_changes() {
        let request = RequestId::from_parts(1, 2);
        let effect = Effect::Partner {
            partner: PartnerId::parse("acme").unwrap(),
            attempt: 1,
            command: PartnerCommand::Lookup,
        };
        let row = StoredRow {
            seq: OutboxSeq(9),
            at: Timestamp::ZERO,
            outgoing: Outgoing::Effect(OutboxRow {
                request,
                version: Version(3),
                index: 1,
                effect,
                trace: None,
            }),
        };
        let id = row.message_id(Incarnation(u64::MAX));
        assert_eq!(id.as_str(), format!("ffffffffffffffff-{request}-3-1"));
    }
}
