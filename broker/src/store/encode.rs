//! A batch as bytes, checked against every limit before anything of it is written. Both stores go
//! through here, so that they refuse the same things.

use broker_core::batch::{Batch, Expect, Part};
use broker_core::request::Version;
use schemas::{RequestId, Timestamp};

use super::disk::head::DiskHead;
use super::disk::seal::{PAYLOAD_BYTES_MAX, RECORD_BYTES_MAX};
use super::disk::submission::submission_record;
use super::disk::{audit, basic::DiskCommand, encode, outbox, receipt};
use super::error::Refusal;
use super::row::DeadLetterRow;
use super::write::{MARK_ID_BYTES_MAX, OutboxProgress};

/// Everything a batch writes under keys of its own request, plus its outbox and audit records.
#[derive(Debug)]
pub(super) struct EncodedBatch {
    pub(super) head: Vec<u8>,
    pub(super) submission: Option<Vec<u8>>,
    pub(super) commands: Vec<(Version, Vec<u8>)>,
    /// By sweep.
    pub(super) receipts: Vec<(u32, Vec<u8>)>,
    pub(super) outbox: Option<Vec<u8>>,
    /// Body of the audit record; its hash depends on the commit before.
    pub(super) audit: Vec<u8>,
}

/// When the batch was decided.
pub(super) fn decided_at(batch: &Batch) -> Timestamp {
    batch.audit.last().map_or(Timestamp::ZERO, |row| row.at)
}

pub(super) fn encode_batch(batch: &Batch) -> Result<EncodedBatch, Refusal> {
    let request = batch.request.id();
    check_versions(batch, request)?;
    let sized = |what, bytes: Vec<u8>, max| {
        if bytes.len() > max {
            return Err(Refusal::TooLarge { request, what, bytes: bytes.len(), max });
        }
        Ok(bytes)
    };
    let head = sized("head", encode(&DiskHead::from(&batch.request)), PAYLOAD_BYTES_MAX)?;
    let mut encoded = EncodedBatch {
        head,
        submission: None,
        commands: Vec::new(),
        receipts: Vec::new(),
        outbox: None,
        audit: sized("audit record", audit::request_body(request, &batch.audit), RECORD_BYTES_MAX)?,
    };
    for part in &batch.parts {
        match part {
            Part::Submission => {
                let bytes = submission_record(&batch.request.submission);
                encoded.submission = Some(sized("submission", bytes, RECORD_BYTES_MAX)?);
            }
            Part::Command(record) => {
                let bytes = encode(&DiskCommand::from(record));
                encoded.commands.push((record.version, bytes));
            }
            Part::Receipt(receipt) => {
                let bytes = sized("receipt", receipt::write(receipt), RECORD_BYTES_MAX)?;
                encoded.receipts.push((receipt.sweep, bytes));
            }
        }
    }
    if !batch.outbox.is_empty() {
        let bytes = outbox::effects_record(request, decided_at(batch), &batch.outbox);
        encoded.outbox = Some(sized("outbox record", bytes, RECORD_BYTES_MAX)?);
    }
    Ok(encoded)
}

/// Versions are dense: each audit row is one version, the last one the head's.
fn check_versions(batch: &Batch, request: RequestId) -> Result<(), Refusal> {
    let expected = match batch.expect {
        Expect::Absent => 0,
        Expect::Version(Version(version)) => version,
    };
    let rows_follow = (expected + 1..).zip(&batch.audit).all(|(v, row)| row.version == Version(v));
    let last = batch.audit.last().map(|row| row.version);
    if rows_follow && last == Some(batch.request.version) {
        return Ok(());
    }
    let (version, rows) = (batch.request.version.0, batch.audit.len());
    Err(Refusal::VersionNotDense { request, version, expected, rows })
}

/// The outbox record of a letter.
pub(super) fn encode_letter(letter: &DeadLetterRow) -> Result<Vec<u8>, Refusal> {
    let record = outbox::letter_record(letter);
    if record.len() > RECORD_BYTES_MAX {
        let (bytes, max) = (letter.body.len(), RECORD_BYTES_MAX);
        return Err(Refusal::LetterTooLarge { stream: letter.stream.to_string(), bytes, max });
    }
    Ok(record)
}

/// `last` is the last outbox sequence given out.
pub(super) fn check_progress(progress: &OutboxProgress, last: u64) -> Result<(), Refusal> {
    if let Some(sent) = progress.sent
        && sent.0 > last
    {
        return Err(Refusal::CursorAhead { sent: sent.0, last });
    }
    for mark in &progress.marks {
        let refuse = |why| Err(Refusal::Mark { stream: mark.stream.to_string(), why });
        if mark.stream.is_empty() || mark.stream.len() > MARK_ID_BYTES_MAX {
            return refuse("its name is empty or too long");
        }
        if mark.message_id.as_ref().is_some_and(|id| id.len() > MARK_ID_BYTES_MAX) {
            return refuse("its message id is too long");
        }
        if mark.settled.is_some_and(|settled| settled.0 > last) {
            return refuse("it names a row that there is not");
        }
    }
    Ok(())
}
