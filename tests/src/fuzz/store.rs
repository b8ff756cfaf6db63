//! Values as they lie in the store: the first byte says which, the rest is the payload. Whatever
//! is read can be written, and reads the same again. A checksum guards the values on disk; behind
//! it a reader still trusts nothing.

use std::fmt::Debug;
use std::sync::{Arc, LazyLock};

use broker::store::disk::basic::DiskCommand;
use broker::store::disk::head::DiskHead;
use broker::store::disk::meta::{DiskIdentity, DiskTail, Tail, mark_payload, read_mark};
use broker::store::disk::quote::DiskQuote;
use broker::store::disk::receipt;
use broker::store::disk::submission::{read_submission, submission_record};
use broker::store::disk::{DiskError, audit, decode, encode, outbox, seal};
use broker::store::{ChainHash, CommitNumber, Outgoing};
use broker_core::batch::{AuditRow, CommandRecord};
use broker_core::quote::Quote;
use broker_core::request::{PurchaseRequest, Submission, Terms};
use schemas::destination::Country;
use schemas::id::PaymentToken;
use schemas::purchase::{Mode, Strategy};
use schemas::text::Text;
use schemas::{
    Condition, Currency, CustomerId, Destination, Digest, Isbn13, Money, RequestId, Timestamp,
};
use serde::{Deserialize, Serialize};

use super::Reading;

const AT: Timestamp = Timestamp::from_unix_ms(1_763_640_000_000);

/// Snapshots in the outbox leave the submission out; any one will do.
static SUBMISSION: LazyLock<Arc<Submission>> = LazyLock::new(|| {
    Arc::new(Submission {
        id: request_id(),
        customer: CustomerId::parse("carol").expect("a valid id"),
        digest: Digest::of(b"body"),
        isbn: Isbn13::parse("9780306406157").expect("a valid number"),
        quantity: 1,
        destination: Destination {
            country: Country::parse("US").expect("a country"),
            postal_code: Text::parse("94107").expect("a short text"),
            address: None,
        },
        payment_token: PaymentToken::parse("tok_1").expect("a valid token"),
        condition: Condition::New,
        mode: Mode::OneShot,
        rebuy: false,
        created_at: AT,
        trace: None,
        terms: Terms {
            max_total: Money::new(3000, Currency::USD).expect("a small amount"),
            expires_at: AT,
            strategy: Strategy::Balanced,
        },
    })
});

fn request_id() -> RequestId {
    RequestId::from_parts(AT.as_unix_ms(), 1 << 48)
}

pub(super) fn run(bytes: &[u8]) -> Reading {
    read(bytes).into()
}

fn read(bytes: &[u8]) -> Option<()> {
    let (kind, payload) = bytes.split_first()?;
    match kind {
        b'h' => head(payload),
        b's' => submission(payload),
        b'r' => receipt(payload),
        b'c' => command(payload),
        b'a' => audit_record(payload),
        b'o' => outbox_record(payload),
        b'i' => plain::<DiskIdentity>(payload),
        b't' => tail(payload),
        b'm' => mark(payload),
        b'v' => sealed(payload),
        _ => None,
    }
}

/// What was read is written, read again, and must be the same.
#[track_caller]
fn same<T: PartialEq + Debug>(again: Result<T, DiskError>, read: &T) {
    assert_eq!(again.as_ref(), Ok(read), "written and read again");
}

fn head(payload: &[u8]) -> Option<()> {
    let disk = decode::<DiskHead<'_>>("head", payload).ok()?;
    let version = disk.version();
    let request = disk.into_domain(Arc::clone(&SUBMISSION)).ok()?;
    assert_eq!(request.version, version);
    head_comes_back(&request);
    Some(())
}

pub(super) fn head_comes_back(request: &PurchaseRequest) {
    let written = encode(&DiskHead::from(request));
    let disk = decode::<DiskHead<'_>>("head", &written);
    same(disk.and_then(|disk| disk.into_domain(Arc::clone(&request.submission))), request);
}

fn submission(payload: &[u8]) -> Option<()> {
    let submission = read_submission(request_id(), payload).ok()?;
    submission_comes_back(&submission);
    Some(())
}

