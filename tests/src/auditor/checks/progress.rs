//! Nothing waits for ever, and a useful broker buys.

use std::collections::BTreeSet;

use broker_core::effect::Effect;
use broker_core::receipt::search::{Came, SkipReason};
use broker_core::request::{Step as CheckoutStep, Undo};
use broker_core::timer::TimerKind;
use broker_core::{Event, Policy, PurchaseRequest};
use schemas::directory::LookupKind;
use schemas::payment::PaymentOutcome;
use schemas::purchase::{PurchaseStatus, Strategy};
use schemas::{DurationMs, PartnerId, RequestId, Timestamp};

use super::Findings;
use crate::auditor::Standing;
use crate::auditor::casebook::{Case, Casebook, Step};

/// A machine under load may be late by this; one in virtual time may not.
const SLACK: DurationMs = DurationMs::from_secs(10);

/// P4, invariants Progress and NothingLost: a request has ended by its deadline unless an order is
/// out; an order of unknown fate and an undo that does not get through become an incident within
/// the policy's time, and the order is asked about all along. Time in which something could not be relied on comes on top. All of it is
/// read from the broker's own clock, so nothing is said of a run in which that one ran off.
pub(in crate::auditor) fn progresses(book: &Casebook<'_>, findings: &mut Findings) {
    if book.has_run_off(book.evidence.at) {
        return;
    }
    for (request, case) in &book.cases {
        let Some(head) = case.head else { continue };
        ends_in_time(book, *request, case, findings);
        unknown_is_told(book, *request, case, findings);
        unknown_is_asked_about(book, *request, case, findings);
        undo_is_told(book, *request, case, head, findings);
    }
}

/// `at` with everything on top that can be excused since `from`.
fn due(book: &Casebook<'_>, from: Timestamp, at: Timestamp) -> Timestamp {
    at.saturating_add(SLACK).saturating_add(book.delayed(from, book.evidence.at))
}

fn ends_in_time(book: &Casebook<'_>, request: RequestId, case: &Case<'_>, findings: &mut Findings) {
    let Some(created) = case.steps.first().map(|step| step.at) else { return };
    for (n, step) in case.steps.iter().enumerate() {
        let next = &step.next;
        if next.is_closed() || next.is_past_no_return() || next.is_money_open() {
            continue;
        }
        let until = case.steps.get(n + 1).map_or(book.evidence.at, |later| later.at);
        let expires_at = due(book, created.min(next.terms.expires_at), next.terms.expires_at);
        findings.demand(until <= expires_at, request, || {
            let (status, version) = (next.status.kind().label(), next.version.0);
            format!("version {version} stayed {status} from {} until {until}", step.at)
        });
    }
}

fn unknown_is_told(
    book: &Casebook<'_>,
    request: RequestId,
    case: &Case<'_>,
    findings: &mut Findings,
) {
    let mut told = None;
    for (n, step) in case.steps.iter().enumerate() {
        let Some(since) = unknown_since(&step.next) else { continue };
        if step.next.incident.is_some() {
            told = Some(since);
        }
        let until = case.steps.get(n + 1).map_or(book.evidence.at, |later| later.at);
        let human_at = due(book, since, since.saturating_add(book.evidence.policy.human_after));
        findings.demand(told == Some(since) || until <= human_at, request, || {
            format!("its order is unknown since {since}, and nobody was called until {until}")
        });
    }
}

/// A store that can be asked about an order of unknown fate is asked, again and again: nothing that
/// protects it from too many calls may stand in the way of this one.
fn unknown_is_asked_about(
    book: &Casebook<'_>,
    request: RequestId,
    case: &Case<'_>,
    findings: &mut Findings,
) {
    let timed = |step: &&Step<'_>| matches!(step.event(), Some(Event::Timer(TimerKind::Step)));
    for step in case.steps.iter().filter(timed) {
        let Some(checkout) = step.next.checkout.as_ref() else { continue };
        let store = book.evidence.policy.partners.profile(&checkout.quote.partner);
        if unknown_since(&step.next).is_none() || store.lookup == LookupKind::None {
            continue;
        }
        let asks = step.effects().any(|effect| matches!(effect, Effect::Partner { .. }));
        findings.demand(asks, request, || {
            format!("at {} nothing was asked about its order of unknown fate", step.at)
        });
    }
}

