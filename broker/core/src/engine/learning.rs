//! What the engine tells its ranking, and what an operator tells it.

use schemas::{DurationMs, PartnerId, RejectReason, RequestId};

use super::hot::Presence;
use super::input::{Origin, QuoteOutcome};
use super::output::{Answer, CallOutcome, Fact, Output};
use super::ranking::snapshot::SnapshotNumber;
use super::ranking::{Demotion, Fared, Word};
use super::sweep::{Call, CallState};
use super::{Engine, STEERED_MAX};
use crate::partner::{PartnerIndex, PartnerProfile};
use crate::receipt::search::Came;

impl Engine {
    /// A question to a partner has ended.
    pub(super) fn ended(&mut self, partner: PartnerIndex, outcome: CallOutcome, took: DurationMs) {
        self.ranking.ended(partner, outcome, took, self.now);
        self.observe(Fact::Quote { partner, outcome, took_ms: took.as_ms() });
        self.limits_learn(partner, outcome, took);
        if self.ranking.is_failing(partner) {
            self.demote(partner, Demotion::Failing);
        }
    }

    /// A partner whose offer was taken up has kept it, or has not.
    pub(super) fn took_up(&mut self, partner: &PartnerId, kept: bool) {
        let Some(partner) = self.config.policy.partners.index_of(partner) else { return };
        self.ranking.took_up(partner, kept, self.now);
        if self.ranking.lets_down(partner) {
            self.demote(partner, Demotion::LetsDown);
        }
    }

    /// Questions that nobody waits for any more and whose time is up: their partners were silent.
    pub(super) fn judge_silence(&mut self) {
        while let Some(partner) = self.ranking.pop_silent(self.now) {
            let response = self.config.policy.partners.at(partner).response;
            self.limits_learn(partner, CallOutcome::TimedOut, response);
            if self.ranking.is_failing(partner) {
                self.demote(partner, Demotion::Failing);
            }
        }
    }

    pub(super) fn demote(&mut self, partner: PartnerIndex, why: Demotion) {
        if self.ranking.demote(partner, why) {
            self.observe(Fact::Demoted { partner, why });
            match why {
                // A crash is no pardon.
                Demotion::Integrity => self.save_ranking(true),
                // Shows again soon enough.
                Demotion::Failing | Demotion::LetsDown | Demotion::Breaker => {}
            }
        }
    }

    /// The answer to a question whose sweep is over.
    pub(super) fn learn_late(
        &mut self,
        counter: u64,
        partner: PartnerIndex,
        answer: &QuoteOutcome,
    ) {
        let outcome = match answer {
            QuoteOutcome::Offer { .. } => CallOutcome::Offer,
            QuoteOutcome::NoStock => CallOutcome::NoStock,
            QuoteOutcome::Refused { .. } => CallOutcome::Refused,
        };
        let Some(took) = self.ranking.came_late(counter, partner, outcome, self.now) else {
            return;
        };
        self.limits_learn(partner, outcome, took);
        self.heed(partner, answer, took);
    }

    /// A sweep is about to be decided.
    pub(super) fn learn_from(&mut self, request: RequestId) {
        let Some(hot) = self.hot.get(&request) else { return };
        let (Some(sweep), Presence::Present(record)) = (&hot.sweep, &hot.presence) else { return };
        let (grace, now) = (self.config.policy.grace, self.now);
        // Whoever was not given the time to answer has not failed.
        let had_its_chance = |call: &&Call| match call.state {
            CallState::Ended(came) => match came {
                Came::Offer
                | Came::NoStock
                | Came::Unsuitable
                | Came::Invalid
                | Came::Refused
                | Came::TimedOut
                | Came::Down
                | Came::Canceled
                | Came::Shadow => true,
                Came::NotSent => false,
            },
            CallState::Asked => call.planned.counts && call.took(now) >= grace,
            CallState::Unopened | CallState::Waiting | CallState::LeftOut(_) => false,
        };
        let fared: Vec<Fared> = sweep
            .calls
            .iter()
            .filter(had_its_chance)
            .map(|call| {
                // With what nobody can buy any more a partner neither wins nor shows its prices.
                let price = call.price.filter(|price| price.valid_until > now);
                let (total, shadow) = (price.map(|price| price.total), call.planned.shadow);
                Fared { partner: call.partner(), total, shadow }
            })
            .collect();
        let valid = |quote: &&crate::Quote| quote.valid_until > now;
        let within = |quote: &&crate::Quote| quote.is_affordable(record.terms.max_total);
        let totals = |quote: &crate::Quote| quote.worst_total().map(|total| total.minor());
        let offers = &sweep.offers;
        let affordable = offers.iter().filter(valid).filter(within).filter_map(totals).min();
        let best = affordable.or_else(|| offers.iter().filter(valid).filter_map(totals).min());
        self.ranking.decided(&fared, best, now);
        self.save_ranking(false);
    }

    fn save_ranking(&mut self, at_once: bool) {
        let partners = &self.config.policy.partners;
        if let Some(snapshot) = self.ranking.take_snapshot(partners, self.now, at_once) {
            self.outputs.push_back(Output::SaveRanking(Box::new(snapshot)));
        }
    }

    /// An operator's word counts at once; it is confirmed once it is kept.
    pub(super) fn steer(&mut self, origin: Origin, word: Word) {
        let Some(index) = self.config.policy.partners.index_of(&word.partner) else {
            let detail = format!("there is no partner {}", word.partner);
            let reason = RejectReason::NotFound;
            let answer = Answer::Rejected { reason, detail, retry_after: None };
            return self.outputs.push_back(Output::Done { origin, answer });
        };
        if self.steered.len() >= STEERED_MAX {
            let detail = "too many words wait to be kept; try again".to_owned();
            let retry_after = Some(self.config.policy.overload.retry_after);
            let answer = Answer::Rejected { reason: RejectReason::Overloaded, detail, retry_after };
            return self.outputs.push_back(Output::Done { origin, answer });
        }
        self.ranking.steer(index, word);
        self.save_ranking(true);
        self.steered.push((self.ranking.number(), origin));
    }

    pub(super) fn show_ranking(&mut self, origin: Origin) {
        let partners = &self.config.policy.partners;
        let view = |(index, profile): (PartnerIndex, &PartnerProfile)| {
            let load = self.board.load(index, self.now);
            (profile.id.clone(), self.ranking.view(index, self.now), load)
        };
        let answer = Answer::Ranking(partners.iter().map(view).collect());
        self.outputs.push_back(Output::Done { origin, answer });
    }

    /// A snapshot is durable: so is what operators said before it was taken.
    pub(super) fn ranking_kept(&mut self, number: SnapshotNumber) {
        let kept = self.steered.partition_point(|(of, _)| *of <= number);
        for (_, origin) in self.steered.drain(..kept) {
            self.outputs.push_back(Output::Done { origin, answer: Answer::Taken });
        }
    }
}
