//! Money: authorisation before the order, capture after it (C4–C7, C15–C17).

use schemas::subject::PaymentOperation;
use schemas::text::Text;
use schemas::{RejectReason, Timestamp};

use super::draft::Draft;
use super::{Outcome, Rejection, checkout, compensation};
use crate::effect::{EventKind, Outcome as Notice, PaymentCommand};
use crate::event::{PaymentAnswer, PaymentOutcome};
use crate::policy::Policy;
use crate::request::{Authorization, Incident, Step, UndoKind};
use crate::row::Row;
use crate::timer::TimerKind;

pub(super) fn answered(d: &mut Draft<'_>, answer: PaymentAnswer) -> Outcome {
    let PaymentAnswer { attempt, operation, in_reply_to, outcome } = answer;
    if d.next.partner_of(attempt).is_none() {
        return Err(Rejection::refused(
            RejectReason::NotAsked,
            format!("attempt {attempt} was never begun"),
        ));
    }
    let step = match &d.next.checkout {
        Some(checkout) if checkout.attempt == attempt => Some(checkout.step.clone()),
        Some(_) | None => None,
    };
    match step {
        Some(Step::Authorizing { .. } | Step::ActionRequired { .. } | Step::Capturing { .. })
            if !is_asked(d, operation) =>
        {
            let operation = operation.label();
            Err(Rejection::refused(
                RejectReason::NotAsked,
                format!("no {operation} was asked for in attempt {attempt}"),
            ))
        }
        Some(Step::Authorizing { .. }) => while_authorizing(d, outcome),
        Some(Step::ActionRequired { .. }) => while_action_required(d, outcome),
        // A late copy of the authorisation says nothing about the capture.
        Some(Step::Capturing { .. }) if operation == PaymentOperation::Authorize => {
            Err(Rejection::Ignored("the money was authorised before"))
        }
        Some(Step::Capturing { .. }) => while_capturing(d, outcome),
        Some(Step::Failed(_)) | None => {
            let answer = (operation, in_reply_to, &outcome);
            if compensation::money_answered(d, attempt, answer).is_ok() {
                return Ok(());
            }
            late(d, attempt, &outcome)
        }
        Some(
            Step::Reserving { .. } | Step::Placing | Step::PlacementUnknown(_) | Step::Completed,
        ) => Err(Rejection::Ignored("no payment answer is awaited")),
    }
}

/// Whether this operation was sent for the attempt while its money was held or taken. Giving it
/// back is asked for only after the attempt has failed.
fn is_asked(d: &Draft<'_>, operation: PaymentOperation) -> bool {
    match operation {
        PaymentOperation::Authorize | PaymentOperation::Lookup => true,
        PaymentOperation::Capture => matches!(d.checkout().step, Step::Capturing { .. }),
        PaymentOperation::Void | PaymentOperation::Refund => false,
    }
}

fn while_authorizing(d: &mut Draft<'_>, outcome: PaymentOutcome) -> Outcome {
    match outcome {
        PaymentOutcome::Authorized { amount, valid_until } => authorized(d, amount, valid_until),
        PaymentOutcome::Declined => {
            d.row(Row::C4);
            checkout::fail_attempt(d, RejectReason::PaymentDeclined);
        }
        PaymentOutcome::ActionRequired { url } => action_required(d, url),
        PaymentOutcome::NotFound { final_for_key: true } => {
            d.row(Row::C7);
            compensation::abandon_unpaid(d, RejectReason::PaymentTimeout);
            checkout::go_on(d, RejectReason::PaymentTimeout);
        }
        PaymentOutcome::NotFound { final_for_key: false } | PaymentOutcome::Failed => {
            return Err(Rejection::Ignored("the authorisation is still open; asked again later"));
        }
        PaymentOutcome::Captured { .. } | PaymentOutcome::Voided | PaymentOutcome::Refunded => {
            return Err(Rejection::refused(
                RejectReason::NotAsked,
                "only an authorisation was asked for",
            ));
        }
    }
    Ok(())
}

/// C4, then C8. Less than the quote's worst case, or money of another currency, would leave the
/// order partly unpaid: that is a refusal of the payment, although of one that holds money.
fn authorized(d: &mut Draft<'_>, amount: schemas::Money, valid_until: Timestamp) {
    d.row(Row::C4);
    let needed = d.checkout().quote.worst_total().expect("only complete quotes are affordable");
    d.checkout_mut().authorization = Some(Authorization { amount, valid_until });
    if needed.at_most(amount).unwrap_or(false) {
        checkout::place(d);
    } else {
        compensation::abandon_held(d, RejectReason::PaymentDeclined);
        checkout::go_on(d, RejectReason::PaymentDeclined);
    }
}

/// C5: the customer has a window to authenticate in, within hold and deadline.
fn action_required(d: &mut Draft<'_>, url: Text<300>) {
    d.row(Row::C5);
    let budget = d.policy.place_budget;
    let mut until = d
        .now
        .saturating_add(d.policy.action_window)
        .min(d.next.terms.expires_at.saturating_sub(budget));
    if let Some(reservation) = &d.checkout().reservation {
        until = until.min(reservation.valid_until.saturating_sub(budget));
    }
    if until <= d.now {
        checkout::fail_attempt(d, RejectReason::PaymentActionRequired);
        return;
    }
    d.checkout_mut().step = Step::ActionRequired { until, url };
    d.next.timers.set(TimerKind::Step, until);
    d.notify(Notice::ActionRequired, None);
}

