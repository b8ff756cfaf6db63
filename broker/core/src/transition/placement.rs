//! The order itself: confirmation, definite refusal, unknown outcome and its resolution, orders
//! that turn up late or vanish (C9–C14, T15, T18, T20, T21).

use schemas::directory::LookupKind;
use schemas::id::OrderId;
use schemas::subject::PartnerOperation;
use schemas::{Money, RejectReason, Timestamp};

use super::draft::Draft;
use super::{Outcome, Rejection, checkout, compensation, payment};
use crate::effect::{Outcome as Notice, PartnerCommand};
use crate::event::PartnerOutcome;
use crate::partner::PartnerProfile;
use crate::policy::Policy;
use crate::request::{
    Incident, PlacedOrder, PlacementIntent, Status, Step, Undo, UndoKind, Unknown, Version,
};
use crate::row::Row;
use crate::timer::TimerKind;

/// A partner speaks about the order of one attempt.
pub(super) fn answered(
    d: &mut Draft<'_>,
    attempt: u8,
    operation: Option<PartnerOperation>,
    in_reply_to: Option<Version>,
    outcome: PartnerOutcome,
) -> Outcome {
    let current = d.next.checkout.as_ref().filter(|c| c.attempt == attempt);
    let step = current.map(|c| c.step.clone());
    match step {
        Some(Step::Placing) => while_placing(d, operation, outcome),
        Some(Step::PlacementUnknown(unknown)) => {
            while_unknown(d, unknown, operation, in_reply_to, outcome)
        }
        Some(Step::Capturing { .. } | Step::Completed) => while_placed(d, outcome),
        Some(Step::Failed(_)) | None => late(d, attempt, outcome),
        Some(Step::Reserving { .. } | Step::Authorizing { .. } | Step::ActionRequired { .. }) => {
            Err(Rejection::refused(RejectReason::NotAsked, "no order was sent in this attempt"))
        }
    }
}

/// Whether a refusal is one of the order itself. That a look-up or a cancel is refused, even for
/// good, says nothing about the order.
const fn refuses_the_order(operation: Option<PartnerOperation>) -> bool {
    matches!(operation, None | Some(PartnerOperation::Place))
}

fn while_placing(
    d: &mut Draft<'_>,
    operation: Option<PartnerOperation>,
    outcome: PartnerOutcome,
) -> Outcome {
    match outcome {
        PartnerOutcome::Confirmed { order_id, total } => {
            d.row(Row::C9);
            placed(d, order_id, total);
        }
        PartnerOutcome::Refused { .. } if !refuses_the_order(operation) => {
            return Err(Rejection::Ignored("says nothing about the order"));
        }
        PartnerOutcome::Refused { final_for_key: true, .. } => {
            d.row(Row::C10);
            checkout::fail_attempt(d, RejectReason::PartnerRejected);
        }
        // About one copy only: another one may have been accepted.
        PartnerOutcome::Refused { final_for_key: false, .. } => become_unknown(d),
        PartnerOutcome::Canceled { .. } => {
            d.row(Row::C10);
            checkout::fail_attempt(d, RejectReason::PartnerCanceled);
        }
        PartnerOutcome::NotFound { .. }
        | PartnerOutcome::Reserved { .. }
        | PartnerOutcome::Released => {
            return Err(Rejection::Ignored("says nothing about the order"));
        }
    }
    Ok(())
}

/// C9, C12, T15: the order stands. Money follows, unless a cancel goes first.
fn placed(d: &mut Draft<'_>, order_id: OrderId, total: Money) {
    d.sleep(TimerKind::Step);
    d.sleep(TimerKind::Human);
    let intent = d.checkout().intent.expect("only an order that was sent is confirmed");
    d.checkout_mut().order = Some(PlacedOrder { order_id, total });
    if !total.at_most(intent.price_cap).unwrap_or(false) {
        above_cap(d);
        return;
    }
    d.row(Row::T15);
    d.checkout_mut().step = Step::Capturing { tries: 0 };
    d.close(Status::Ordered);
    if d.next.incident == Some(Incident::PlacementUnknown) {
        d.next.incident = None;
    }
    if d.next.cancel_requested && d.profile().cancel {
        d.row(Row::C19);
        compensation::push(d, UndoKind::CancelOrder, d.now);
        compensation::start(d);
    } else {
        d.next.cancel_requested = false;
        payment::capture(d);
    }
}

