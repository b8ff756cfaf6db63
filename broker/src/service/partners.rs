//! Endpoints of operators about partners: how they stand, and to pin or ban one.

use async_nats::service::Request;
use broker_core::engine::input::Input;
use broker_core::engine::output::Answer;
use bytes::Bytes;
use schemas::RejectReason;
use schemas::problem::Problem;

use super::Calls;
use super::admin::{body, decode};
use crate::operator::partners::{PartnerStanding, StandingsReply, SteerPartner, SteerReply};
use crate::wire::view;

impl Calls {
    pub(super) async fn standings(&self) -> Result<Bytes, Problem> {
        match self.ask(|origin| Input::ShowRanking { origin }).await? {
            Answer::Ranking(standings) => {
                let standing = |(id, view, load)| PartnerStanding::new(id, view, load);
                let partners = standings.into_iter().map(standing).collect();
                Ok(body(&StandingsReply::Shown { partners }))
            }
            Answer::Rejected { reason, detail, retry_after } => {
                Err(view::problem(reason, detail, retry_after))
            }
            Answer::Accepted { .. } | Answer::Taken | Answer::Sweeps(_) => Err(another_answer()),
        }
    }

    pub(super) async fn steer_partner(&self, request: &Request) -> Result<Bytes, Problem> {
        let asked: SteerPartner = decode(request)?;
        let word = Box::new(asked.into_word(self.decoder.clock.now())?);
        let said = word.clone();
        let answer = self.ask(|origin| Input::Steer { origin, word }).await?;
        let kept = matches!(answer, Answer::Taken);
        let (partner, by, why) = (&said.partner, &said.by, &said.why);
        tracing::info!(%partner, steer = ?said.steer, %by, %why, kept, "an operator's word");
        match answer {
            Answer::Taken => Ok(body(&SteerReply::Kept)),
            Answer::Rejected { reason, detail, retry_after } => {
                Err(view::problem(reason, detail, retry_after))
            }
            Answer::Accepted { .. } | Answer::Ranking(_) | Answer::Sweeps(_) => {
                Err(another_answer())
            }
        }
    }
}

pub(super) fn another_answer() -> Problem {
    Problem::new(RejectReason::Internal, "the engine answered another question")
}
