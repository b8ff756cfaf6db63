//! A human's word: what became of an order that machines could not find out about (C12, C13 on
//! other evidence), and requests that were held back after a restore and may go on.

use schemas::id::OrderId;
use schemas::{Money, RejectReason};

use super::draft::Draft;
use super::{Outcome, Rejection, placement};
use crate::event::{OperatorWord, Ruling};
use crate::request::Step;
use crate::timer::TimerKind;

fn not_allowed(why: impl Into<String>) -> Rejection {
    Rejection::refused(RejectReason::TransitionNotAllowed, why)
}

pub(super) fn ruled(d: &mut Draft<'_>, word: OperatorWord) -> Outcome {
    match word.ruling {
        Ruling::Found { attempt, order_id, total } => found(d, attempt, order_id, total),
        Ruling::NotFound { attempt } => not_found(d, attempt),
        Ruling::Freeze => freeze(d),
        Ruling::Release => release(d),
    }
}

/// The placement of this attempt is unknown, and machines have had their time: before that they
/// know more than a human who looks at a screen.
fn is_left_to_a_human(d: &Draft<'_>, attempt: u8) -> Outcome {
    let current = d.next.checkout.as_ref().filter(|checkout| checkout.attempt == attempt);
    if !current.is_some_and(|checkout| matches!(checkout.step, Step::PlacementUnknown(_))) {
        return Err(not_allowed(format!("nothing is unknown about attempt {attempt}")));
    }
    match d.next.timers.get(TimerKind::Human) {
        Some(until) => Err(not_allowed(format!("the store is being asked, until {until}"))),
        None => Ok(()),
    }
}

fn found(d: &mut Draft<'_>, attempt: u8, order_id: OrderId, total: Money) -> Outcome {
    is_left_to_a_human(d, attempt)?;
    let currency = d.next.terms.max_total.currency();
    if total.currency() != currency {
        let detail = format!("the total must be in {currency}");
        return Err(Rejection::refused(RejectReason::CurrencyUnsupported, detail));
    }
    placement::found(d, order_id, total);
    Ok(())
}

fn not_found(d: &mut Draft<'_>, attempt: u8) -> Outcome {
    is_left_to_a_human(d, attempt)?;
    let intent = d.checkout().intent.expect("an unknown order has an intent");
    let closed = intent.not_after.saturating_add(d.policy.clock_margin);
    if d.now < closed {
        return Err(not_allowed(format!("the store may accept the order until {closed}")));
    }
    placement::ruled_out(d);
    Ok(())
}

/// The store of this request was brought back from a backup, and the request may have gone on
/// without it. The end of its life waits, too: it could be told of an end it did not have.
fn freeze(d: &mut Draft<'_>) -> Outcome {
    if d.next.is_closed() {
        return Err(not_allowed("it is closed: nothing is bought for it any more"));
    }
    if d.next.frozen_at.is_some() {
        return Err(not_allowed("it was frozen before"));
    }
    d.next.frozen_at = Some(d.now);
    d.sleep(TimerKind::Expiry);
    Ok(())
}

/// What was put off is due at once.
fn release(d: &mut Draft<'_>) -> Outcome {
    if d.next.frozen_at.take().is_none() {
        return Err(not_allowed("it is not frozen"));
    }
    if !d.next.is_closed() {
        d.next.timers.set(TimerKind::Expiry, d.next.terms.expires_at);
    }
    for kind in [TimerKind::Sweep, TimerKind::Step] {
        if d.next.timers.get(kind).is_some() {
            d.next.timers.set(kind, d.now);
        }
    }
    Ok(())
}
