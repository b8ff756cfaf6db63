//! `watch`: when to look again. Young requests are looked after often, old ones ever more seldom:
//! what nobody sold at that price for a week will hardly be sold within a minute. Everybody has a
//! last chance shortly before the deadline, spread so that requests with one deadline do not all
//! ask at once.

use schemas::{DurationMs, Timestamp};

use crate::policy::Policy;
use crate::request::PurchaseRequest;

/// An interval is this part of a request's age, within the bounds of the policy.
const PART_OF_AGE: u64 = 10;
/// Last chances of one deadline are spread over this, or over a tenth of the request's life.
const LAST_CHANCE_SPREAD: DurationMs = DurationMs::from_secs(30);

/// From now to the next sweep.
pub(super) fn next_look(request: &PurchaseRequest, now: Timestamp, policy: &Policy) -> DurationMs {
    let created = request.submission.created_at;
    let longest = policy.watch_interval_max.max(policy.watch_interval);
    let interval = DurationMs(now.since(created).0 / PART_OF_AGE);
    let interval = interval.clamp(policy.watch_interval, longest);
    let last = last_chance(request, policy);
    let before_last = now < last && now.saturating_add(interval) > last;
    if before_last { last.since(now) } else { interval }
}

/// A sweep that begins then can be waited for whole, and what it finds can be bought.
fn last_chance(request: &PurchaseRequest, policy: &Policy) -> Timestamp {
    let expires = request.terms.expires_at;
    let life = expires.since(request.submission.created_at);
    let spread = LAST_CHANCE_SPREAD.0.min(life.0 / 10).max(1);
    let mut first = [0; 8];
    first.copy_from_slice(&blake3::hash(request.id().as_bytes()).as_bytes()[..8]);
    let early = DurationMs(u64::from_be_bytes(first) % spread);
    let needed = [policy.sweep_hard_stop, policy.placement_budget, policy.clock_margin, early];
    needed.into_iter().fold(expires, Timestamp::saturating_sub)
}
