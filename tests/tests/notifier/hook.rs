//! An HTTP endpoint of a customer: keeps what it is sent, checks signatures with the library that
//! the standard publishes, and answers as a test wants.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use standardwebhooks::Webhook;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// What came.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Received {
    pub(crate) fn id(&self) -> &str {
        self.headers["webhook-id"].to_str().unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// Whether the holder of `secret` takes it for genuine.
    pub(crate) fn is_signed_with(&self, secret: &str) -> bool {
        Webhook::new(secret).unwrap().verify(&self.body, &self.headers).is_ok()
    }
}

/// How a call is answered.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    Status(u16),
    With(u16, &'static str, String),
    /// The call is kept, and never answered.
    Never,
}

#[derive(Debug, Default)]
struct Inner {
    received: Vec<Received>,
    next: VecDeque<Answer>,
    otherwise: Option<Answer>,
}

#[derive(Debug)]
pub(crate) struct Hook {
    address: SocketAddr,
    inner: Arc<Mutex<Inner>>,
    serving: JoinHandle<()>,
}

fn lock(inner: &Mutex<Inner>) -> MutexGuard<'_, Inner> {
    inner.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Hook {
    /// Answers 204 unless told otherwise.
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let inner: Arc<Mutex<Inner>> = Arc::default();
        let router = Router::new().fallback(answer).with_state(Arc::clone(&inner));
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, inner, serving }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// The next calls are answered like this, one by one.
    pub(crate) fn then(&self, answers: impl IntoIterator<Item = Answer>) {
        lock(&self.inner).next.extend(answers);
    }

    /// All further calls are answered like this.
    pub(crate) fn always(&self, answer: Answer) {
        lock(&self.inner).otherwise = Some(answer);
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        lock(&self.inner).received.clone()
    }
}

impl Drop for Hook {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn answer(
    State(inner): State<Arc<Mutex<Inner>>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let answer = {
        let mut inner = lock(&inner);
        inner.received.push(Received { headers, body });
        let next = inner.next.pop_front();
        next.or_else(|| inner.otherwise.clone()).unwrap_or(Answer::Status(204))
    };
    let status = |status| StatusCode::from_u16(status).unwrap();
    match answer {
        Answer::Status(code) => status(code).into_response(),
        Answer::With(code, name, value) => {
            (status(code), [(HeaderName::from_static(name), value)]).into_response()
        }
        Answer::Never => std::future::pending().await,
    }
}
