//! Limits the customer set: money and time.

use broker_core::effect::PartnerCommand;
use broker_core::request::Incident;
use partner_sim::fault::Fault;
use partner_sim::ledger::{OrderRecord, OrderTerms};
use schemas::partner::Place;
use schemas::purchase::PurchaseStatus;
use schemas::subject::{PartnerOperation, parse_partner_command};
use schemas::{Money, RequestId, Timestamp, json, stream};

use super::Findings;
use crate::auditor::casebook::{Case, Casebook, Step, of_stream};

/// P2, invariant Budget: every accepted order was charged at most its cap, the cap is at most the
/// limit of the version its intent names, and no more was authorised than that limit. A store that
/// breaks its cap must have become an incident.
pub(in crate::auditor) fn within_budget(book: &Casebook<'_>, findings: &mut Findings) {
    for (request, case) in &book.cases {
        for order in &case.orders {
            let Some(terms) = &order.terms else { continue };
            cap_within_limit(*request, case, order, terms, findings);
            let Some(total) = order.total() else { continue };
            let excused = order.decisions.struck_by(Fault::PriceAboveCap) && is_told(case);
            let within = at_most(total, terms.price_cap) || excused;
            findings.demand(within, *request, || {
                format!("{} charged {total} with a cap of {}", order.partner, terms.price_cap)
            });
        }
        for payment in &case.payments {
            let Some(amount) = payment.amount else { continue };
            let limit = case.authorizes(payment.attempt).next();
            let limit = limit.map(|(step, _)| step.next.terms.max_total);
            let within = limit.is_some_and(|limit| at_most(amount, limit));
            findings.demand(within, *request, || {
                let limit = limit.map_or("no intent".to_owned(), |limit| limit.to_string());
                format!(
                    "{amount} were to be authorised for attempt {}, limit {limit}",
                    payment.attempt
                )
            });
        }
    }
}

fn cap_within_limit(
    request: RequestId,
    case: &Case<'_>,
    order: &OrderRecord,
    terms: &OrderTerms,
    findings: &mut Findings,
) {
    let limit = intent(case, order.attempt).map(|(_, limit_step)| limit_step.next.terms.max_total);
    let within = limit.is_some_and(|limit| at_most(terms.price_cap, limit));
    findings.demand(within, request, || {
        let limit = limit.map_or("no intent".to_owned(), |limit| limit.to_string());
        let cap = terms.price_cap;
        format!("the order at {} had a cap of {cap}, the limit was {limit}", order.partner)
    });
}

/// An unduly charged order is allowed only if the broker did not accept it as the outcome.
fn is_told(case: &Case<'_>) -> bool {
    let incident = Some(Incident::PriceAboveCap);
    let told = case.steps.iter().any(|step| step.next.incident == incident);
    told || case.head.is_none_or(|head| head.status.kind() != PurchaseStatus::Ordered)
}

fn at_most(amount: Money, limit: Money) -> bool {
    amount.at_most(limit).unwrap_or(false)
}

/// The step that let the first copy of the order leave, and the step whose terms it obeys.
fn intent<'c>(case: &'c Case<'_>, attempt: u8) -> Option<(&'c Step, &'c Step)> {
    let (left, _) = case.places(attempt).next()?;
    let named = left.next.checkout.as_ref().filter(|c| c.attempt == attempt)?.intent?;
    Some((left, case.step(named.version)?))
}

/// P3, invariant NoOrderAfterExpiry: an order was decided, sent and (by stores that look at the
/// time) accepted before the deadline of the version its intent names, and its own `not_after`
/// lies before that deadline.
pub(in crate::auditor) fn no_order_after_expiry(book: &Casebook<'_>, findings: &mut Findings) {
    for (request, case) in &book.cases {
        for order in &case.orders {
            let Some(terms) = &order.terms else { continue };
            let Some((left, named)) = intent(case, order.attempt) else { continue };
            let expires_at = named.next.terms.expires_at;
            findings.demand(terms.not_after <= expires_at, *request, || {
                format!(
                    "the order may be accepted until {}, expiry is {expires_at}",
                    terms.not_after
                )
            });
            findings.demand(left.at < expires_at, *request, || {
                format!("the order was decided at {}, expiry was {expires_at}", left.at)
            });
            let refuses_late =
                book.evidence.policy.partners.profile(&order.partner).honours_not_after;
            let accepted = order.accepted_at().filter(|_| refuses_late);
            let in_time = accepted.is_none_or(|at| at <= terms.not_after && at < expires_at);
            findings.demand(in_time, *request, || {
                format!("the order was accepted at {accepted:?}, expiry was {expires_at}")
            });
        }
        later_copies(*request, case, findings);
    }
    sent_in_time(book, findings);
}

/// Copies of an order follow the same deadline as the first.
fn later_copies(request: RequestId, case: &Case<'_>, findings: &mut Findings) {
    for step in &case.steps {
        let Some(checkout) = &step.next.checkout else { continue };
        let own = |s: &Step| s.next.version == step.next.version;
        for (_, command) in case.places(checkout.attempt).filter(|(s, _)| own(s)) {
            let PartnerCommand::Place { not_after, .. } = command else { continue };
            findings.demand(step.at <= *not_after, request, || {
                format!("a copy of the order was decided at {}, after {not_after}", step.at)
            });
        }
    }
}

/// The server stored every order before the deadline; a server that was away could hold one up,
/// which is what `not_after` is for.
fn sent_in_time(book: &Casebook<'_>, findings: &mut Findings) {
    for seen in of_stream(book.evidence, stream::name::PARTNER_COMMANDS) {
        let is_order = parse_partner_command(&seen.subject)
            .is_some_and(|(_, operation)| operation == PartnerOperation::Place);
        let place: Option<Place> =
            is_order.then(|| json::decode(&seen.body, usize::MAX).ok()).flatten();
        let Some(place) = place else { continue };
        let request = place.header.request_id;
        let Some(case) = book.cases.get(&request) else { continue };
        let Some((_, named)) = intent(case, place.header.attempt) else { continue };
        let expires_at = named.next.terms.expires_at;
        let sent: Timestamp = seen.at;
        let held_up = book.is_disturbed(place.not_after.min(sent), sent);
        findings.demand(sent < expires_at || held_up, request, || {
            format!("{} was sent at {sent}, expiry was {expires_at}", seen.subject)
        });
    }
}
