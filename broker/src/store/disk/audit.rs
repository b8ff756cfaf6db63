//! The audit log: one record per commit, chained by hash.

use broker_core::batch::{AuditRow, Change};
use broker_core::engine::ranking::{Steer, Word};
use broker_core::request::Version;
use schemas::text::Text;
use schemas::{Digest, PartnerId, RequestId, Timestamp};
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use super::basic::{at, ms, reason};
use super::event::DiskEvent;
use super::ranking::DiskSteer;
use super::{DiskError, decode, encode};
use crate::store::row::{
    AuditBody, AuditRecord, ChainHash, CommitNumber, DroppedLetter, OutboxSeq,
};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum DiskAudit<'a> {
    Request {
        request: [u8; 16],
        #[serde(borrow)]
        rows: Vec<DiskAuditRow<'a>>,
    },
    DeadLetter {
        stream: &'a str,
        at: u64,
        seq: u64,
    },
    Steered {
        partner: &'a str,
        steer: Option<DiskSteer>,
        until: u64,
        said_at: u64,
        by: &'a str,
        why: &'a str,
    },
    Dropped {
        number: u64,
        subject: &'a str,
        reason: u16,
        digest: [u8; 32],
        by: &'a str,
        why: &'a str,
        said_at: u64,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskAuditRow<'a> {
    version: u64,
    at: u64,
    #[serde(borrow)]
    change: DiskChange<'a>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum DiskChange<'a> {
    Created,
    #[serde(borrow)]
    Applied(DiskEvent<'a>),
    AppliedInDoubt(DiskEvent<'a>),
}

/// Where the record of a dropped letter is, and which letter it is about; its number is the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskDropped {
    commit: u64,
    digest: [u8; 32],
}

impl DiskDropped {
    pub const fn new(commit: CommitNumber, digest: Digest) -> Self {
        Self { commit: commit.0, digest: *digest.as_bytes() }
    }

    pub const fn commit(self) -> CommitNumber {
        CommitNumber(self.commit)
    }

    pub const fn digest(self) -> Digest {
        Digest::from_bytes(self.digest)
    }
}

/// Hash of the record with `body` as commit `commit`, after the record hashed to `before`.
pub fn link(before: ChainHash, commit: CommitNumber, body: &[u8]) -> ChainHash {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&before.0);
    hasher.update(&commit.0.to_be_bytes());
    hasher.update(body);
    ChainHash(*hasher.finalize().as_bytes())
}

/// Body of the record of one batch.
pub fn request_body(request: RequestId, rows: &[AuditRow]) -> Vec<u8> {
    let rows = rows.iter().map(|row| DiskAuditRow {
        version: row.version.0,
        at: ms(row.at),
        change: match &row.change {
            Change::Created => DiskChange::Created,
            Change::Applied(event) => DiskChange::Applied(event.into()),
            Change::AppliedInDoubt(event) => DiskChange::AppliedInDoubt(event.into()),
        },
    });
    encode(&DiskAudit::Request { request: *request.as_bytes(), rows: rows.collect() })
}

/// Body of the record of one dead letter.
pub fn letter_body(stream: &str, at: Timestamp, seq: OutboxSeq) -> Vec<u8> {
    encode(&DiskAudit::DeadLetter { stream, at: ms(at), seq: seq.0 })
}

/// Body of the record of one operator's word.
pub fn word_body(word: &Word) -> Vec<u8> {
    encode(&DiskAudit::Steered {
        partner: word.partner.as_str(),
        steer: word.steer.map(DiskSteer::from),
        until: ms(word.until),
        said_at: ms(word.said_at),
        by: word.by.as_str(),
        why: word.why.as_str(),
    })
}

/// Body of the record of one dropped letter.
pub fn dropped_body(letter: &DroppedLetter) -> Vec<u8> {
    encode(&DiskAudit::Dropped {
        number: letter.number,
        subject: &letter.subject,
        reason: letter.reason.number(),
        digest: *letter.digest.as_bytes(),
        by: letter.by.as_str(),
        why: letter.why.as_str(),
        said_at: ms(letter.said_at),
    })
}

/// The record as stored: its hash, then its body.
pub fn record(hash: ChainHash, body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(hash.0.len() + body.len());
    bytes.extend_from_slice(&hash.0);
    bytes.extend_from_slice(body);
    bytes
}

/// Hash and body of a stored record.
pub fn split(record: &[u8]) -> Result<(ChainHash, &[u8]), DiskError> {
    let (hash, body) = record
        .split_first_chunk::<32>()
        .ok_or_else(|| DiskError::new("audit record", "too short"))?;
    Ok((ChainHash(*hash), body))
}

/// The record stored as commit `commit`. Whether it follows the one before is for the caller.
pub fn read_record(commit: CommitNumber, bytes: &[u8]) -> Result<AuditRecord, DiskError> {
    let (hash, body) = split(bytes)?;
    let body = match decode("audit record", body)? {
        DiskAudit::DeadLetter { stream, at: received, seq } => AuditBody::DeadLetter {
            stream: SmolStr::new(stream),
            at: at(received),
            seq: OutboxSeq(seq),
        },
        DiskAudit::Request { request, rows } => AuditBody::Request {
            request: RequestId::from_bytes(request),
            rows: rows.into_iter().map(AuditRow::try_from).collect::<Result<_, _>>()?,
        },
        DiskAudit::Steered { partner, steer, until, said_at, by, why } => {
            AuditBody::Steered(Word {
                partner: PartnerId::parse(partner)
                    .map_err(|e| DiskError::new("audit record", e))?,
                steer: steer.map(Steer::from),
                until: at(until),
                said_at: at(said_at),
                by: text(by)?,
                why: text(why)?,
            })
        }
        DiskAudit::Dropped { number, subject, reason: numbered, digest, by, why, said_at } => {
            AuditBody::Dropped(DroppedLetter {
                number,
                subject: SmolStr::new(subject),
                reason: reason(numbered)?,
                digest: Digest::from_bytes(digest),
                by: text(by)?,
                why: text(why)?,
                said_at: at(said_at),
            })
        }
    };
    Ok(AuditRecord { commit, body, hash })
}

fn text<const MAX: usize>(text: &str) -> Result<Text<MAX>, DiskError> {
    Text::parse(text).map_err(|e| DiskError::new("audit record", e))
}

/// The bytes that `record.hash` covers besides the hash before and the commit number.
pub fn body_of(record: &AuditRecord) -> Vec<u8> {
    match &record.body {
        AuditBody::Request { request, rows } => request_body(*request, rows),
        AuditBody::DeadLetter { stream, at, seq } => letter_body(stream, *at, *seq),
        AuditBody::Steered(word) => word_body(word),
        AuditBody::Dropped(letter) => dropped_body(letter),
    }
}

impl TryFrom<DiskAuditRow<'_>> for AuditRow {
    type Error = DiskError;
    fn try_from(disk: DiskAuditRow<'_>) -> Result<Self, DiskError> {
        let change = match disk.change {
            DiskChange::Created => Change::Created,
            DiskChange::Applied(event) => Change::Applied(event.try_into()?),
            DiskChange::AppliedInDoubt(event) => Change::AppliedInDoubt(event.try_into()?),
        };
        Ok(Self { version: Version(disk.version), at: at(disk.at), change })
    }
}
