//! Undoing, in reverse order: cancel the order, then give the money back, then release the stock.
//! Every compensation is part of the request, sent again until its answer proves it done (C18,
//! C19, T19).

use schemas::directory::LookupKind;
use schemas::subject::PaymentOperation;
use schemas::{DurationMs, RejectReason, Timestamp};

use super::draft::Draft;
use super::{Outcome, Rejection, checkout, payment};
use crate::effect::{EventKind, PartnerCommand, PaymentCommand};
use crate::event::{PartnerOutcome, PaymentOutcome};
use crate::policy::Policy;
use crate::request::{Incident, Status, Step, Undo, UndoKind, Version};
use crate::row::Row;
use crate::timer::TimerKind;

/// Ends the current attempt without an order and starts undoing whatever it may have done.
pub(super) fn abandon(d: &mut Draft<'_>, reason: RejectReason) {
    end(d, reason, reason == RejectReason::PaymentDeclined);
}

/// The same, with proof that no money is held and none can come to be.
pub(super) fn abandon_unpaid(d: &mut Draft<'_>, reason: RejectReason) {
    end(d, reason, true);
}

/// The same, although the reason alone would say that no money is held.
pub(super) fn abandon_held(d: &mut Draft<'_>, reason: RejectReason) {
    end(d, reason, false);
}

fn end(d: &mut Draft<'_>, reason: RejectReason, proven_unpaid: bool) {
    if d.next.open_checkout().is_none() {
        return;
    }
    d.sleep(TimerKind::Step);
    d.sleep(TimerKind::Human);
    let (margin, ttl) = (d.policy.clock_margin, d.policy.reservation_ttl);
    let checkout = d.checkout();
    // A hold may exist from the moment its command was sent until its end is proven.
    let (held_until, reserved_until) = match &checkout.step {
        Step::Reserving { not_after } => (None, Some(not_after.saturating_add(ttl))),
        Step::Authorizing { not_after, .. } => (Some(*not_after), None),
        Step::ActionRequired { until, .. } => (Some(*until), None),
        Step::Placing | Step::PlacementUnknown(_) | Step::Capturing { .. } | Step::Completed => {
            (checkout.authorization.map(|_| d.now), None)
        }
        Step::Failed(_) => (None, None),
    };
    let reserved_until = checkout.reservation.as_ref().map(|r| r.valid_until).or(reserved_until);
    let proven_unreserved = reason == RejectReason::ReservationRejected;
    if let Some(until) = held_until.filter(|_| !proven_unpaid) {
        push(d, UndoKind::Void, until.saturating_add(margin));
    }
    if let Some(until) = reserved_until.filter(|_| !proven_unreserved) {
        push(d, UndoKind::Release, until.saturating_add(margin));
    }
    if !d.next.undo.is_empty() {
        d.row(Row::C18);
    }
    d.checkout_mut().step = Step::Failed(reason);
    start(d);
}

/// Adds a compensation for the current attempt, unless it is open already.
pub(super) fn push(d: &mut Draft<'_>, kind: UndoKind, lapses_at: Timestamp) {
    let checkout = d.checkout();
    let (attempt, partner) = (checkout.attempt, checkout.quote.partner.clone());
    if d.next.undo.iter().any(|undo| undo.attempt == attempt && undo.kind == kind) {
        return;
    }
    let undo = Undo { kind, attempt, partner, tries: 0, lapses_at, conclusive_from: None };
    d.next.undo.push(undo);
}

/// Sends what waits for nothing. Money and stock of an attempt wait for its order to be gone.
pub(super) fn start(d: &mut Draft<'_>) {
    let canceling: Vec<u8> = d
        .next
        .undo
        .iter()
        .filter(|undo| undo.kind == UndoKind::CancelOrder)
        .map(|undo| undo.attempt)
        .collect();
    for index in 0..d.next.undo.len() {
        let undo = &d.next.undo[index];
        let waits = undo.kind != UndoKind::CancelOrder && canceling.contains(&undo.attempt);
        if undo.tries == 0 && !waits {
            send(d, index);
        }
    }
    rearm(d);
}

fn send(d: &mut Draft<'_>, index: usize) {
    let version = d.next.version;
    let only_asked = is_only_asked_about(d, &d.next.undo[index]);
    let in_doubt = d.in_doubt;
    let undo = &mut d.next.undo[index];
    undo.tries = undo.tries.saturating_add(1);
    let of_money = matches!(undo.kind, UndoKind::Void | UndoKind::Refund);
    if of_money && !in_doubt && d.now >= undo.lapses_at {
        undo.conclusive_from = undo.conclusive_from.or(Some(version));
    }
    let (kind, attempt) = (undo.kind, undo.attempt);
    match kind {
        UndoKind::CancelOrder if only_asked => d.partner(attempt, PartnerCommand::Lookup),
        UndoKind::CancelOrder => d.partner(attempt, PartnerCommand::Cancel),
        UndoKind::Release => d.partner(attempt, PartnerCommand::Release),
        UndoKind::Void => d.payment(attempt, PaymentCommand::Void),
        UndoKind::Refund => d.payment(attempt, PaymentCommand::Refund),
    }
}

