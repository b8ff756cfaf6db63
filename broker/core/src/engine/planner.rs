//! The sweep planner: which partners a sweep asks, in which rounds, and when it has seen enough.
//!
//! A question costs the partner, the broker and the customer's patience, so not everybody is asked:
//!
//! - `cheapest` asks everybody at once and waits for everybody: the minimum is exact.
//! - `fast` asks as few as make an offer likely, the quickest first, and takes the first that fits.
//! - `balanced` asks the best ranked. When nothing affordable comes, more are asked, and in the end
//!   all of them. When something affordable came, more are asked only while one of them is likely
//!   enough to beat it to be worth the question (Weitzman's reservation values).
//!
//! "Nobody has it" and "too dear everywhere" are only said after everybody was asked. With no more
//! partners than one round holds, `balanced` asks everybody at once, too.

mod account;
mod order;
mod stop;

use schemas::directory::Transport;
use schemas::purchase::Strategy;
use schemas::{DurationMs, Timestamp};

use super::limits::board::Board;
use super::limits::ladder::Rung;
use super::ranking::{Ranking, Standing};
use crate::partner::{PartnerIndex, PartnerProfile};
use crate::policy::Policy;
use crate::receipt::search::{Degraded, Opening, SkipReason, Skipped};
use crate::request::PurchaseRequest;
pub(super) use stop::Next;

/// One sweep before it starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Everybody who may be asked, best first.
    pub calls: Vec<PlannedCall>,
    /// So many of them are asked at once.
    pub first: usize,
    pub opening: Opening,
    /// Partners that are not asked whatever happens.
    pub skipped: Vec<Skipped>,
    /// Of those, the ones that might have had the book: "nobody has it" is not said of them.
    pub withheld: usize,
    /// What was given up because there is too much to do.
    pub degraded: Option<Degraded>,
    /// The sweep ends here at the latest.
    pub hard_stop: Timestamp,
    /// After so long without anything affordable more are asked.
    pub second_after: DurationMs,
    /// So long a round that was opened for a better price is waited for.
    pub patience: DurationMs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlannedCall {
    pub partner: PartnerIndex,
    /// An answer usually takes this long; a live partner is asked again or given up after it.
    pub response: DurationMs,
    pub transport: Transport,
    /// Whether its answer is waited for and counts towards coverage.
    pub counts: bool,
    /// With a price below this share of the median, thousandths, it is not worth asking any more.
    pub worth_above: Option<u64>,
    /// It is asked to get to know it, never bought from.
    pub shadow: bool,
}

