//! One pass over the bytes of the audit log: every record is encoded once, for its hash and for
//! what must not be in it.

use std::collections::BTreeMap;

use broker::store::disk::audit::{body_of, link};
use broker::store::{AuditBody, ChainHash, CommitNumber};
use schemas::RequestId;

use super::{Case, Evidence, Secrets};

/// What the bytes of the log say.
#[derive(Default)]
pub(in crate::auditor) struct Chain {
    pub(in crate::auditor) records: usize,
    /// What is wrong with numbers and hashes.
    pub(in crate::auditor) broken: Vec<String>,
    /// Commits that keep what only others may know, and what.
    pub(in crate::auditor) leaks: Vec<(RequestId, CommitNumber, &'static str)>,
}

impl Chain {
    pub(super) fn follow(evidence: &Evidence, cases: &BTreeMap<RequestId, Case<'_>>) -> Self {
        let mut chain = Self { records: evidence.log.len(), ..Self::default() };
        let mut before = ChainHash::GENESIS;
        let mut secrets: BTreeMap<RequestId, Option<Secrets<'_>>> = BTreeMap::new();
        for (wanted, record) in (1..).zip(&evidence.log) {
            let number = record.commit.0;
            if number != wanted {
                chain.broken.push(format!("commit {number} stands where {wanted} should"));
                return chain;
            }
            let body = body_of(record);
            if link(before, record.commit, &body) != record.hash {
                chain.broken.push(format!("commit {number} does not follow the one before it"));
            }
            before = record.hash;
            let AuditBody::Request { request, .. } = &record.body else { continue };
            let known = secrets
                .entry(*request)
                .or_insert_with(|| cases.get(request).and_then(|case| Secrets::of(case)));
            if let Some(what) = known.as_ref().and_then(|secrets| secrets.in_log(&body)) {
                chain.leaks.push((*request, record.commit, what));
            }
        }
        chain
    }
}
