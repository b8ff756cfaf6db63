//! A frozen request: it may have gone on in a life that was lost with its store. Until a human
//! releases it nothing is bought for it, and it does not end; what it has begun is still found out
//! about, paid and given back.

use schemas::{DurationMs, RejectReason};

use super::draft::Draft;
use super::{Rejection, Transition};
use crate::effect::{Effect, PartnerCommand, PaymentCommand};
use crate::event::{Event, Ruling};
use crate::request::Status;
use crate::timer::TimerKind;

/// How long a step that must wait is put off; a release does not wait for it.
const LOOK_AGAIN: DurationMs = DurationMs(60_000);

pub(super) fn apply(draft: Draft<'_>, event: Event) -> Result<Transition, Rejection> {
    let untouched = Draft::fresh(draft.next.clone(), draft.now, draft.policy);
    match event {
        Event::Operator(word) => match word.ruling {
            Ruling::Freeze | Ruling::Release => super::apply_free(draft, Event::Operator(word)),
            Ruling::Found { .. } | Ruling::NotFound { .. } => {
                let step = super::apply_free(draft, Event::Operator(word))?;
                if must_wait(&untouched, &step) { Err(refused()) } else { Ok(step) }
            }
        },
        Event::Update(_) | Event::Cancel { .. } | Event::AcceptQuote { .. } => Err(refused()),
        Event::Admitted | Event::SweepClosed(_) | Event::LateOffer(_) => {
            Err(Rejection::Ignored("it is frozen: nothing is bought for it"))
        }
        Event::Timer(kind) => {
            let step = super::apply_free(draft, event)?;
            if must_wait(&untouched, &step) { Ok(put_off(untouched, kind)) } else { Ok(step) }
        }
        Event::Partner(_) | Event::Payment(_) | Event::Lapsed { .. } => {
            let step = super::apply_free(draft, event)?;
            if must_wait(&untouched, &step) {
                // Nothing is lost: the step's own timer asks again.
                Err(Rejection::Ignored("it is frozen: what follows waits"))
            } else {
                Ok(step)
            }
        }
    }
}

fn refused() -> Rejection {
    let why = "it was brought back from a backup and is frozen until an operator releases it";
    Rejection::refused(RejectReason::TransitionNotAllowed, why)
}

/// Whether this buys, or ends the request without an order.
fn must_wait(before: &Draft<'_>, step: &Transition) -> bool {
    let buys = step.effects.iter().any(|effect| match effect {
        Effect::Partner { command, .. } => match command {
            PartnerCommand::Reserve { .. } | PartnerCommand::Place { .. } => true,
            PartnerCommand::Release | PartnerCommand::Cancel | PartnerCommand::Lookup => false,
        },
        Effect::Payment { command, .. } => match command {
            PaymentCommand::Authorize { .. } => true,
            PaymentCommand::Capture { .. }
            | PaymentCommand::Void
            | PaymentCommand::Refund
            | PaymentCommand::Lookup => false,
        },
        Effect::Event { .. } | Effect::Notify { .. } => false,
    });
    let ends = !before.next.is_closed() && step.next.is_closed();
    buys || (ends && step.next.status != Status::Ordered)
}

fn put_off(mut draft: Draft<'_>, kind: TimerKind) -> Transition {
    draft.wake(kind, LOOK_AGAIN);
    draft.finish()
}