pub(super) fn submission_comes_back(submission: &Submission) {
    let written = submission_record(submission);
    same(read_submission(submission.id, &written), submission);
}

fn receipt(payload: &[u8]) -> Option<()> {
    let receipt = receipt::read(payload).ok()?;
    assert!(receipt.coverage_permille() <= 1000 || receipt.answered > receipt.eligible);
    same(receipt::read(&receipt::write(&receipt)), &receipt);
    Some(())
}

pub(super) fn quote_comes_back(quote: &Quote) {
    let written = encode(&DiskQuote::from(quote));
    same(decode::<DiskQuote<'_>>("quote", &written).and_then(Quote::try_from), quote);
}

fn command(payload: &[u8]) -> Option<()> {
    let disk = decode::<DiskCommand<'_>>("command", payload).ok()?;
    let command = CommandRecord::try_from(disk).ok()?;
    let written = encode(&DiskCommand::from(&command));
    let again = decode::<DiskCommand<'_>>("command", &written);
    same(again.and_then(CommandRecord::try_from), &command);
    Some(())
}

fn audit_record(payload: &[u8]) -> Option<()> {
    let record = audit::read_record(CommitNumber(7), payload).ok()?;
    let written = audit::record(record.hash, &audit::body_of(&record));
    same(audit::read_record(CommitNumber(7), &written), &record);
    Some(())
}

/// Rows of the audit log are read back as they were written.
pub(super) fn audit_comes_back(request: RequestId, rows: Vec<AuditRow>) {
    let written = audit::record(ChainHash([0; 32]), &audit::request_body(request, &rows));
    let read = audit::read_record(CommitNumber(7), &written);
    let body = read.map(|record| record.body);
    same(body, &broker::store::AuditBody::Request { request, rows });
}

fn outbox_record(payload: &[u8]) -> Option<()> {
    let submission = |_| Ok::<_, DiskError>(Arc::clone(&SUBMISSION));
    let read = outbox::read_record(payload, submission).ok()?;
    let (at, rows) = &read;
    let effects: Option<Vec<_>> = rows
        .iter()
        .map(|row| match row {
            Outgoing::Effect(effect) => Some(effect.clone()),
            Outgoing::DeadLetter(_) => None,
        })
        .collect();
    let written = match (effects, rows.first()) {
        (_, Some(Outgoing::DeadLetter(letter))) => outbox::letter_record(letter),
        (Some(effects), Some(Outgoing::Effect(first))) => {
            outbox::effects_record(first.request, *at, &effects)
        }
        (_, None) | (None, _) => return Some(()),
    };
    same(outbox::read_record(&written, submission), &read);
    Some(())
}

fn plain<T>(payload: &[u8]) -> Option<()>
where
    T: for<'a> Deserialize<'a> + Serialize + PartialEq + Debug,
{
    let read = decode::<T>("row", payload).ok()?;
    same(decode::<T>("row", &encode(&read)), &read);
    Some(())
}

fn tail(payload: &[u8]) -> Option<()> {
    let disk = decode::<DiskTail>("tail", payload).ok()?;
    let tail = Tail::try_from(disk).ok()?;
    let written = encode(&DiskTail::from(&tail));
    same(decode::<DiskTail>("tail", &written).and_then(Tail::try_from), &tail);
    Some(())
}

fn mark(payload: &[u8]) -> Option<()> {
    let mark = read_mark("STREAM", payload).ok()?;
    same(read_mark("STREAM", &mark_payload(&mark)), &mark);
    Some(())
}

/// A length, a key of that many bytes, and the value stored under it.
fn sealed(payload: &[u8]) -> Option<()> {
    let (length, rest) = payload.split_first()?;
    let (key, value) = rest.split_at(usize::from(*length).min(rest.len()));
    let written = seal::seal(key, value);
    assert_eq!(seal::open(key, &written).as_ref(), Ok(&value), "a sealed value opens");
    let opened = seal::open(key, value).ok()?;
    assert_eq!(seal::seal(key, opened), value, "one payload has one sealed form");
    Some(())
}
