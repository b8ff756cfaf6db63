//! What operators see and do: partners, incidents, dead letters. Who did it is the name of the
//! token; the broker's audit log keeps it.

use std::num::NonZeroU64;

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use schemas::subject::AdminOperation;
use schemas::{PartnerId, RejectReason, RequestId, json};
use serde::Deserialize;
use serde_json::{Map, Value, json as object};

use super::{OfRequest, Parameters, Part, digits};
use crate::admin::Numbered;
use crate::body::JsonObject;
use crate::caller::Caller;
use crate::problem::{Own, Refusal};
use crate::shared::Shared;

type Object = Json<Map<String, Value>>;

pub(crate) async fn partners(
    State(shared): State<Shared>,
    caller: Caller,
    headers: HeaderMap,
) -> Result<Object, Refusal> {
    caller.operates()?;
    shared.operator(AdminOperation::Partners, b"{}".to_vec(), &headers).await.map(Json)
}

/// Who is being asked for what, right now.
pub(crate) async fn sweeps(
    State(shared): State<Shared>,
    caller: Caller,
    headers: HeaderMap,
) -> Result<Object, Refusal> {
    caller.operates()?;
    shared.operator(AdminOperation::Sweeps, b"{}".to_vec(), &headers).await.map(Json)
}

/// How one bookstore stands, also for itself.
pub(crate) async fn partner(
    State(shared): State<Shared>,
    caller: Caller,
    Part(partner): Part,
    headers: HeaderMap,
) -> Result<Json<Value>, Refusal> {
    let unknown = || Refusal::reason(RejectReason::UnknownPartner, "there is no such bookstore");
    let partner = PartnerId::parse(&partner).map_err(|_| unknown())?;
    caller.sees_partner(&partner)?;
    let mut all = shared.operator(AdminOperation::Partners, b"{}".to_vec(), &headers).await?;
    let Some(Value::Array(partners)) = all.remove("partners") else { return Err(unknown()) };
    let own = partners.into_iter().find(|one| one["partner_id"] == partner.as_str());
    own.map(Json).ok_or_else(unknown)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct After {
    /// `next` of the page before.
    cursor: Option<RequestId>,
}

pub(crate) async fn incidents(
    State(shared): State<Shared>,
    caller: Caller,
    Parameters(page): Parameters<After>,
    headers: HeaderMap,
) -> Result<Object, Refusal> {
    caller.operates()?;
    let body = json::encode(&object!({ "after": page.cursor }));
    shared.operator(AdminOperation::Incidents, body, &headers).await.map(Json)
}

/// A human's word: `resolution` (`found`, `not_found`, `release`) with what it needs, and `reason`.
pub(crate) async fn resolve(
    State(shared): State<Shared>,
    caller: Caller,
    OfRequest(request): OfRequest,
    headers: HeaderMap,
    JsonObject(mut body): JsonObject,
) -> Result<Object, Refusal> {
    caller.operates()?;
    body.insert("request_id".to_owned(), request.to_string().into());
    body.insert("actor".to_owned(), caller.0.name.as_str().into());
    let body = json::encode(&body);
    shared.operator(AdminOperation::Resolve, body, &headers).await.map(Json)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Before {
    /// Only letters older than this number.
    cursor: Option<NonZeroU64>,
    limit: Option<usize>,
}

const LETTERS_DEFAULT: usize = 20;
const LETTERS_MAX: usize = 100;

#[derive(Debug, serde::Serialize)]
pub(crate) struct Letters {
    letters: Vec<Numbered>,
}

pub(crate) async fn dead_letters(
    State(shared): State<Shared>,
    caller: Caller,
    Parameters(page): Parameters<Before>,
) -> Result<Json<Letters>, Refusal> {
    caller.operates()?;
    let limit = page.limit.unwrap_or(LETTERS_DEFAULT);
    if limit == 0 || limit > LETTERS_MAX {
        let detail = format!("limit must be 1 to {LETTERS_MAX}");
        return Err(Refusal::own(Own::ParameterInvalid, detail));
    }
    let letters = shared.dead_letters(page.cursor.map(NonZeroU64::get), limit).await?;
    Ok(Json(Letters { letters }))
}

pub(crate) async fn replay(
    State(shared): State<Shared>,
    caller: Caller,
    Part(number): Part,
) -> Result<Json<Value>, Refusal> {
    caller.operates()?;
    let number = letter_number(&number)?;
    let subject = shared.replay(number).await?;
    tracing::info!(number, by = %caller.0.name, "a dead letter was replayed");
    Ok(Json(object!({ "replayed": number, "subject": subject })))
}

/// Deletes a letter for ever; needs a `reason`.
pub(crate) async fn drop_letter(
    State(shared): State<Shared>,
    caller: Caller,
    Part(number): Part,
    headers: HeaderMap,
    JsonObject(mut body): JsonObject,
) -> Result<Object, Refusal> {
    caller.operates()?;
    body.insert("number".to_owned(), letter_number(&number)?.into());
    body.insert("actor".to_owned(), caller.0.name.as_str().into());
    let body = json::encode(&body);
    shared.operator(AdminOperation::DropDeadLetter, body, &headers).await.map(Json)
}

fn letter_number(text: &str) -> Result<u64, Refusal> {
    let missing = || Refusal::reason(RejectReason::NotFound, "there is no such dead letter");
    digits(text).filter(|number| *number > 0).ok_or_else(missing)
}
