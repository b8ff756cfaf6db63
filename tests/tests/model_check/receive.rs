//! The receivers of commands, and the promises that are kept or broken there.

use std::sync::Arc;

use broker_core::effect::{PartnerCommand, PaymentCommand};
use broker_core::event::{Event, LapsedOperation, PartnerAnswer, PaymentAnswer};
use schemas::Timestamp;

use super::bank::Payment;
use super::commit::decide;
use super::model::{Market, Owner};
use super::promise::Promise;
use super::shop::{Mood, Order};
use super::state::{BANK, Command, State, Stray, What, shifted};

pub(crate) fn receivers_now(market: &Market, state: &State) -> Timestamp {
    shifted(state.now, market.setting.skew)
}

/// A command reaches its receiver, whose answer is on its way then.
pub(crate) fn receive(market: &Market, state: &mut State, command: &Command, mood: Mood) {
    let now = receivers_now(market, state);
    let (attempt, index) = (command.attempt, command.index());
    match &command.what {
        What::Partner(partner, wanted) => {
            let profile = market.setting.policy.partners.profile(partner).into_owned();
            let late_copy = market.setting.late_copy;
            let before = state.shops[index];
            let (operation, outcome) =
                state.shops[index].handle(&profile, late_copy, wanted, mood, now);
            if !before.is_live() && state.shops[index].is_live() {
                check_accepted(state, index, profile.honours_not_after);
            }
            let answer = PartnerAnswer {
                partner: partner.clone(),
                attempt,
                operation: Some(operation),
                in_reply_to: Some(command.version),
                outcome,
            };
            state.answers[index].push(Arc::new(Event::Partner(answer)));
        }
        What::Payment(wanted) => {
            let before = state.payments[index];
            let (operation, outcome) =
                state.payments[index].handle(wanted, market.setting.unheard, mood, now);
            if before != state.payments[index] {
                check_money_moved(state, index);
            }
            let answer =
                PaymentAnswer { attempt, operation, in_reply_to: Some(command.version), outcome };
            state.answers[BANK].push(Arc::new(Event::Payment(answer)));
        }
    }
}

fn check_accepted(state: &mut State, index: usize, honours_not_after: bool) {
    let live = state.live_orders();
    let ended = matches!(
        state.request().status.kind(),
        schemas::purchase::PurchaseStatus::Canceled
            | schemas::purchase::PurchaseStatus::Expired
            | schemas::purchase::PurchaseStatus::Failed
    );
    let Order::Accepted { total, .. } = state.shops[index].order else { return };
    let sent = state.sent[index].clone();
    let broken = &mut state.broken;
    broken.must(live <= 1, Promise::OneOrder);
    broken.must(!ended, Promise::EndedWithout);
    let in_time = sent.as_ref().is_some_and(|sent| state.now <= sent.deadline);
    broken.must(in_time || !honours_not_after, Promise::InTime);
    let within = sent.is_some_and(|sent| match &sent.command {
        PartnerCommand::Place { price_cap, .. } => total.minor() <= price_cap.minor(),
        _ => false,
    });
    broken.must(within, Promise::WithinLimit);
}

fn check_money_moved(state: &mut State, index: usize) {
    let shop = state.shops[index];
    let others = state.payments.iter().enumerate();
    let others_open = others.filter(|(other, _)| *other != index).any(|(_, p)| p.is_open());
    let broken = &mut state.broken;
    match state.payments[index] {
        Payment::Captured { .. } => broken.must(shop.was_accepted(), Promise::CapturedForAnOrder),
        Payment::Voided | Payment::Refunded => broken.must(!shop.is_live(), Promise::MoneyStays),
        Payment::Authorized { .. } | Payment::Waiting { .. } => {
            broken.must(!others_open, Promise::OneHold);
        }
        Payment::Open | Payment::Tombstoned | Payment::Declined => {}
    }
}

/// The outbox did not send a command whose time has passed, and says so.
pub(crate) fn lapse(market: &Market, state: &mut State, stray: usize) {
    let Stray::Command(command) = state.strays.remove(stray) else {
        unreachable!("only commands lapse");
    };
    let operation = match &command.what {
        What::Partner(_, PartnerCommand::Reserve { .. }) => LapsedOperation::Reserve,
        What::Partner(_, PartnerCommand::Place { .. }) => LapsedOperation::Place,
        What::Payment(PaymentCommand::Authorize { .. }) => LapsedOperation::Authorize,
        What::Partner(..) | What::Payment(_) => unreachable!("it has no time to pass"),
    };
    let lapsed = Event::Lapsed { attempt: command.attempt, operation };
    decide(market, state, &lapsed, Owner::Current);
}
