//! Bodies: JSON objects of a bounded size, read within a bounded time.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use schemas::RejectReason;
use serde_json::{Map, Value};

use crate::problem::Refusal;
use crate::shared::Shared;

/// A JSON object, its members as they were written.
pub(crate) struct JsonObject(pub(crate) Map<String, Value>);

impl FromRequest<Shared> for JsonObject {
    type Rejection = Refusal;

    async fn from_request(request: Request, shared: &Shared) -> Result<Self, Refusal> {
        is_json(request.headers())?;
        let bytes = bytes(request, shared).await?;
        match serde_json::from_slice(&bytes) {
            Ok(Value::Object(members)) => Ok(Self(members)),
            Ok(_) => Err(Refusal::reason(RejectReason::Malformed, "the body is no JSON object")),
            Err(error) => {
                Err(Refusal::reason(RejectReason::Malformed, format!("not JSON: {error}")))
            }
        }
    }
}

/// The same where nothing at all is allowed, too.
pub(crate) struct MaybeJsonObject(pub(crate) Map<String, Value>);

impl FromRequest<Shared> for MaybeJsonObject {
    type Rejection = Refusal;

    async fn from_request(request: Request, shared: &Shared) -> Result<Self, Refusal> {
        let is_typed = request.headers().contains_key(CONTENT_TYPE);
        if is_typed {
            return JsonObject::from_request(request, shared).await.map(|body| Self(body.0));
        }
        let bytes = bytes(request, shared).await?;
        if bytes.is_empty() {
            return Ok(Self(Map::new()));
        }
        Err(unsupported())
    }
}

/// Raw bytes of a bounded size.
pub(crate) async fn bytes(request: Request, shared: &Shared) -> Result<Bytes, Refusal> {
    let read = Bytes::from_request(request, shared).await;
    read.map_err(|rejection| {
        let max = shared.config.body_max_bytes;
        match &rejection {
            BytesRejection::FailedToBufferBody(failed)
                if failed.status() == StatusCode::PAYLOAD_TOO_LARGE =>
            {
                let detail = format!("the body may have at most {max} bytes");
                Refusal::reason(RejectReason::PayloadTooLarge, detail)
            }
            _ => {
                let detail = "the body ended early or came too slowly; send it again";
                Refusal::reason(RejectReason::Malformed, detail)
            }
        }
    })
}

fn is_json(headers: &HeaderMap) -> Result<(), Refusal> {
    let text = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media = text.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    let media = media.to_ascii_lowercase();
    let fits = media == "application/json"
        || media == "application/merge-patch+json"
        || (media.starts_with("application/") && media.ends_with("+json"));
    if fits { Ok(()) } else { Err(unsupported()) }
}

fn unsupported() -> Refusal {
    let detail = "send the body as `Content-Type: application/json`";
    Refusal::reason(RejectReason::ContentTypeUnsupported, detail)
}
