//! How often what has no answer is sent again: a budget for each store, and one for the payment
//! provider.
//!
//! A first message always leaves. A repetition (a further look-up of an unknown order, a further
//! copy of an undo) costs a token, because to a receiver that is slow or away it is of no use: what
//! it was asked waits for it in its stream, every copy wants an answer of its own, and the answers
//! to old copies delay those that are waited for. Tokens come from
//!
//! * time, a few per second, so that nobody is left unasked for ever;
//! * first messages, so that a busy receiver may be asked again more often;
//! * answers, so that one that is back is asked again as fast as it answers, or rather half as
//!   fast: then its backlog shrinks.
//!
//! A timer that sends something to several of them needs a token of one. What finds none waits here
//! until there is one, the longest due first. Its timer stays in the
//! store as it is, so a crash forgets nothing and the budgets need not be durable.

use std::collections::{BTreeMap, BTreeSet};

use schemas::{PartnerId, Timestamp};

use super::input::TimerRow;
use super::limits::retry_budget::RetryBudget;
use crate::effect::{Effect, PartnerCommand};
use crate::policy::Policy;
use crate::request::{PurchaseRequest, Step};
use crate::timer::TimerKind;

/// Who is asked again.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Receiver {
    Partner(PartnerId),
    Provider,
}

#[derive(Debug)]
struct Budget {
    tokens: RetryBudget,
    waiting: BTreeSet<TimerRow>,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Repeats {
    budgets: BTreeMap<Receiver, Budget>,
    /// At whom each row waits: mostly there is none, and then nobody needs to look.
    waiting: BTreeMap<TimerRow, Vec<Receiver>>,
}

impl Repeats {
    /// Takes a token for a repetition to these receivers; without one the row waits. The token of
    /// one of them is enough: whoever has none must not keep the others from hearing of it.
    pub(super) fn allows(
        &mut self,
        to: &[Receiver],
        row: TimerRow,
        (now, policy): (Timestamp, &Policy),
    ) -> bool {
        self.forget(row);
        let earnings = policy.overload.repeats;
        let mut receivers = to.iter();
        let allowed =
            receivers.any(|to| self.budget(to.clone(), now, policy).tokens.spend(earnings, now));
        if !allowed {
            for to in to {
                self.budget(to.clone(), now, policy).waiting.insert(row);
            }
            self.waiting.insert(row, to.to_vec());
        }
        allowed
    }

    /// The row waits nowhere any more.
    fn forget(&mut self, row: TimerRow) {
        for at in self.waiting.remove(&row).into_iter().flatten() {
            if let Some(budget) = self.budgets.get_mut(&at) {
                budget.waiting.remove(&row);
            }
        }
    }

    /// Something leaves for the first time.
    pub(super) fn sent(&mut self, to: Receiver, now: Timestamp, policy: &Policy) {
        self.budget(to, now, policy).tokens.first(policy.overload.repeats, now);
    }

    /// A receiver that has been sent something answers.
    pub(super) fn answered(&mut self, by: &Receiver, now: Timestamp, policy: &Policy) {
        if let Some(budget) = self.budgets.get_mut(by) {
            let (share, earnings) =
                (policy.overload.repeats_per_answer_permille, policy.overload.repeats);
            budget.tokens.earn(share, earnings, now);
        }
    }

    /// A repetition that has waited and may go now. It still has to ask for its token.
    pub(super) fn pop_ready(&mut self, now: Timestamp, policy: &Policy) -> Option<TimerRow> {
        if self.waiting.is_empty() {
            return None;
        }
        let ready = self.budgets.values().find_map(|budget| {
            let first = *budget.waiting.first()?;
            (budget.tokens.ready_at(policy.overload.repeats) <= now).then_some(first)
        })?;
        self.forget(ready);
        Some(ready)
    }

    /// When the next one may go.
    pub(super) fn next_ready(&self, policy: &Policy) -> Option<Timestamp> {
        if self.waiting.is_empty() {
            return None;
        }
        let ready = self.budgets.values().filter_map(|budget| {
            budget.waiting.first()?;
            Some(budget.tokens.ready_at(policy.overload.repeats))
        });
        ready.min()
    }

    fn budget(&mut self, of: Receiver, now: Timestamp, policy: &Policy) -> &mut Budget {
        self.budgets.entry(of).or_insert_with(|| Budget {
            tokens: RetryBudget::new(policy.overload.repeats, now),
            waiting: BTreeSet::new(),
        })
    }
}

/// Who is told again what it was told before, if this timer leads to these effects.
pub(super) fn told_again<'a>(
    before: &PurchaseRequest,
    kind: TimerKind,
    effects: impl Iterator<Item = &'a Effect>,
    policy: &Policy,
) -> Vec<Receiver> {
    let mut again = Vec::new();
    for effect in effects.filter(|effect| is_again(before, kind, effect, policy)) {
        again.extend(receiver(effect).filter(|to| !again.contains(to)));
    }
    again
}

fn is_again(before: &PurchaseRequest, kind: TimerKind, effect: &Effect, policy: &Policy) -> bool {
    match kind {
        // It sends nothing else than copies.
        TimerKind::Undo => true,
        TimerKind::Step => match effect {
            Effect::Partner { command, .. } => is_asked_again(before, command, policy),
            Effect::Payment { .. } | Effect::Event { .. } | Effect::Notify { .. } => false,
        },
        TimerKind::Expiry | TimerKind::Sweep | TimerKind::Human => false,
    }
}

/// Whether an unknown order has been asked about in this way before.
fn is_asked_again(before: &PurchaseRequest, command: &PartnerCommand, policy: &Policy) -> bool {
    let Some(checkout) = before.open_checkout() else { return false };
    let Step::PlacementUnknown(unknown) = checkout.step else { return false };
    match command {
        PartnerCommand::Lookup => {
            let first_was_a_copy = policy.partners.profile(&checkout.quote.partner).key_first
                && checkout.intent.is_some_and(|i| i.has_time_for_a_copy(unknown.since, policy));
            unknown.asks > u8::from(first_was_a_copy)
        }
        PartnerCommand::Cancel => unknown.fencing,
        PartnerCommand::Place { .. } => true,
        PartnerCommand::Reserve { .. } | PartnerCommand::Release => false,
    }
}

/// Who is sent a command.
pub(super) fn receiver(effect: &Effect) -> Option<Receiver> {
    match effect {
        Effect::Partner { partner, .. } => Some(Receiver::Partner(partner.clone())),
        Effect::Payment { .. } => Some(Receiver::Provider),
        Effect::Event { .. } | Effect::Notify { .. } => None,
    }
}
