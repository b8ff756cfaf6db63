//! Whether everybody got what was planned: the check that a broker which never buys cannot pass.

use std::collections::BTreeSet;

use schemas::purchase::PurchaseStatus;
use schemas::{RequestId, Timestamp};

use super::{Buyers, Expectation};
use crate::auditor::{Checked, Evidence, Promise, Violation};

/// Its name in verdicts.
pub const PLANNED_OUTCOME: &str = "planned_outcome";

/// Compares plans and outcomes of a calm run.
pub fn planned_outcome(buyers: &dyn Buyers, evidence: &Evidence) -> Checked {
    let mut checked = Checked {
        name: PLANNED_OUTCOME,
        promise: Promise::P4,
        says: "in a calm run everybody gets what was planned",
        examined: 0,
        violations: Vec::new(),
    };
    let sent: BTreeSet<RequestId> =
        evidence.sent.iter().filter_map(|sent| sent.command.request()).collect();
    for request in sent {
        let Some(expectation) = buyers.expected(request) else { continue };
        checked.examined += 1;
        if let Some(said) = differs(request, expectation, evidence) {
            checked.violations.push(Violation {
                check: PLANNED_OUTCOME,
                promise: Promise::P4,
                request: Some(request),
                said: format!("planned was {:?}, but {said}", expectation.plan),
            });
        }
    }
    checked
}

fn differs(request: RequestId, wanted: &Expectation, evidence: &Evidence) -> Option<String> {
    let Some(head) = evidence.heads.get(&request) else {
        return Some("it never came to be".to_owned());
    };
    let status = head.status.kind();
    if !wanted.ends.contains(&status) {
        return Some(format!("it is {}", status.label()));
    }
    if status != PurchaseStatus::Ordered {
        return None;
    }
    let orders = evidence.partners.live_orders(request, Timestamp::MAX);
    let paid: Option<u64> = orders.first().and_then(|order| order.total()).map(|t| t.minor());
    let (low, high) = wanted.total;
    match paid {
        Some(paid) if (low..=high).contains(&paid) => None,
        Some(paid) => Some(format!("it cost {paid} instead of {low} to {high}")),
        None => Some("no order stands".to_owned()),
    }
}
