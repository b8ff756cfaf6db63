//! What the bookstores wrote down about orders.

use broker_core::keys::{KeyFor, key};
use broker_core::request::Incident;
use partner_sim::ledger::{Asked, OrderRecord, OrderState};
use schemas::purchase::PurchaseStatus;
use schemas::{RequestId, Timestamp};

use super::Findings;
use super::last_words::LastWords;
use crate::auditor::casebook::{Case, Casebook, Step};

/// P1, invariant AtMostOneLive: for every request and every instant, at most one order stands.
pub(in crate::auditor) fn at_most_one_live_order(book: &Casebook<'_>, findings: &mut Findings) {
    for (request, case) in &book.cases {
        let lives: Vec<(&OrderRecord, Timestamp, Timestamp)> = case
            .orders
            .iter()
            .filter_map(|order| life(order).map(|(a, b)| (*order, a, b)))
            .collect();
        for (n, (first, from, until)) in lives.iter().enumerate() {
            findings.examine();
            for (second, since, to) in &lives[n + 1..] {
                if from < to && since < until {
                    let at = from.max(since);
                    findings.about(*request, two_orders(first, second, *at));
                }
            }
        }
    }
}

fn two_orders(first: &OrderRecord, second: &OrderRecord, at: Timestamp) -> String {
    let name = |order: &OrderRecord| {
        format!("{} at {} (attempt {})", order.placement_key, order.partner, order.attempt)
    };
    format!("two orders stand at {at}: {} and {}", name(first), name(second))
}

/// From acceptance to its end; an order without an end lives for ever.
fn life(order: &OrderRecord) -> Option<(Timestamp, Timestamp)> {
    match &order.state {
        OrderState::Accepted { accepted_at, end, .. } => {
            Some((*accepted_at, end.map_or(Timestamp::MAX, |end| end.at)))
        }
        OrderState::Open | OrderState::Refused { .. } | OrderState::Tombstoned { .. } => None,
    }
}

/// P1, invariant OneKeyPerAttempt: keys follow from request and attempt, no two records of one
/// attempt exist, and all copies of a key had the same terms.
pub(in crate::auditor) fn one_key_per_attempt(book: &Casebook<'_>, findings: &mut Findings) {
    for (request, case) in &book.cases {
        let orders = case.orders.iter().map(|o| {
            (
                KeyFor::Placement,
                &o.placement_key,
                o.attempt,
                o.conflicting_copies,
                o.terms.is_some(),
            )
        });
        let payments = case.payments.iter().map(|p| {
            (KeyFor::Payment, &p.payment_key, p.attempt, p.conflicting_copies, p.amount.is_some())
        });
        let holds = case
            .reservations
            .iter()
            .map(|r| (KeyFor::Reservation, &r.reservation_key, r.attempt, 0, r.isbn.is_some()));
        for (purpose, found, attempt, conflicting, _) in orders.chain(payments).chain(holds) {
            let wanted = key(purpose, *request, attempt);
            findings.demand(*found == wanted, *request, || {
                format!("{purpose:?} key of attempt {attempt} is {found}, it should be {wanted}")
            });
            findings.demand(conflicting == 0, *request, || {
                format!("{conflicting} copies under {found} differed from the first one")
            });
        }
    }
}

/// P2, invariant RightGoods: book, number of copies and condition are what the customer asked for.
pub(in crate::auditor) fn right_goods(book: &Casebook<'_>, findings: &mut Findings) {
    for (request, case) in &book.cases {
        let Some(head) = case.head else { continue };
        let wanted = &head.submission;
        for order in &case.orders {
            let Some(terms) = &order.terms else { continue };
            let right = terms.isbn == wanted.isbn
                && terms.quantity == wanted.quantity
                && terms.condition.satisfies(wanted.condition);
            findings.demand(right, *request, || {
                format!(
                    "{} × {} ({:?}) were ordered at {}, asked for were {} × {} ({:?} or better)",
                    terms.quantity,
                    terms.isbn,
                    terms.condition,
                    order.partner,
                    wanted.quantity,
                    wanted.isbn,
                    wanted.condition,
                )
            });
        }
    }
}

/// P6, invariant OneKeyPerAttempt (second half): when the order of a later attempt reaches its
/// store, every earlier order of the request is refused for good, tombstoned, ended, or past the
/// time in which it could be accepted.
pub(in crate::auditor) fn unknown_is_not_no(book: &Casebook<'_>, findings: &mut Findings) {
    let last_words = LastWords::of(book);
    last_words.were_kept(book, findings);
    for (request, case) in &book.cases {
        for later in &case.orders {
            let Some(arrived) = first_place(later) else { continue };
            for earlier in case.orders.iter().filter(|order| order.attempt < later.attempt) {
                findings.examine();
                if last_words.on(earlier).is_some_and(|said| said <= arrived) {
                    continue;
                }
                if let Some(open) = still_open(book, earlier, arrived) {
                    findings.about(*request, not_proven((earlier, later), arrived, &open));
                }
            }
        }
        unresolved_orders(book, *request, case, findings);
    }
}

fn not_proven((earlier, later): (&OrderRecord, &OrderRecord), at: Timestamp, open: &str) -> String {
    format!(
        "attempt {} reached {} at {at} while attempt {} at {} {open}",
        later.attempt, later.partner, earlier.attempt, earlier.partner
    )
}

/// Why an order could still stand, or come to stand, at `at`.
fn still_open(book: &Casebook<'_>, order: &OrderRecord, at: Timestamp) -> Option<String> {
    match &order.state {
        OrderState::Refused { at: when, .. } | OrderState::Tombstoned { at: when, .. } => {
            (*when > at).then(|| format!("was open until {when}"))
        }
        OrderState::Accepted { accepted_at, end, .. } => match end {
            Some(end) if end.at <= at => None,
            Some(end) => Some(format!("stood until {}", end.at)),
            None => Some(format!("stands since {accepted_at}")),
        },
        OrderState::Open => {
            let terms = order.terms.as_ref()?;
            let refuses_late =
                book.evidence.policy.partners.profile(&order.partner).honours_not_after;
            let over = refuses_late && terms.not_after <= at;
            (!over).then(|| format!("could still be accepted until {}", terms.not_after))
        }
    }
}

/// No store takes an order after its request has ended without one, unless nothing could have made
/// sure of it; then a human must have been told.
fn unresolved_orders(
    book: &Casebook<'_>,
    request: RequestId,
    case: &Case<'_>,
    findings: &mut Findings,
) {
    // An order that its store took back opens the request again.
    let is_over = |step: &&Step<'_>| {
        step.next.is_closed() && step.next.status.kind() != PurchaseStatus::Ordered
    };
    let over = case.steps.iter().rev().take_while(is_over).last();
    let Some(over) = over.map(|step| step.at.saturating_add(book.evidence.policy.clock_margin))
    else {
        return;
    };
    for order in &case.orders {
        // A clock that stood still says nothing about what came first.
        let late = matches!(&order.state, OrderState::Accepted { accepted_at, .. }
            if *accepted_at > over && !book.has_run_off(*accepted_at));
        let excused = book.may_surprise(&order.partner) && case.has_told(Incident::LateOrder);
        findings.demand(!late || excused, request, || {
            format!("{} accepted an order after the request had ended without one", order.partner)
        });
    }
}

fn first_place(order: &OrderRecord) -> Option<Timestamp> {
    order.decisions.of(Asked::Place).map(|decision| decision.received_at).min()
}
