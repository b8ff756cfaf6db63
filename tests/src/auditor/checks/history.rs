//! The broker's own log against itself.

use broker::store::disk::audit::{body_of, link};
use broker::store::{ChainHash, CommitNumber};
use broker_core::batch::Change;
use schemas::purchase::PurchaseStatus;
use schemas::{RequestId, Timestamp};

use super::Findings;
use crate::auditor::casebook::{Case, Casebook};

/// P4: the audit log is numbered densely from 1 and every record carries the hash of the one
/// before it.
pub(in crate::auditor) fn audit_chain_intact(book: &Casebook<'_>, findings: &mut Findings) {
    let mut before = ChainHash::GENESIS;
    for (number, record) in (1..).zip(&book.evidence.log) {
        findings.examine();
        if record.commit != CommitNumber(number) {
            findings.general(format!("commit {} stands where {number} should", record.commit.0));
            return;
        }
        if link(before, record.commit, &body_of(record)) != record.hash {
            findings.general(format!("commit {number} does not follow the one before it"));
        }
        before = record.hash;
    }
}

/// P8, invariants LegalHistory and ReplayEquality: versions are dense, every event was legal when
/// it was applied, time never goes back, only listed corrections follow an end, and folding all of
/// it gives exactly the stored request.
pub(in crate::auditor) fn legal_history(book: &Casebook<'_>, findings: &mut Findings) {
    for (request, case) in &book.cases {
        if case.head.is_none() && case.steps.is_empty() && case.broken.is_none() {
            // Nobody but a customer or a partner ever spoke of it; other checks look at that.
            continue;
        }
        findings.examine();
        if let Some(broken) = &case.broken {
            findings.about(*request, format!("the log cannot be replayed: {broken}"));
            continue;
        }
        let folded = case.steps.last().map(|step| &step.next);
        if folded != case.head {
            findings.about(*request, difference(case));
        }
        in_order(*request, case, findings);
        ends_once(*request, case, findings);
    }
}

fn difference(case: &Case<'_>) -> String {
    let version = |request: Option<&broker_core::PurchaseRequest>| {
        request.map_or("none".to_owned(), |r| {
            format!("version {} ({})", r.version.0, r.status.kind().label())
        })
    };
    let folded = case.steps.last().map(|step| &step.next);
    format!("the log folds to {}, stored is {}", version(folded), version(case.head))
}

fn in_order(request: RequestId, case: &Case<'_>, findings: &mut Findings) {
    let mut before = (Timestamp::ZERO, CommitNumber(0));
    for step in &case.steps {
        findings.demand(step.at >= before.0 && step.commit >= before.1, request, || {
            format!("version {} lies before the version it follows", step.next.version.0)
        });
        before = (step.at, step.commit);
    }
}

/// An ended request ends differently only when its order was taken back.
fn ends_once(request: RequestId, case: &Case<'_>, findings: &mut Findings) {
    use PurchaseStatus::{Canceled, Expired, Failed, Ordered, Ordering};
    for pair in case.steps.windows(2) {
        let (from, to) = (pair[0].next.status.kind(), pair[1].next.status.kind());
        let ended = matches!(from, Ordered | Expired | Failed | Canceled);
        let corrected = from == Ordered && matches!(to, Canceled | Failed | Ordering);
        findings.demand(!ended || from == to || corrected, request, || {
            let event = match &pair[1].change {
                Change::Created => "created",
                Change::Applied(event) => event.label(),
            };
            format!("it was {} and became {} by {event}", from.label(), to.label())
        });
    }
}
