//! What customers were told, against what happened.

use std::collections::BTreeMap;

use broker::wire::view::view;
use broker_core::effect::Effect;
use broker_core::request::Status;
use bytes::Bytes;
use schemas::purchase::PurchaseStatus;

use super::Findings;
use crate::auditor::casebook::{Case, Casebook, Notice, Step};

/// P4, invariant NotifiedTruthfully: every notification that the history calls for was published
/// at least once, shows the request as it was then, and says nothing else; copies of one id are
/// equal byte for byte; numbers are dense from 0; no notification lacks its cause.
pub(in crate::auditor) fn notified_truthfully(book: &Casebook<'_>, findings: &mut Findings) {
    for seen in &book.unreadable {
        findings.general(format!("a notification on {} cannot be read", seen.subject));
    }
    let mut published: BTreeMap<&str, &Notice<'_>> = BTreeMap::new();
    let mut bodies: BTreeMap<&str, &Bytes> = BTreeMap::new();
    for notice in &book.notices {
        let id = notice.notification.notification_id.as_str();
        let request = notice.notification.request_id;
        let first = *bodies.entry(id).or_insert(&notice.seen.body);
        findings.demand(*first == notice.seen.body, request, || {
            format!("two copies of notification {id} differ")
        });
        findings.demand(notice.seen.message_id.as_deref() == Some(id), request, || {
            format!("notification {id} was published under {:?}", notice.seen.message_id)
        });
        published.entry(id).or_insert(notice);
    }
    for (request, case) in &book.cases {
        for (number, (id, step, effect)) in (0u16..).zip(called_for(book, case)) {
            match published.remove(id.as_str()) {
                Some(notice) => {
                    let untrue = untruth(notice, step, effect, number);
                    findings.demand(untrue.is_none(), *request, || {
                        format!("notification {id} {}", untrue.unwrap_or_default())
                    });
                }
                None => {
                    findings.examine();
                    findings.about(*request, format!("notification {id} was never published"));
                }
            }
        }
        if let Some(head) = case.head {
            findings.demand(!head.is_closed() || head.notified > 0, *request, || {
                format!("it ended {} and nobody was told", head.status.kind().label())
            });
        }
    }
    for (id, notice) in published {
        let request = notice.notification.request_id;
        findings.about(request, format!("notification {id} follows from nothing in the log"));
    }
}

/// Ids, steps and effects of the notifications of one request, in order.
fn called_for<'c>(
    book: &Casebook<'_>,
    case: &'c Case<'_>,
) -> impl Iterator<Item = (String, &'c Step, &'c Effect)> {
    let incarnation = book.evidence.incarnation;
    case.steps.iter().flat_map(move |step| {
        let effects = step.effects.iter().enumerate();
        let notices = effects.filter(|(_, effect)| matches!(effect, Effect::Notify { .. }));
        notices.map(move |(index, effect)| {
            let (request, version) = (step.next.id(), step.next.version.0);
            (format!("{incarnation}-{request}-{version}-{index}"), step, effect)
        })
    })
}

/// What a notification says that is not so.
fn untruth(notice: &Notice<'_>, step: &Step, effect: &Effect, number: u16) -> Option<String> {
    let Effect::Notify { outcome, number: decided, .. } = effect else { return None };
    let said = &notice.notification;
    if said.outcome.label() != outcome.label() {
        return Some(format!("says {}, it was {}", said.outcome.label(), outcome.label()));
    }
    if said.number != number || *decided != number {
        return Some(format!("has number {}, it should be {number}", said.number));
    }
    if said.customer_id != step.next.submission.customer {
        return Some(format!("went to {}", said.customer_id));
    }
    if said.request != view(&step.next) {
        return Some(format!("shows another request than version {}", step.next.version.0));
    }
    None
}

/// P4, at rest: a request that ended `ordered` has exactly the standing order it names; one that
/// ended in any other way has none. A request that a human was called for is excused.
pub(in crate::auditor) fn outcome_matches_ledgers(book: &Casebook<'_>, findings: &mut Findings) {
    let at = book.evidence.at;
    for (request, case) in &book.cases {
        let excused = case.head.is_some_and(|head| head.incident.is_some());
        if excused {
            continue;
        }
        let status = case.head.map(|head| head.status.kind());
        let named = case
            .head
            .filter(|head| head.status == Status::Ordered)
            .and_then(|head| head.checkout.as_ref()?.order.as_ref());
        let live: Vec<_> = case.orders.iter().filter(|order| order.is_live(at)).collect();
        let matches = match (status, live.as_slice()) {
            (Some(PurchaseStatus::Ordered), [order]) => named.is_some_and(|named| {
                order.order_id() == Some(&named.order_id) && order.total() == Some(named.total)
            }),
            (Some(PurchaseStatus::Ordered), _) => false,
            (_, orders) => orders.is_empty(),
        };
        findings.demand(matches, *request, || {
            let ids: Vec<_> = live.iter().map(|order| order.placement_key.as_str()).collect();
            let status = status.map_or("unknown to the broker", PurchaseStatus::label);
            format!("it is {status}, and these orders stand: {ids:?}")
        });
    }
}
