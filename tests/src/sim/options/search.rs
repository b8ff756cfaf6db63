//! How the broker of a run searches: whom it asks at once, how it explores, when it asks again.

use std::fmt;

use broker_core::Policy;

use super::Permille;
use crate::sim::choices::{Choices, Lane};

/// Numbers of the policy that the planner goes by. The tamest is to ask everybody at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Search {
    pub tier_size: u16,
    pub rounds_max: u8,
    pub call_cost_permyriad: u16,
    pub fast_cover_permille: u16,
    pub explore_permille: Permille,
    /// Answers from which a store's usual time is known; few of them make hedges likely.
    pub latency_samples: u16,
    pub hedge_budget_permille: u16,
    /// How often, at a beat of the chaos, an operator pins or bans a store or takes that back.
    pub steered: Permille,
    /// So many of the last stores stand in the directory only from the broker's second life on.
    pub newcomers: u32,
}

impl Search {
    pub(super) fn draw(choices: &mut Choices, calm: bool, two_brokers: bool) -> Self {
        let lane = Lane::Options;
        let mut search = Self {
            tier_size: *choices.pick(lane, &[1000, 10, 1, 2, 3, 5]),
            rounds_max: *choices.pick(lane, &[3, 1, 10]),
            call_cost_permyriad: *choices.pick(lane, &[5, 0, 100]),
            fast_cover_permille: *choices.pick(lane, &[1000, 950, 0, 500]),
            explore_permille: *choices.pick(lane, &[30, 0, 500]),
            latency_samples: *choices.pick(lane, &[20, 1, 4]),
            hedge_budget_permille: *choices.pick(lane, &[20, 0, 1000]),
            steered: *choices.pick(lane, &[0, 0, 100, 600]),
            newcomers: *choices.pick(lane, &[0, 0, 1, 3]),
        };
        if calm {
            (search.steered, search.newcomers) = (0, 0);
        }
        // Two brokers with different directories would answer for each other.
        if two_brokers {
            search.newcomers = 0;
        }
        search
    }

    /// The policy with these numbers in it.
    #[must_use]
    pub fn applied_to(&self, policy: Policy) -> Policy {
        Policy {
            tier_size: self.tier_size,
            rounds_max: self.rounds_max,
            call_cost_permyriad: self.call_cost_permyriad,
            fast_cover_permille: self.fast_cover_permille,
            explore_permille: u16::try_from(self.explore_permille).unwrap_or(1000),
            latency_samples: self.latency_samples,
            hedge_budget_permille: self.hedge_budget_permille,
            ..policy
        }
    }
}

impl fmt::Display for Search {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { tier_size, rounds_max, call_cost_permyriad, fast_cover_permille, .. } = self;
        let Self { explore_permille, latency_samples, hedge_budget_permille, .. } = self;
        write!(f, "{tier_size} stores asked at once, at most {rounds_max} rounds, ")?;
        write!(f, "cost={call_cost_permyriad} cover={fast_cover_permille} ")?;
        write!(f, "explore={explore_permille} known after {latency_samples} answers, ")?;
        write!(f, "hedges={hedge_budget_permille} ")?;
        write!(f, "steered={} newcomers={}", self.steered, self.newcomers)
    }
}
