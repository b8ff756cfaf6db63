//! `PATCH`, `POST …/cancel`, `POST …/accept-quote`. Their Idempotency-Key is the id of the command:
//! the broker applies it once.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use schemas::id::CommandId;
use schemas::subject::PurchaseOperation;
use schemas::{RejectReason, RequestId};
use serde_json::{Map, Value};

use super::{OfRequest, if_match, shown};
use crate::body::{JsonObject, MaybeJsonObject};
use crate::caller::Caller;
use crate::keys::{IdempotencyKey, new_command};
use crate::problem::Refusal;
use crate::shared::Shared;

/// What the gateway itself says in a command.
const OURS: [&str; 3] = ["request_id", "command_id", "if_version"];

pub(crate) async fn update(
    State(shared): State<Shared>,
    caller: Caller,
    OfRequest(request): OfRequest,
    headers: HeaderMap,
    JsonObject(mut body): JsonObject,
) -> Result<Response, Refusal> {
    let version = if_match(&headers)?;
    address(&mut body, request, &command(&headers)?)?;
    if let Some(version) = version {
        body.insert("if_version".to_owned(), version.into());
    }
    send(&shared, &caller, PurchaseOperation::Update, body, &headers).await
}

pub(crate) async fn cancel(
    State(shared): State<Shared>,
    caller: Caller,
    OfRequest(request): OfRequest,
    headers: HeaderMap,
    MaybeJsonObject(mut body): MaybeJsonObject,
) -> Result<Response, Refusal> {
    address(&mut body, request, &command(&headers)?)?;
    send(&shared, &caller, PurchaseOperation::Cancel, body, &headers).await
}

pub(crate) async fn accept_quote(
    State(shared): State<Shared>,
    caller: Caller,
    OfRequest(request): OfRequest,
    headers: HeaderMap,
    JsonObject(mut body): JsonObject,
) -> Result<Response, Refusal> {
    let command = IdempotencyKey::required(&headers)?.command();
    address(&mut body, request, &command)?;
    send(&shared, &caller, PurchaseOperation::AcceptQuote, body, &headers).await
}

/// Who sends no key sends something new each time.
fn command(headers: &HeaderMap) -> Result<CommandId, Refusal> {
    Ok(IdempotencyKey::read(headers)?.map_or_else(new_command, |key| key.command()))
}

fn address(
    body: &mut Map<String, Value>,
    request: RequestId,
    command: &CommandId,
) -> Result<(), Refusal> {
    if let Some(ours) = OURS.into_iter().find(|name| body.contains_key(*name)) {
        let detail = format!("{ours} is said by the path, Idempotency-Key and If-Match");
        return Err(Refusal::reason(RejectReason::FieldInvalid, detail)
            .at(&format!("#/{ours}"), RejectReason::FieldInvalid));
    }
    body.insert("request_id".to_owned(), request.to_string().into());
    body.insert("command_id".to_owned(), command.as_str().into());
    Ok(())
}

async fn send(
    shared: &Shared,
    caller: &Caller,
    operation: PurchaseOperation,
    body: Map<String, Value>,
    headers: &HeaderMap,
) -> Result<Response, Refusal> {
    let customer = caller.buys()?;
    let bytes = serde_json::to_vec(&body).unwrap_or_default();
    let accepted = shared.command(operation, customer, bytes, headers).await?;
    Ok(shown(StatusCode::OK, &accepted.request, accepted.replayed))
}
