//! Commands of the customer: update, cancel, accept_quote (T9, T10, T12–T14, T22, C19).

use schemas::{Digest, RejectReason};

use super::draft::Draft;
use super::{Outcome, Rejection, checkout, compensation, search};
use crate::effect::EventKind;
use crate::event::Update;
use crate::request::{Offered, Status, Step, UndoKind};
use crate::row::Row;
use crate::timer::TimerKind;

fn not_allowed(d: &Draft<'_>, what: &str) -> Rejection {
    let status = d.next.status.kind().label();
    Rejection::refused(
        RejectReason::TransitionNotAllowed,
        format!("{what} is not possible while the request is {status}"),
    )
}

fn too_late(what: &str) -> Rejection {
    Rejection::refused(
        RejectReason::TooLate,
        format!("{what} came after the order was sent; its outcome decides"),
    )
}

pub(super) fn cancel(d: &mut Draft<'_>) -> Outcome {
    match &d.next.status {
        Status::Quoted(_) | Status::OutOfStock if d.next.is_closed() => {
            Err(not_allowed(d, "cancel"))
        }
        Status::Pending | Status::Searching | Status::Quoted(_) | Status::OutOfStock => {
            d.row(Row::T12);
            d.close(Status::Canceled);
            Ok(())
        }
        Status::Ordering if d.next.is_past_no_return() => cancel_after_no_return(d),
        Status::Ordering => {
            d.row(Row::T13);
            compensation::abandon(d, RejectReason::CanceledByCustomer);
            d.close(Status::Canceled);
            Ok(())
        }
        Status::Ordered => cancel_order(d),
        Status::Expired | Status::Failed(_) | Status::Canceled => Err(not_allowed(d, "cancel")),
    }
}

/// T14
fn cancel_after_no_return(d: &mut Draft<'_>) -> Outcome {
    if d.next.cancel_requested {
        return Err(Rejection::Ignored("cancel was requested before"));
    }
    d.row(Row::T14);
    d.next.cancel_requested = true;
    d.event(EventKind::CancelRequested);
    Ok(())
}

/// C19: the order stands; the partner is asked to give it up.
fn cancel_order(d: &mut Draft<'_>) -> Outcome {
    if d.next.cancel_requested {
        return Err(Rejection::Ignored("cancel was requested before"));
    }
    if !d.profile().cancel || matches!(d.checkout().step, Step::Failed(_)) {
        return Err(too_late("cancel"));
    }
    d.row(Row::C19);
    d.next.cancel_requested = true;
    d.event(EventKind::CancelRequested);
    compensation::push(d, UndoKind::CancelOrder, d.now);
    compensation::start(d);
    Ok(())
}

pub(super) fn update(d: &mut Draft<'_>, update: &Update) -> Outcome {
    check_update(d, update)?;
    match &d.next.status {
        Status::Quoted(_) | Status::OutOfStock if d.next.is_closed() => {
            Err(not_allowed(d, "update"))
        }
        Status::Pending | Status::Searching => {
            apply_terms(d, update);
            // The engine evaluates the offers it has against the new terms.
            Ok(())
        }
        Status::Quoted(offered) => {
            let offered = offered.clone();
            update_quoted(d, update, offered)
        }
        Status::OutOfStock => {
            if apply_terms(d, update) {
                search_again(d);
            }
            Ok(())
        }
        Status::Ordering if d.next.is_past_no_return() => Err(too_late("update")),
        Status::Ordering => update_ordering(d, update),
        Status::Ordered | Status::Expired | Status::Failed(_) | Status::Canceled => {
            Err(not_allowed(d, "update"))
        }
    }?;
    d.event(EventKind::Updated);
    if d.is_expired() && !d.next.is_closed() {
        super::timer::expire(d);
    }
    Ok(())
}

