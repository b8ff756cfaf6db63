//! Answers and notices of partners, routed to the step or compensation that waits for them.

use schemas::RejectReason;
use schemas::subject::PartnerOperation;

use super::draft::Draft;
use super::{Outcome, Rejection, checkout, compensation, placement};
use crate::event::{PartnerAnswer, PartnerOutcome};
use crate::request::{Incident, Reservation, Step, UndoKind};
use crate::row::Row;

pub(super) fn answered(d: &mut Draft<'_>, answer: PartnerAnswer) -> Outcome {
    match d.next.partner_of(answer.attempt) {
        Some(partner) if *partner == answer.partner => {}
        Some(_) | None => {
            return Err(Rejection::refused(
                RejectReason::WrongSender,
                format!("{} was not asked in attempt {}", answer.partner, answer.attempt),
            ));
        }
    }
    let attempt = answer.attempt;
    let is_news = remember_canceled(d, &answer);
    match route(d, answer) {
        Err(Rejection::Ignored(_)) if is_news => {
            if has_placed(d, attempt) {
                // Two orders under one key, and which of them is gone only their store knows.
                d.row(Row::T20);
                d.incident(Incident::LateOrder);
            }
            Ok(())
        }
        routed => routed,
    }
}

fn has_placed(d: &Draft<'_>, attempt: u8) -> bool {
    let current = d.next.checkout.as_ref().filter(|checkout| checkout.attempt == attempt);
    current
        .is_some_and(|checkout| matches!(checkout.step, Step::Capturing { .. } | Step::Completed))
}

/// A cancellation may overtake the confirmation of the order it takes back. When that one comes it
/// must not look like an order that turned up late. True if this is the first word of the order.
fn remember_canceled(d: &mut Draft<'_>, answer: &PartnerAnswer) -> bool {
    let PartnerOutcome::Canceled { order_id: Some(order_id) } = &answer.outcome else {
        return false;
    };
    if matches!(answer.operation, Some(PartnerOperation::Reserve | PartnerOperation::Release)) {
        return false;
    }
    !d.next.knows_order(answer.attempt, order_id)
        && d.remember_order(answer.attempt, order_id.clone())
}

/// To the step or the compensation that waits for it.
fn route(d: &mut Draft<'_>, answer: PartnerAnswer) -> Outcome {
    let PartnerAnswer { attempt, operation, in_reply_to, outcome, .. } = answer;
    match operation {
        Some(PartnerOperation::Reserve) => reserve_answered(d, attempt, outcome),
        Some(PartnerOperation::Release) => compensation::release_answered(d, attempt, &outcome),
        Some(PartnerOperation::Cancel) if is_canceling(d, attempt) => {
            compensation::cancel_answered(d, attempt, &outcome)
        }
        // Unasked or looked up: somebody has seen to it.
        None | Some(PartnerOperation::Lookup)
            if is_canceling(d, attempt) && matches!(outcome, PartnerOutcome::Canceled { .. }) =>
        {
            compensation::cancel_answered(d, attempt, &outcome)
        }
        // Place, lookup, a fencing cancel or an unasked notice: all speak about the order.
        operation @ Some(
            PartnerOperation::Place | PartnerOperation::Lookup | PartnerOperation::Cancel,
        ) => placement::answered(d, attempt, operation, in_reply_to, outcome),
        None => placement::answered(d, attempt, None, None, outcome),
    }
}

fn is_canceling(d: &Draft<'_>, attempt: u8) -> bool {
    d.next.undo.iter().any(|undo| undo.attempt == attempt && undo.kind == UndoKind::CancelOrder)
}

/// C2
fn reserve_answered(d: &mut Draft<'_>, attempt: u8, outcome: PartnerOutcome) -> Outcome {
    let waiting = d
        .next
        .open_checkout()
        .is_some_and(|c| c.attempt == attempt && matches!(c.step, Step::Reserving { .. }));
    if !waiting {
        // A hold that came too late is being released: abandoning the attempt saw to that.
        return Err(Rejection::Ignored("no reservation is awaited"));
    }
    match outcome {
        PartnerOutcome::Reserved { id, valid_until } => {
            d.row(Row::C2);
            d.checkout_mut().reservation = Some(Reservation { id, valid_until });
            checkout::authorize(d);
            Ok(())
        }
        PartnerOutcome::Refused { final_for_key: true, .. } => {
            d.row(Row::C2);
            checkout::fail_attempt(d, RejectReason::ReservationRejected);
            Ok(())
        }
        PartnerOutcome::Refused { final_for_key: false, .. } => {
            // This copy was refused; another may have been accepted. The release finds out.
            checkout::fail_attempt(d, RejectReason::PartnerRejected);
            Ok(())
        }
        PartnerOutcome::Released
        | PartnerOutcome::Confirmed { .. }
        | PartnerOutcome::Canceled { .. }
        | PartnerOutcome::NotFound { .. } => Err(Rejection::refused(
            RejectReason::NotAsked,
            "a reserve is answered by reserved or refused",
        )),
    }
}
