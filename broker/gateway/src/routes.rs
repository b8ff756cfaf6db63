//! What can be called, one file per topic.

pub(crate) mod callbacks;
pub(crate) mod changes;
pub(crate) mod compat;
pub(crate) mod create;
pub(crate) mod operator;
pub(crate) mod reads;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Json, RequestPartsExt};
use schemas::purchase::PurchaseView;
use schemas::{RejectReason, RequestId};
use serde::de::DeserializeOwned;

use crate::problem::{Own, Refusal};
use crate::shared::Shared;

/// Name of the header that marks an answer as one of before.
pub(crate) const REPLAYED: &str = "idempotent-replayed";

/// A part of the path. What is no UTF-8 is nobody's name: the empty text, which no parser takes.
pub(crate) struct Part(pub(crate) String);

impl FromRequestParts<Shared> for Part {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &Shared) -> Result<Self, Refusal> {
        let path = parts.extract::<axum::extract::Path<String>>().await;
        Ok(Self(path.map(|path| path.0).unwrap_or_default()))
    }
}

/// The request id of the path.
pub(crate) struct OfRequest(pub(crate) RequestId);

impl FromRequestParts<Shared> for OfRequest {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, shared: &Shared) -> Result<Self, Refusal> {
        let Part(text) = Part::from_request_parts(parts, shared).await?;
        // No oracle: what cannot be an id is as unknown as what is none.
        let id = RequestId::parse(&text).map_err(|_| unknown_request())?;
        Ok(Self(id))
    }
}

pub(crate) fn unknown_request() -> Refusal {
    Refusal::reason(RejectReason::NotFound, "you have no request with this id")
}

/// Plain digits; the standard parser would take a sign, too.
pub(crate) fn digits(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// The parameters behind `?`.
pub(crate) struct Parameters<T>(pub(crate) T);

impl<T: DeserializeOwned + Send + 'static> FromRequestParts<Shared> for Parameters<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &Shared) -> Result<Self, Refusal> {
        let query = parts.extract::<axum::extract::Query<T>>().await;
        query
            .map(|query| Self(query.0))
            .map_err(|rejection| Refusal::own(Own::ParameterInvalid, rejection.body_text()))
    }
}

/// A request as an answer: its version is the entity tag.
pub(crate) fn shown(status: StatusCode, request: &PurchaseView, replayed: bool) -> Response {
    let mut response = (status, Json(request)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::ETAG, etag(request.version));
    if replayed {
        headers.insert(REPLAYED, HeaderValue::from_static("true"));
    }
    response
}

pub(crate) fn etag(version: u64) -> HeaderValue {
    HeaderValue::try_from(format!("\"{version}\"")).expect("digits in quotes")
}

/// The version of `If-Match`. `*` and absence are no condition.
pub(crate) fn if_match(headers: &HeaderMap) -> Result<Option<u64>, Refusal> {
    let Some(value) = headers.get(header::IF_MATCH) else { return Ok(None) };
    let text = value.to_str().unwrap_or_default().trim();
    if text == "*" {
        return Ok(None);
    }
    let version = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    let version = version.and_then(digits);
    version.map(Some).ok_or_else(|| {
        let detail = "If-Match must be the ETag of the request as you saw it, such as \"3\"";
        Refusal::own(Own::ParameterInvalid, detail)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn if_match_is_the_version_of_before_or_nothing() {
        let read = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::IF_MATCH, HeaderValue::from_static(text));
            if_match(&headers).ok()
        };
        assert_eq!(read("\"3\""), Some(Some(3)));
        assert_eq!(read("*"), Some(None));
        for bad in ["3", "\"x\"", "\"+3\"", "W/\"3\"", "\"3\", \"4\"", ""] {
            assert_eq!(read(bad), None, "{bad}");
        }
        assert_eq!(if_match(&HeaderMap::new()).unwrap(), None);
        let contract = crate::openapi::parameter("updatePurchaseRequest", "If-Match");
        for text in ["\"3\"", "*", "3", "\"x\"", "\"+3\"", "W/\"3\"", "\"3\", \"4\""] {
            assert_eq!(contract.is_valid(&text.into()), read(text).is_some(), "{text}");
        }
    }

    #[test]
    fn the_contract_and_the_gateway_agree_what_an_id_is() {
        let contract = crate::openapi::parameter("getPurchaseRequest", "request_id");
        for text in [
            "01890a5d-ac96-774b-bcce-b302099a8057",
            "01890A5D-AC96-774B-BCCE-B302099A8057",
            "01890a5d-ac96-174b-bcce-b302099a8057",
            "01890a5d-ac96-774b-bcce-b302099a805",
            "",
        ] {
            let read = RequestId::parse(text).is_ok();
            assert_eq!(contract.is_valid(&text.into()), read, "{text}");
        }
    }
}