/// C12 on a human's word.
pub(super) fn found(d: &mut Draft<'_>, order_id: OrderId, total: Money) {
    d.row(Row::C12);
    placed(d, order_id, total);
}

/// C13 on a human's word: whatever was confirmed before, should it turn up again, it is a rogue
/// order.
pub(super) fn ruled_out(d: &mut Draft<'_>) {
    d.checkout_mut().order = None;
    proven_absent(d);
}

/// The partner took the order at more than it was allowed: an incident, and we want it undone.
fn above_cap(d: &mut Draft<'_>) {
    compensation::push(d, UndoKind::CancelOrder, d.now);
    compensation::push(d, UndoKind::Void, d.now.saturating_add(d.policy.clock_margin));
    d.checkout_mut().step = Step::Failed(RejectReason::PriceChanged);
    compensation::start(d);
    d.row(Row::T17);
    d.fail(RejectReason::PriceChanged);
    d.incident(Incident::PriceAboveCap);
}

/// C11, T18: from here only proof moves the request. Nothing is bought elsewhere.
pub(super) fn become_unknown(d: &mut Draft<'_>) {
    d.row(Row::C11);
    d.row(Row::T18);
    let since = d.now;
    d.checkout_mut().step = Step::PlacementUnknown(Unknown {
        since,
        asks: 0,
        conclusive_from: None,
        absent_since: None,
        fencing: false,
    });
    d.wake(TimerKind::Human, d.policy.human_after);
    ask(d);
}

/// Sends the next question about an unknown order, and arms the one after it.
pub(super) fn ask(d: &mut Draft<'_>) {
    let Step::PlacementUnknown(mut unknown) = d.checkout().step.clone() else {
        return;
    };
    let profile = d.profile();
    let attempt = d.checkout().attempt;
    let intent = d.checkout().intent.expect("an unknown order has an intent");
    let window_closed = d.now >= intent.not_after.saturating_add(d.policy.clock_margin);
    let fence = profile.fences_cancel
        && window_closed
        && (profile.lookup == LookupKind::None || unknown.absent_since.is_some());
    let copy_in_time = intent.has_time_for_a_copy(d.now, d.policy);
    let may_prove = unknown.absent_since.is_none_or(|since| is_apart(since, d.now, d.policy));
    if may_prove && !d.in_doubt && d.now >= conclusive_at(&profile, &intent, d.policy) {
        unknown.conclusive_from = unknown.conclusive_from.or(Some(d.next.version));
    }
    if unknown.fencing || fence {
        unknown.fencing = true;
        d.partner(attempt, PartnerCommand::Cancel);
    } else if unknown.asks == 0 && profile.key_first && copy_in_time {
        checkout::send_order(d);
    } else if profile.lookup != LookupKind::None {
        d.partner(attempt, PartnerCommand::Lookup);
    }
    d.wake(TimerKind::Step, Policy::ladder(d.policy.lookup_ladder, unknown.asks));
    unknown.asks = unknown.asks.saturating_add(1);
    d.checkout_mut().step = Step::PlacementUnknown(unknown);
}