/// Enough cancels went to a store that cannot cancel; its look-up tells when a human has seen to it.
fn is_only_asked_about(d: &Draft<'_>, undo: &Undo) -> bool {
    let profile = d.policy.partners.profile(&undo.partner);
    undo.is_left_to_a_human(d.policy) && !profile.cancel && profile.lookup != LookupKind::None
}

/// The next copy of what is unanswered, on the ladder of the one sent least often.
fn rearm(d: &mut Draft<'_>) {
    let sent = d.next.undo.iter().filter(|undo| undo.tries > 0);
    match sent.map(|undo| pause(undo, d.policy)).min() {
        Some(pause) => d.wake(TimerKind::Undo, pause),
        None => d.sleep(TimerKind::Undo),
    }
}

fn pause(undo: &Undo, policy: &Policy) -> DurationMs {
    if undo.is_left_to_a_human(policy) {
        policy.cancel_pause
    } else {
        Policy::ladder(policy.undo_ladder, undo.tries.saturating_sub(1))
    }
}

/// The undo timer: every unanswered compensation goes out again.
pub(super) fn repeat(d: &mut Draft<'_>) {
    let now = d.now;
    // A hold on stock ends by itself; once it must have ended there is nothing to release.
    d.next.undo.retain(|undo| undo.kind != UndoKind::Release || now < undo.lapses_at);
    let left_to_a_human = |undo: &Undo| undo.is_left_to_a_human(d.policy);
    let slow = d.next.undo.iter().filter(|undo| undo.tries > 0).all(left_to_a_human);
    for index in 0..d.next.undo.len() {
        let undo = &d.next.undo[index];
        if undo.tries > 0 && (slow || !undo.is_left_to_a_human(d.policy)) {
            send(d, index);
        }
    }
    if d.next.undo.iter().any(|undo| undo.tries >= d.policy.undo_incident_after) {
        d.incident(Incident::UndoStuck);
    }
    rearm(d);
}

fn position(d: &Draft<'_>, attempt: u8, kinds: &[UndoKind]) -> Option<usize> {
    d.next.undo.iter().position(|undo| undo.attempt == attempt && kinds.contains(&undo.kind))
}

/// A release was answered.
pub(super) fn release_answered(
    d: &mut Draft<'_>,
    attempt: u8,
    outcome: &PartnerOutcome,
) -> Outcome {
    let Some(index) = position(d, attempt, &[UndoKind::Release]) else {
        return Err(Rejection::Ignored("the stock is released already"));
    };
    let gone = match outcome {
        PartnerOutcome::Released => true,
        PartnerOutcome::NotFound { final_for_key }
        | PartnerOutcome::Refused { final_for_key, .. } => {
            *final_for_key || d.now >= d.next.undo[index].lapses_at
        }
        PartnerOutcome::Reserved { .. }
        | PartnerOutcome::Confirmed { .. }
        | PartnerOutcome::Canceled { .. } => false,
    };
    if !gone {
        return Err(Rejection::Ignored("not proven released; asked again later"));
    }
    done(d, index);
    Ok(())
}

/// A cancel of an order was answered.
pub(super) fn cancel_answered(d: &mut Draft<'_>, attempt: u8, outcome: &PartnerOutcome) -> Outcome {
    let Some(index) = position(d, attempt, &[UndoKind::CancelOrder]) else {
        return Err(Rejection::Ignored("nothing is being canceled"));
    };
    let stands = d.next.status == Status::Ordered && concerns_current(d, attempt);
    match outcome {
        PartnerOutcome::Canceled { .. } | PartnerOutcome::NotFound { final_for_key: true } => {
            d.next.undo.remove(index);
            order_gone(d, attempt);
            Ok(())
        }
        // Of the standing order, and for good; "busy" answers one copy only.
        PartnerOutcome::Refused { final_for_key: true, .. } if stands => {
            d.next.undo.remove(index);
            cancel_refused(d);
            Ok(())
        }
        PartnerOutcome::NotFound { final_for_key: false }
        | PartnerOutcome::Refused { .. }
        | PartnerOutcome::Reserved { .. }
        | PartnerOutcome::Released
        | PartnerOutcome::Confirmed { .. } => {
            Err(Rejection::Ignored("not proven canceled; asked again later"))
        }
    }
}

fn concerns_current(d: &Draft<'_>, attempt: u8) -> bool {
    d.next.checkout.as_ref().is_some_and(|checkout| checkout.attempt == attempt)
}

