//! What a running broker consists of.

use std::sync::Arc;

use async_nats::service::Service;
use futures_util::future::select_all;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::mailbox::Results;
use crate::nats::connect::Connection;
use crate::storage::Storage;
use crate::traces::Traces;
use crate::waiters::Waiters;

pub(super) struct Running {
    pub(super) connection: Connection,
    pub(super) storage: Arc<Storage>,
    pub(super) traces: Traces,
    pub(super) waiters: Arc<Waiters>,
    pub(super) results: Results,
    pub(super) engine: oneshot::Receiver<()>,
    pub(super) answers: JoinHandle<()>,
    pub(super) egress: JoinHandle<()>,
    pub(super) flush: Option<oneshot::Sender<()>>,
    /// Intake, calls, questions: they end with the stop or with the engine. Never empty.
    pub(super) others: Vec<JoinHandle<()>>,
    pub(super) service: Option<Service>,
}

impl Running {
    /// Until something ends that should not; gives its name.
    pub(super) async fn ended(&mut self) -> &'static str {
        tokio::select! {
            _ = &mut self.engine => "the engine",
            _ = &mut self.answers => "the task that passes answers on",
            _ = &mut self.egress => "egress",
            _ = select_all(&mut self.others) => "a task of the intake",
        }
    }
}