fn unknown_since(request: &PurchaseRequest) -> Option<Timestamp> {
    match &request.checkout.as_ref()?.step {
        CheckoutStep::PlacementUnknown(unknown) => Some(unknown.since),
        CheckoutStep::Reserving { .. }
        | CheckoutStep::Authorizing { .. }
        | CheckoutStep::ActionRequired { .. }
        | CheckoutStep::Placing
        | CheckoutStep::Capturing { .. }
        | CheckoutStep::Completed
        | CheckoutStep::Failed(_) => None,
    }
}

/// An open undo at rest is one that a human knows of, or one that has not had its time.
fn undo_is_told(
    book: &Casebook<'_>,
    request: RequestId,
    case: &Case<'_>,
    head: &PurchaseRequest,
    findings: &mut Findings,
) {
    let policy = &book.evidence.policy;
    for undo in &head.undo {
        let is_same = |other: &Undo| (other.kind, other.attempt) == (undo.kind, undo.attempt);
        let last_without = case.steps.iter().rposition(|step| !step.next.undo.iter().any(is_same));
        let begun = last_without.and_then(|at| case.steps.get(at + 1)).map_or(Timestamp::ZERO, at);
        let told_at = due(book, begun, begun.saturating_add(undo_time(policy)));
        let excused = head.incident.is_some() || book.evidence.at <= told_at;
        findings.demand(excused, request, || {
            format!("{:?} of attempt {} is open since {begun}", undo.kind, undo.attempt)
        });
    }
}

fn at(step: &Step<'_>) -> Timestamp {
    step.at
}

/// All waits before an undo becomes an incident. The one before it (an order to be canceled) may
/// take as long.
fn undo_time(policy: &Policy) -> DurationMs {
    let waits = (0..policy.undo_incident_after).map(|n| Policy::ladder(policy.undo_ladder, n));
    DurationMs(waits.map(DurationMs::as_ms).sum::<u64>() * 2)
}

/// P8, invariant Useful: with an honest store that had the book all along within the limit, and that
/// no limit on questions kept from being asked, enough time, nothing disturbed and a customer who lets it happen, the book is bought; with `cheapest`
/// at no more than the cheapest such store asks. A broker that never buys keeps every other
/// promise.
pub(in crate::auditor) fn useful(book: &Casebook<'_>, findings: &mut Findings) {
    let mut standing: Vec<&Standing> = book.evidence.background.standing.iter().collect();
    standing.sort_by_key(|standing| standing.request);
    for of_request in standing.chunk_by(|a, b| a.request == b.request) {
        let request = of_request[0].request;
        let Some(case) = book.cases.get(&request) else { continue };
        let Some(head) = case.head else { continue };
        let limit = head.submission.terms.max_total;
        let eligible = of_request.iter().filter(|s| s.total.at_most(limit).unwrap_or(false));
        let left_out = left_out_for_load(book, request);
        let eligible = eligible.filter(|s| !left_out.contains(&s.partner));
        let Some(best) = eligible.map(|s| s.total.minor()).min() else { continue };
        let honest: Vec<&PartnerId> = of_request.iter().map(|s| &s.partner).collect();
        if !had_a_fair_chance(book, case, head, &honest) {
            continue;
        }
        let bought = head.status.kind() == PurchaseStatus::Ordered;
        findings.demand(bought, request, || {
            let (status, stores) = (head.status.kind().label(), honest.len());
            format!("it is {status}; {stores} honest stores had it, from {best} (limit {limit})")
        });
        let cheapest = head.terms.strategy == Strategy::Cheapest;
        if cheapest && bought && book.evidence.background.virtual_time {
            let first = case.steps.iter().find_map(|step| step.next.checkout.as_ref());
            let asked = first.and_then(|c| c.quote.worst_total()).map_or(u64::MAX, |t| t.minor());
            findings.demand(asked <= best, request, || {
                format!("it was bought at {asked}, an honest store asked {best}")
            });
        }
    }
}

