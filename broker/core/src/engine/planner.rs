//! The sweep planner: which partners a sweep asks, and how long it may take.
//!
//! Today it asks every eligible partner at once. Tiers, caching and ranking take its place
//! behind the same plan.

use schemas::directory::Transport;
use schemas::{DurationMs, Timestamp};

use crate::partner::PartnerIndex;
use crate::policy::Policy;
use crate::request::PurchaseRequest;

/// One sweep before it starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    pub calls: Vec<PlannedCall>,
    /// The sweep ends here at the latest.
    pub hard_stop: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlannedCall {
    pub partner: PartnerIndex,
    /// An answer usually takes this long; a live partner is asked again or given up after it.
    pub response: DurationMs,
    pub transport: Transport,
    /// Whether its answer is waited for and counts towards coverage.
    pub counts: bool,
}

/// Plans a sweep, or says that there is no time left for one.
pub fn plan(request: &PurchaseRequest, now: Timestamp, policy: &Policy) -> Option<Plan> {
    let latest = request.terms.expires_at.saturating_sub(policy.placement_budget);
    let hard_stop = now.saturating_add(policy.sweep_hard_stop).min(latest);
    if hard_stop <= now {
        return None;
    }
    let currency = request.terms.max_total.currency();
    let country = request.submission.destination.country;
    let mut calls: Vec<PlannedCall> = policy
        .partners
        .iter()
        .filter(|(_, profile)| profile.serves(currency, country))
        .map(|(partner, profile)| PlannedCall {
            partner,
            response: profile.response,
            transport: profile.transport,
            counts: match profile.transport {
                Transport::Live => true,
                Transport::Queued => now.saturating_add(profile.response) <= hard_stop,
            },
        })
        .collect();
    // Where only slow call-back stores are left, theirs are the answers to wait for.
    if calls.iter().all(|call| !call.counts) {
        calls.iter_mut().for_each(|call| call.counts = true);
    }
    Some(Plan { calls, hard_stop })
}
