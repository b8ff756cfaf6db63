//! The broker: decide by the real transition function, commit by compare-and-set, publish.

use std::sync::Arc;

use broker_core::effect::{Effect, Outcome, PartnerCommand, PaymentCommand};
use broker_core::event::Event;
use broker_core::request::{PurchaseRequest, Undo, UndoKind};
use broker_core::transition::Transition;
use schemas::Timestamp;
use schemas::purchase::PurchaseStatus;

use super::bank::Payment;
use super::model::{Market, Owner};
use super::promise::Promise;
use super::rest::corrections_are_listed;
use super::shop::Hold;
use super::state::{Command, Record, Sent, State, What};
use super::step::publish;

/// One owner takes an event in. Returns whether anything changed.
pub(crate) fn decide(market: &Market, state: &mut State, event: &Event, by: Owner) -> bool {
    match by {
        Owner::Current => commit(market, state, event),
        Owner::Stale => decide_from_old(market, state, event),
    }
}

/// An owner who missed a commit: it may find nothing to do, and then the input is gone; or its
/// commit conflicts, and it reads the request again and decides again.
fn decide_from_old(market: &Market, state: &mut State, event: &Event) -> bool {
    state.left.stale_decisions -= 1;
    let old = state.stale.as_ref().expect("the step was offered");
    let setting = &market.setting;
    let decision = (setting.decide)(&old.request, event.clone(), state.now, &setting.policy);
    if decision.is_err() {
        return true;
    }
    // Now the other one is behind.
    state.stale = Some(state.stored.clone());
    commit(market, state, event);
    true
}

/// Decides on what is stored, and stores it.
pub(crate) fn commit(market: &Market, state: &mut State, event: &Event) -> bool {
    let setting = &market.setting;
    let before = Arc::clone(&state.stored.request);
    let Ok(change) = (setting.decide)(&before, event.clone(), state.now, &setting.policy) else {
        return false;
    };
    market.note(&change.rows);
    check_numbers(state, &before, &change);
    state.stored = Record::new(change.next);
    let next = Arc::clone(&state.stored.request);
    check_undone(state, &before.undo, &next);
    for effect in change.effects {
        leave(market, state, effect, &next);
    }
    check_ending(state, &next, setting.rebuy);
    true
}

fn leave(market: &Market, state: &mut State, effect: Effect, next: &PurchaseRequest) {
    let version = next.version;
    match effect {
        Effect::Partner { partner, attempt, command } => {
            if matches!(command, PartnerCommand::Place { .. }) {
                check_order_leaves(market, state, attempt, &command, next);
            }
            let what = What::Partner(partner, command);
            publish(state, Command { version, attempt, what });
        }
        Effect::Payment { attempt, command } => {
            check_money_leaves(market, state, attempt, &command, next);
            publish(state, Command { version, attempt, what: What::Payment(command) });
        }
        Effect::Notify { outcome: Outcome::ActionRequired | Outcome::Incident, .. } => {}
        Effect::Notify { outcome, .. } => state.told.push(outcome),
        Effect::Event { .. } => {}
    }
}

fn check_numbers(state: &mut State, before: &PurchaseRequest, change: &Transition) {
    let numbers = change.effects.iter().filter_map(|effect| match effect {
        Effect::Notify { number, .. } => Some(*number),
        Effect::Partner { .. } | Effect::Payment { .. } | Effect::Event { .. } => None,
    });
    let dense = numbers.eq(before.notified..change.next.notified);
    let next_version = change.next.version.0 == before.version.0 + 1;
    state.broken.must(dense && next_version, Promise::DenseVersions);
}

fn check_order_leaves(
    market: &Market,
    state: &mut State,
    attempt: u8,
    command: &PartnerCommand,
    next: &PurchaseRequest,
) {
    let PartnerCommand::Place { price_cap, not_after, .. } = command else { return };
    let index = usize::from(attempt) - 1;
    let deadline = next.terms.expires_at;
    let done = state.now.saturating_add(market.setting.policy.place_budget);
    let intent = next.checkout.as_ref().and_then(|checkout| checkout.intent);
    let first = state.sent[index].clone();
    let broken = &mut state.broken;
    broken.must(*not_after <= deadline && state.now <= *not_after, Promise::InTime);
    match first {
        Some(first) => broken.must(first.command == *command, Promise::SameCopies),
        None => {
            broken.must(done <= deadline, Promise::InTime);
            // The intent names the version that the order leaves with, and so its limit.
            let named = intent.is_some_and(|intent| {
                intent.version == next.version && intent.price_cap == *price_cap
            });
            let within = price_cap.minor() <= next.terms.max_total.minor();
            broken.must(named && within, Promise::WithinLimit);
            state.sent[index] = Some(Arc::new(Sent { command: command.clone(), deadline }));
        }
    }
}

