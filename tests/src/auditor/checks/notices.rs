//! What customers were told, against what happened.

use broker::wire::view::view;
use broker_core::effect::Effect;
use broker_core::request::Status;
use schemas::event::Notification;
use schemas::purchase::PurchaseStatus;
use schemas::{DurationMs, RequestId, json, stream, subject};

use super::Findings;
use super::wire::{is_copy, is_in};
use crate::auditor::Seen;
use crate::auditor::casebook::{Case, Casebook, Posted, Step};

/// A customer hears of an outcome this long after it was decided at the latest, on a loaded
/// machine; what kept the broker from telling comes on top.
const TOLD_WITHIN: DurationMs = DurationMs::from_secs(60);

/// P4, invariant NotifiedTruthfully: every notification that the history calls for was published
/// at least once and in time, shows the request as it was then, and says nothing else; copies of
/// one id are equal byte for byte; numbers are dense from 0; no notification lacks its cause.
pub(in crate::auditor) fn notified_truthfully(book: &Casebook<'_>, findings: &mut Findings) {
    let is_notice = |seen: &Seen| is_in(seen, stream::name::NOTIFICATIONS);
    for seen in book.mail.strays.iter().filter(|seen| is_notice(seen)) {
        let id = &seen.message_id;
        findings.general(format!("a notification on {} has the id {id:?}", seen.subject));
    }
    for (request, case) in &book.cases {
        let posted: Vec<&Posted<'_>> =
            case.posted.iter().filter(|posted| is_notice(posted.seen)).collect();
        told_as_decided(book, *request, case, &posted, findings);
        if let Some(head) = case.head.filter(|head| head.is_closed()) {
            let outcome = head.status.kind().label();
            let subject = subject::notification(&head.submission.customer, outcome);
            let told = posted.iter().any(|posted| posted.seen.subject == subject);
            findings.demand(told, *request, || format!("it ended {outcome}, and nobody was told"));
        }
    }
}

/// What was published, step by step beside what the history calls for.
fn told_as_decided(
    book: &Casebook<'_>,
    request: RequestId,
    case: &Case<'_>,
    posted: &[&Posted<'_>],
    findings: &mut Findings,
) {
    let place = |(step, index, _): &(&Step<'_>, usize, &Effect)| (step.next.version, *index);
    let mut wanted = called_for(case).peekable();
    let mut number = 0;
    for (nth, notice) in posted.iter().enumerate() {
        let id = notice.seen.message_id.as_deref().unwrap_or_default();
        if let Some(first) = posted[..nth].last().filter(|first| is_copy(first, notice)) {
            findings.demand(first.seen.body == notice.seen.body, request, || {
                format!("two copies of notification {id} differ")
            });
            continue;
        }
        let here = (notice.version, notice.index);
        while let Some(unsaid) = wanted.next_if(|wanted| place(wanted) < here) {
            never_sent(request, unsaid, findings);
            number += 1;
        }
        let wrong = match wanted.next_if(|wanted| place(wanted) == here) {
            Some((step, _, effect)) => {
                let untrue = untruth(notice, step, effect, number);
                number += 1;
                untrue.or_else(|| late(book, notice, step))
            }
            // Without a history nothing can be compared; `legal_history` tells.
            None if case.broken.is_some() => None,
            None => Some("follows from nothing in the log".to_owned()),
        };
        findings.demand(wrong.is_none(), request, || {
            format!("notification {id} {}", wrong.unwrap_or_default())
        });
    }
    wanted.for_each(|unsaid| never_sent(request, unsaid, findings));
}

fn never_sent(
    request: RequestId,
    (step, index, _): (&Step<'_>, usize, &Effect),
    findings: &mut Findings,
) {
    findings.examine();
    let version = step.next.version.0;
    findings.about(request, format!("notification {version}-{index} was never sent"));
}

/// Steps and effects of the notifications of one request, in order.
fn called_for<'c, 'a>(
    case: &'c Case<'a>,
) -> impl Iterator<Item = (&'c Step<'a>, usize, &'c Effect)> {
    case.steps.iter().flat_map(|step| {
        let effects = step.effects().enumerate();
        let notices = effects.filter(|(_, effect)| matches!(effect, Effect::Notify { .. }));
        notices.map(move |(index, effect)| (step, index, effect))
    })
}

/// By the broker's clock against the server's; a clock that ran off makes them incomparable.
fn late(book: &Casebook<'_>, posted: &Posted<'_>, step: &Step<'_>) -> Option<String> {
    let (decided, seen) = (step.at, posted.seen.at);
    let due = decided.saturating_add(TOLD_WITHIN).saturating_add(book.delayed(decided, seen));
    let in_time = seen <= due || book.has_run_off(seen);
    (!in_time).then(|| format!("was decided at {decided} and sent at {seen}"))
}

/// What a notification says that is not so.
fn untruth(posted: &Posted<'_>, step: &Step<'_>, effect: &Effect, number: u16) -> Option<String> {
    let Effect::Notify { outcome, number: decided, .. } = effect else { return None };
    let said: Notification = match json::decode(&posted.seen.body, usize::MAX) {
        Ok(said) => said,
        Err(error) => return Some(format!("cannot be read: {error}")),
    };
    if Some(said.notification_id.as_str()) != posted.seen.message_id.as_deref() {
        return Some(format!("calls itself {}", said.notification_id));
    }
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
/// ended in any other way has none. A request for which a human was called is excused for as long
/// as something about it is open.
pub(in crate::auditor) fn outcome_matches_ledgers(book: &Casebook<'_>, findings: &mut Findings) {
    let at = book.evidence.at;
    for (request, case) in &book.cases {
        if case.is_with_a_human() {
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