/// Stores that a limit kept from being asked, as the receipts say: from them nothing can be bought.
fn left_out_for_load<'a>(book: &Casebook<'a>, request: RequestId) -> BTreeSet<&'a PartnerId> {
    let receipts = book.evidence.receipts.get(&request).map_or(&[][..], Vec::as_slice);
    let searches = receipts.iter().filter_map(|receipt| receipt.search.as_ref());
    let for_load = |why: SkipReason| match why {
        SkipReason::RateLimited
        | SkipReason::AskedForPause
        | SkipReason::BreakerOpen
        | SkipReason::Degraded => true,
        SkipReason::DoesNotServe
        | SkipReason::Banned
        | SkipReason::Shadow
        | SkipReason::NotNeeded => false,
    };
    let mut stores = BTreeSet::new();
    for search in searches {
        let skipped = search.skipped.iter().filter(|skipped| for_load(skipped.why));
        stores.extend(skipped.flat_map(|skipped| &skipped.named));
        let asked = search.rounds.iter().flat_map(|round| &round.asked);
        stores.extend(asked.filter(|one| one.came == Came::NotSent).map(|one| &one.partner));
    }
    stores
}

/// Nothing but the broker itself can be to blame when this request is not ordered.
fn had_a_fair_chance(
    book: &Casebook<'_>,
    case: &Case<'_>,
    head: &PurchaseRequest,
    honest: &[&PartnerId],
) -> bool {
    let policy = &book.evidence.policy;
    let Some(created) = case.steps.first().map(at) else { return false };
    let steps = [
        policy.sweep_hard_stop,
        policy.placement_budget,
        policy.reserve_timeout,
        policy.authorize_timeout,
        policy.place_timeout,
        SLACK,
    ];
    let time_needed = DurationMs(steps.map(DurationMs::as_ms).iter().sum());
    let sent = case.sent.iter().map(|copy| copy.sent.at).min().unwrap_or(created).min(created);
    let in_time = created.saturating_add(time_needed) <= head.submission.terms.expires_at;
    let undisturbed =
        !book.evidence.disturbances.iter().any(|d| d.overlaps(sent, ends(book, case)));
    let only_honest = head.tried.iter().all(|store| honest.contains(&store));
    let paid = case.payments.iter().all(|payment| {
        payment.decisions.kept.iter().all(|decision| {
            let trouble = match &decision.outcome {
                None
                | Some(
                    PaymentOutcome::Declined { .. }
                    | PaymentOutcome::ActionRequired { .. }
                    | PaymentOutcome::Failed { .. },
                ) => true,
                // One publish that has to be repeated is longer than such a hold.
                Some(PaymentOutcome::Authorized { valid_until, amount }) => {
                    let enough =
                        payment.amount.is_none_or(|asked| asked.at_most(*amount) == Ok(true));
                    !enough || *valid_until < decision.received_at.saturating_add(time_needed)
                }
                Some(
                    PaymentOutcome::Captured { .. }
                    | PaymentOutcome::Voided
                    | PaymentOutcome::Refunded { .. }
                    | PaymentOutcome::NotFound { .. },
                ) => false,
            };
            decision.faults.is_empty() && !trouble
        })
    });
    let left_alone = case.applied_commands().next().is_none();
    let on_time = !book.has_run_off(book.evidence.at);
    on_time && in_time && undisturbed && only_honest && paid && left_alone
}

/// When it ended, or the end of the run.
fn ends(book: &Casebook<'_>, case: &Case<'_>) -> Timestamp {
    let closed = case.steps.iter().find(|step| step.next.is_closed());
    closed.map_or(book.evidence.at, at)
}
