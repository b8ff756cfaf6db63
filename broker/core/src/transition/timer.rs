//! Time passing: expiry (T11, T13, T14) and the time-outs of every step.
//!
//! A timer that fires is first cleared, so that no timer can fire twice without being set again;
//! one that is not set, or not yet due, does nothing.

use schemas::RejectReason;
use schemas::purchase::Mode;

use super::draft::Draft;
use super::{Outcome, Rejection, checkout, compensation, payment, placement, search};
use crate::event::LapsedOperation;
use crate::request::{Status, Step};
use crate::row::Row;
use crate::timer::TimerKind;

pub(super) fn fired(d: &mut Draft<'_>, kind: TimerKind) -> Outcome {
    if d.next.timers.get(kind).is_none_or(|due| due > d.now) {
        return Err(Rejection::Ignored("this timer is not due"));
    }
    d.sleep(kind);
    match kind {
        TimerKind::Expiry => expire(d),
        TimerKind::Sweep => sweep_due(d),
        TimerKind::Step => step_due(d),
        TimerKind::Undo => compensation::repeat(d),
        TimerKind::Human => human_due(d),
    }
    Ok(())
}

/// T11, T13, T14
pub(super) fn expire(d: &mut Draft<'_>) {
    match d.next.status {
        Status::Pending | Status::Searching => {
            d.row(Row::T11);
            d.close(Status::Expired);
        }
        Status::Quoted(_) | Status::OutOfStock => expire_resting(d),
        Status::Ordering if d.next.is_past_no_return() => {
            // The order was sent in time; its outcome decides.
            d.row(Row::T14);
            d.sleep(TimerKind::Expiry);
        }
        Status::Ordering => {
            d.row(Row::T13);
            compensation::abandon(d, RejectReason::RequestExpired);
            d.close(Status::Expired);
        }
        Status::Ordered | Status::Expired | Status::Failed(_) | Status::Canceled => {}
    }
}

/// A one-shot request has had its outcome: the notification of its rest. It closes silently.
fn expire_resting(d: &mut Draft<'_>) {
    d.row(Row::T11);
    match d.next.submission.mode {
        Mode::OneShot => {
            d.next.closed_at = Some(d.now);
            d.sleep(TimerKind::Expiry);
            d.sleep(TimerKind::Sweep);
        }
        Mode::Watch => d.close(Status::Expired),
    }
}

/// T7, T9
fn sweep_due(d: &mut Draft<'_>) {
    match d.next.status {
        // The engine starts the sweep that was put off.
        Status::Searching => d.row(Row::T7),
        Status::Quoted(_) | Status::OutOfStock if !d.next.is_closed() => {
            d.row(Row::T9);
            search::start_sweep(d);
        }
        Status::Quoted(_)
        | Status::OutOfStock
        | Status::Pending
        | Status::Ordering
        | Status::Ordered
        | Status::Expired
        | Status::Failed(_)
        | Status::Canceled => {}
    }
}

fn step_due(d: &mut Draft<'_>) {
    let Some(step) = d.next.checkout.as_ref().map(|checkout| checkout.step.clone()) else {
        return;
    };
    match step {
        Step::Reserving { .. } => checkout::fail_attempt(d, RejectReason::PartnerTimeout),
        Step::Authorizing { not_after, asks } => payment::authorize_timed_out(d, not_after, asks),
        Step::ActionRequired { .. } => {
            d.row(Row::C5);
            checkout::fail_attempt(d, RejectReason::PaymentActionRequired);
        }
        Step::Placing => placement::become_unknown(d),
        Step::PlacementUnknown(_) => placement::ask(d),
        Step::Capturing { .. } => payment::capture(d),
        Step::Completed | Step::Failed(_) => {}
    }
}

fn human_due(d: &mut Draft<'_>) {
    let unknown = d
        .next
        .checkout
        .as_ref()
        .is_some_and(|checkout| matches!(checkout.step, Step::PlacementUnknown(_)));
    if unknown {
        placement::call_a_human(d);
    }
}

/// The outbox refused to send a copy whose time had passed. An earlier copy may have left before
/// a crash, so a lapsed order is unknown, not absent.
pub(super) fn lapsed(d: &mut Draft<'_>, attempt: u8, operation: LapsedOperation) -> Outcome {
    let step = match &d.next.checkout {
        Some(checkout) if checkout.attempt == attempt => checkout.step.clone(),
        Some(_) | None => return Err(Rejection::Ignored("another attempt is running")),
    };
    match (operation, step) {
        (LapsedOperation::Reserve, Step::Reserving { .. }) => {
            checkout::fail_attempt(d, RejectReason::PartnerTimeout);
            Ok(())
        }
        // Once it is being looked up, the lapse of a copy is no news.
        (LapsedOperation::Authorize, Step::Authorizing { not_after, asks: 0 }) => {
            payment::authorize_timed_out(d, not_after, 0);
            Ok(())
        }
        (LapsedOperation::Place, Step::Placing) => {
            placement::become_unknown(d);
            Ok(())
        }
        (
            LapsedOperation::Reserve | LapsedOperation::Authorize | LapsedOperation::Place,
            Step::Reserving { .. }
            | Step::Authorizing { .. }
            | Step::ActionRequired { .. }
            | Step::Placing
            | Step::PlacementUnknown(_)
            | Step::Capturing { .. }
            | Step::Completed
            | Step::Failed(_),
        ) => Err(Rejection::Ignored("the step is over")),
    }
}
