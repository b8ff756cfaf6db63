//! Reading everything once: what a checksum cannot tell (a record that is missing or out of date, a
//! head that cannot be read, a list that names nobody) shows only when it is used.

use std::collections::BTreeMap;

use broker_core::engine::input::TimerRow;
use broker_core::request::PurchaseRequest;
use broker_core::timer::TimerKind;
use schemas::{RequestId, Timestamp};

use super::chain::Chain;
use super::error::StoreError;
use super::port::{Listing, Reader};
use super::row::{AuditBody, DroppedLetter, OutboxSeq};

/// Records read at once.
const PAGE: usize = 512;

/// What was read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Report {
    /// Audit records followed from the first.
    pub commits: u64,
    /// Requests by status.
    pub requests: BTreeMap<&'static str, u64>,
    pub active: u64,
    pub outbox_rows: u64,
}

/// Follows the audit chain from its first record, and reads every request, outbox row and what
/// is known of partners; each damage is told to `damaged`, and the rest is read nevertheless.
pub fn read_all(reader: &dyn Reader, mut damaged: impl FnMut(StoreError)) -> Report {
    let mut report = Report::default();
    let mut chain = Chain::from_genesis();
    let audited = follow(reader, &mut chain).map_err(&mut damaged).ok();
    report.commits = chain.last().0;
    match reader.meta() {
        Ok(meta) if meta.last_commit != chain.last() => {
            let why = format!("the tail says that {} is the last one", meta.last_commit.0);
            damaged(StoreError::BrokenChain { commit: chain.last().0, why });
        }
        Ok(_) => {}
        Err(error) => damaged(error),
    }
    let mut found = 0_u64;
    // In order of instants; all of them are held at once, some 40 bytes each.
    let mut timers = match reader.due_timers(Timestamp::MAX, usize::MAX) {
        Ok(rows) => Some(rows.into_iter().map(|row| (row, false)).collect::<BTreeMap<_, _>>()),
        Err(error) => {
            damaged(error);
            None
        }
    };
    let mut lost = Vec::new();
    requests(reader, &Listing::All, &mut damaged, |request| {
        *report.requests.entry(request.status.kind().label()).or_default() += 1;
        found = found.saturating_add(request.version.0);
        if let Some(timers) = &mut timers {
            lost.extend(unmatched(request, timers));
        }
    });
    lost.into_iter().for_each(&mut damaged);
    stray(timers, &mut damaged);
    // A version counts the changes of its request, so that a head that is missing, or older than
    // the log, shows in the sum.
    if let Some(audited) = audited.filter(|audited| *audited != found) {
        let why = format!("they add up to {found} changes, the audit log holds {audited}");
        damaged(StoreError::Damaged { keyspace: "head", key: "all".to_owned(), why });
    }
    requests(reader, &Listing::Active, &mut damaged, |_| report.active += 1);
    report.outbox_rows = outbox(reader, &mut damaged);
    if let Err(error) = reader.ranking() {
        damaged(error);
    }
    report
}

/// Without its row in the table a timer never fires, whatever the head says.
fn unmatched(request: &PurchaseRequest, timers: &mut BTreeMap<TimerRow, bool>) -> Vec<StoreError> {
    let set = |kind| Some(TimerRow { at: request.timers.get(kind)?, request: request.id(), kind });
    let mut lost = Vec::new();
    for row in TimerKind::ALL.into_iter().filter_map(set) {
        match timers.get_mut(&row) {
            Some(matched) => *matched = true,
            None => lost.push(StoreError::Damaged {
                keyspace: "timers",
                key: row.request.to_string(),
                why: format!("its timer {} at {} is not there", row.kind.label(), row.at),
            }),
        }
    }
    lost
}

/// A row that no head knows does no harm when it fires, but is not what was written.
fn stray(timers: Option<BTreeMap<TimerRow, bool>>, damaged: &mut impl FnMut(StoreError)) {
    let mut left = timers.into_iter().flatten().filter(|(_, matched)| !matched);
    if let Some((first, _)) = left.next() {
        let key = first.request.to_string();
        let why = format!("this one and {} more belong to no request's state", left.count());
        damaged(StoreError::Damaged { keyspace: "timers", key, why });
    }
}

/// Follows the chain to its end; gives the number of changes of requests in it.
fn follow(reader: &dyn Reader, chain: &mut Chain) -> Result<u64, StoreError> {
    let mut changes = 0_u64;
    loop {
        let page = reader.audit_after(chain.last(), PAGE)?;
        if page.is_empty() {
            return Ok(changes);
        }
        for record in &page {
            chain.take(record)?;
            match &record.body {
                AuditBody::Request { rows, .. } => {
                    changes = changes.saturating_add(u64::try_from(rows.len()).unwrap_or(u64::MAX));
                }
                AuditBody::Dropped(letter) => is_found(reader, letter)?,
                AuditBody::DeadLetter { .. } | AuditBody::Steered(_) => {}
            }
        }
    }
}

/// Whoever drops the same letter again is answered by its record.
fn is_found(reader: &dyn Reader, letter: &DroppedLetter) -> Result<(), StoreError> {
    match reader.dropped(letter.number)? {
        Some(_) => Ok(()),
        None => Err(StoreError::Damaged {
            keyspace: "index",
            key: letter.number.to_string(),
            why: "it does not list a dropped letter that the audit log has".to_owned(),
        }),
    }
}

fn requests(
    reader: &dyn Reader,
    listing: &Listing,
    damaged: &mut impl FnMut(StoreError),
    mut read: impl FnMut(&PurchaseRequest),
) {
    let mut after: Option<RequestId> = None;
    loop {
        let page = match reader.ids(listing, after, PAGE) {
            Ok(page) => page,
            Err(error) => return damaged(error),
        };
        let Some(last) = page.last().copied() else { return };
        for id in page {
            match reader.load(id) {
                Ok(Some(stored)) => read(&stored.request),
                Ok(None) => damaged(StoreError::Damaged {
                    keyspace: "index",
                    key: id.to_string(),
                    why: "it lists a request that is not there".to_owned(),
                }),
                Err(error) => damaged(error),
            }
            if let Err(error) = reader.receipts(id) {
                damaged(error);
            }
        }
        after = Some(last);
    }
}

/// Published rows of past days are gone by right; from the first that is there, none may miss.
fn outbox(reader: &dyn Reader, damaged: &mut impl FnMut(StoreError)) -> u64 {
    let (mut after, mut rows) = (OutboxSeq(0), 0);
    loop {
        let page = match reader.outbox_after(after, PAGE) {
            Ok(page) => page,
            Err(error) => {
                damaged(error);
                return rows;
            }
        };
        for row in &page {
            if after.0 > 0 && row.seq.0 != after.0 + 1 {
                damaged(StoreError::Damaged {
                    keyspace: "outbox",
                    key: row.seq.0.to_string(),
                    why: format!("it comes after {}", after.0),
                });
            }
            after = row.seq;
            rows += 1;
        }
        if page.is_empty() {
            return rows;
        }
    }
}
