//! What a customer may look at: one request, a list, the receipt, events, and who one is.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use schemas::event::{Receipt, RunningSweep};
use schemas::purchase::{
    GetPurchase, LIST_PAGE_MAX, ListPurchases, ListReply, PurchaseStatus, PurchaseView,
    ReceiptReply,
};
use schemas::subject::PurchaseOperation;
use schemas::{CustomerId, DurationMs, RequestId, json};
use serde::{Deserialize, Serialize};

use super::{OfRequest, Parameters, digits, etag, shown};
use crate::caller::Caller;
use crate::events;
use crate::problem::{Own, Refusal};
use crate::shared::Shared;
use crate::tokens::Scope;

const COME_BACK: DurationMs = DurationMs::from_secs(5);

pub(crate) async fn get(
    State(shared): State<Shared>,
    caller: Caller,
    OfRequest(request): OfRequest,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let view = find(&shared, caller.reads()?, request, &headers).await?;
    let tag = etag(view.version);
    let known = headers.get_all(header::IF_NONE_MATCH).iter().any(|known| *known == tag);
    if known {
        return Ok((StatusCode::NOT_MODIFIED, [(header::ETAG, tag)]).into_response());
    }
    Ok(shown(StatusCode::OK, &view, false))
}

pub(super) async fn find(
    shared: &Shared,
    customer: &CustomerId,
    request: RequestId,
    headers: &HeaderMap,
) -> Result<Box<PurchaseView>, Refusal> {
    let body = json::encode(&GetPurchase { request_id: request });
    let found = shared.command(PurchaseOperation::Get, customer, body, headers).await?;
    Ok(found.request)
}

/// Parameters of a list.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Filter {
    status: Option<PurchaseStatus>,
    /// `next` of the page before.
    cursor: Option<RequestId>,
    limit: Option<u16>,
}

/// One page, newest first.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Page {
    pub(crate) requests: Vec<PurchaseView>,
    /// `cursor` of the next page; absent on the last one. A page of a status may be short.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) next: Option<RequestId>,
}

pub(crate) async fn list(
    State(shared): State<Shared>,
    caller: Caller,
    headers: HeaderMap,
    Parameters(filter): Parameters<Filter>,
) -> Result<Response, Refusal> {
    let customer = caller.reads()?;
    if filter.limit.is_some_and(|limit| limit == 0 || limit > LIST_PAGE_MAX) {
        let detail = format!("limit must be 1 to {LIST_PAGE_MAX}");
        return Err(Refusal::own(Own::ParameterInvalid, detail));
    }
    let Filter { status, cursor, limit } = filter;
    let body = json::encode(&ListPurchases { status, after: cursor, limit });
    match shared.ask(PurchaseOperation::List, customer, body, &headers).await? {
        ListReply::Page { requests, next } => {
            let link = next.and_then(|next| link(next, status, limit));
            let mut response = Json(Page { requests, next }).into_response();
            if let Some(link) = link {
                response.headers_mut().insert(header::LINK, link);
            }
            Ok(response)
        }
        ListReply::Rejected(problem) => Err(problem.into()),
    }
}

/// The next page (RFC 8288).
fn link(
    next: RequestId,
    status: Option<PurchaseStatus>,
    limit: Option<u16>,
) -> Option<HeaderValue> {
    let status = status.map(|status| format!("&status={}", status.label())).unwrap_or_default();
    let limit = limit.map(|limit| format!("&limit={limit}")).unwrap_or_default();
    let link = format!("</v1/purchase-requests?cursor={next}{status}{limit}>; rel=\"next\"");
    HeaderValue::try_from(link).ok()
}

/// Why the broker bought there, or did not buy.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Shown {
    pub(crate) request_id: RequestId,
    /// What the last sweep found and what was decided from it; absent until it has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) receipt: Option<Box<Receipt>>,
    /// What the sweep under way has found so far; absent while there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) running: Option<Box<RunningSweep>>,
}

pub(crate) async fn receipt(
    State(shared): State<Shared>,
    caller: Caller,
    OfRequest(request): OfRequest,
    headers: HeaderMap,
) -> Result<Json<Shown>, Refusal> {
    let body = json::encode(&GetPurchase { request_id: request });
    let reply = shared.ask(PurchaseOperation::Receipt, caller.reads()?, body, &headers).await?;
    match reply {
        ReceiptReply::Found { request_id, receipt, running } => {
            Ok(Json(Shown { request_id, receipt, running }))
        }
        ReceiptReply::Rejected(problem) => Err(problem.into()),
    }
}

/// Server-sent events of one request.
pub(crate) async fn events(
    State(shared): State<Shared>,
    caller: Caller,
    OfRequest(request): OfRequest,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let customer = caller.reads()?;
    find(&shared, customer, request, &headers).await?;
    let after = match headers.get("last-event-id") {
        None => 0,
        Some(id) => id.to_str().ok().and_then(digits).ok_or_else(|| {
            let detail = "Last-Event-ID must be the id of an event that came before";
            Refusal::own(Own::ParameterInvalid, detail)
        })?,
    };
    let place = shared.event_clients.enter(&caller.0.name, &shared.config);
    let place = place.ok_or_else(|| {
        let detail = "too many clients follow events; try again, or read the request now and then";
        Refusal::own(Own::ReducedCapacity, detail).after(COME_BACK)
    })?;
    Ok(events::follow(shared.clone(), customer, request, after, place).into_response())
}

/// Who the token belongs to, for programs that only have the token.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Me {
    name: String,
    /// requester, read_only, operator or partner
    scope: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    customer_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    partner_id: Option<String>,
}

pub(crate) async fn me(caller: Caller) -> Json<Me> {
    let principal = &caller.0;
    let (scope, customer_id, partner_id) = match &principal.scope {
        Scope::Requester(customer) => ("requester", Some(customer.to_string()), None),
        Scope::ReadOnly(customer) => ("read_only", Some(customer.to_string()), None),
        Scope::Operator => ("operator", None, None),
        Scope::Partner(partner) => ("partner", None, Some(partner.to_string())),
    };
    Json(Me { name: principal.name.to_string(), scope, customer_id, partner_id })
}
