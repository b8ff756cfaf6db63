//! Questions to the broker's micro service. Its answer says what is durable; no answer says nothing.

use std::time::Duration;

use async_nats::client::RequestErrorKind;
use async_nats::{HeaderMap, Request};
use axum::http::HeaderMap as HttpHeaders;
use bytes::Bytes;
use schemas::purchase::{CommandReply, PurchaseView};
use schemas::subject::{self, AdminOperation, PurchaseOperation};
use schemas::trace::TRACEPARENT;
use schemas::{CustomerId, DurationMs, TraceContext, json};
use serde::de::DeserializeOwned;

use crate::problem::{Own, Refusal};
use crate::shared::Shared;

/// A broker that restarts is back after about so long.
const RETRY_AFTER: DurationMs = DurationMs::from_secs(1);
/// The call as a whole ends a little later than the question: then its answer can be told.
const MARGIN: Duration = Duration::from_millis(250);

/// What the broker accepted.
pub(crate) struct Accepted {
    pub(crate) replayed: bool,
    pub(crate) request: Box<PurchaseView>,
}

impl Shared {
    /// A command, or `get`.
    pub(crate) async fn command(
        &self,
        operation: PurchaseOperation,
        customer: &CustomerId,
        body: Vec<u8>,
        http: &HttpHeaders,
    ) -> Result<Accepted, Refusal> {
        match self.ask(operation, customer, body, http).await? {
            CommandReply::Accepted { replayed, request } => Ok(Accepted { replayed, request }),
            CommandReply::Rejected(problem) => Err(problem.into()),
        }
    }

    pub(crate) async fn ask<T: DeserializeOwned>(
        &self,
        operation: PurchaseOperation,
        customer: &CustomerId,
        body: Vec<u8>,
        http: &HttpHeaders,
    ) -> Result<T, Refusal> {
        let subject = subject::purchase_api(operation, customer);
        self.question(subject, operation.label(), body.into(), http).await
    }

    /// An operator's question.
    pub(crate) async fn admin<T: DeserializeOwned>(
        &self,
        operation: AdminOperation,
        body: Vec<u8>,
        http: &HttpHeaders,
    ) -> Result<T, Refusal> {
        let label = operation.label();
        self.question(subject::admin(operation), label, body.into(), http).await
    }

    async fn question<T: DeserializeOwned>(
        &self,
        subject: String,
        what: &'static str,
        body: Bytes,
        http: &HttpHeaders,
    ) -> Result<T, Refusal> {
        let wait = Duration::from(self.config.call_timeout_ms);
        let wait = wait.saturating_sub(MARGIN).max(wait / 2);
        let mut request = Request::new().payload(body).timeout(Some(wait));
        if let Some(trace) = trace_of(http) {
            let mut headers = HeaderMap::new();
            headers.insert(TRACEPARENT, trace.to_string());
            request = request.headers(headers);
        }
        let reply = self.client.send_request(subject, request).await;
        let reply = reply.map_err(|error| match error.kind() {
            RequestErrorKind::NoResponders => {
                Refusal::own(Own::BrokerUnavailable, "no broker is serving; try again")
                    .after(RETRY_AFTER)
            }
            RequestErrorKind::TimedOut => silent(what),
            RequestErrorKind::InvalidSubject
            | RequestErrorKind::MaxPayloadExceeded
            | RequestErrorKind::Other => {
                tracing::warn!(what, %error, "the broker could not be asked");
                Refusal::own(Own::BrokerUnavailable, "the broker cannot be reached; try again")
                    .after(RETRY_AFTER)
            }
        })?;
        json::decode(&reply.payload, usize::MAX).map_err(|error| {
            tracing::error!(what, %error, "the broker's answer was not understood");
            Refusal::own(Own::GatewayInternal, "the broker's answer was not understood")
        })
    }
}

/// Nothing is known: it may have been done.
fn silent(what: &str) -> Refusal {
    let detail = format!(
        "the broker did not answer {what} in time; it may have been done. Send the same call with \
         the same Idempotency-Key again: it is done once"
    );
    Refusal::own(Own::DeadlineExceeded, detail).after(RETRY_AFTER)
}

/// The caller's trace. One that is not well-formed is none.
pub(crate) fn trace_of(http: &HttpHeaders) -> Option<TraceContext> {
    TraceContext::parse(http.get(TRACEPARENT)?.to_str().ok()?)
}
