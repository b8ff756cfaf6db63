//! Which call goes where, and what is asked of every call.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{ConnectInfo, DefaultBodyLimit, MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use schemas::DurationMs;
use schemas::trace::TRACEPARENT;
use tower_http::cors::{AllowOrigin, CorsLayer};

use crate::broker::trace_of;
use crate::metrics;
use crate::page;
use crate::problem::{Own, Refusal};
use crate::routes::{callbacks, changes, compat, create, operator, reads};
use crate::shared::Shared;

/// Whoever finds no place may come back after so long.
const RETRY_AFTER: DurationMs = DurationMs::from_secs(1);
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

pub(crate) fn router(shared: Shared) -> Router {
    let requests = "/v1/purchase-requests";
    let one = |rest: &str| format!("{requests}/{{request_id}}{rest}");
    let calls = Router::new()
        .route(requests, post(create::create).get(reads::list))
        .route(&one(""), get(reads::get).patch(changes::update))
        .route(&one("/cancel"), post(changes::cancel))
        .route(&one("/accept-quote"), post(changes::accept_quote))
        .route(&one("/receipt"), get(reads::receipt))
        .route(&one("/events"), get(reads::events))
        .route("/v1/me", get(reads::me))
        .route("/v1/partners/{partner_id}", get(operator::partner))
        .route("/v1/partners/{partner_id}/callbacks", post(callbacks::take))
        .route("/v1/operator/partners", get(operator::partners))
        .route("/v1/operator/sweeps", get(operator::sweeps))
        .route("/v1/operator/incidents", get(operator::incidents))
        .route("/v1/operator/incidents/{request_id}/resolve", post(operator::resolve))
        .route("/v1/operator/dead-letters", get(operator::dead_letters))
        .route("/v1/operator/dead-letters/{number}/replay", post(operator::replay))
        .route("/v1/operator/dead-letters/{number}/drop", post(operator::drop_letter))
        .route("/purchase-request", post(compat::create))
        .route("/request-status", get(compat::status))
        .merge(page::routes())
        .fallback(no_such_page)
        .method_not_allowed_fallback(no_such_method)
        .layer(DefaultBodyLimit::max(shared.config.body_max_bytes))
        .layer(from_fn_with_state(shared.clone(), admit))
        .with_state(shared.clone());
    match cors(&shared.config.cors_origins) {
        Some(cors) => calls.layer(cors),
        None => calls,
    }
}

/// Before anything is looked at: is there room, and has this address called too often? Then the
/// call has a bounded time, and is counted.
async fn admit(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let since = Instant::now();
    let method = known(request.method());
    let path = request.extensions().get::<MatchedPath>();
    let route = path.map_or_else(|| "other".to_owned(), |path| path.as_str().to_owned());
    let trace = trace_of(request.headers());
    let mut response = work(&shared, request, next).await;
    if let Some(Ok(value)) = trace.map(|trace| HeaderValue::try_from(trace.to_string())) {
        response.headers_mut().insert(HeaderName::from_static(TRACEPARENT), value);
    }
    let no_sniff = HeaderValue::from_static("nosniff");
    response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, no_sniff);
    metrics::call(route, method, response.status().as_u16(), since.elapsed());
    response
}

async fn work(shared: &Shared, request: Request, next: Next) -> Response {
    let Ok(_place) = Arc::clone(&shared.room).try_acquire_owned() else {
        let detail = "too many calls are being worked on; try again";
        return Refusal::own(Own::ReducedCapacity, detail).after(RETRY_AFTER).into_response();
    };
    let _in_flight = metrics::InFlight::begin();
    let from = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|from| from.0.ip());
    let left = match from.map(|address| shared.limits.address(address)).transpose() {
        Ok(left) => left.unwrap_or_default(),
        Err(refusal) => return refusal.into_response(),
    };
    let limit = Duration::from(shared.config.call_timeout_ms);
    let mut response = match tokio::time::timeout(limit, next.run(request)).await {
        Ok(response) => response,
        Err(_elapsed) => {
            let detail = "the call took too long; what it asked for may have been done";
            Refusal::own(Own::DeadlineExceeded, detail).after(RETRY_AFTER).into_response()
        }
    };
    response.headers_mut().extend(left);
    response
}

/// A label of bounded choice.
fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PATCH => "PATCH",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

async fn no_such_page() -> Refusal {
    Refusal::own(Own::NoSuchPage, "there is nothing here; /docs lists what there is")
}

async fn no_such_method() -> Refusal {
    let detail = "this can be called, but not with this method; /docs lists what there is";
    Refusal::own(Own::MethodNotAllowed, detail)
}

/// Nothing for pages of others, unless an operator names them.
fn cors(origins: &[String]) -> Option<CorsLayer> {
    let origins: Vec<HeaderValue> =
        origins.iter().filter_map(|origin| HeaderValue::from_str(origin).ok()).collect();
    if origins.is_empty() {
        return None;
    }
    let sent = [
        header::AUTHORIZATION,
        header::CONTENT_TYPE,
        header::IF_MATCH,
        header::IF_NONE_MATCH,
        IDEMPOTENCY_KEY,
        LAST_EVENT_ID,
    ];
    let shown = [header::ETAG, header::LOCATION, header::RETRY_AFTER, header::LINK];
    Some(
        CorsLayer::new()
            .allow_origin(AllowOrigin::list(origins))
            .allow_methods([Method::GET, Method::POST, Method::PATCH])
            .allow_headers(sent)
            .expose_headers(shown),
    )
}
