//! Which sweeps are under way.

use broker_core::engine::showing;
use schemas::event::RunningSweep;
use schemas::problem::Problem;
use schemas::{CustomerId, Isbn13, RequestId};
use serde::{Deserialize, Serialize};

use crate::wire::running;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "result", rename_all = "snake_case")]
pub enum SweepsReply {
    /// Oldest first; there may be more.
    Shown {
        sweeps: Vec<SweepUnderWay>,
    },
    Rejected(Problem),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SweepUnderWay {
    pub request_id: RequestId,
    pub customer_id: CustomerId,
    pub isbn: Isbn13,
    #[serde(flatten)]
    pub sweep: RunningSweep,
}

impl From<showing::RunningSweep> for SweepUnderWay {
    fn from(shown: showing::RunningSweep) -> Self {
        Self {
            request_id: shown.request,
            customer_id: shown.customer.clone(),
            isbn: shown.isbn,
            sweep: running::sweep(shown),
        }
    }
}
