//! One store at the other end of HTTP: a call is filled in, signed, waits for its turn, and comes
//! back as an answer or as the reason why there is none.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Client, Method, Url};
use schemas::id::Key;
use schemas::{DurationMs, Timestamp};
use serde_json::Value;

use crate::auth::Auth;
use crate::config::BridgeConfig;
use crate::gate::{Busy, Gate, Line};
use crate::http::guard::Guard;
use crate::http::{Answer, CallError, ClientError, Rendered, Sender};
use crate::metrics;
use crate::store::compile::Call;
use crate::store::{Store, StoreError};
use crate::{clock, http};

/// Why a store cannot be called at all.
#[derive(Debug, thiserror::Error)]
pub enum CallerError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Client(#[from] ClientError),
}

/// Why a call brought nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failed {
    #[error("the store is busy for {} ms", .0.wait.as_ms())]
    Busy(Busy),
    #[error(transparent)]
    Call(#[from] CallError),
}

impl Failed {
    /// The store knows nothing of the call.
    pub(crate) fn is_unsent(&self) -> bool {
        matches!(self, Self::Busy(_) | Self::Call(CallError::NotSent(_)))
    }

    /// When another try makes sense.
    pub(crate) fn retry_after(&self) -> DurationMs {
        match self {
            Self::Busy(busy) => busy.wait,
            Self::Call(_) => UNREACHABLE_PAUSE,
        }
    }
}

/// A store that cannot be reached is tried again after it.
const UNREACHABLE_PAUSE: DurationMs = DurationMs(1000);

/// What is asked, and for how long it makes sense.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ask<'a> {
    pub(crate) operation: &'static str,
    pub(crate) values: &'a Value,
    pub(crate) key: Option<&'a Key>,
    pub(crate) line: Line,
    pub(crate) deadline: Timestamp,
}

#[derive(Debug)]
pub(crate) struct Caller {
    pub(crate) store: Arc<Store>,
    pub(crate) gate: Gate,
    client: Client,
    guard: Guard,
    auth: Auth,
}

impl Caller {
    pub(crate) fn new(
        store: Arc<Store>,
        config: &BridgeConfig,
        tls: &rustls::ClientConfig,
    ) -> Result<Self, CallerError> {
        let allowed = config.allow_private_hosts.iter().any(|host| host == store.host());
        let guard = Guard::new(allowed);
        guard.check_host(store.host()).map_err(|error| StoreError::Key {
            file: store.file.clone(),
            key: "[partner] base_url".to_owned(),
            why: error.to_string(),
        })?;
        Ok(Self {
            gate: Gate::new(&store.limits),
            client: http::client(&store, tls, guard.clone())?,
            auth: Auth::new(&store)?,
            guard,
            store,
        })
    }

    /// The longest that one call can take, from its turn on.
    pub(crate) fn call_max(&self) -> DurationMs {
        let limits = &self.store.limits;
        // A token, the call, and the call with another token.
        DurationMs(limits.timeout_ms.as_ms().saturating_mul(3))
    }

    pub(crate) async fn call(&self, call: &Call, ask: Ask<'_>) -> Result<Answer, Failed> {
        let rendered = self.store.fill(call, ask.values, ask.key);
        // It worked with samples; what fails now is a value, and nothing was sent.
        let rendered = rendered.map_err(CallError::NotSent)?;
        self.exchange(rendered, ask).await
    }

    /// Asks an address that the store named itself, on its own host.
    pub(crate) async fn get(&self, url: &str, ask: Ask<'_>) -> Result<Answer, Failed> {
        let url = self.store.own_url(url).map_err(CallError::NotSent)?;
        let (headers, body) = (HeaderMap::new(), Bytes::new());
        self.exchange(Rendered { method: Method::GET, url, headers, body }, ask).await
    }

    async fn exchange(&self, call: Rendered, ask: Ask<'_>) -> Result<Answer, Failed> {
        let _pass = self.gate.enter(ask.line, ask.deadline).await.map_err(Failed::Busy)?;
        let begun = Instant::now();
        let result = self.signed(&call, ask).await;
        metrics::call(self.store.id(), ask.operation, status(&result), begun.elapsed());
        match &result {
            Ok(answer) => tracing::debug!(
                partner = %self.store.id(), operation = ask.operation, status = answer.status,
                "called"
            ),
            Err(error) => tracing::debug!(
                partner = %self.store.id(), operation = ask.operation, %error, "called in vain"
            ),
        }
        Ok(result?)
    }

    async fn signed(&self, call: &Rendered, ask: Ask<'_>) -> Result<Answer, CallError> {
        let mut tried_again = false;
        loop {
            let mut call = call.clone();
            self.auth.sign(&mut call.headers, &self.client, &self.guard).await?;
            if clock::now() > ask.deadline {
                return Err(CallError::NotSent("its time is over".to_owned()));
            }
            let sender = Sender {
                client: &self.client,
                guard: &self.guard,
                format: self.store.partner.format,
                body_bytes_max: self.store.limits.body_bytes_max,
            };
            let answer = sender.send(call, clock::now()).await?;
            // Nobody acts for whom he does not know.
            if answer.status != 401 || tried_again || !self.auth.refused().await {
                return Ok(answer);
            }
            tried_again = true;
        }
    }
}

fn status(result: &Result<Answer, CallError>) -> metrics::Status {
    match result {
        Ok(answer) => metrics::Status::Class(answer.status / 100),
        Err(CallError::NotSent(_)) => metrics::Status::NotSent,
        Err(CallError::NoAnswer(_)) => metrics::Status::NoAnswer,
    }
}

impl Store {
    /// An address below `base_url`.
    pub(crate) fn url(&self, path: &str) -> Result<Url, String> {
        let base = self.base.as_str().trim_end_matches('/');
        let url = Url::parse(&format!("{base}{path}")).map_err(|e| format!("{path:?}: {e}"))?;
        if url.origin() != self.base.origin() {
            return Err(format!("{path:?} leads to another host"));
        }
        Ok(url)
    }

    /// An address that the store named.
    fn own_url(&self, text: &str) -> Result<Url, String> {
        let url = self.base.join(text).map_err(|e| e.to_string())?;
        if url.origin() != self.base.origin() {
            return Err(format!("{text:?} leads to another host"));
        }
        Ok(url)
    }

    fn fill(&self, call: &Call, values: &Value, key: Option<&Key>) -> Result<Rendered, String> {
        let path = self.templates.render(&call.url, values)?;
        let mut headers = HeaderMap::new();
        for (name, template) in &call.headers {
            let text = self.templates.render(template, values)?;
            let value = HeaderValue::from_str(&text).map_err(|e| format!("{name}: {e}"))?;
            headers.insert(name.clone(), value);
        }
        if let (Some(name), Some(key)) = (&call.idempotency_header, key) {
            let value = HeaderValue::from_str(key.as_str()).map_err(|e| e.to_string())?;
            headers.insert(name.clone(), value);
        }
        let mut body = Bytes::new();
        if let Some((content_type, template)) = &call.body {
            headers.insert(CONTENT_TYPE, content_type.clone());
            body = Bytes::from(self.templates.render(template, values)?);
        }
        Ok(Rendered { method: call.method.clone(), url: self.url(&path)?, headers, body })
    }
}
