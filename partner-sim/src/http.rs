//! The same stores behind HTTP, for those who have only that: five shapes, as real bookstores have
//! them. Decisions, ledger, latency and faults are those of the store; this shell only translates.
//! What a store would not answer on NATS it does not answer here: the caller waits in vain.

mod auth;
mod fields;
mod handler;
mod reply;
mod request;
mod webhook;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use schemas::PartnerId;
use serde::{Deserialize, Serialize};

use crate::nats::delay::Delays;
use crate::nats::desk::{Delayed, Desk};
use handler::Shop;
use webhook::Webhooks;

/// `[http]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpConfig {
    pub bind: SocketAddr,
    /// Where call-backs go; `{partner}` stands for the store.
    #[serde(default)]
    pub callback_url: String,
    /// Their secret, as Standard Webhooks writes it: `whsec_` and base64.
    #[serde(default = "default_secret")]
    pub callback_secret: String,
    /// How long a caller is kept waiting for an answer that does not come, milliseconds.
    #[serde(default = "default_silence")]
    pub silence_ms: u64,
    /// Who speaks HTTP, and how. They are at `http://<bind>/<partner>`.
    pub shapes: BTreeMap<PartnerId, Shape>,
}

fn default_secret() -> String {
    "whsec_c2ltLXNlY3JldC1zaW0tc2VjcmV0LXNpbS1zZWNyZXQ=".to_owned()
}

fn default_silence() -> u64 {
    30_000
}

/// How a store speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// JSON, an API key, quotes in batches, everything answered at once.
    JsonSync,
    /// JSON, basic authentication, errors inside of 200, orders confirmed by a call-back.
    JsonCallback,
    /// XML, an API key, one status attribute for everything.
    Xml,
    /// JSON, OAuth2, orders are jobs to be asked after.
    Poll,
    /// JSON, an API key, forms; it holds nothing, cancels nothing and knows no idempotency.
    NoReservation,
}

/// Why the stores are not behind HTTP.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    #[error("cannot listen on {bind}")]
    Bind { bind: SocketAddr, source: std::io::Error },
    #[error("cannot set up call-backs: {0}")]
    Callbacks(String),
}

/// Answers of these stores carry this in the place of a subject.
const SUBJECT_ROOT: &str = "http.";

pub(crate) fn is_for_http(subject: &str) -> bool {
    subject.starts_with(SUBJECT_ROOT)
}

fn partner_of(subject: &str) -> Option<PartnerId> {
    let (partner, _) = subject.strip_prefix(SUBJECT_ROOT)?.rsplit_once('.')?;
    PartnerId::parse(partner).ok()
}

/// Listens, and returns what serves until it is dropped.
pub(crate) async fn open(
    config: &HttpConfig,
    desk: Arc<Desk>,
    delays: Delays,
    owed: Vec<Delayed>,
) -> Result<impl Future<Output = ()> + Send + use<>, HttpError> {
    let bind = config.bind;
    let listener = tokio::net::TcpListener::bind(bind)
        .await
        .map_err(|source| HttpError::Bind { bind, source })?;
    let webhooks = Webhooks::new(config).map_err(HttpError::Callbacks)?;
    let shop = Arc::new(Shop::new(config.clone(), desk, delays, webhooks));
    for delayed in owed {
        shop.resume(delayed);
    }
    tracing::info!(%bind, stores = config.shapes.len(), "stores are open over HTTP");
    let router = axum::Router::new().fallback(handler::serve).with_state(shop);
    Ok(async move {
        if let Err(error) = axum::serve(listener, router).await {
            tracing::error!(%error, "HTTP stores closed");
        }
    })
}
