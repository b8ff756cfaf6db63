//! Replies of the micro service: the JSON of `CommandReply` or `ListReply`; a refusal carries the
//! service error headers as well, so that generic clients notice it.

use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::service::{NATS_SERVICE_ERROR, NATS_SERVICE_ERROR_CODE, Request};
use broker_core::engine::output::Answer;
use bytes::Bytes;
use schemas::json;
use schemas::problem::Problem;
use schemas::purchase::{CommandReply, ListReply, ReceiptReply};
use schemas::subject::{AdminOperation, PurchaseOperation};
use schemas::trace::TRACEPARENT;

use crate::metrics;
use crate::nats::headers;
use crate::waiters::Call;
use crate::wire::view;

/// The engine's answer to a call.
pub(crate) async fn answer(call: Call, answer: Answer) {
    let Some(reply) = view::reply(answer, call.about) else {
        tracing::warn!(operation = call.operation.label(), "a call got the answer of a message");
        return;
    };
    match reply {
        CommandReply::Accepted { replayed, .. } => {
            let result = if replayed { "replayed" } else { "accepted" };
            send(&call, Bytes::from(json::encode(&reply)), result).await;
        }
        CommandReply::Rejected(problem) => refuse(&call, problem).await,
    }
}

pub(super) async fn page(call: &Call, reply: &ListReply) {
    send(call, Bytes::from(json::encode(reply)), "page").await;
}

pub(super) async fn receipt(call: &Call, reply: &ReceiptReply) {
    send(call, Bytes::from(json::encode(reply)), "receipt").await;
}

/// A call that will not be worked on.
pub(super) async fn refuse(call: &Call, problem: Problem) {
    refuse_after(&call.request, call.operation, problem, call.since.elapsed()).await;
}

/// A call that was not even looked at.
pub(super) async fn refuse_now(request: &Request, operation: PurchaseOperation, problem: Problem) {
    refuse_after(request, operation, problem, Duration::ZERO).await;
}

async fn refuse_after(
    request: &Request,
    operation: PurchaseOperation,
    problem: Problem,
    took: Duration,
) {
    metrics::service_reply(operation.label(), problem.code.label(), took);
    let headers = traced(error_headers(&problem), request);
    // Both kinds of reply have the same form when they refuse.
    let body = match operation {
        PurchaseOperation::List => json::encode(&ListReply::Rejected(problem)),
        _ => json::encode(&CommandReply::Rejected(problem)),
    };
    report(request.respond_with_headers(Ok(body.into()), headers).await, operation);
}

async fn send(call: &Call, body: Bytes, result: &'static str) {
    metrics::service_reply(call.operation.label(), result, call.since.elapsed());
    let headers = traced(HeaderMap::new(), &call.request);
    report(call.request.respond_with_headers(Ok(body), headers).await, call.operation);
}

/// The reply belongs to the trace of the call.
fn traced(mut headers: HeaderMap, request: &Request) -> HeaderMap {
    if let Some(trace) = headers::trace(request.message.headers.as_ref()) {
        headers.insert(TRACEPARENT, trace.to_string());
    }
    headers
}

/// To an operator.
pub(super) async fn admin(
    request: &Request,
    operation: AdminOperation,
    answer: Result<Bytes, Problem>,
) {
    let sent = match answer {
        Ok(body) => request.respond(Ok(body)).await,
        Err(problem) => {
            let headers = error_headers(&problem);
            // Every reply has the same form when it refuses.
            let body = json::encode(&CommandReply::Rejected(problem));
            request.respond_with_headers(Ok(body.into()), headers).await
        }
    };
    if let Err(error) = sent {
        tracing::warn!(operation = operation.label(), %error, "an operator got no reply");
    }
}

fn error_headers(problem: &Problem) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(NATS_SERVICE_ERROR, problem.code.label());
    headers.insert(NATS_SERVICE_ERROR_CODE, problem.number.to_string());
    headers
}

/// A caller that left no reply subject, or is gone, is not served; it can ask again.
fn report(result: Result<(), async_nats::PublishError>, operation: PurchaseOperation) {
    if let Err(error) = result {
        tracing::debug!(operation = operation.label(), %error, "a reply could not be sent");
    }
}

#[cfg(test)]
mod tests {
    use schemas::RejectReason;

    use super::*;

    #[test]
    fn a_refusal_is_marked_for_generic_clients() {
        let headers = error_headers(&Problem::new(RejectReason::Conflict, "other body"));
        assert_eq!(headers.get(NATS_SERVICE_ERROR).unwrap().as_str(), "conflict");
        assert_eq!(headers.get(NATS_SERVICE_ERROR_CODE).unwrap().as_str(), "111");
    }
}
