//! T1: a submission becomes a pending request.

use std::sync::Arc;

use schemas::{RejectReason, Timestamp};

use super::draft::Draft;
use super::{Rejection, Transition};
use crate::effect::EventKind;
use crate::policy::Policy;
use crate::request::{PurchaseRequest, Status, Submission, Version};
use crate::row::Row;
use crate::timer::{TimerKind, Timers};

pub(super) fn create(
    submission: Submission,
    now: Timestamp,
    policy: &Policy,
) -> Result<Transition, Rejection> {
    check_id(&submission, now, policy)?;
    check_expiry(&submission, now, policy)?;
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

/// Ids outside the horizon could name a request that retention has already removed.
fn check_id(submission: &Submission, now: Timestamp, policy: &Policy) -> Result<(), Rejection> {
    let made_at = Timestamp::from_unix_ms(submission.id.unix_ms());
    let oldest = now.saturating_sub(policy.id_horizon);
    let newest = now.saturating_add(policy.id_ahead);
    if (oldest..=newest).contains(&made_at) {
        return Ok(());
    }
    Err(Rejection::refused(
        RejectReason::RequestIdOutOfRange,
        format!("request_id was made at {made_at}, accepted are {oldest} to {newest}"),
    ))
}

fn check_expiry(submission: &Submission, now: Timestamp, policy: &Policy) -> Result<(), Rejection> {
    let expires_at = submission.terms.expires_at;
    let made_at = Timestamp::from_unix_ms(submission.id.unix_ms());
    let first = made_at.min(now).saturating_add(policy.expiry_min);
    let last = now.saturating_add(policy.expiry_max);
    if (first..=last).contains(&expires_at) {
        return Ok(());
    }
    Err(Rejection::refused(
        RejectReason::ExpiryOutOfRange,
        format!("expires_at is {expires_at}, accepted are {first} to {last}"),
    ))
}
