//! Keys. Integers are big-endian: the order of bytes is the order of numbers.

use broker_core::batch::StreamPosition;
use broker_core::engine::input::TimerRow;
use broker_core::request::Version;
use broker_core::timer::TimerKind;
use schemas::{CustomerId, PartnerId, RequestId, Timestamp};

use crate::store::row::{CommitNumber, OutboxSeq};

pub(super) const IDENTITY: &[u8] = b"identity";
pub(super) const TAIL: &[u8] = b"tail";
pub(super) const MARK_PREFIX: &[u8] = b"mark/";

pub(super) const RANKING: &[u8] = b"ranking";
pub(super) const RANKED_PREFIX: &[u8] = b"ranked/";

/// What a row of `parts` holds. Persisted: append only.
#[derive(Clone, Copy)]
#[repr(u8)]
pub(super) enum PartKind {
    Submission = 0,
    Command = 1,
    Receipt = 2,
}

/// What a row of `index` lists. Persisted: append only.
#[derive(Clone, Copy)]
#[repr(u8)]
enum IndexKind {
    Customer = 1,
    Active = 2,
    DeadLetter = 3,
    Dropped = 4,
}

fn join(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

/// All parts of one kind of one request.
pub(super) fn parts(request: RequestId, kind: PartKind) -> Vec<u8> {
    join(&[request.as_bytes(), &[kind as u8]])
}

pub(super) fn command(request: RequestId, version: Version) -> Vec<u8> {
    join(&[&parts(request, PartKind::Command), &version.0.to_be_bytes()])
}

pub(super) fn receipt(request: RequestId, sweep: u32) -> Vec<u8> {
    join(&[&parts(request, PartKind::Receipt), &sweep.to_be_bytes()])
}

pub(super) const fn outbox(seq: OutboxSeq) -> [u8; 8] {
    seq.0.to_be_bytes()
}

pub(super) const fn audit(commit: CommitNumber) -> [u8; 8] {
    commit.0.to_be_bytes()
}

pub(super) fn timer(at: Timestamp, kind: TimerKind, request: RequestId) -> Vec<u8> {
    join(&[&at.as_unix_ms().to_be_bytes(), &[kind.number()], request.as_bytes()])
}

/// From the first timer that can be due at `from` to the last at `until`.
pub(super) fn timers_between(from: Timestamp, until: Timestamp) -> std::ops::Range<[u8; 8]> {
    let end = until.as_unix_ms().saturating_add(1);
    from.as_unix_ms().min(end).to_be_bytes()..end.to_be_bytes()
}

pub(super) fn read_timer(key: &[u8]) -> Option<TimerRow> {
    let (at, rest) = key.split_first_chunk::<8>()?;
    let (kind, id) = rest.split_first()?;
    Some(TimerRow {
        at: Timestamp::from_unix_ms(u64::from_be_bytes(*at)),
        request: RequestId::from_bytes(id.try_into().ok()?),
        kind: TimerKind::from_number(*kind)?,
    })
}

/// All requests of a customer. The zero ends the id, which cannot contain one.
pub(super) fn customer(customer: &CustomerId) -> Vec<u8> {
    join(&[&[IndexKind::Customer as u8], customer.as_str().as_bytes(), &[0]])
}

pub(super) fn customer_request(owner: &CustomerId, request: RequestId) -> Vec<u8> {
    join(&[&customer(owner), request.as_bytes()])
}

pub(super) const ACTIVE: [u8; 1] = [IndexKind::Active as u8];

pub(super) fn active(request: RequestId) -> Vec<u8> {
    join(&[&ACTIVE, request.as_bytes()])
}

pub(super) fn dead_letter(source: StreamPosition) -> Vec<u8> {
    let kind = [IndexKind::DeadLetter as u8, source.stream.number()];
    join(&[&kind, &source.sequence.to_be_bytes()])
}

pub(super) fn dropped(number: u64) -> Vec<u8> {
    join(&[&[IndexKind::Dropped as u8], &number.to_be_bytes()])
}

pub(super) fn mark(stream: &str) -> Vec<u8> {
    join(&[MARK_PREFIX, stream.as_bytes()])
}

pub(super) fn ranked(partner: &PartnerId) -> Vec<u8> {
    join(&[RANKED_PREFIX, partner.as_str().as_bytes()])
}

/// The request id at the end of an index or head key.
pub(super) fn trailing_id(key: &[u8]) -> Option<RequestId> {
    key.last_chunk::<16>().map(|bytes| RequestId::from_bytes(*bytes))
}

/// The number at the start of an outbox or audit key.
pub(super) fn leading_number(key: &[u8]) -> Option<u64> {
    key.first_chunk::<8>().map(|bytes| u64::from_be_bytes(*bytes))
}

pub(super) fn hex(key: &[u8]) -> String {
    key.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn timer_keys_sort_by_deadline_and_read_back(a in 0u64..1 << 47, b in 0u64..1 << 47) {
            let id = RequestId::from_parts(5, 6);
            let (early, late) = (Timestamp::from_unix_ms(a.min(b)), Timestamp::from_unix_ms(a.max(b)));
            let key = timer(early, TimerKind::Human, id);
            prop_assert!(key <= timer(late, TimerKind::Human, id));
            let row = TimerRow { at: early, request: id, kind: TimerKind::Human };
            prop_assert_eq!(read_timer(&key), Some(row));
            let range = timers_between(early, late);
            prop_assert!(range.start.as_slice() <= key.as_slice());
            prop_assert!(key.as_slice() < range.end.as_slice());
        }
    }

    #[test]
    fn one_customer_is_not_the_prefix_of_another() {
        let short = CustomerId::parse("ab").unwrap();
        let long =
            customer_request(&CustomerId::parse("abc").unwrap(), RequestId::from_parts(1, 1));
        assert!(!long.starts_with(&customer(&short)));
    }
}
