//! T1: a submission becomes a pending request.

use std::sync::Arc;

use schemas::Timestamp;

use super::draft::Draft;
use super::{Rejection, Transition};
use crate::effect::EventKind;
use crate::horizon::Horizon;
use crate::policy::Policy;
use crate::request::{PurchaseRequest, Status, Submission, Version};
use crate::row::Row;
use crate::timer::{TimerKind, Timers};

pub(super) fn create(
    submission: Submission,
    now: Timestamp,
    policy: &Policy,
) -> Result<Transition, Rejection> {
    check_instants(&submission, now, policy)?;
    let terms = submission.terms;
    let request = PurchaseRequest {
        submission: Arc::new(submission),
        version: Version(1),
        terms,
        status: Status::Pending,
        checkout: None,
        undo: Vec::new(),
        known_orders: Vec::new(),
        cancel_requested: false,
        sweep: 0,
        fruitless: 0,
        tried: Vec::new(),
        notified: 0,
        told_best: None,
        incident: None,
        timers: Timers::default(),
        closed_at: None,
        frozen_at: None,
    };
    let mut draft = Draft::fresh(request, now, policy);
    draft.row(Row::T1);
    draft.event(EventKind::Created);
    if draft.is_expired() {
        // It was valid when it was made and waited too long for us: it ends as expired, and the
        // customer is told; a refusal would lose a request whose publish was acknowledged.
        draft.row(Row::T11);
        draft.close(Status::Expired);
    } else {
        draft.next.timers.set(TimerKind::Expiry, terms.expires_at);
    }
    Ok(draft.finish())
}

/// Everything that is out of its bounds is told at once; the reason is that of the first.
fn check_instants(
    submission: &Submission,
    now: Timestamp,
    policy: &Policy,
) -> Result<(), Rejection> {
    let wrong = Horizon::of(policy).judge(submission.id, submission.terms.expires_at, now);
    let Some(first) = wrong.first() else { return Ok(()) };
    let rules: Vec<_> = wrong.iter().map(|one| format!("{} {}", one.field, one.rule)).collect();
    Err(Rejection::refused(first.reason, rules.join("; ")))
}