/// Plans a sweep, or says that there is no time left for one.
pub(super) fn plan(
    request: &PurchaseRequest,
    now: Timestamp,
    policy: &Policy,
    ranking: &mut Ranking,
    (board, rung): (&Board, Rung),
) -> Option<Plan> {
    let latest = request.terms.expires_at.saturating_sub(policy.placement_budget);
    let hard_stop = now.saturating_add(policy.sweep_hard_stop).min(latest);
    if hard_stop <= now {
        return None;
    }
    let mut skipped = Vec::new();
    let mut calls = candidates(request, now, hard_stop, policy, ranking, &mut skipped);
    if known_are_too_few(&calls, policy) {
        for call in &mut calls {
            let profile = policy.partners.at(call.partner);
            call.shadow = false;
            call.counts = answers_in_time(profile, now, hard_stop);
        }
    }
    // Only then: breakers that open make nobody trusted who has not earned it.
    let withheld = leave_out(&mut calls, &mut skipped, SkipReason::BreakerOpen, policy, |call| {
        board.blocks(call.partner, now)
    });
    // Where only slow call-back stores are left, theirs are the answers to wait for.
    if calls.iter().all(|call| !call.counts) {
        calls.iter_mut().for_each(|call| call.counts = !call.shadow);
    }
    let strategy = request.terms.strategy;
    let degraded = match rung {
        Rung::Normal => None,
        Rung::TierOneOnly => Some(Degraded::TierOneOnly),
        Rung::CachedOffers | Rung::Refusing => Some(Degraded::CachedOffers),
    };
    let first = match degraded {
        None => order::arrange(&mut calls, strategy, now, policy, ranking),
        Some(_) => order::only_the_best(&mut calls, now, policy, ranking),
    };
    let behind = calls.split_off(if degraded.is_some() { first } else { calls.len() });
    let withheld = withheld + behind.iter().filter(|call| call.counts).count();
    for call in &behind {
        let id = &policy.partners.at(call.partner).id;
        Skipped::note(&mut skipped, SkipReason::Degraded, id);
    }
    let opening = if degraded.is_none() && first == calls.len() {
        Opening::Everybody
    } else {
        Opening::BestRanked
    };
    if strategy == Strategy::Balanced {
        for call in &mut calls {
            call.worth_above = ranking.reservation(call.partner, policy);
        }
    }
    let usual = |permille| order::usual_time(&calls[..first], permille, policy, ranking);
    let second_after = usual(750)
        .unwrap_or_default()
        .clamp(policy.second_tier_after, policy.third_tier_after.max(policy.second_tier_after));
    let patience = usual(900)
        .unwrap_or_default()
        .clamp(policy.grace, policy.second_tier_after.max(policy.grace));
    Some(Plan {
        calls,
        first,
        opening,
        skipped,
        withheld,
        degraded,
        hard_stop,
        second_after,
        patience,
    })
}

/// Takes out those of which `wanted` says so; how many of them would have counted.
fn leave_out(
    calls: &mut Vec<PlannedCall>,
    skipped: &mut Vec<Skipped>,
    why: SkipReason,
    policy: &Policy,
    wanted: impl Fn(&PlannedCall) -> bool,
) -> usize {
    let mut counted = 0;
    calls.retain(|call| {
        let out = wanted(call);
        if out {
            counted += usize::from(call.counts);
            Skipped::note(skipped, why, &policy.partners.at(call.partner).id);
        }
        !out
    });
    counted
}

/// Too few to compare newly come stores with, or to find the book at: then those count like
/// everybody else. A directory that grows tenfold does not leave its customers with a tenth of it.
fn known_are_too_few(calls: &[PlannedCall], policy: &Policy) -> bool {
    let known = calls.iter().filter(|call| !call.shadow).count();
    let wanted = usize::from(policy.tier_size).min(calls.len() / 2).max(1);
    known < wanted
}

/// Everybody in question, in the order of the directory.
fn candidates(
    request: &PurchaseRequest,
    now: Timestamp,
    hard_stop: Timestamp,
    policy: &Policy,
    ranking: &Ranking,
    skipped: &mut Vec<Skipped>,
) -> Vec<PlannedCall> {
    let currency = request.terms.max_total.currency();
    let country = request.submission.destination.country;
    let mut calls = Vec::with_capacity(policy.partners.len());
    for (partner, profile) in policy.partners.iter() {
        if !profile.serves(currency, country) {
            Skipped::note(skipped, SkipReason::DoesNotServe, &profile.id);
        } else if ranking.is_banned(partner, now) {
            Skipped::note(skipped, SkipReason::Banned, &profile.id);
        } else {
            let shadow =
                ranking.standing(partner) == Standing::Shadow && !ranking.is_pinned(partner, now);
            let counts = !shadow && answers_in_time(profile, now, hard_stop);
            calls.push(PlannedCall {
                partner,
                response: profile.response,
                transport: profile.transport,
                counts,
                worth_above: None,
                shadow,
            });
        }
    }
    calls
}

fn answers_in_time(profile: &PartnerProfile, now: Timestamp, hard_stop: Timestamp) -> bool {
    match profile.transport {
        Transport::Live => true,
        Transport::Queued => now.saturating_add(profile.response) <= hard_stop,
    }
}
