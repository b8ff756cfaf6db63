//! Who is asked before whom, and how many are asked at once.

use std::cmp::Reverse;

use schemas::purchase::Strategy;
use schemas::{DurationMs, Timestamp};

use super::PlannedCall;
use crate::engine::ranking::Ranking;
use crate::policy::Policy;

/// Puts the calls in order, best first, and says how many of them are asked at once.
pub(super) fn arrange(
    calls: &mut [PlannedCall],
    strategy: Strategy,
    now: Timestamp,
    policy: &Policy,
    ranking: &mut Ranking,
) -> usize {
    let tier = usize::from(policy.tier_size).max(1);
    match strategy {
        Strategy::Cheapest => calls.len(),
        Strategy::Balanced if calls.len() <= tier => calls.len(),
        Strategy::Balanced => {
            by_rank(calls, now, ranking, |call, ranking| Reverse(ranking.draw(call.partner)));
            let first = tier.min(known(calls));
            explore(calls, first, now, policy, ranking);
            with_a_shadow(calls, first, policy, ranking)
        }
        Strategy::Fast => {
            by_rank(calls, now, ranking, |call, ranking| time_to_offer(call, policy, ranking));
            let known = &calls[..known(calls)];
            let first = enough_for_an_offer(known, policy, ranking).min(tier);
            explore(calls, first, now, policy, ranking);
            with_a_shadow(calls, first, policy, ranking)
        }
    }
}

/// Puts the calls in order, best first, and says how many of them are asked at all when there is
/// too much to do, whatever the strategy.
pub(super) fn only_the_best(
    calls: &mut [PlannedCall],
    now: Timestamp,
    policy: &Policy,
    ranking: &mut Ranking,
) -> usize {
    by_rank(calls, now, ranking, |call, ranking| Reverse(ranking.draw(call.partner)));
    usize::from(policy.tier_size).max(1).min(known(calls))
}

/// Partners that are bought from. In the order of rank they come before the shadows.
fn known(calls: &[PlannedCall]) -> usize {
    calls.iter().filter(|call| !call.shadow).count()
}

/// Pinned ones first, then those whose answer can be waited for, then by tier, then by `key`.
fn by_rank<K: Ord + Copy>(
    calls: &mut [PlannedCall],
    now: Timestamp,
    ranking: &mut Ranking,
    mut key: impl FnMut(&PlannedCall, &mut Ranking) -> K,
) {
    let mut keyed: Vec<_> = calls
        .iter()
        .map(|call| {
            let key = key(call, ranking);
            let partner = call.partner;
            let pinned = ranking.is_pinned(partner, now);
            let place = (!pinned, call.shadow, !call.counts, ranking.standing(partner));
            ((place, key, partner), *call)
        })
        .collect();
    keyed.sort_unstable_by_key(|(key, _)| *key);
    for (slot, (_, call)) in calls.iter_mut().zip(keyed) {
        *slot = call;
    }
}

/// Milliseconds until it makes an offer, on average, if it were asked again and again.
fn time_to_offer(call: &PlannedCall, policy: &Policy, ranking: &Ranking) -> u64 {
    let samples = u32::from(policy.latency_samples);
    let usual = ranking.answers_within(call.partner, 500, samples).unwrap_or(call.response);
    usual.as_ms().saturating_mul(1000) / ranking.chance(call.partner).max(1)
}

/// As many from the front as make an offer likely enough.
fn enough_for_an_offer(calls: &[PlannedCall], policy: &Policy, ranking: &Ranking) -> usize {
    const MILLION: u64 = 1_000_000;
    let allowed = u64::from(1000_u16.saturating_sub(policy.fast_cover_permille)) * 1000;
    let mut none = MILLION;
    for (index, call) in calls.iter().enumerate() {
        if none <= allowed {
            return index.max(1);
        }
        none = none * (1000 - ranking.chance(call.partner).min(1000)) / 1000;
    }
    calls.len()
}

/// Now and then somebody from behind takes a place in front: whoever is never asked can never show
/// that he has become better. A pinned partner keeps its place.
fn explore(
    calls: &mut [PlannedCall],
    first: usize,
    now: Timestamp,
    policy: &Policy,
    ranking: &mut Ranking,
) {
    let known = known(calls);
    if first >= known {
        return;
    }
    let share = u64::from(policy.explore_permille);
    for slot in 0..first {
        let tried = ranking.stream().below(1000) < share;
        if tried && !ranking.is_pinned(calls[slot].partner, now) {
            let behind = first as u64 + ranking.stream().below((known - first) as u64);
            calls.swap(slot, usize::try_from(behind).unwrap_or(slot));
        }
    }
}

/// As often one of the newly come partners is asked as well, the least known first. It takes
/// nobody's place.
fn with_a_shadow(
    calls: &mut [PlannedCall],
    first: usize,
    policy: &Policy,
    ranking: &mut Ranking,
) -> usize {
    let shadows = calls.iter().enumerate().skip(first).filter(|(_, call)| call.shadow);
    let answers = |call: &PlannedCall| (ranking.answers(call.partner), call.partner);
    let Some((index, _)) = shadows.min_by_key(|(_, call)| answers(call)) else { return first };
    let share = u64::from(policy.explore_permille).saturating_mul(first as u64);
    if ranking.stream().below(1000) >= share {
        return first;
    }
    calls.swap(first, index);
    first + 1
}

/// The time within which most of these partners have given most of their answers.
pub(super) fn usual_time(
    calls: &[PlannedCall],
    permille: u32,
    policy: &Policy,
    ranking: &Ranking,
) -> Option<DurationMs> {
    let samples = u32::from(policy.latency_samples);
    let mut times: Vec<DurationMs> = calls
        .iter()
        .filter(|call| call.counts)
        .filter_map(|call| ranking.answers_within(call.partner, permille, samples))
        .collect();
    let place = times.len() * 3 / 4;
    if times.is_empty() {
        return None;
    }
    let (_, time, _) = times.select_nth_unstable(place);
    Some(*time)
}
