//! The broker's own log against itself.

use broker::store::CommitNumber;
use broker_core::Event;
use broker_core::request::Version;
use broker_core::transition::transition;
use schemas::purchase::PurchaseStatus;
use schemas::{DurationMs, RequestId, Timestamp};

use super::Findings;
use super::wire::is_copy;
use crate::auditor::casebook::{Case, Casebook, Posted};

/// P4: the audit log is numbered densely from 1 and every record carries the hash of the one
/// before it.
pub(in crate::auditor) fn audit_chain_intact(book: &Casebook<'_>, findings: &mut Findings) {
    (0..book.chain.records).for_each(|_| findings.examine());
    book.chain.broken.iter().for_each(|broken| findings.general(broken));
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
            format!("it was {} and became {} by {}", from.label(), to.label(), pair[1].label())
        });
    }
}

/// P1, invariant Fenced: one history, whoever wrote it. The log numbers the versions of a request
/// 1, 2, 3 …, so that of two owners only one wrote each; and one id never names two messages.
pub(in crate::auditor) fn fenced(book: &Casebook<'_>, findings: &mut Findings) {
    for (request, case) in &book.cases {
        for (wanted, version) in (1..).map(Version).zip(&case.versions) {
            findings.demand(wanted == *version, *request, || {
                format!("version {} stands in the log where {} should", version.0, wanted.0)
            });
        }
        let mut first: Option<&Posted<'_>> = None;
        for posted in &case.posted {
            let copy = first.filter(|first| is_copy(first, posted));
            if let Some(first) = copy {
                let (a, b) = (first.seen, posted.seen);
                findings.demand((&a.subject, &a.body) == (&b.subject, &b.body), *request, || {
                    format!("{:?} names two different messages", b.message_id)
                });
            }
            first = copy.or(Some(posted));
        }
    }
}

/// P4, invariant EventOnce: no answer of a store or of the provider is applied twice, and once a
/// request has come to rest, none of those it was ever given would change it again. Only while
/// something is being undone an old answer may count anew: that the money was taken is then news.
pub(in crate::auditor) fn event_once(book: &Casebook<'_>, findings: &mut Findings) {
    for (request, case) in &book.cases {
        let answers: Vec<(usize, &Event)> = (0..)
            .zip(&case.steps)
            .filter_map(|(n, step)| Some((n, answer(step.event()?)?)))
            .collect();
        for (nth, (at, event)) in answers.iter().enumerate() {
            let earlier = answers[..nth].iter().any(|(_, earlier)| same_answer(earlier, event));
            let undoing = at.checked_sub(1).and_then(|before| case.steps.get(before));
            let undoing = undoing.is_some_and(|before| !before.next.undo.is_empty());
            findings
                .demand(!earlier || undoing, *request, || format!("{event:?} was applied twice"));
        }
        let Some(head) = case.head.filter(|head| head.is_closed() && head.undo.is_empty()) else {
            continue;
        };
        let later = book.evidence.at.saturating_add(DurationMs(1));
        for (_, event) in answers {
            let again = transition(head, event.clone(), later, &book.evidence.policy);
            findings.demand(again.is_err(), *request, || {
                let rows = again.map(|done| done.rows).unwrap_or_default();
                format!("a copy of {event:?} would still take it through {rows:?}")
            });
        }
    }
}

fn answer(event: &Event) -> Option<&Event> {
    matches!(event, Event::Partner(_) | Event::Payment(_)).then_some(event)
}

/// The same answer to the same command: what a message that comes twice looks like.
fn same_answer(one: &Event, other: &Event) -> bool {
    match (one, other) {
        (Event::Partner(one), Event::Partner(other)) => one == other,
        (Event::Payment(one), Event::Payment(other)) => one == other,
        _ => false,
    }
}

/// P8, invariant ReplayEquality: the store holds after every opening what it held before.
pub(in crate::auditor) fn store_reopens_the_same(book: &Casebook<'_>, findings: &mut Findings) {
    for pair in book.evidence.background.readings.windows(2) {
        findings.examine();
        if pair[0] != pair[1] {
            findings.general(format!("the store held {}, opened again {}", pair[0], pair[1]));
        }
    }
}