fn while_unknown(
    d: &mut Draft<'_>,
    unknown: Unknown,
    operation: Option<PartnerOperation>,
    in_reply_to: Option<Version>,
    outcome: PartnerOutcome,
) -> Outcome {
    match outcome {
        PartnerOutcome::Confirmed { order_id, total } if unknown.fencing => {
            return confirmed_behind_fence(d, unknown, PlacedOrder { order_id, total });
        }
        PartnerOutcome::Confirmed { order_id, total } => {
            d.row(Row::C12);
            placed(d, order_id, total);
        }
        PartnerOutcome::Canceled { .. } => proven_absent(d),
        PartnerOutcome::NotFound { final_for_key: true } => {
            // Whatever was confirmed before: should it turn up again, it is a rogue order.
            d.checkout_mut().order = None;
            proven_absent(d);
        }
        PartnerOutcome::Refused { final_for_key: true, .. } if refuses_the_order(operation) => {
            proven_absent(d);
        }
        PartnerOutcome::NotFound { .. } => {
            let conclusive = unknown.conclusive_from.is_some_and(|from| in_reply_to >= Some(from));
            return absent(d, unknown, conclusive);
        }
        PartnerOutcome::Refused { .. } if operation == Some(PartnerOperation::Cancel) => {
            if let Some(order) = d.checkout().order.clone() {
                d.row(Row::C12);
                placed(d, order.order_id, order.total);
                return Ok(());
            }
            if !unknown.fencing && unknown.absent_since.is_none() {
                return Err(Rejection::Ignored("the fence was refused before"));
            }
            // It cannot be fenced, so it may exist: look again.
            d.checkout_mut().step =
                Step::PlacementUnknown(Unknown { fencing: false, absent_since: None, ..unknown });
        }
        PartnerOutcome::Refused { .. }
        | PartnerOutcome::Reserved { .. }
        | PartnerOutcome::Released => {
            return Err(Rejection::Ignored("proves nothing about the order"));
        }
    }
    Ok(())
}

/// The order exists, and a cancel that may undo it is on its way: the cancel's answer decides.
fn confirmed_behind_fence(d: &mut Draft<'_>, unknown: Unknown, order: PlacedOrder) -> Outcome {
    if d.checkout().order.is_some() {
        return Err(Rejection::Ignored("confirmed before; the fence decides"));
    }
    d.checkout_mut().order = Some(order);
    d.checkout_mut().step = Step::PlacementUnknown(Unknown { absent_since: None, ..unknown });
    Ok(())
}

/// C13 after proof: no order exists and none can come to exist.
fn proven_absent(d: &mut Draft<'_>) {
    d.row(Row::C13);
    if d.next.incident == Some(Incident::PlacementUnknown) {
        d.next.incident = None;
    }
    checkout::fail_attempt(d, RejectReason::PartnerTimeout);
}

/// From when on a question is worth asking whether an order exists: none can be accepted any more,
/// and one that was is visible. A store that takes late orders gets its settling time, too.
fn conclusive_at(profile: &PartnerProfile, intent: &PlacementIntent, policy: &Policy) -> Timestamp {
    let closed = intent.not_after.saturating_add(policy.clock_margin);
    if profile.sees_everything() { closed } else { closed.saturating_add(profile.settle) }
}

/// The second "not found" is worth something only if it was asked for so long after the first: a
/// copy of the first one, however late, is still the first one.
fn is_apart(first: Timestamp, now: Timestamp, policy: &Policy) -> bool {
    now.since(first) >= policy.absence_span
}

/// "Not found" without finality: believed only when it was asked late enough, and from a look-up
/// that trails behind only twice. A fence is put up sooner: any such answer is reason enough.
fn absent(d: &mut Draft<'_>, mut unknown: Unknown, conclusive: bool) -> Outcome {
    let profile = d.profile();
    let intent = d.checkout().intent.expect("an unknown order has an intent");
    let window_closed = d.now >= intent.not_after.saturating_add(d.policy.clock_margin);
    // A fence that is out is asked again by the step timer, never by an answer: two sides
    // answering each other would not stop.
    let can_be_fenced = profile.fences_cancel && !profile.sees_everything();
    let fence_now = can_be_fenced && window_closed && !unknown.fencing;
    if !conclusive && !fence_now {
        return Err(Rejection::Ignored("asked while an order could still appear"));
    }
    let first = unknown.absent_since.is_none();
    let absent_since = *unknown.absent_since.get_or_insert(d.now);
    let twice = is_apart(absent_since, d.now, d.policy);
    if first {
        unknown.conclusive_from = None;
    }
    let proven = match profile.lookup {
        LookupKind::ReadYourWrites | LookupKind::Eventual => {
            let late_orders = !profile.honours_not_after && profile.fences_cancel;
            profile.sees_everything() || (twice && !late_orders)
        }
        LookupKind::None => false,
    };
    if conclusive && proven {
        proven_absent(d);
        return Ok(());
    }
    if !first && !fence_now {
        return Err(Rejection::Ignored("not found, which is no proof yet; asked again later"));
    }
    d.checkout_mut().step = Step::PlacementUnknown(unknown);
    if fence_now {
        ask(d);
    }
    Ok(())
}

