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
use super::limits::retry_budget::{Earnings, RetryBudget};
use crate::effect::{Effect, PartnerCommand};
use crate::partner::PartnerIndex;
use crate::policy::Policy;
use crate::request::{PurchaseRequest, Step};
use crate::timer::TimerKind;

/// Who is asked again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Receiver {
    Partner(PartnerIndex),
    /// Partners that are not in the directory any more: few orders, one budget.
    Departed,
    Provider,
}

impl Receiver {
    pub(super) fn partner(id: &PartnerId, policy: &Policy) -> Self {
        policy.partners.index_of(id).map_or(Self::Departed, Self::Partner)
    }
}

#[derive(Debug)]
struct Budget {
    tokens: RetryBudget,
    waiting: BTreeSet<TimerRow>,
}

impl Budget {
    /// When the first of those that wait may go; `None` if nobody waits.
    fn next_ready(&self, earnings: Earnings) -> Option<Timestamp> {
        self.waiting.first().map(|_| self.tokens.ready_at(earnings))
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Repeats {
    budgets: BTreeMap<Receiver, Budget>,
    /// At whom each row waits.
    waiting: BTreeMap<TimerRow, Vec<Receiver>>,
    /// Receivers for which rows wait, by [`Budget::next_ready`]: to know whose turn it is nobody
    /// walks through all of them.
    ready: BTreeSet<(Timestamp, Receiver)>,
}

impl Repeats {
    /// Takes a token for a repetition to these receivers; without one the row waits. The token of
    /// one of them is enough: whoever has none must not keep the others from hearing of it.
    pub(super) fn allows(
        &mut self,
        to: Vec<Receiver>,
        row: TimerRow,
        (now, policy): (Timestamp, &Policy),
    ) -> bool {
        let earnings = policy.overload.repeats;
        self.forget(row, now, earnings);
        let spend = |budget: &mut Budget| budget.tokens.spend(earnings, now);
        if to.iter().any(|of| self.change(*of, now, earnings, spend)) {
            return true;
        }
        for of in &to {
            self.change(*of, now, earnings, |budget| budget.waiting.insert(row));
        }
        self.waiting.insert(row, to);
        false
    }

    /// Something leaves for the first time.
    pub(super) fn sent(&mut self, to: Receiver, now: Timestamp, policy: &Policy) {
        let earnings = policy.overload.repeats;
        self.change(to, now, earnings, |budget| budget.tokens.first(earnings, now));
    }

    /// A receiver that has been sent something answers.
    pub(super) fn answered(&mut self, by: Receiver, now: Timestamp, policy: &Policy) {
        let earnings = policy.overload.repeats;
        let share = policy.overload.repeats_per_answer_permille;
        self.change(by, now, earnings, |budget| budget.tokens.earn(share, earnings, now));
    }

    /// A repetition that has waited and may go now. It still has to ask for its token.
    pub(super) fn pop_ready(&mut self, now: Timestamp, policy: &Policy) -> Option<TimerRow> {
        let (_, of) = *self.ready.first().filter(|(at, _)| *at <= now)?;
        let row = *self.budgets.get(&of)?.waiting.first()?;
        self.forget(row, now, policy.overload.repeats);
        Some(row)
    }

    /// When the next one may go.
    pub(super) fn next_ready(&self) -> Option<Timestamp> {
        self.ready.first().map(|(at, _)| *at)
    }

    /// The row waits nowhere any more.
    fn forget(&mut self, row: TimerRow, now: Timestamp, earnings: Earnings) {
        for of in self.waiting.remove(&row).into_iter().flatten() {
            self.change(of, now, earnings, |budget| budget.waiting.remove(&row));
        }
    }

    /// Changes a budget, and its place among those that are ready.
    fn change<T>(
        &mut self,
        of: Receiver,
        now: Timestamp,
        earnings: Earnings,
        change: impl FnOnce(&mut Budget) -> T,
    ) -> T {
        let budget = self.budgets.entry(of).or_insert_with(|| Budget {
            tokens: RetryBudget::new(earnings, now),
            waiting: BTreeSet::new(),
        });
        let before = budget.next_ready(earnings);
        let result = change(budget);
        let after = budget.next_ready(earnings);
        if before != after {
            if let Some(at) = before {
                self.ready.remove(&(at, of));
            }
            self.ready.extend(after.map(|at| (at, of)));
        }
        result
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
        again.extend(receiver(effect, policy).filter(|to| !again.contains(to)));
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
pub(super) fn receiver(effect: &Effect, policy: &Policy) -> Option<Receiver> {
    match effect {
        Effect::Partner { partner, .. } => Some(Receiver::partner(partner, policy)),
        Effect::Payment { .. } => Some(Receiver::Provider),
        Effect::Event { .. } | Effect::Notify { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use schemas::{DurationMs, RequestId};

    use super::*;
    use crate::partner::Partners;

    #[derive(Debug, Clone)]
    enum Happens {
        Asks { row: u8, to: Vec<Receiver> },
        Sent(Receiver),
        Answered(Receiver),
        Passes(u64),
        Pops,
    }

    fn receiver() -> impl Strategy<Value = Receiver> {
        prop_oneof![
            (0_u16..3).prop_map(|index| Receiver::Partner(PartnerIndex(index))),
            Just(Receiver::Departed),
            Just(Receiver::Provider),
        ]
    }

    fn happens() -> impl Strategy<Value = Happens> {
        let some = proptest::collection::btree_set(receiver(), 1..3);
        prop_oneof![
            4 => (0_u8..12, some)
                .prop_map(|(row, to)| Happens::Asks { row, to: to.into_iter().collect() }),
            1 => receiver().prop_map(Happens::Sent),
            1 => receiver().prop_map(Happens::Answered),
            2 => (0_u64..700).prop_map(Happens::Passes),
            2 => Just(Happens::Pops),
        ]
    }

    fn row(number: u8) -> TimerRow {
        let at = Timestamp::from_unix_ms(u64::from(number));
        let request = RequestId::from_parts(1, u128::from(number) << 48);
        TimerRow { at, request, kind: TimerKind::Undo }
    }

    proptest! {
        #[test]
        fn whose_turn_it_is_is_known_without_looking_at_everybody(
            story in proptest::collection::vec(happens(), 1..80),
        ) {
            let mut policy = Policy::standard(Partners::default());
            policy.overload.repeats = Earnings { burst: 2, per_s: 1, per_first_permille: 300 };
            let earnings = policy.overload.repeats;
            let mut now = Timestamp::from_unix_ms(1_000);
            let mut repeats = Repeats::default();
            for event in story {
                match event {
                    Happens::Asks { row: number, to } => {
                        repeats.allows(to, row(number), (now, &policy));
                    }
                    Happens::Sent(to) => repeats.sent(to, now, &policy),
                    Happens::Answered(by) => repeats.answered(by, now, &policy),
                    Happens::Passes(ms) => now = now.saturating_add(DurationMs(ms)),
                    Happens::Pops => {
                        let due = repeats.next_ready().is_some_and(|at| at <= now);
                        let popped = repeats.pop_ready(now, &policy);
                        prop_assert_eq!(popped.is_some(), due);
                        let mut budgets = repeats.budgets.values();
                        let waits = popped.filter(|row| budgets.any(|b| b.waiting.contains(row)));
                        prop_assert_eq!(waits, None, "it waits nowhere any more");
                    }
                }
                let all: BTreeSet<_> = repeats
                    .budgets
                    .iter()
                    .filter_map(|(of, budget)| Some((budget.next_ready(earnings)?, *of)))
                    .collect();
                prop_assert_eq!(&repeats.ready, &all);
                let waiting: BTreeSet<_> =
                    repeats.budgets.values().flat_map(|budget| &budget.waiting).collect();
                prop_assert!(waiting.into_iter().eq(repeats.waiting.keys()));
            }
        }
    }
}
