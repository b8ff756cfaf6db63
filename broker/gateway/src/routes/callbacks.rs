//! `POST /v1/partners/{id}/callbacks`: proven, stored, answered; the bridge does the rest. What is
//! answered with success is in a stream that the server has synced.

use async_nats::HeaderMap as NatsHeaders;
use async_nats::header::NATS_MESSAGE_ID;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemas::subject::partner_callback;
use schemas::{DurationMs, PartnerId, RejectReason};

use super::{Part, REPLAYED};
use crate::body;
use crate::keys::now;
use crate::metrics;
use crate::problem::{Own, Refusal};
use crate::shared::Shared;

const COME_BACK: DurationMs = DurationMs::from_secs(5);
const ID: &str = "webhook-id";

pub(crate) async fn take(
    State(shared): State<Shared>,
    Part(partner): Part,
    headers: HeaderMap,
    request: Request,
) -> Result<Response, Refusal> {
    let partner = PartnerId::parse(&partner)
        .map_err(|_| Refusal::reason(RejectReason::UnknownPartner, "there is no such bookstore"))?;
    let body = body::bytes(request, &shared).await?;
    let signed = shared.secrets.verify(&partner, &headers, &body, now());
    let signed = signed.inspect_err(|_| metrics::callback("refused"))?;
    let mut carried = NatsHeaders::new();
    carried.insert(NATS_MESSAGE_ID, format!("{partner}.{}", signed.id));
    carried.insert(ID, signed.id.as_str());
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    if let Some(kind) = kind {
        carried.insert("Content-Type", kind);
    }
    let subject = partner_callback(&partner);
    let unstored = |error: &dyn std::fmt::Display| {
        tracing::warn!(%partner, %error, "a call-back could not be stored");
        metrics::callback("unstored");
        let detail = "the call-back could not be stored; send it again";
        Refusal::own(Own::ReducedCapacity, detail).after(COME_BACK)
    };
    let sent = shared.jetstream.publish_with_headers(subject, carried, body).await;
    let stored = sent.map_err(|error| unstored(&error))?.await;
    let duplicate = stored.map_err(|error| unstored(&error))?.duplicate;
    metrics::callback(if duplicate { "duplicate" } else { "stored" });
    if duplicate {
        return Ok((StatusCode::ACCEPTED, [(REPLAYED, "true")]).into_response());
    }
    Ok(StatusCode::ACCEPTED.into_response())
}