fn while_action_required(d: &mut Draft<'_>, outcome: PaymentOutcome) -> Outcome {
    match outcome {
        PaymentOutcome::Authorized { amount, valid_until } => {
            d.row(Row::C6);
            authorized(d, amount, valid_until);
            Ok(())
        }
        PaymentOutcome::Declined => {
            d.row(Row::C6);
            checkout::fail_attempt(d, RejectReason::PaymentDeclined);
            Ok(())
        }
        PaymentOutcome::ActionRequired { .. }
        | PaymentOutcome::Captured { .. }
        | PaymentOutcome::Voided
        | PaymentOutcome::Refunded
        | PaymentOutcome::NotFound { .. }
        | PaymentOutcome::Failed => Err(Rejection::Ignored("the customer has not acted yet")),
    }
}

/// C7: no answer. Ask by our own key; after a few questions give the attempt up and void.
pub(super) fn authorize_timed_out(d: &mut Draft<'_>, not_after: Timestamp, asks: u8) {
    d.row(Row::C7);
    if asks >= d.policy.authorize_asks {
        checkout::fail_attempt(d, RejectReason::PaymentTimeout);
        return;
    }
    let attempt = d.checkout().attempt;
    d.checkout_mut().step = Step::Authorizing { not_after, asks: asks + 1 };
    d.wake(TimerKind::Step, Policy::ladder(d.policy.lookup_ladder, asks));
    d.payment(attempt, PaymentCommand::Lookup);
}

/// C15, C17: take the money of a standing order; every copy is the same capture.
pub(super) fn capture(d: &mut Draft<'_>) {
    let checkout = d.checkout();
    let amount = checkout.order.as_ref().expect("capture follows a confirmed order").total;
    let attempt = checkout.attempt;
    let tries = match checkout.step {
        Step::Capturing { tries } => tries,
        Step::Reserving { .. }
        | Step::Authorizing { .. }
        | Step::ActionRequired { .. }
        | Step::Placing
        | Step::PlacementUnknown(_)
        | Step::Completed
        | Step::Failed(_) => return,
    };
    d.row(if tries == 0 { Row::C15 } else { Row::C17 });
    if tries >= d.policy.capture_tries {
        d.incident(Incident::CaptureFailed);
        // The order stands and is owed: go on trying, slowly, while a human looks at it.
        let pause = Policy::ladder(d.policy.undo_ladder, tries);
        d.wake(TimerKind::Step, pause);
    } else {
        d.wake(TimerKind::Step, d.policy.capture_timeout);
    }
    d.checkout_mut().step = Step::Capturing { tries: tries.saturating_add(1) };
    d.payment(attempt, PaymentCommand::Capture { amount });
}

fn while_capturing(d: &mut Draft<'_>, outcome: PaymentOutcome) -> Outcome {
    match outcome {
        PaymentOutcome::Captured { amount } => captured(d, amount),
        // The step timer sends the next copy.
        PaymentOutcome::Failed | PaymentOutcome::NotFound { final_for_key: false } => {
            return Err(Rejection::Ignored("not captured yet; asked again later"));
        }
        PaymentOutcome::Declined
        | PaymentOutcome::Voided
        | PaymentOutcome::NotFound { final_for_key: true } => uncapturable(d),
        PaymentOutcome::Authorized { .. }
        | PaymentOutcome::ActionRequired { .. }
        | PaymentOutcome::Refunded => {
            return Err(Rejection::Ignored("says nothing about the capture"));
        }
    }
    Ok(())
}

/// C16
fn captured(d: &mut Draft<'_>, amount: schemas::Money) {
    d.row(Row::C16);
    d.sleep(TimerKind::Step);
    let owed = d.checkout().order.as_ref().map(|order| order.total);
    d.checkout_mut().step = Step::Completed;
    if d.next.incident == Some(Incident::CaptureFailed) {
        d.next.incident = None;
    }
    if owed != Some(amount) {
        d.incident(Incident::CaptureFailed);
    }
    d.event(EventKind::Completed);
}

/// Proof that this money cannot be taken: the order is given back if the partner allows.
fn uncapturable(d: &mut Draft<'_>) {
    d.row(Row::C17);
    d.sleep(TimerKind::Step);
    d.incident(Incident::CaptureFailed);
    let can_cancel = d.profile().cancel;
    d.checkout_mut().step = Step::Failed(RejectReason::CaptureFailed);
    if can_cancel {
        compensation::push(d, UndoKind::CancelOrder, d.now);
        compensation::start(d);
    }
}

/// Money that moved although the attempt is over and nothing is being undone: undo it.
fn late(d: &mut Draft<'_>, attempt: u8, outcome: &PaymentOutcome) -> Outcome {
    let current = d.next.checkout.as_ref().filter(|checkout| checkout.attempt == attempt);
    // Too little that was authorised has had its undo already.
    let declined_before = current.is_some_and(|c| {
        matches!(c.step, Step::Failed(RejectReason::PaymentDeclined)) && c.authorization.is_none()
    });
    let undoing = d.next.undo.iter().any(|undo| {
        undo.attempt == attempt && matches!(undo.kind, UndoKind::Void | UndoKind::Refund)
    });
    match outcome {
        PaymentOutcome::Authorized { .. } if declined_before && !undoing => {
            d.row(Row::T20);
            compensation::push(d, UndoKind::Void, d.now);
            compensation::start(d);
            Ok(())
        }
        PaymentOutcome::Authorized { .. }
        | PaymentOutcome::Captured { .. }
        | PaymentOutcome::Declined
        | PaymentOutcome::ActionRequired { .. }
        | PaymentOutcome::Voided
        | PaymentOutcome::Refunded
        | PaymentOutcome::NotFound { .. }
        | PaymentOutcome::Failed => Err(Rejection::Ignored("late, and no money is held")),
    }
}
