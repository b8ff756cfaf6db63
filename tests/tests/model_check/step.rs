//! Taking one step: messages move, receivers act, the broker decides.

use std::sync::Arc;

use broker_core::effect::AcceptToken;
use broker_core::event::{Conclusion, Event, Finding, PartnerAnswer, PaymentAnswer, Update};
use broker_core::quote::Quote;
use schemas::id::CommandId;
use schemas::subject::PaymentOperation;
use schemas::{Digest, DurationMs};

use super::commit::{commit, decide};
use super::model::{Action, Copy, Find, Market, Owner, Place};
use super::numbers::{STORES, at, quote, usd};
use super::receive;
use super::setting::Change;
use super::shop::Mood;
use super::state::{BANK, Command, State, Stray};

/// The secret of the one offer there can be.
const SECRET: AcceptToken = AcceptToken([7; 16]);

/// Returns whether anything changed.
pub(crate) fn take(market: &Market, state: &mut State, action: Action) -> bool {
    match action {
        Action::Admit => decide(market, state, &Event::Admitted, Owner::Current),
        Action::Arrive { from, mood, copy } => {
            arrive(market, state, from, mood, copy);
            true
        }
        Action::Hear { from, copy, by } => {
            hear(market, state, from, copy, by);
            true
        }
        Action::SetAsideCommand { lane } => {
            state.left.late -= 1;
            let command = state.commands[lane].remove(0);
            state.strays.push(Stray::Command(command));
            true
        }
        Action::SetAsideAnswer { lane } => {
            state.left.late -= 1;
            let answer = state.answers[lane].remove(0);
            state.strays.push(Stray::Answer(answer));
            true
        }
        Action::LoseCommand { lane } => {
            state.left.lost_commands -= 1;
            state.commands[lane].remove(0);
            true
        }
        Action::LoseAnswer { lane } => {
            state.left.lost_answers -= 1;
            state.answers[lane].remove(0);
            true
        }
        Action::Lapse { stray } => {
            receive::lapse(market, state, stray);
            true
        }
        Action::Fire { kind, by } => decide(market, state, &Event::Timer(kind), by),
        Action::Sweep { find, after } => sweep(market, state, find, after),
        Action::Tick => {
            let next = state.next_instant(market.setting.skew).expect("the step was offered");
            state.now = next;
            true
        }
        Action::Cancel { .. }
        | Action::Update { .. }
        | Action::AcceptOffer
        | Action::CustomerActs { .. } => customer(market, state, &action),
        Action::StoreTakesBack => take_back(state),
        Action::Crash { inputs, commands } => {
            crash(state, inputs, commands);
            true
        }
        Action::SecondOwner => {
            state.left.takeovers -= 1;
            state.stale = Some(state.stored.clone());
            true
        }
    }
}

fn arrive(market: &Market, state: &mut State, from: Place, mood: Mood, copy: Copy) {
    let command = match from {
        Place::Lane(lane) => state.commands[lane].remove(0),
        Place::Stray(index) => match state.strays.remove(index) {
            Stray::Command(command) => command,
            Stray::Answer(_) => unreachable!("the step was offered for a command"),
        },
    };
    if copy == Copy::Another {
        state.left.twice -= 1;
        state.strays.push(Stray::Command(Arc::clone(&command)));
    }
    match mood {
        Mood::Willing => {}
        Mood::Busy => state.left.busy -= 1,
        Mood::Unwilling => state.left.refusals -= 1,
        Mood::Demanding => state.left.demands -= 1,
    }
    receive::receive(market, state, &command, mood);
}

fn hear(market: &Market, state: &mut State, from: Place, copy: Copy, by: Owner) {
    let answer = match from {
        Place::Lane(lane) => state.answers[lane].remove(0),
        Place::Stray(index) => match state.strays.remove(index) {
            Stray::Answer(answer) => answer,
            Stray::Command(_) => unreachable!("the step was offered for an answer"),
        },
    };
    if copy == Copy::Another {
        state.left.twice -= 1;
        state.strays.push(Stray::Answer(Arc::clone(&answer)));
    }
    if state.left.crashes > 0 {
        remember(&mut state.unacknowledged, Arc::clone(&answer), INPUTS_BACK_MAX);
    }
    decide(market, state, &answer, by);
}

/// How many inputs, and how many commands, a crash can bring back.
const INPUTS_BACK_MAX: usize = 2;
const COMMANDS_BACK_MAX: usize = 2;

fn remember<T>(list: &mut Vec<T>, item: T, max: usize) {
    if list.len() == max {
        list.remove(0);
    }
    list.push(item);
}