/// The order is proven gone: money and stock may follow, and an ordered request ends differently.
fn order_gone(d: &mut Draft<'_>, attempt: u8) {
    if d.next.status == Status::Ordered && concerns_current(d, attempt) {
        // Also money that could not be captured may still be held.
        push(d, UndoKind::Void, d.now.saturating_add(d.policy.clock_margin));
        let unpaid = matches!(d.checkout().step, Step::Failed(RejectReason::CaptureFailed));
        if unpaid {
            d.fail(RejectReason::CaptureFailed);
        } else {
            d.row(Row::T19);
            d.sleep(TimerKind::Step);
            d.checkout_mut().step = Step::Failed(RejectReason::CanceledByCustomer);
            d.close(Status::Canceled);
        }
    }
    start(d);
    resume(d);
}

/// The partner keeps the order: it stands, and it is paid.
fn cancel_refused(d: &mut Draft<'_>) {
    d.next.cancel_requested = false;
    d.event(EventKind::CancelRefused);
    match d.checkout().step {
        Step::Capturing { tries: 0 } => payment::capture(d),
        Step::Failed(RejectReason::CaptureFailed) => d.incident(Incident::CaptureFailed),
        Step::Capturing { .. }
        | Step::Completed
        | Step::Failed(_)
        | Step::Reserving { .. }
        | Step::Authorizing { .. }
        | Step::ActionRequired { .. }
        | Step::Placing
        | Step::PlacementUnknown(_) => {}
    }
    start(d);
}

/// A void, a refund or anything else the provider says about money being given back.
pub(super) fn money_answered(
    d: &mut Draft<'_>,
    attempt: u8,
    (operation, in_reply_to, outcome): (PaymentOperation, Option<Version>, &PaymentOutcome),
) -> Outcome {
    let Some(index) = position(d, attempt, &[UndoKind::Void, UndoKind::Refund]) else {
        return Err(Rejection::Ignored("no money is being given back"));
    };
    let refunding = d.next.undo[index].kind == UndoKind::Refund;
    match outcome {
        PaymentOutcome::Voided | PaymentOutcome::Refunded => done(d, index),
        // A declined capture leaves the hold in place.
        PaymentOutcome::Declined if !refunding && operation != PaymentOperation::Capture => {
            done(d, index);
        }
        PaymentOutcome::NotFound { final_for_key: true } => done(d, index),
        PaymentOutcome::NotFound { final_for_key: false }
            if proves_absence(&d.next.undo[index], in_reply_to, d.now) =>
        {
            done(d, index);
        }
        PaymentOutcome::Captured { .. } if !refunding => switch(d, index, UndoKind::Refund),
        PaymentOutcome::Authorized { .. } if refunding && operation == PaymentOperation::Refund => {
            switch(d, index, UndoKind::Void);
        }
        PaymentOutcome::Authorized { .. }
        | PaymentOutcome::Captured { .. }
        | PaymentOutcome::Declined
        | PaymentOutcome::NotFound { .. }
        | PaymentOutcome::ActionRequired { .. }
        | PaymentOutcome::Failed => {
            return Err(Rejection::Ignored("the money is not proven back; asked again later"));
        }
    }
    Ok(())
}

/// "Not found" from a provider without tombstones counts from the instant at which it was asked
/// for: the authorisation may have overtaken its answer. Events recorded before answers named
/// their question are read as they were applied, by their arrival.
fn proves_absence(undo: &Undo, in_reply_to: Option<Version>, now: Timestamp) -> bool {
    match in_reply_to {
        Some(asked) => undo.conclusive_from.is_some_and(|from| asked >= from),
        None => now >= undo.lapses_at,
    }
}

/// The money is in another state than we thought: undo that one.
fn switch(d: &mut Draft<'_>, index: usize, kind: UndoKind) {
    d.next.undo[index].kind = kind;
    d.next.undo[index].tries = 0;
    d.next.undo[index].conclusive_from = None;
    start(d);
}

fn done(d: &mut Draft<'_>, index: usize) {
    d.next.undo.remove(index);
    rearm(d);
    resume(d);
}

/// A failed attempt that waited for its money goes on once the proof is in.
fn resume(d: &mut Draft<'_>) {
    if d.next.status != Status::Ordering || d.next.is_money_open() {
        return;
    }
    let failed = match d.next.checkout.as_ref().map(|checkout| &checkout.step) {
        Some(Step::Failed(reason)) => *reason,
        Some(
            Step::Reserving { .. }
            | Step::Authorizing { .. }
            | Step::ActionRequired { .. }
            | Step::Placing
            | Step::PlacementUnknown(_)
            | Step::Capturing { .. }
            | Step::Completed,
        )
        | None => return,
    };
    checkout::go_on(d, failed);
}
