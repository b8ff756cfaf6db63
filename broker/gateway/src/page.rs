//! The page: a handful of files without a build step, part of the program.

use axum::Router;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::openapi;
use crate::shared::Shared;

/// Nothing from anywhere else, and nobody may frame it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
                      connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";
const REFERRER_POLICY: HeaderName = HeaderName::from_static("referrer-policy");

/// Path, media type, content.
const FILES: [(&str, &str, &str); 10] = [
    ("/", "text/html; charset=utf-8", include_str!("../page/index.html")),
    ("/operator", "text/html; charset=utf-8", include_str!("../page/operator.html")),
    ("/docs", "text/html; charset=utf-8", include_str!("../page/docs.html")),
    ("/page/style.css", "text/css; charset=utf-8", include_str!("../page/style.css")),
    ("/page/api.js", SCRIPT, include_str!("../page/api.js")),
    ("/page/app.js", SCRIPT, include_str!("../page/app.js")),
    ("/page/plot.js", SCRIPT, include_str!("../page/plot.js")),
    ("/page/operator.js", SCRIPT, include_str!("../page/operator.js")),
    ("/page/docs.js", SCRIPT, include_str!("../page/docs.js")),
    ("/favicon.ico", "image/svg+xml", include_str!("../page/icon.svg")),
];
const SCRIPT: &str = "text/javascript; charset=utf-8";

pub(crate) fn routes() -> Router<Shared> {
    let mut router = Router::new();
    for (path, kind, content) in FILES {
        let tag = tag(content);
        router = router.route(
            path,
            get(move |headers: HeaderMap| {
                let answer = file(kind, content, &tag, &headers);
                async move { answer }
            }),
        );
    }
    router.route("/openapi.json", get(document))
}

/// What it is, so that browsers ask again and mostly hear that nothing has changed.
fn tag(content: &str) -> String {
    let hash = ring::digest::digest(&ring::digest::SHA256, content.as_bytes());
    format!("\"{}\"", data_encoding::HEXLOWER.encode(&hash.as_ref()[..8]))
}

fn file(kind: &'static str, content: &'static str, tag: &str, headers: &HeaderMap) -> Response {
    let known = headers.get(header::IF_NONE_MATCH).is_some_and(|known| known == tag);
    let mut response = if known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(header::CONTENT_TYPE, kind)], content).into_response()
    };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    if let Ok(tag) = HeaderValue::from_str(tag) {
        headers.insert(header::ETAG, tag);
    }
    response
}

async fn document() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], openapi::document()).into_response()
}
