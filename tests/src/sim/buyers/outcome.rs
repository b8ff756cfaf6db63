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

#[cfg(test)]
mod tests {
    use schemas::event::{Notification, NotificationOutcome};

    use super::super::{Act, Customers, Shelves};
    use super::*;
    use crate::auditor::Answer;
    use crate::sim::choices::{Choices, Script};
    use crate::sim::run::run;

    /// Customers who wanted something else than they let happen.
    struct Disappointed {
        customers: Customers,
        wanted: Option<Expectation>,
    }

    impl Buyers for Disappointed {
        fn shelves(&self) -> Shelves {
            self.customers.shelves()
        }
        fn opening(&mut self, choices: &mut Choices) -> Vec<Act> {
            self.customers.opening(choices)
        }
        fn answered(&mut self, a: &Act, b: &Answer, c: Timestamp, d: &mut Choices) -> Vec<Act> {
            self.customers.answered(a, b, c, d)
        }
        fn awaits(&self, outcome: NotificationOutcome) -> bool {
            self.customers.awaits(outcome)
        }
        fn notified(&mut self, a: &Notification, b: Timestamp, c: &mut Choices) -> Vec<Act> {
            self.customers.notified(a, b, c)
        }
        fn expected(&self, request: RequestId) -> Option<&Expectation> {
            self.customers.expected(request).and(self.wanted.as_ref())
        }
    }

    fn outcome(ends: &[PurchaseStatus], total: (u64, u64)) -> crate::auditor::Verdict {
        let wanted = Expectation { ends: ends.to_vec(), total, plan: "another one" };
        let tamest = Choices::from_script(Script::default());
        run(tamest, |options, choices| {
            let customers = Customers::plan(options, choices);
            Box::new(Disappointed { customers, wanted: Some(wanted) })
        })
        .verdict
    }

    #[test]
    fn an_outcome_that_nobody_planned_is_a_violation() {
        let bought = outcome(&[PurchaseStatus::Ordered], (500, 500));
        assert!(bought.is_clean(), "{bought}");
        let canceled = outcome(&[PurchaseStatus::Canceled], (0, 0));
        assert!(canceled.broke(PLANNED_OUTCOME), "{canceled}");
        let dear = outcome(&[PurchaseStatus::Ordered], (501, 600));
        assert!(dear.broke(PLANNED_OUTCOME), "{dear}");
        assert!(dear.timeline.is_some());
    }
}
