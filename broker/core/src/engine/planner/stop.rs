//! What a sweep does next: wait, ask more partners, or end.

use schemas::DurationMs;
use schemas::Timestamp;
use schemas::purchase::Strategy;

use crate::engine::ranking::median;
use crate::engine::sweep::{Call, CallState, Sweep};
use crate::policy::Policy;
use crate::receipt::search::{Ending, Opening};
use crate::request::Terms;

/// A round of more partners is so many times as large as the first.
const LATER_ROUND_TIERS: usize = 2;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) enum Next {
    Wait,
    Ask(Opening),
    End(Ending),
}

impl Sweep {
    /// What the strategy wants now.
    pub(in crate::engine) fn next(&self, terms: &Terms, now: Timestamp, policy: &Policy) -> Next {
        if now >= self.hard_stop {
            return Next::End(Ending::HardStop);
        }
        if self.unopened == 0 && self.outstanding == 0 {
            return Next::End(Ending::AllEnded);
        }
        if terms.strategy == Strategy::Cheapest {
            return if self.unopened > 0 { Next::Ask(Opening::Everybody) } else { Next::Wait };
        }
        match (self.best_affordable(terms, now), terms.strategy) {
            (None, _) => self.without_an_offer(now, policy),
            (Some(_), Strategy::Fast) => Next::End(Ending::FirstFit),
            (Some(best), Strategy::Balanced | Strategy::Cheapest) => {
                self.with_an_offer(best, terms, now, policy)
            }
        }
    }

    /// Nothing affordable so far: ask more once all have ended, or once it takes too long.
    fn without_an_offer(&self, now: Timestamp, policy: &Policy) -> Next {
        if self.unopened == 0 {
            return Next::Wait;
        }
        if self.outstanding == 0 {
            return Next::Ask(Opening::NothingAffordable);
        }
        let slow = self.next_round_at(policy).is_some_and(|at| at <= now);
        if slow { Next::Ask(Opening::Slow) } else { Next::Wait }
    }

    /// When more are asked although not everybody has answered. With little time left in all, each
    /// round has its share of it.
    pub(in crate::engine) fn next_round_at(&self, policy: &Policy) -> Option<Timestamp> {
        let after = match self.rounds.len() {
            0 | 1 => self.second_after,
            2 => policy.third_tier_after,
            3.. => self.second_after.max(policy.third_tier_after),
        };
        let window = self.hard_stop.since(self.started).as_ms();
        let whole = policy.sweep_hard_stop.as_ms().max(1);
        let share = after.as_ms().saturating_mul(window.min(whole)) / whole;
        (self.unopened > 0).then(|| self.started.saturating_add(DurationMs(share)))
    }

    /// `balanced` with something affordable in hand.
    fn with_an_offer(&self, best: u64, terms: &Terms, now: Timestamp, policy: &Policy) -> Next {
        let grace_over = self.grace_until.is_some_and(|until| now >= until);
        let margin = u64::from(policy.margin_permille.min(1000));
        let clearly_below =
            best.saturating_mul(1000) <= terms.max_total.minor().saturating_mul(1000 - margin);
        if self.outstanding > 0 && !grace_over && !clearly_below {
            return Next::Wait;
        }
        let median = median(self.offers.iter().filter_map(|q| q.worst_total().map(|t| t.minor())));
        let worth = |call: &&Call| call.is_worth_asking(best, median);
        let may_ask = self.rounds.len() < usize::from(policy.rounds_max);
        let more =
            may_ask && self.calls.iter().filter(|call| call.is_unopened()).any(|c| worth(&c));
        if self.outstanding == 0 || grace_over {
            return match (more, self.outstanding) {
                (true, _) => Next::Ask(Opening::BetterLikely),
                (false, 0) => Next::End(Ending::NotWorthAsking),
                (false, 1..) => Next::End(Ending::GraceOver),
            };
        }
        let awaited = self.calls.iter().filter(|call| call.is_open()).any(|c| worth(&c));
        if more || awaited { Next::Wait } else { Next::End(Ending::ClearlyBelow) }
    }

    /// The calls of the next round.
    pub(in crate::engine) fn round(
        &self,
        why: Opening,
        terms: &Terms,
        now: Timestamp,
        policy: &Policy,
    ) -> Vec<usize> {
        let some = usize::from(policy.tier_size).saturating_mul(LATER_ROUND_TIERS).max(1);
        let unopened = self.calls.iter().enumerate().filter(|(_, call)| call.is_unopened());
        match why {
            Opening::BetterLikely => {
                let Some(best) = self.best_affordable(terms, now) else { return Vec::new() };
                let totals = self.offers.iter().filter_map(|q| q.worst_total().map(|t| t.minor()));
                let median = median(totals);
                let worth = unopened.filter(|(_, call)| call.is_worth_asking(best, median));
                worth.map(|(index, _)| index).take(some).collect()
            }
            Opening::NothingAffordable | Opening::Slow if self.rounds.len() < 2 => {
                let known = unopened.filter(|(_, call)| !call.planned.shadow);
                known.map(|(index, _)| index).take(some).collect()
            }
            Opening::NothingAffordable
            | Opening::Slow
            | Opening::Everybody
            | Opening::BestRanked => unopened.map(|(index, _)| index).collect(),
        }
    }
}

impl Call {
    fn is_unopened(&self) -> bool {
        self.state == CallState::Unopened
    }

    fn is_open(&self) -> bool {
        self.planned.counts && matches!(self.state, CallState::Waiting | CallState::Asked)
    }

    /// Whether its answer is likely enough to beat `best` to be worth a question.
    fn is_worth_asking(&self, best: u64, median: Option<u64>) -> bool {
        let Some(above) = self.planned.worth_above else { return false };
        // With too few offers to know what the book usually costs, any price may be a bad one.
        let worth = median
            .is_none_or(|median| u128::from(best) * 1000 > u128::from(above) * u128::from(median));
        worth && self.planned.counts
    }
}
