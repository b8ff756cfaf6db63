//! The outbox: one record per commit, stored under the sequence of its first row.

use std::sync::Arc;

use broker_core::batch::OutboxRow;
use broker_core::request::{PurchaseRequest, Submission, Version};
use bytes::Bytes;
use schemas::{RequestId, Timestamp, TraceContext};
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use super::basic::{at, ms};
use super::effect::DiskEffect;
use super::head::DiskHead;
use super::trace::DiskTrace;
use super::{DiskError, decode, encode};
use crate::store::row::{DeadLetterRow, Outgoing};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskOutbox<'a> {
    at: u64,
    #[serde(borrow)]
    body: DiskOutboxBody<'a>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum DiskOutboxBody<'a> {
    Effects {
        request: [u8; 16],
        #[serde(borrow)]
        snapshots: Vec<DiskHead<'a>>,
        rows: Vec<DiskOutboxRow<'a>>,
    },
    DeadLetter {
        stream: &'a str,
        body: &'a [u8],
    },
    /// `Effects` of a request whose customer brought a trace.
    Traced {
        trace: DiskTrace,
        request: [u8; 16],
        #[serde(borrow)]
        snapshots: Vec<DiskHead<'a>>,
        rows: Vec<DiskOutboxRow<'a>>,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskOutboxRow<'a> {
    version: u64,
    index: u8,
    #[serde(borrow)]
    effect: DiskEffect<'a>,
}

/// The record of one batch's rows. All rows belong to `request` and to its trace.
pub fn effects_record(request: RequestId, at: Timestamp, rows: &[OutboxRow]) -> Vec<u8> {
    let trace = rows.first().and_then(|row| row.trace);
    let mut snapshots = Vec::new();
    let rows: Vec<_> = rows
        .iter()
        .map(|row| DiskOutboxRow {
            version: row.version.0,
            index: row.index,
            effect: DiskEffect::new(&row.effect, &mut snapshots),
        })
        .collect();
    let snapshots = snapshots.into_iter().map(DiskHead::from).collect();
    let request = *request.as_bytes();
    let body = match trace {
        None => DiskOutboxBody::Effects { request, snapshots, rows },
        Some(trace) => DiskOutboxBody::Traced { trace: trace.into(), request, snapshots, rows },
    };
    encode(&DiskOutbox { at: ms(at), body })
}

/// The record of one dead letter.
pub fn letter_record(letter: &DeadLetterRow) -> Vec<u8> {
    let body = DiskOutboxBody::DeadLetter { stream: &letter.stream, body: &letter.body };
    encode(&DiskOutbox { at: ms(letter.at), body })
}

/// When the rows were decided and what they say. `submission_of` supplies what snapshots leave out.
pub fn read_record<E: From<DiskError>>(
    bytes: &[u8],
    submission_of: impl FnOnce(RequestId) -> Result<Arc<Submission>, E>,
) -> Result<(Timestamp, Vec<Outgoing>), E> {
    let record: DiskOutbox<'_> = decode("outbox record", bytes)?;
    let decided_at = at(record.at);
    let outgoing = match record.body {
        DiskOutboxBody::DeadLetter { stream, body } => {
            vec![Outgoing::DeadLetter(DeadLetterRow {
                stream: SmolStr::new(stream),
                at: decided_at,
                body: Bytes::copy_from_slice(body),
            })]
        }
        DiskOutboxBody::Effects { request, snapshots, rows } => {
            let request = RequestId::from_bytes(request);
            effects(request, None, snapshots, rows, submission_of)?
        }
        DiskOutboxBody::Traced { trace, request, snapshots, rows } => {
            let (request, trace) = (RequestId::from_bytes(request), trace.try_into()?);
            effects(request, Some(trace), snapshots, rows, submission_of)?
        }
    };
    Ok((decided_at, outgoing))
}

fn with_submission(
    snapshots: Vec<DiskHead<'_>>,
    submission: &Arc<Submission>,
) -> Result<Vec<PurchaseRequest>, DiskError> {
    snapshots.into_iter().map(|head| head.into_domain(Arc::clone(submission))).collect()
}

fn effects<E: From<DiskError>>(
    request: RequestId,
    trace: Option<TraceContext>,
    snapshots: Vec<DiskHead<'_>>,
    rows: Vec<DiskOutboxRow<'_>>,
    submission_of: impl FnOnce(RequestId) -> Result<Arc<Submission>, E>,
) -> Result<Vec<Outgoing>, E> {
    let snapshots = if snapshots.is_empty() {
        Vec::new()
    } else {
        with_submission(snapshots, &submission_of(request)?)?
    };
    rows.into_iter()
        .map(|row| {
            Ok(Outgoing::Effect(OutboxRow {
                request,
                version: Version(row.version),
                index: row.index,
                effect: row.effect.into_domain(&snapshots)?,
                trace,
            }))
        })
        .collect()
}
