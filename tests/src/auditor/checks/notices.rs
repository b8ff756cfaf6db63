//! What customers were told, against what happened.

use broker::store::{Outgoing, StoredRow};
use broker::wire::outgoing;
use broker::wire::token::digest_of;
use broker_core::OutboxRow;
use broker_core::effect::{AcceptToken, Effect};
use broker_core::receipt::Receipt;
use broker_core::request::Status;
use partner_sim::ledger::OrderRecord;
use schemas::purchase::PurchaseStatus;
use schemas::{Digest, DurationMs, RequestId, stream, subject};

use super::Findings;
use super::wire::{context, is_copy, is_in};
use crate::auditor::casebook::{Case, Casebook, Posted, Step};
use crate::auditor::{Seen, peek};

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
            Some((step, ..)) => {
                let untrue = untruth(book, notice, step, number);
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

/// How a notification differs from what the log lets leave, byte for byte. Only the accept token
/// is not in the log; its digest is.
fn untruth(
    book: &Casebook<'_>,
    posted: &Posted<'_>,
    step: &Step<'_>,
    number: u16,
) -> Option<String> {
    let row = step.outbox.get(posted.index)?;
    let (Outgoing::Effect(effect_row), seen) = (&row.outgoing, posted.seen) else { return None };
    let Effect::Notify { outcome, number: decided, .. } = &effect_row.effect else { return None };
    if *decided != number {
        return Some(format!("has number {decided}, it should be {number}"));
    }
    let told = peek::text(&seen.body, "\"accept_token\":");
    if told.is_some() && told.and_then(digest_of) != offered(step) {
        return Some("carries a token that accepts nothing".to_owned());
    }
    let receipts = book.evidence.receipts.get(&effect_row.request);
    let in_force = |r: &&Receipt| r.sweep <= step.next.sweep && r.decided_at <= step.at;
    let receipt = receipts.and_then(|receipts| receipts.iter().rev().find(in_force));
    let wanted = match told {
        None => outgoing::message(&context(book), row, receipt),
        Some(told) => outgoing::message(&context(book), &with_token(row, told), receipt),
    };
    if seen.subject != wanted.subject {
        return Some(format!("went to {}, it was {}", seen.subject, outcome.label()));
    }
    (seen.body != wanted.body).then(|| {
        let wanted = String::from_utf8_lossy(&wanted.body).into_owned();
        format!("says {}, the log says {wanted}", String::from_utf8_lossy(&seen.body))
    })
}

/// Digest of the token that accepts the offer of this version.
fn offered(step: &Step<'_>) -> Option<Digest> {
    match &step.next.status {
        Status::Quoted(offered) => Some(offered.token_digest),
        Status::Pending
        | Status::Searching
        | Status::OutOfStock
        | Status::Ordering
        | Status::Ordered
        | Status::Expired
        | Status::Failed(_)
        | Status::Canceled => None,
    }
}

/// The row as it left: with the secret that is not kept.
fn with_token(row: &StoredRow, told: &str) -> StoredRow {
    let mut row = row.clone();
    let bits = u128::from_str_radix(told, 16).unwrap_or_default();
    if let Outgoing::Effect(OutboxRow { effect: Effect::Notify { token, .. }, .. }) =
        &mut row.outgoing
    {
        *token = Some(AcceptToken(bits.to_be_bytes()));
    }
    row
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
                // Who never hears of the first order has to believe in the second.
                let known = [order.order_id().cloned(), order.second_order_id()];
                known.contains(&Some(named.order_id.clone())) && order.total() == Some(named.total)
            }),
            (Some(PurchaseStatus::Ordered), _) => false,
            (_, orders) => orders.is_empty(),
        };
        findings.demand(matches, *request, || {
            let stands = |o: &OrderRecord| {
                let id = o.order_id().map_or("no id", |id| id.as_str());
                let total = o.total().map_or_else(|| "no price".to_owned(), |t| t.to_string());
                format!("{id} of {} for {total}", o.placement_key)
            };
            let orders: Vec<_> = live.iter().map(|order| stands(order)).collect();
            let status = status.map_or("unknown to the broker", PurchaseStatus::label);
            let told = named.map(|order| format!(" {} for {}", order.order_id, order.total));
            let told = told.unwrap_or_default();
            format!("it is {status}{told}, and these orders stand: {orders:?}")
        });
    }
}
