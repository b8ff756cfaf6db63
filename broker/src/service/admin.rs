//! Endpoints of operators: a list of what waits for a human, and the human's word.

use async_nats::service::Request;
use async_nats::service::endpoint::Endpoint;
use broker_core::engine::input::{Input, Origin};
use broker_core::engine::output::Answer;
use bytes::Bytes;
use futures_util::StreamExt;
use schemas::problem::Problem;
use schemas::subject::AdminOperation;
use schemas::{RejectReason, RequestId, json};
use serde::Serialize;
use tokio::sync::oneshot;

use super::{Calls, reply};
use crate::operator::{IncidentView, IncidentsReply, ListIncidents, Resolve};
use crate::storage::describe;
use crate::store::{Listing, Reader, StoreError};
use crate::waiters::Waiter;
use crate::wire::view;

/// Requests looked at for one page, which may then be short or empty.
const SCAN_MAX: usize = 2000;
/// Incidents on one page: it must fit into a message.
const PAGE_MAX: usize = 200;
const BODY_BYTES_MAX: usize = 16 * 1024;

/// The operations that the micro service offers; a backup is somebody else's.
pub(super) const OFFERED: [AdminOperation; 6] = [
    AdminOperation::Incidents,
    AdminOperation::Resolve,
    AdminOperation::Partners,
    AdminOperation::Sweeps,
    AdminOperation::SteerPartner,
    AdminOperation::DropDeadLetter,
];

impl Calls {
    /// Operators are few: one call at a time.
    pub(super) async fn run_admin(self, operation: AdminOperation, mut endpoint: Endpoint) {
        while let Some(request) = endpoint.next().await {
            let answered = if *self.stop.borrow() {
                Err(shutting_down())
            } else {
                match operation {
                    AdminOperation::Incidents => self.incidents(&request).await,
                    AdminOperation::Resolve => self.resolve(&request).await,
                    AdminOperation::Partners => self.standings().await,
                    AdminOperation::Sweeps => self.sweeps().await,
                    AdminOperation::SteerPartner => self.steer_partner(&request).await,
                    AdminOperation::DropDeadLetter => self.drop_dead_letter(&request).await,
                    AdminOperation::Backup => continue,
                }
            };
            reply::admin(&request, operation, answered).await;
        }
    }

    async fn incidents(&self, request: &Request) -> Result<Bytes, Problem> {
        let list: ListIncidents = decode(request)?;
        let reader = self.storage.reader();
        let read = move || page(reader.as_ref(), list.after);
        let internal = || Problem::new(RejectReason::Internal, "the list cannot be read now");
        match tokio::task::spawn_blocking(read).await {
            Ok(Ok(page)) => Ok(body(&page)),
            Ok(Err(error)) => {
                self.storage.fail(&describe(&error));
                Err(internal())
            }
            Err(_cancelled) => Err(internal()),
        }
    }

    async fn resolve(&self, request: &Request) -> Result<Bytes, Problem> {
        let resolve: Resolve = decode(request)?;
        let about = resolve.request_id;
        let (actor, reason) = (resolve.actor.clone(), resolve.reason.clone());
        let word = resolve.into_word();
        let ruling = word.ruling.label();
        let word = Box::new(word);
        let answer = self.ask(|origin| Input::Operator { origin, request: about, word }).await?;
        let accepted = matches!(answer, Answer::Accepted { .. });
        tracing::info!(request = %about, ruling, %actor, %reason, accepted, "a human's word");
        match answer {
            Answer::Rejected { reason, detail, retry_after } => {
                Err(view::problem(reason, detail, retry_after).with_request(about))
            }
            Answer::Accepted { .. } | Answer::Taken | Answer::Ranking(_) | Answer::Sweeps(_) => {
                let nothing = || Problem::new(RejectReason::Internal, "nothing was changed");
                view::reply(answer, Some(about)).map(|reply| body(&reply)).ok_or_else(nothing)
            }
        }
    }
}

impl Calls {
    /// The engine's answer to an operator.
    pub(super) async fn ask(&self, input: impl FnOnce(Origin) -> Input) -> Result<Answer, Problem> {
        let (sender, answer) = oneshot::channel();
        let origin = self.waiters.add(Waiter::Operator(sender));
        if self.intake.send(input(origin)).await.is_err() {
            self.waiters.take(origin);
            return Err(shutting_down());
        }
        answer.await.map_err(|_dropped| shutting_down())
    }
}

pub(super) fn decode<T: serde::de::DeserializeOwned>(request: &Request) -> Result<T, Problem> {
    json::decode(&request.message.payload, BODY_BYTES_MAX).map_err(|e| e.problem())
}

pub(super) fn body<T: Serialize>(reply: &T) -> Bytes {
    Bytes::from(json::encode(reply))
}

fn shutting_down() -> Problem {
    Problem::new(RejectReason::ShuttingDown, "try another broker")
}

/// Only open requests wait for anybody: those that are closed and settled are not looked at.
fn page(reader: &dyn Reader, after: Option<RequestId>) -> Result<IncidentsReply, StoreError> {
    let ids = reader.ids(&Listing::Active, after, SCAN_MAX)?;
    let mut incidents = Vec::new();
    for id in &ids {
        if let Some(stored) = reader.load(*id)? {
            incidents.extend(IncidentView::of(&stored.request));
        }
        if incidents.len() == PAGE_MAX {
            return Ok(IncidentsReply::Page { incidents, next: Some(*id) });
        }
    }
    let next = ids.last().copied().filter(|_| ids.len() == SCAN_MAX);
    Ok(IncidentsReply::Page { incidents, next })
}