/// C14: machines have had their time.
pub(super) fn call_a_human(d: &mut Draft<'_>) {
    d.row(Row::C14);
    d.incident(Incident::PlacementUnknown);
    d.notify(Notice::Incident, None);
}

fn while_placed(d: &mut Draft<'_>, outcome: PartnerOutcome) -> Outcome {
    let attempt = d.checkout().attempt;
    let known = d.checkout().order.clone().expect("a placed order has an id");
    match outcome {
        PartnerOutcome::Confirmed { order_id, .. } if order_id == known.order_id => {
            Err(Rejection::Ignored("confirmed before"))
        }
        PartnerOutcome::Confirmed { order_id, .. } => {
            // Two orders under one key. A cancel by key could hit the wrong one: a human decides.
            let is_news =
                !d.next.knows_order(attempt, &order_id) && d.remember_order(attempt, order_id);
            if !is_news {
                return Err(Rejection::Ignored("a human knows of the second order"));
            }
            d.row(Row::T20);
            d.incident(Incident::LateOrder);
            Ok(())
        }
        PartnerOutcome::Canceled { order_id: Some(other) } if other != known.order_id => {
            Err(Rejection::Ignored("another order was canceled; the confirmed one stands"))
        }
        PartnerOutcome::Canceled { .. } => {
            partner_canceled(d);
            Ok(())
        }
        PartnerOutcome::NotFound { .. }
        | PartnerOutcome::Refused { .. }
        | PartnerOutcome::Reserved { .. }
        | PartnerOutcome::Released => Err(Rejection::Ignored("the order was confirmed before")),
    }
}

/// T21: the partner takes the order back.
fn partner_canceled(d: &mut Draft<'_>) {
    d.row(Row::T21);
    d.sleep(TimerKind::Step);
    compensation::push(d, UndoKind::Void, d.now.saturating_add(d.policy.clock_margin));
    d.checkout_mut().step = Step::Failed(RejectReason::PartnerCanceled);
    compensation::start(d);
    let again = d.next.submission.rebuy
        && d.has_time_to_buy()
        && d.next.tried.len() < usize::from(d.policy.attempts_max);
    if again {
        d.next.status = Status::Ordering;
        // The last word was "ordered": whatever comes of this is news.
        d.next.told_best = None;
        d.next.timers.set(TimerKind::Expiry, d.next.terms.expires_at);
        d.event(crate::effect::EventKind::Ordering);
    } else {
        d.fail(RejectReason::PartnerCanceled);
    }
}

/// T20: an order nobody should have: after proof of its absence, or of an earlier attempt.
fn late(d: &mut Draft<'_>, attempt: u8, outcome: PartnerOutcome) -> Outcome {
    let order_id = match outcome {
        PartnerOutcome::Confirmed { order_id, .. } => order_id,
        PartnerOutcome::Canceled { .. }
        | PartnerOutcome::NotFound { .. }
        | PartnerOutcome::Refused { .. }
        | PartnerOutcome::Reserved { .. }
        | PartnerOutcome::Released => return Err(Rejection::Ignored("late, and no order")),
    };
    if d.next.knows_order(attempt, &order_id) {
        return Err(Rejection::Ignored("this order is known and dealt with"));
    }
    d.row(Row::T20);
    d.remember_order(attempt, order_id);
    d.incident(Incident::LateOrder);
    let current = d.next.checkout.as_ref().is_some_and(|checkout| checkout.attempt == attempt);
    let stands = current && d.next.status == Status::Ordered;
    let canceling = d
        .next
        .undo
        .iter()
        .any(|undo| undo.attempt == attempt && undo.kind == UndoKind::CancelOrder);
    // Of two orders under one key, a cancel by key could hit the wrong one: a human decides.
    if stands || canceling {
        return Ok(());
    }
    let partner = d.next.partner_of(attempt).expect("checked by the caller").clone();
    let undo = Undo {
        kind: UndoKind::CancelOrder,
        attempt,
        partner,
        tries: 0,
        lapses_at: d.now,
        conclusive_from: None,
    };
    d.next.undo.insert(0, undo);
    compensation::start(d);
    Ok(())
}