fn check_update(d: &Draft<'_>, update: &Update) -> Outcome {
    // The draft already carries the next version.
    let current = d.next.version.0 - 1;
    if let Some(wanted) = update.if_version.filter(|wanted| *wanted != current) {
        return Err(Rejection::refused(
            RejectReason::VersionConflict,
            format!("if_version is {wanted}, the request has version {current}"),
        ));
    }
    let currency = d.next.terms.max_total.currency();
    if update.max_total.is_some_and(|max| max.currency() != currency) {
        return Err(Rejection::refused(
            RejectReason::CurrencyUnsupported,
            format!("max_total must stay in {currency}"),
        ));
    }
    let last = d.now.saturating_add(d.policy.expiry_max);
    if update.expires_at.is_some_and(|at| at > last) {
        return Err(Rejection::refused(
            RejectReason::ExpiryOutOfRange,
            format!("expires_at may be at most {last}"),
        ));
    }
    Ok(())
}

/// Returns whether the new terms can find more than the old ones did.
fn apply_terms(d: &mut Draft<'_>, update: &Update) -> bool {
    let before = d.next.terms;
    let terms = &mut d.next.terms;
    terms.max_total = update.max_total.unwrap_or(terms.max_total);
    terms.expires_at = update.expires_at.unwrap_or(terms.expires_at);
    terms.strategy = update.strategy.unwrap_or(terms.strategy);
    let wider =
        terms.max_total.minor() > before.max_total.minor() || terms.expires_at > before.expires_at;
    d.next.timers.set(TimerKind::Expiry, d.next.terms.expires_at);
    wider
}

/// The offer at hand first: raising the limit often buys it without asking anybody.
fn update_quoted(d: &mut Draft<'_>, update: &Update, offered: Offered) -> Outcome {
    let wider = apply_terms(d, update);
    if !wider {
        return Ok(());
    }
    let usable = checkout::usable(d, vec![offered.quote]);
    if !usable.is_empty() && d.has_time_to_buy() && !d.next.is_money_open() {
        d.row(Row::T9);
        d.row(Row::T4);
        search::buy_at_hand(d, usable);
    } else {
        search_again(d);
    }
    Ok(())
}

/// T9 at the customer's wish: whatever it finds is told, even if it was told before.
fn search_again(d: &mut Draft<'_>) {
    d.row(Row::T9);
    d.next.told_best = None;
    search::start_sweep(d);
}

/// T22: the attempt under the old terms is abandoned and undone, then searching goes on.
fn update_ordering(d: &mut Draft<'_>, update: &Update) -> Outcome {
    apply_terms(d, update);
    d.row(Row::T22);
    if d.next.open_checkout().is_some() {
        compensation::abandon(d, RejectReason::PriceChanged);
    }
    // The old candidates were chosen under the old terms.
    d.checkout_mut().runners_up.clear();
    if !d.is_expired() {
        checkout::go_on(d, RejectReason::PriceChanged);
    }
    Ok(())
}

/// T10
pub(super) fn accept_quote(d: &mut Draft<'_>, token_digest: Digest) -> Outcome {
    let offered = match &d.next.status {
        Status::Quoted(offered) if !d.next.is_closed() => offered.clone(),
        Status::Quoted(_)
        | Status::Pending
        | Status::Searching
        | Status::OutOfStock
        | Status::Ordering
        | Status::Ordered
        | Status::Expired
        | Status::Failed(_)
        | Status::Canceled => return Err(not_allowed(d, "accept_quote")),
    };
    if offered.token_digest != token_digest {
        return Err(Rejection::refused(
            RejectReason::TokenInvalid,
            "accept_token does not name the quote on offer",
        ));
    }
    let total = offered.quote.worst_total().ok_or_else(|| {
        Rejection::refused(RejectReason::TokenInvalid, "the quote has no complete price")
    })?;
    if !d.has_time_to_buy() {
        return Err(Rejection::refused(
            RejectReason::RequestExpired,
            "too little time is left before expires_at",
        ));
    }
    d.row(Row::T10);
    if total.minor() > d.next.terms.max_total.minor() {
        d.next.terms.max_total = total;
    }
    let usable = checkout::usable(d, vec![offered.quote]);
    if usable.is_empty() || d.next.is_money_open() {
        // The quote has lapsed: ask again; at or below the accepted total it is bought.
        search_again(d);
    } else {
        search::buy_at_hand(d, usable);
    }
    Ok(())
}
