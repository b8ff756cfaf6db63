//! The attempt up to the order: reserve → authorise → place, and what follows a definite failure
//! (C1–C3, C8, T16, T17).

use schemas::{RejectReason, Timestamp};

use super::draft::Draft;
use super::{compensation, search};
use crate::effect::{EventKind, PartnerCommand, PaymentCommand};
use crate::quote::Quote;
use crate::request::{Checkout, PlacementIntent, Status, Step};
use crate::row::Row;
use crate::timer::TimerKind;

/// The quotes that may be bought at this instant under the current terms, best first; that of a
/// partner who has just let us down comes last.
pub(super) fn usable(d: &Draft<'_>, quotes: Vec<Quote>) -> Vec<Quote> {
    let wanted = &d.next.submission;
    let mut usable: Vec<Quote> = quotes
        .into_iter()
        .filter(|quote| {
            quote.is_affordable(d.next.terms.max_total)
                && quote.valid_until > d.now
                && quote.in_stock >= u32::from(wanted.quantity)
                && quote.condition.satisfies(wanted.condition)
        })
        .collect();
    let let_down = |quote: &Quote| d.next.let_down_by() == Some(&quote.partner);
    usable.sort_by_cached_key(|quote| (let_down(quote), quote.rank()));
    usable.truncate(usize::from(d.policy.attempts_max));
    usable
}

/// C1: the first quote becomes the next attempt, the others stay as its runners-up.
pub(super) fn begin_attempt(d: &mut Draft<'_>, mut quotes: Vec<Quote>) {
    assert!(!d.next.is_money_open(), "nothing is authorised beside an unproven hold or order");
    let quote = quotes.remove(0);
    d.next.tried.push(quote.partner.clone());
    let attempt = u8::try_from(d.next.tried.len()).expect("attempts are limited to a few");
    d.next.status = Status::Ordering;
    // Whatever comes of it is news, also if it was told before.
    d.next.told_best = None;
    d.sleep(TimerKind::Sweep);
    let before = d.next.checkout.take();
    if let Some((attempt, order)) = before.and_then(|c| Some((c.attempt, c.order?))) {
        d.remember_order(attempt, order.order_id);
    }
    d.next.checkout = Some(Checkout {
        attempt,
        quote,
        runners_up: quotes,
        step: Step::Placing,
        reservation: None,
        authorization: None,
        intent: None,
        order: None,
    });
    d.row(Row::C1);
    d.event(EventKind::Ordering);
    if d.profile().reservation {
        reserve(d);
    } else {
        d.row(Row::C2);
        authorize(d);
    }
}

fn reserve(d: &mut Draft<'_>) {
    let not_after = d.now.saturating_add(d.policy.reserve_timeout).min(d.next.terms.expires_at);
    let wanted = d.next.submission.clone();
    let checkout = d.checkout_mut();
    checkout.step = Step::Reserving { not_after };
    let (attempt, quote_id) = (checkout.attempt, checkout.quote.quote_id.clone());
    d.next.timers.set(TimerKind::Step, not_after);
    d.partner(
        attempt,
        PartnerCommand::Reserve {
            quote_id,
            isbn: wanted.isbn,
            quantity: wanted.quantity,
            ttl: d.policy.reservation_ttl,
            not_after,
        },
    );
}

/// C3: hold the worst case of the quote, never more than the limit. An order of an earlier attempt
/// that turned up meanwhile (T20) goes first: this attempt ends until it is proven gone.
pub(super) fn authorize(d: &mut Draft<'_>) {
    if d.next.is_money_open() {
        fail_attempt(d, RejectReason::PartnerTimeout);
        return;
    }
    let latest = d.next.terms.expires_at.saturating_sub(d.policy.place_budget);
    let not_after = d.now.saturating_add(d.policy.authorize_timeout).min(latest);
    if not_after <= d.now {
        fail_attempt(d, RejectReason::RequestExpired);
        return;
    }
    d.row(Row::C3);
    let amount = d.checkout().quote.worst_total().expect("only complete quotes are affordable");
    let token = d.next.submission.payment_token.clone();
    let checkout = d.checkout_mut();
    checkout.step = Step::Authorizing { not_after, asks: 0 };
    let attempt = checkout.attempt;
    d.next.timers.set(TimerKind::Step, not_after);
    d.payment(attempt, PaymentCommand::Authorize { amount, token, not_after });
}

