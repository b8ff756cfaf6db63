//! Limits the customer set: money and time.

use broker_core::effect::{Effect, PartnerCommand};
use broker_core::request::Incident;
use partner_sim::fault::Fault;
use partner_sim::ledger::{OrderEndedBy, OrderRecord, OrderTerms};
use schemas::{Money, RequestId, Timestamp};

use super::Findings;
use super::wire::belongs;
use crate::auditor::Trouble;
use crate::auditor::casebook::{Case, Casebook};

/// P2, invariant Budget: every accepted order was charged at most its cap, the cap is at most the
/// limit of the version its intent names, and no more was authorised than that limit. A store that
/// breaks its cap must have become an incident.
pub(in crate::auditor) fn within_budget(book: &Casebook<'_>, findings: &mut Findings) {
    for (request, case) in &book.cases {
        for order in &case.orders {
            let Some(terms) = &order.terms else { continue };
            cap_within_limit(*request, case, order, terms, findings);
            let Some(total) = order.total() else { continue };
            let within = at_most(total, terms.price_cap) || is_alarmed_breach(case, order);
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

/// The store broke its cap on purpose, and a human was told: of the price, or, when the store has
/// never said what it did, of an order nobody knows about. Of an order that the store has taken
/// back there is nothing to tell: its cancel may have overtaken its price.
fn is_alarmed_breach(case: &Case<'_>, order: &OrderRecord) -> bool {
    let told = [Incident::PriceAboveCap, Incident::PlacementUnknown, Incident::LateOrder];
    let end = order.ended(Timestamp::MAX);
    let taken_back = end.is_some_and(|end| end.by == OrderEndedBy::Partner);
    order.decisions.struck_by(Fault::PriceAboveCap)
        && (taken_back || told.into_iter().any(|incident| case.has_told(incident)))
}

fn cap_within_limit(
    request: RequestId,
    case: &Case<'_>,
    order: &OrderRecord,
    terms: &OrderTerms,
    findings: &mut Findings,
) {
    let limit = case.intent(order.attempt).map(|(_, named)| named.next.terms.max_total);
    let within = limit.is_some_and(|limit| at_most(terms.price_cap, limit));
    findings.demand(within, request, || {
        let limit = limit.map_or("no intent".to_owned(), |limit| limit.to_string());
        let cap = terms.price_cap;
        format!("the order at {} had a cap of {cap}, the limit was {limit}", order.partner)
    });
}

fn at_most(amount: Money, limit: Money) -> bool {
    amount.at_most(limit).unwrap_or(false)
}

/// P3, invariant NoOrderAfterExpiry: an order was decided and (by stores that look at the time)
/// accepted before the deadline of the version its intent names, and its own `not_after` keeps the
/// clock margin before that deadline.
pub(in crate::auditor) fn no_order_after_expiry(book: &Casebook<'_>, findings: &mut Findings) {
    let margin = book.evidence.policy.clock_margin;
    for (request, case) in &book.cases {
        for order in &case.orders {
            let Some(terms) = &order.terms else { continue };
            let Some((left, named)) = case.intent(order.attempt) else { continue };
            let expires_at = named.next.terms.expires_at;
            let ends_before = terms.not_after <= expires_at.saturating_sub(margin);
            findings.demand(ends_before, *request, || {
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
        copies_in_time(*request, case, findings);
    }
}

/// Every copy of an order was decided before its `not_after`, which no copy moves.
fn copies_in_time(request: RequestId, case: &Case<'_>, findings: &mut Findings) {
    let mut fixed: Option<(u8, Timestamp)> = None;
    for step in &case.steps {
        for (attempt, not_after) in step.effects().filter_map(place) {
            findings.demand(step.at <= not_after, request, || {
                format!("a copy of the order was decided at {}, after {not_after}", step.at)
            });
            let first = fixed.filter(|(of, _)| *of == attempt).map_or(not_after, |(_, at)| at);
            findings.demand(first == not_after, request, || {
                format!("the deadline of attempt {attempt} moved from {first} to {not_after}")
            });
            fixed = Some((attempt, first));
        }
    }
}

fn place(effect: &Effect) -> Option<(u8, Timestamp)> {
    match effect {
        Effect::Partner { attempt, command: PartnerCommand::Place { not_after, .. }, .. } => {
            Some((*attempt, *not_after))
        }
        _ => None,
    }
}

/// What can hold a message up between the broker's last look at the clock and the server's stamp.
/// A wrong clock is not among them: the broker must not trust one.
const HOLDS_UP: [Trouble; 6] = [
    Trouble::Server,
    Trouble::StreamLoss,
    Trouble::Network,
    Trouble::BrokerPaused,
    Trouble::Store,
    Trouble::BootClock,
];

/// P3, invariant DeadlineMonotone: by the server's clock, every copy of an order left before its
/// `not_after` (up to the margin by which clocks may differ) and before the deadline, whatever the
/// broker's own clock did; and within one request the broker's time never went back.
pub(in crate::auditor) fn deadlines_monotone(book: &Casebook<'_>, findings: &mut Findings) {
    let margin = book.evidence.policy.clock_margin;
    for (request, case) in &book.cases {
        for posted in &case.posted {
            let Some(step) = case.step(posted.version) else { continue };
            let effect = step.effect(posted.index).filter(|effect| belongs(effect, posted.seen));
            let Some((attempt, not_after)) = effect.and_then(place) else { continue };
            let Some((_, named)) = case.intent(attempt) else { continue };
            let (sent, expires_at) = (posted.seen.at, named.next.terms.expires_at);
            let in_time = sent <= not_after.saturating_add(margin) && sent < expires_at;
            let from = not_after.min(sent);
            findings.demand(in_time || book.is_disturbed(&HOLDS_UP, from, sent), *request, || {
                let subject = &posted.seen.subject;
                format!("{subject} was sent at {sent}, not_after {not_after}, expiry {expires_at}")
            });
        }
        for pair in case.steps.windows(2) {
            let (before, after) = (pair[0].at, pair[1].at);
            findings.demand(before <= after, *request, || {
                format!("the broker's time went back from {before} to {after}")
            });
        }
    }
}
