//! Reading everything once: what a checksum cannot tell (a record that is missing, a head that
//! cannot be read, a list that names nobody) shows only when it is used.

use std::collections::BTreeMap;

use schemas::RequestId;

use super::chain::{self, Chain};
use super::error::StoreError;
use super::port::{Listing, Reader};
use super::row::OutboxSeq;

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

/// Follows the audit chain from its first record, and reads every request and outbox row; each
/// damage is told to `damaged`, and the rest is read nevertheless.
pub fn read_all(reader: &dyn Reader, mut damaged: impl FnMut(StoreError)) -> Report {
    let mut report = Report::default();
    let mut chain = Chain::from_genesis();
    if let Err(error) = chain::follow(reader, &mut chain) {
        damaged(error);
    }
    report.commits = chain.last().0;
    match reader.meta() {
        Ok(meta) if meta.last_commit != chain.last() => {
            let why = format!("the tail says that {} is the last one", meta.last_commit.0);
            damaged(StoreError::BrokenChain { commit: chain.last().0, why });
        }
        Ok(_) => {}
        Err(error) => damaged(error),
    }
    requests(reader, &Listing::All, &mut damaged, |request| {
        *report.requests.entry(request).or_default() += 1;
    });
    requests(reader, &Listing::Active, &mut damaged, |_| report.active += 1);
    report.outbox_rows = outbox(reader, &mut damaged);
    report
}

fn requests(
    reader: &dyn Reader,
    listing: &Listing,
    damaged: &mut impl FnMut(StoreError),
    mut read: impl FnMut(&'static str),
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
                Ok(Some(stored)) => read(stored.request.status.kind().label()),
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