fn check_money_leaves(
    market: &Market,
    state: &mut State,
    attempt: u8,
    command: &PaymentCommand,
    next: &PurchaseRequest,
) {
    let index = usize::from(attempt) - 1;
    match command {
        PaymentCommand::Authorize { not_after, .. } => {
            let mut clear = !next.is_money_open();
            for earlier in 0..index {
                let no_order =
                    !state.shops[earlier].is_live() && !may_order(market, state, earlier);
                clear &= no_order && !may_hold(market, state, earlier);
            }
            state.broken.must(clear, Promise::OneHold);
            state.asked_money[index] = Some(*not_after);
        }
        PaymentCommand::Void | PaymentCommand::Refund => {
            let stands = state.shops[index].is_live();
            state.broken.must(!stands, Promise::MoneyStays);
        }
        PaymentCommand::Capture { .. } => {
            let accepted = state.shops[index].was_accepted();
            state.broken.must(accepted, Promise::CapturedForAnOrder);
        }
        PaymentCommand::Lookup => {}
    }
}

/// Whether a receiver may still accept what was to be done by `not_after`.
fn is_open_at(market: &Market, now: Timestamp, not_after: Timestamp) -> bool {
    now < not_after.saturating_add(market.setting.policy.clock_margin)
}

/// Whether an order that was sent may still be accepted.
fn may_order(market: &Market, state: &State, index: usize) -> bool {
    let open = state.shops[index].order == super::shop::Order::Open;
    let Some(sent) = &state.sent[index] else { return false };
    let PartnerCommand::Place { not_after, .. } = &sent.command else { return false };
    open && is_open_at(market, state.now, *not_after)
}

/// Whether money of an attempt is held, or may come to be.
fn may_hold(market: &Market, state: &State, index: usize) -> bool {
    let payment = state.payments[index];
    let asked = state.asked_money[index];
    let coming = asked.is_some_and(|not_after| is_open_at(market, state.now, not_after));
    payment.is_open() || (payment == Payment::Open && coming)
}

fn check_undone(state: &mut State, before: &[Undo], next: &PurchaseRequest) {
    let money = |kind| matches!(kind, UndoKind::Void | UndoKind::Refund);
    for gone in before {
        let still = next.undo.iter().any(|undo| {
            let same = undo.kind == gone.kind || (money(undo.kind) && money(gone.kind));
            undo.attempt == gone.attempt && same
        });
        if still {
            continue;
        }
        let index = usize::from(gone.attempt) - 1;
        let shop = state.shops[index];
        let proven = match gone.kind {
            // Refused for good: then the order stands, and the request says so.
            UndoKind::CancelOrder => {
                !shop.is_live() || next.status.kind() == PurchaseStatus::Ordered
            }
            UndoKind::Void | UndoKind::Refund => !state.payments[index].is_open(),
            UndoKind::Release => !matches!(shop.hold, Hold::Held { until } if until > state.now),
        };
        state.broken.must(proven, Promise::UndoProven);
    }
}

fn check_ending(state: &mut State, next: &PurchaseRequest, rebuy: bool) {
    let listed = corrections_are_listed(&state.told, rebuy);
    let ended = match next.status.kind() {
        PurchaseStatus::Canceled | PurchaseStatus::Expired | PurchaseStatus::Failed => true,
        PurchaseStatus::Pending
        | PurchaseStatus::Searching
        | PurchaseStatus::Quoted
        | PurchaseStatus::OutOfStock
        | PurchaseStatus::Ordering
        | PurchaseStatus::Ordered => false,
    };
    let without = !ended || state.live_orders() == 0;
    state.broken.must(listed, Promise::OneOutcome);
    state.broken.must(without, Promise::EndedWithout);
}
