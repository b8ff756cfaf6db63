//! `POST /v1/purchase-requests`: the create of the NATS contract, its id made here.

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use schemas::subject::PurchaseOperation;
use schemas::{CustomerId, RejectReason, RequestId};
use serde_json::{Map, Value};

use super::shown;
use crate::body::JsonObject;
use crate::broker::Accepted;
use crate::caller::Caller;
use crate::keys::IdempotencyKey;
use crate::problem::Refusal;
use crate::shared::Shared;

pub(crate) async fn create(
    State(shared): State<Shared>,
    caller: Caller,
    headers: HeaderMap,
    JsonObject(body): JsonObject,
) -> Result<Response, Refusal> {
    let customer = caller.buys()?;
    let key = IdempotencyKey::required(&headers)?;
    if body.contains_key("request_id") {
        let detail = "request_id is made from the Idempotency-Key; a key that is a UUID version 7 \
                      becomes the id itself";
        return Err(Refusal::reason(RejectReason::FieldInvalid, detail)
            .at("#/request_id", RejectReason::FieldInvalid));
    }
    let working = shared.keys.claim("create", customer, &key)?;
    let request = match key.own_id() {
        Some(request) => request,
        None => {
            let bytes = serde_json::to_vec(&body).unwrap_or_default();
            // Boxed: else every call has room for it, and most have no use for it.
            Box::pin(shared.keys.request(&working, &bytes)).await?.request_id
        }
    };
    let accepted = submit(&shared, customer, request, body, &headers).await?;
    let mut response = shown(StatusCode::ACCEPTED, &accepted.request, accepted.replayed);
    response.headers_mut().insert(header::LOCATION, location(request));
    Ok(response)
}

/// The members are sorted by name, so that the same wish has the same bytes.
pub(super) async fn submit(
    shared: &Shared,
    customer: &CustomerId,
    request: RequestId,
    mut body: Map<String, Value>,
    headers: &HeaderMap,
) -> Result<Accepted, Refusal> {
    body.insert("request_id".to_owned(), Value::String(request.to_string()));
    let bytes = serde_json::to_vec(&body).unwrap_or_default();
    shared.command(PurchaseOperation::Create, customer, bytes, headers).await
}

pub(super) fn location(request: RequestId) -> HeaderValue {
    let path = format!("/v1/purchase-requests/{request}");
    HeaderValue::try_from(path).expect("a path of letters, digits and hyphens")
}