/// C8: the point of no return. The intent is durable before the order can leave.
pub(super) fn place(d: &mut Draft<'_>) {
    if d.next.is_money_open() {
        fail_attempt(d, RejectReason::PartnerTimeout);
        return;
    }
    if d.now.saturating_add(d.policy.place_budget) > d.next.terms.expires_at {
        fail_attempt(d, RejectReason::RequestExpired);
        return;
    }
    let not_after = match placement_window(d) {
        Ok(not_after) => not_after,
        Err(reason) => return fail_attempt(d, reason),
    };
    d.row(Row::C8);
    let price_cap = d.checkout().quote.worst_total().expect("only complete quotes are affordable");
    let version = d.next.version;
    d.checkout_mut().intent = Some(PlacementIntent { version, price_cap, not_after });
    d.checkout_mut().step = Step::Placing;
    d.wake(TimerKind::Step, d.policy.place_timeout);
    send_order(d);
}

/// The last instant at which the partner may accept the order, or what is over when there is none.
fn placement_window(d: &Draft<'_>) -> Result<Timestamp, RejectReason> {
    let checkout = d.checkout();
    let reservation = checkout.reservation.as_ref().map(|hold| hold.valid_until);
    let authorization = checkout.authorization.as_ref().map(|hold| hold.valid_until);
    let bounds = [
        (Some(d.next.terms.expires_at), RejectReason::RequestExpired),
        (reservation, RejectReason::ReservationExpired),
        (authorization, RejectReason::AuthorizationExpired),
    ];
    let mut not_after = d.now.saturating_add(d.policy.place_window);
    for (until, reason) in bounds {
        let Some(until) = until else { continue };
        let last = until.saturating_sub(d.policy.clock_margin);
        if last <= d.now {
            return Err(reason);
        }
        not_after = not_after.min(last);
    }
    Ok(not_after)
}

/// A copy of the order: always the same key, cap and `not_after`.
pub(super) fn send_order(d: &mut Draft<'_>) {
    let wanted = d.next.submission.clone();
    let checkout = d.checkout();
    let intent = checkout.intent.expect("an order is sent only after its intent");
    let command = PartnerCommand::Place {
        quote_id: checkout.quote.quote_id.clone(),
        reserved: checkout.reservation.is_some(),
        isbn: wanted.isbn,
        quantity: wanted.quantity,
        condition: checkout.quote.condition,
        price_cap: intent.price_cap,
        destination: wanted.destination.clone(),
        not_after: intent.not_after,
    };
    d.partner(checkout.attempt, command);
}

/// The attempt has definitely failed: undo what it did, then see what is left.
pub(super) fn fail_attempt(d: &mut Draft<'_>, reason: RejectReason) {
    compensation::abandon(d, reason);
    go_on(d, reason);
}

/// After a definite failure (T16, T17). Waits in `ordering` while money is not proven back.
pub(super) fn go_on(d: &mut Draft<'_>, reason: RejectReason) {
    if d.next.cancel_requested {
        d.close(Status::Canceled);
    } else if d.is_expired() || reason == RejectReason::RequestExpired {
        d.row(Row::T13);
        d.close(Status::Expired);
    } else if ends_the_request(reason)
        || d.next.tried.len() >= usize::from(d.policy.attempts_max)
        || !d.has_time_to_buy()
    {
        d.row(Row::T17);
        d.fail(reason);
    } else if !d.next.is_money_open() {
        try_again(d);
    }
}

/// T16: the next-best quote if it is still good, else another sweep.
fn try_again(d: &mut Draft<'_>) {
    d.row(Row::T16);
    let candidates = std::mem::take(&mut d.checkout_mut().runners_up);
    let tried = d.next.tried.clone();
    let fresh: Vec<Quote> =
        candidates.into_iter().filter(|quote| !tried.contains(&quote.partner)).collect();
    let usable = usable(d, fresh);
    if usable.is_empty() {
        search::start_sweep(d);
    } else {
        begin_attempt(d, usable);
    }
}

/// Reasons that another bookstore would not change.
fn ends_the_request(reason: RejectReason) -> bool {
    matches!(reason, RejectReason::PaymentDeclined | RejectReason::PaymentActionRequired)
}
