//! Who may ask. Secrets are the same for every store: they are simulated, too.

use axum::http::HeaderMap;

use super::Shape;

pub(super) const SECRET: &str = "sim-secret";
pub(super) const TOKEN: &str = "sim-token";

pub(super) fn is_allowed(shape: Shape, headers: &HeaderMap) -> bool {
    let has = |name: &str, wanted: &str| {
        headers.get(name).is_some_and(|v| v.as_bytes() == wanted.as_bytes())
    };
    match shape {
        Shape::JsonSync | Shape::Xml => has("x-api-key", SECRET),
        Shape::NoReservation => has("authorization", &format!("ApiKey {SECRET}")),
        Shape::Poll => has("authorization", &format!("Bearer {TOKEN}")),
        Shape::JsonCallback => has("authorization", &basic()),
    }
}

/// What the holder of the credentials writes for basic authentication.
pub(super) fn basic() -> String {
    let pair = format!("broker:{SECRET}");
    format!("Basic {}", data_encoding::BASE64.encode(pair.as_bytes()))
}