/// A command leaves through the outbox.
pub(crate) fn publish(state: &mut State, command: Command) {
    let command = Arc::new(command);
    if state.left.crashes > 0 {
        remember(&mut state.unrecorded, Arc::clone(&command), COMMANDS_BACK_MAX);
    }
    state.commands[command.lane()].push(command);
}

fn crash(state: &mut State, inputs: usize, commands: usize) {
    state.left.crashes -= 1;
    let heard = std::mem::take(&mut state.unacknowledged);
    for answer in heard.into_iter().rev().take(inputs) {
        let lane = match &*answer {
            Event::Partner(answer) => usize::from(answer.attempt) - 1,
            _ => BANK,
        };
        // Delivered again before what is newer.
        state.answers[lane].insert(0, answer);
    }
    let published = std::mem::take(&mut state.unrecorded);
    let older = published.len() - commands;
    for command in published.into_iter().skip(older) {
        state.commands[command.lane()].push(command);
    }
}

fn sweep(market: &Market, state: &mut State, find: Find, after: u64) -> bool {
    // The deadline and other timers interrupt a sweep; its end is then another story.
    let end = state.now.saturating_add(DurationMs(after));
    let interrupted = state.next_instant(market.setting.skew).is_some_and(|next| next < end);
    if interrupted {
        let next = state.next_instant(market.setting.skew).expect("just seen");
        state.now = next;
        return true;
    }
    state.now = end;
    if find != Find::Stock {
        state.left.poor_sweeps -= 1;
    }
    let finding = match find {
        Find::Stock => offers(state),
        Find::NoStock => Finding::NoStock,
        Find::NoAnswer => Finding::NoAnswer,
    };
    let sweep = state.request().sweep;
    let closed = Event::SweepClosed(Conclusion { sweep, finding });
    // What is rejected, for want of time, is swept again until the deadline ends it.
    decide(market, state, &closed, Owner::Current);
    true
}

/// What the stores offer, seen as the engine sees it.
fn offers(state: &State) -> Finding {
    let limit = state.request().terms.max_total;
    let all: Vec<Quote> = (0..STORES.len()).map(quote).collect();
    let affordable: Vec<Quote> =
        all.iter().filter(|quote| quote.is_affordable(limit)).cloned().collect();
    match all.into_iter().next() {
        _ if !affordable.is_empty() => Finding::Affordable(affordable),
        Some(best) => Finding::TooDear { best, token: SECRET.into() },
        None => Finding::NoStock,
    }
}

fn customer(market: &Market, state: &mut State, action: &Action) -> bool {
    let command = |name: &str| CommandId::parse(name).unwrap();
    match *action {
        Action::Cancel { by } => {
            state.left.cancels -= 1;
            decide(market, state, &Event::Cancel { command: command("cancel-1") }, by)
        }
        Action::Update { which, by } => {
            state.left.updates -= 1;
            let nothing = Update {
                command: command("update-1"),
                if_version: None,
                max_total: None,
                expires_at: None,
                strategy: None,
            };
            let update = match market.setting.changes[which] {
                Change::Limit(minor) => Update { max_total: Some(usd(minor)), ..nothing },
                Change::Deadline(ms) => Update { expires_at: Some(at(ms)), ..nothing },
            };
            decide(market, state, &Event::Update(update), by)
        }
        Action::AcceptOffer => {
            state.left.accepts -= 1;
            let token_digest = Digest::of(&SECRET.0);
            let accept = Event::AcceptQuote { command: command("accept-1"), token_digest };
            commit(market, state, &accept)
        }
        Action::CustomerActs { success } => {
            let now = receive::receivers_now(market, state);
            for index in 0..state.payments.len() {
                if let Some(outcome) = state.payments[index].act(success, now) {
                    let answer = PaymentAnswer {
                        attempt: u8::try_from(index + 1).expect("attempts are few"),
                        operation: PaymentOperation::Authorize,
                        in_reply_to: None,
                        outcome,
                    };
                    state.answers[BANK].push(Arc::new(Event::Payment(answer)));
                }
            }
            true
        }
        _ => unreachable!("not an act of the customer"),
    }
}

fn take_back(state: &mut State) -> bool {
    state.left.take_backs -= 1;
    let taken = state
        .shops
        .iter_mut()
        .enumerate()
        .find_map(|(index, shop)| shop.take_back().map(|outcome| (index, outcome)));
    let Some((index, outcome)) = taken else { return false };
    let attempt = u8::try_from(index + 1).expect("attempts are few");
    let partner = state.request().partner_of(attempt).expect("its order was sent").clone();
    let notice = PartnerAnswer { partner, attempt, operation: None, in_reply_to: None, outcome };
    state.answers[index].push(Arc::new(Event::Partner(notice)));
    true
}
