//! The account of a sweep in its receipt: who was asked and who was not, and why.

use schemas::{PartnerId, Timestamp};

use crate::engine::sweep::{Call, CallState, Sweep};
use crate::partner::Partners;
use crate::receipt::Search;
use crate::receipt::search::{Asked, Came, Ending, Round, SkipReason, Skipped};

impl Sweep {
    pub(in crate::engine) fn account(
        &self,
        ended: Ending,
        passed_over: Vec<PartnerId>,
        partners: &Partners,
        now: Timestamp,
    ) -> Search {
        let mut rounds: Vec<Round> = self
            .rounds
            .iter()
            .map(|round| Round {
                after: round.at.since(self.started),
                why: round.why,
                asked: Vec::new(),
            })
            .collect();
        let mut skipped = self.skipped.clone();
        for call in &self.calls {
            let partner = &partners.at(call.partner()).id;
            let round = call.round.and_then(|round| rounds.get_mut(usize::from(round)));
            match (call.came(), round) {
                (Ok(came), Some(round)) => {
                    let took = call.lasted(now);
                    let (partner, source) = (partner.clone(), call.source);
                    round.asked.push(Asked { partner, came, source, took });
                }
                (Err(why), _) => Skipped::note(&mut skipped, why, partner),
                (Ok(_), None) => {
                    let shadow = call.planned.shadow;
                    let why = if shadow { SkipReason::Shadow } else { SkipReason::NotNeeded };
                    Skipped::note(&mut skipped, why, partner);
                }
            }
        }
        let degraded = self.degraded;
        Search { ranking: self.ranking.0, ended, rounds, skipped, passed_over, degraded }
    }
}

impl Call {
    /// What came of it, or why it was left out although it was its turn.
    fn came(&self) -> Result<Came, SkipReason> {
        match self.state {
            CallState::Ended(_) if self.planned.shadow => Ok(Came::Shadow),
            CallState::Ended(came) => Ok(came),
            CallState::Asked => Ok(Came::Canceled),
            CallState::Waiting | CallState::Unopened => Ok(Came::NotSent),
            CallState::LeftOut(why) => Err(why),
        }
    }
}
