//! What the payment provider wrote down.

use partner_sim::ledger::{Asked, OrderRecord, PaymentRecord, PaymentState};
use schemas::{RequestId, Timestamp};

use super::Findings;
use crate::auditor::casebook::Casebook;

/// P5, invariant MoneyMatchesOrder, at rest: with one standing order exactly its total is captured;
/// with none, nothing is. No authorisation is left open. A request for which a human was called is
/// excused for as long as something about it is open.
pub(in crate::auditor) fn money_matches_orders(book: &Casebook<'_>, findings: &mut Findings) {
    let at = book.evidence.at;
    for (request, case) in &book.cases {
        if case.is_with_a_human() {
            continue;
        }
        let live: Vec<_> = case.orders.iter().filter(|order| order.is_live(at)).collect();
        let net: u64 = case.payments.iter().map(|p| p.net_captured_minor()).sum();
        let owed: u64 = live.iter().filter_map(|o| o.total()).map(schemas::Money::minor).sum();
        findings.demand(net == owed, *request, || {
            let orders = live.len();
            format!(
                "{net} are captured (minor units), {owed} are owed for {orders} standing orders"
            )
        });
        for payment in case.payments.iter().filter(|payment| payment.is_open(at)) {
            findings.about(*request, format!("{} still holds money", payment.payment_key));
        }
    }
}

/// P5, invariant PaymentOnce: each operation takes effect at most once per key, captures stay
/// within the authorisation, and two holds of one request never overlap.
pub(in crate::auditor) fn payment_once(book: &Casebook<'_>, findings: &mut Findings) {
    for (request, case) in &book.cases {
        for (n, payment) in case.payments.iter().enumerate() {
            steps_once(*request, payment, findings);
            for other in &case.payments[n + 1..] {
                if let (Some(a), Some(b)) = (held(payment), held(other)) {
                    findings.demand(a.1 <= b.0 || b.1 <= a.0, *request, || {
                        let (first, second) = (&payment.payment_key, &other.payment_key);
                        format!("{first} and {second} held money at the same time")
                    });
                }
            }
        }
    }
}

fn steps_once(request: RequestId, payment: &PaymentRecord, findings: &mut Findings) {
    for operation in [Asked::Authorize, Asked::Capture, Asked::Void, Asked::Refund] {
        let times = payment.steps.iter().filter(|step| step.operation == operation).count();
        findings.demand(times <= 1, request, || {
            format!("{operation:?} of {} took effect {times} times", payment.payment_key)
        });
    }
    let amount = |operation| payment.step(operation).map(|step| step.amount);
    if let (Some(captured), Some(authorized)) = (amount(Asked::Capture), amount(Asked::Authorize)) {
        let within = captured.at_most(authorized).unwrap_or(false);
        findings.demand(within, request, || {
            format!("{captured} were captured of {authorized} authorised")
        });
    }
}

/// P5, invariant NoMoneyMoveAgainstOrder: nothing is captured before its order was accepted, and no
/// money of an attempt is given back while that attempt's order stands.
pub(in crate::auditor) fn no_money_against_order(book: &Casebook<'_>, findings: &mut Findings) {
    for (request, case) in &book.cases {
        for payment in &case.payments {
            let of_attempt = || case.orders.iter().filter(|o| o.attempt == payment.attempt);
            let key = &payment.payment_key;
            for step in &payment.steps {
                match step.operation {
                    Asked::Capture => {
                        let accepted =
                            |o: &&OrderRecord| o.accepted_at().is_some_and(|at| at <= step.at);
                        findings.demand(of_attempt().any(accepted), *request, || {
                            format!("{key} was captured at {} without an accepted order", step.at)
                        });
                    }
                    Asked::Void | Asked::Refund => {
                        let standing = of_attempt().find(|order| order.is_live(step.at));
                        findings.demand(standing.is_none(), *request, || {
                            let (operation, at) = (step.operation, step.at);
                            let store = standing.map(|order| order.partner.to_string());
                            let store = store.unwrap_or_default();
                            format!("{operation:?} of {key} at {at}, its order at {store} stands")
                        });
                    }
                    Asked::Authorize
                    | Asked::Reserve
                    | Asked::Release
                    | Asked::Place
                    | Asked::Cancel
                    | Asked::Lookup => {}
                }
            }
        }
    }
}

/// From when to when the customer's money was held or taken under this key.
fn held(payment: &PaymentRecord) -> Option<(Timestamp, Timestamp)> {
    let from = payment.step(Asked::Authorize)?.at;
    let given_back = [Asked::Void, Asked::Refund].map(|op| payment.step(op).map(|step| step.at));
    let until = given_back.into_iter().flatten().min();
    let ended = match &payment.state {
        PaymentState::Authorized(hold) => Some(hold.valid_until),
        // A hold that had lapsed is given back without anything moving.
        PaymentState::Voided { at } => Some(*at),
        PaymentState::Open
        | PaymentState::Tombstoned { .. }
        | PaymentState::Declined { .. }
        | PaymentState::ActionRequired { .. }
        | PaymentState::Captured { .. }
        | PaymentState::Refunded { .. } => None,
    };
    Some((from, until.or(ended).unwrap_or(Timestamp::MAX)))
}

/// P5, at rest: no store keeps copies reserved for a request that has no use for them any more. A
/// broker whose clock is ahead believes that a hold has ended by itself when it is about to.
pub(in crate::auditor) fn no_hold_left_behind(book: &Casebook<'_>, findings: &mut Findings) {
    let at = book.evidence.at;
    let ahead = book.has_run_off(at);
    for (request, case) in &book.cases {
        let excused = case.is_with_a_human() || ahead;
        for hold in &case.reservations {
            findings.demand(!hold.is_active(at) || excused, *request, || {
                format!("{} still reserves {} for it", hold.partner, hold.reservation_key)
            });
        }
    }
}
