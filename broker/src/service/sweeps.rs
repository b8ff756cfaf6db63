//! Sweeps under way: all of them for an operator, one beside its receipt for a customer.

use broker_core::engine::input::Input;
use broker_core::engine::output::Answer;
use broker_core::engine::showing::RunningSweep;
use bytes::Bytes;
use schemas::RequestId;
use schemas::problem::Problem;

use super::Calls;
use super::admin::body;
use super::partners::another_answer;
use crate::operator::sweeps::SweepsReply;
use crate::wire::view;

impl Calls {
    pub(super) async fn sweeps(&self) -> Result<Bytes, Problem> {
        let sweeps = self.running(None).await?;
        let sweeps = sweeps.into_iter().map(Into::into).collect();
        Ok(body(&SweepsReply::Shown { sweeps }))
    }

    /// Of one request, or of all.
    pub(super) async fn running(
        &self,
        of: Option<RequestId>,
    ) -> Result<Vec<RunningSweep>, Problem> {
        match self.ask(|origin| Input::ShowSweeps { origin, of }).await? {
            Answer::Sweeps(sweeps) => Ok(sweeps),
            Answer::Rejected { reason, detail, retry_after } => {
                Err(view::problem(reason, detail, retry_after))
            }
            Answer::Accepted { .. } | Answer::Taken | Answer::Ranking(_) => Err(another_answer()),
        }
    }
}
