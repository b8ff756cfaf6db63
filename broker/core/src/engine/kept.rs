//! Whether a partner keeps its offers, told from what becomes of the attempts to take them up.

use schemas::PartnerId;

use super::hot::Task;
use crate::event::{Event, PartnerOutcome};
use crate::request::{Checkout, PurchaseRequest, Step};
use crate::timer::TimerKind;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) partner: PartnerId,
    pub(super) kept: bool,
}

/// What the change from `before` to `next` says about the partner of the attempt it concerns. An
/// attempt that ends for the customer's, the payment's or the broker's own reasons says nothing.
pub(super) fn word(before: &PurchaseRequest, next: &PurchaseRequest, task: &Task) -> Option<Word> {
    let taken_up = before.checkout.as_ref()?;
    let same = next.checkout.as_ref().filter(|checkout| checkout.attempt == taken_up.attempt);
    let kept = if same.is_some_and(|now| stands(now) && !stands(taken_up)) {
        true
    } else if ended(taken_up, same) && is_the_partners_doing(&taken_up.step, task) {
        false
    } else {
        return None;
    };
    Some(Word { partner: taken_up.quote.partner.clone(), kept })
}

/// There is an order, and it is to be paid.
const fn stands(checkout: &Checkout) -> bool {
    matches!(checkout.step, Step::Capturing { .. } | Step::Completed)
}

fn ended(before: &Checkout, now: Option<&Checkout>) -> bool {
    let failed = |checkout: &Checkout| matches!(checkout.step, Step::Failed(_));
    !failed(before) && now.is_none_or(failed)
}

fn is_the_partners_doing(step: &Step, task: &Task) -> bool {
    match (step, task) {
        (Step::Reserving { .. }, Task::Answer(Event::Partner(answer))) => {
            matches!(answer.outcome, PartnerOutcome::Refused { .. })
        }
        // Silence. An order without an answer is looked up instead, until its store says what
        // became of it.
        (Step::Reserving { .. }, Task::Timer { kind: TimerKind::Step, .. }) => true,
        (
            Step::Placing | Step::PlacementUnknown(_) | Step::Capturing { .. } | Step::Completed,
            Task::Answer(Event::Partner(_)),
        ) => true,
        // A human asked the store.
        (Step::PlacementUnknown(_), Task::Operator(_)) => true,
        (
            Step::Reserving { .. }
            | Step::Authorizing { .. }
            | Step::ActionRequired { .. }
            | Step::Placing
            | Step::PlacementUnknown(_)
            | Step::Capturing { .. }
            | Step::Completed
            | Step::Failed(_),
            Task::Create(_)
            | Task::Command { .. }
            | Task::Get { .. }
            | Task::Answer(_)
            | Task::Operator(_)
            | Task::Timer { .. }
            | Task::Sweep { .. },
        ) => false,
    }
}
