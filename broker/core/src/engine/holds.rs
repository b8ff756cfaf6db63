//! What becomes of the holds on stock, told from the changes of their attempts: for operators, who
//! want to know how many end before their order leaves.

use schemas::{PartnerId, Timestamp};

use super::hot::Task;
use super::output::HoldEnd;
use crate::event::{Event, PartnerOutcome};
use crate::policy::Policy;
use crate::request::{Checkout, PurchaseRequest, Step};

/// The end of a hold, or of the wish for one, between `before` and `next`.
pub(super) fn ended(
    before: &PurchaseRequest,
    next: &PurchaseRequest,
    task: &Task,
    now: Timestamp,
    policy: &Policy,
) -> Option<(PartnerId, HoldEnd)> {
    let checkout = before.open_checkout().filter(|checkout| checkout.intent.is_none())?;
    let same = next.checkout.as_ref().filter(|now| now.attempt == checkout.attempt);
    let goes_on = same.filter(|now| !matches!(now.step, Step::Failed(_)));
    let held = checkout.reservation.as_ref();
    let end = match (&checkout.step, held, goes_on) {
        (_, Some(_), Some(now)) => now.intent.map(|_| HoldEnd::Used)?,
        (_, Some(hold), None) if hold.valid_until.saturating_sub(policy.clock_margin) <= now => {
            HoldEnd::Expired
        }
        (_, Some(_), None) => HoldEnd::GivenBack,
        (Step::Reserving { .. }, None, None) => refusal(same, task),
        (_, None, _) => return None,
    };
    Some((checkout.quote.partner.clone(), end))
}

fn refusal(failed: Option<&Checkout>, task: &Task) -> HoldEnd {
    let granted = failed.is_some_and(|checkout| checkout.reservation.is_some());
    if granted {
        return HoldEnd::GivenBack;
    }
    match task {
        Task::Answer(Event::Partner(answer)) => match answer.outcome {
            PartnerOutcome::Refused { .. } => HoldEnd::Refused,
            PartnerOutcome::Reserved { .. }
            | PartnerOutcome::Released
            | PartnerOutcome::Confirmed { .. }
            | PartnerOutcome::Canceled { .. }
            | PartnerOutcome::NotFound { .. } => HoldEnd::GivenBack,
        },
        Task::Timer { .. } | Task::Answer(_) => HoldEnd::Unanswered,
        Task::Create(_)
        | Task::Command { .. }
        | Task::Get { .. }
        | Task::Operator(_)
        | Task::Sweep { .. } => HoldEnd::GivenBack,
    }
}
