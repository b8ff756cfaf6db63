//! T1: creation.

use broker_core::transition::{self, Rejection, Transition};
use schemas::{DurationMs, RejectReason, RequestId};

use crate::support::*;

fn create(
    change: impl FnOnce(&mut broker_core::request::Submission),
    after_ms: u64,
) -> Result<Transition, Rejection> {
    let mut wanted = submission();
    change(&mut wanted);
    transition::create(wanted, at(after_ms), &policy())
}

fn reason(outcome: Result<Transition, Rejection>) -> RejectReason {
    match outcome {
        Err(Rejection::Refused { reason, .. }) => reason,
        other => panic!("expected a refusal, got {other:?}"),
    }
}

#[test]
fn a_submission_becomes_a_pending_request_that_expires_at_its_deadline() {
    assert_shows(
        &result(&create(|_| {}, 0)),
        "
        rows:    T1
        status:  v1 pending
        timers:  expiry +600.000s
        effect:  event created
        ",
    );
}

#[test]
fn a_submission_that_waited_past_its_deadline_ends_as_expired_and_is_told() {
    assert_shows(
        &result(&create(|_| {}, 600_000)),
        "
        rows:    T1 T11
        status:  v1 expired, notified 1
        timers:  none
        effect:  event created
        effect:  event expired
        effect:  notify 0 expired
        ",
    );
}

#[test]
fn a_submission_that_waited_until_just_before_its_deadline_is_taken() {
    let created = create(|_| {}, 599_999).unwrap();
    assert_eq!(status(&created.next), "pending");
}

#[test]
fn an_id_older_than_the_horizon_or_from_the_future_is_refused() {
    let horizon = policy().id_horizon.as_ms();
    let ahead = policy().id_ahead.as_ms();
    let id = |unix_ms| RequestId::from_parts(unix_ms, 1);
    let t0 = T0.as_unix_ms();
    for (made_at, accepted) in [
        (t0 - horizon - 1, false),
        (t0 - horizon, true),
        (t0 + ahead, true),
        (t0 + ahead + 1, false),
    ] {
        let outcome = create(|wanted| wanted.id = id(made_at), 0);
        assert_eq!(outcome.is_ok(), accepted, "made {made_at}, {outcome:?}");
        if !accepted {
            assert_eq!(reason(outcome), RejectReason::RequestIdOutOfRange);
        }
    }
}

#[test]
fn a_deadline_before_the_submission_or_beyond_the_longest_life_is_refused() {
    let longest = policy().expiry_max;
    let too_far = T0.saturating_add(longest).saturating_add(DurationMs(1));
    for expires_at in [T0, T0.saturating_sub(DurationMs(1)), too_far] {
        let outcome = create(|wanted| wanted.terms.expires_at = expires_at, 0);
        assert_eq!(reason(outcome), RejectReason::ExpiryOutOfRange, "{}", when(expires_at));
    }
}

#[test]
fn a_made_request_may_be_sent_for_120_days_and_live_for_90() {
    const DAY_MS: u64 = 24 * 3600 * 1000;
    let made = |days: u64| {
        let made_at = T0.saturating_sub(DurationMs(days * DAY_MS)).as_unix_ms();
        create(|wanted| wanted.id = RequestId::from_parts(made_at, 1), 0).is_ok()
    };
    assert_eq!((made(120), made(121)), (true, false));
    let lives = |days: u64| {
        let expires_at = at(days * DAY_MS);
        create(|wanted| wanted.terms.expires_at = expires_at, 0).is_ok()
    };
    assert_eq!((lives(90), lives(91)), (true, false));
}
