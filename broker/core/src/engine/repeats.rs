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
//! What finds no token waits here until there is one, the longest due first. Its timer stays in the
//! store as it is, so a crash forgets nothing and the budgets need not be durable.

use std::collections::{BTreeMap, BTreeSet};

use schemas::{PartnerId, Timestamp};

use super::input::TimerRow;
use super::limits::retry_budget::RetryBudget;
use crate::effect::Effect;
use crate::policy::Policy;
use crate::request::{PurchaseRequest, Step, Undo, UndoKind};
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
    /// Rows that wait at all of them: mostly none, and then nobody needs to look.
    waiting: usize,
}

impl Repeats {
    /// Takes a token for a repetition; without one the row waits.
    pub(super) fn allows(
        &mut self,
        to: Receiver,
        row: TimerRow,
        (now, policy): (Timestamp, &Policy),
    ) -> bool {
        let budget = self.budget(to, now, policy);
        let allowed = budget.tokens.spend(policy.overload.repeats, now);
        if !allowed && budget.waiting.insert(row) {
            self.waiting += 1;
        }
        allowed
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
        if self.waiting == 0 {
            return None;
        }
        let ready = self.budgets.values_mut().find_map(|budget| {
            let first = *budget.waiting.first()?;
            let ready = budget.tokens.ready_at(policy.overload.repeats) <= now;
            (ready && budget.waiting.remove(&first)).then_some(first)
        });
        self.waiting -= usize::from(ready.is_some());
        ready
    }

    /// When the next one may go.
    pub(super) fn next_ready(&self, policy: &Policy) -> Option<Timestamp> {
        if self.waiting == 0 {
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

/// Who hears something again when this timer fires; `None` if nobody does.
pub(super) fn repeated_to(
    record: &PurchaseRequest,
    kind: TimerKind,
    now: Timestamp,
) -> Option<Receiver> {
    match kind {
        TimerKind::Step => {
            let checkout = record.open_checkout()?;
            let asks_again = matches!(checkout.step, Step::PlacementUnknown(_));
            asks_again.then(|| Receiver::Partner(checkout.quote.partner.clone()))
        }
        TimerKind::Undo => {
            let mut again = record.undo.iter().filter(|undo| goes_out_again(undo, now));
            // Money first: what is repeated to the store beside it comes along.
            let of_money = |undo: &&Undo| matches!(undo.kind, UndoKind::Void | UndoKind::Refund);
            if again.clone().any(|undo| of_money(&undo)) {
                return Some(Receiver::Provider);
            }
            again.next().map(|undo| Receiver::Partner(undo.partner.clone()))
        }
        TimerKind::Expiry | TimerKind::Sweep | TimerKind::Human => None,
    }
}

/// A hold on stock that has lapsed is only forgotten.
fn goes_out_again(undo: &Undo, now: Timestamp) -> bool {
    undo.tries > 0 && (undo.kind != UndoKind::Release || now < undo.lapses_at)
}

/// Who is sent a command.
pub(super) fn receiver(effect: &Effect) -> Option<Receiver> {
    match effect {
        Effect::Partner { partner, .. } => Some(Receiver::Partner(partner.clone())),
        Effect::Payment { .. } => Some(Receiver::Provider),
        Effect::Event { .. } | Effect::Notify { .. } => None,
    }
}
