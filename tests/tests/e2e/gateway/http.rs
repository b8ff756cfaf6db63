//! A customer with an HTTP client, who writes down what was sent and answered as others do.

use std::time::Duration;

use reqwest::{Client, ClientBuilder, Method, RequestBuilder, StatusCode};
use schemas::purchase::{CommandReply, CreatePurchase, PurchaseView};
use schemas::{CustomerId, RequestId};
use serde_json::{Map, Value};
use tests::auditor::{Answer, Command, Route, Sent};
use tests::harness::{Order, SubLedger, book, now};

use crate::stage::Stage;

/// Longer than any call may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// One token at the gateway of a stage.
pub(super) struct Http {
    client: Client,
    base: String,
    token: String,
    customer: String,
    ledger: SubLedger,
}

/// An answer, read whole.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) status: StatusCode,
    pub(super) headers: reqwest::header::HeaderMap,
    pub(super) body: Value,
}

impl Said {
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    /// The request that was answered with.
    pub(super) fn view(&self) -> PurchaseView {
        serde_json::from_value(self.body.clone()).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    /// A refusal with this status and code, in the form that every refusal has.
    #[track_caller]
    pub(super) fn refused(&self, status: u16, code: &str) {
        assert_eq!(
            (self.status.as_u16(), self.body["code"].as_str()),
            (status, Some(code)),
            "{self:?}"
        );
        assert_eq!(self.header("content-type"), "application/problem+json");
        assert_eq!(self.body["status"], status);
        for member in ["type", "title", "detail"] {
            assert!(self.body[member].as_str().is_some_and(|text| !text.is_empty()), "{self:?}");
        }
    }
}

/// A client that trusts by the same library as the gateway.
pub(super) fn client() -> ClientBuilder {
    // Whoever comes second finds the same provider.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
}

/// A wish for one book as HTTP has it, and its key.
pub(super) fn wish(n: u32) -> (String, Map<String, Value>) {
    of(&Order::of(book(n)).build())
}

/// The same of any create: its id is the key.
pub(super) fn of(create: &CreatePurchase) -> (String, Map<String, Value>) {
    let Ok(Value::Object(mut body)) = serde_json::to_value(create) else { panic!("an object") };
    body.remove("request_id");
    (create.request_id.to_string(), body)
}

impl Http {
    /// With the token of this name.
    pub(super) fn of(stage: &Stage, token: &str) -> Self {
        let gateway = stage.broker.gateway.as_ref().unwrap();
        let client = client().timeout(PATIENCE).build().unwrap();
        let customer = token.strip_suffix("-looks").unwrap_or(token).to_owned();
        let (base, token) = (gateway.url(), gateway.tokens[token].clone());
        Self { client, base, token, customer, ledger: stage.ledger().clone() }
    }

    /// By another gateway of the same broker.
    pub(super) fn through(self, base: String) -> Self {
        Self { base, ..self }
    }

    pub(super) fn call(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.base)).bearer_auth(&self.token)
    }

    pub(super) async fn get(&self, path: &str) -> Said {
        said(self.call(Method::GET, path)).await
    }

    pub(super) async fn post(&self, path: &str, body: &Value) -> Said {
        said(self.call(Method::POST, path).json(body)).await
    }

    /// A create; what was accepted is the auditor's to look after.
    pub(super) async fn create(&self, key: &str, body: &Map<String, Value>) -> Said {
        let at = now();
        let call = self.call(Method::POST, "/v1/purchase-requests").json(body);
        let said = said(call.header("Idempotency-Key", key)).await;
        let id = said.body["request_id"].as_str().unwrap_or(key);
        self.record::<CreatePurchase>(body, ("request_id", id), None, at, &said, |create| {
            Command::Create(Box::new(create))
        });
        said
    }

    pub(super) async fn cancel(&self, request: RequestId, key: &str) -> Said {
        let at = now();
        let call = self.call(Method::POST, &format!("/v1/purchase-requests/{request}/cancel"));
        let said = said(call.header("Idempotency-Key", key)).await;
        let (id, body) = (request.to_string(), Map::new());
        self.record(&body, ("request_id", &id), Some(key), at, &said, Command::Cancel);
        said
    }

    pub(super) async fn update(
        &self,
        request: RequestId,
        key: &str,
        if_match: Option<&str>,
        mut body: Map<String, Value>,
    ) -> Said {
        let at = now();
        let mut call = self.call(Method::PATCH, &format!("/v1/purchase-requests/{request}"));
        if let Some(tag) = if_match {
            call = call.header("If-Match", tag);
        }
        let said = said(call.header("Idempotency-Key", key).json(&body)).await;
        if let Some(version) = if_match.and_then(|tag| tag.trim_matches('"').parse::<u64>().ok()) {
            body.insert("if_version".to_owned(), version.into());
        }
        let id = request.to_string();
        self.record(&body, ("request_id", &id), Some(key), at, &said, Command::Update);
        said
    }

    pub(super) async fn accept(&self, request: RequestId, key: &str, token: &str) -> Said {
        let at = now();
        let path = format!("/v1/purchase-requests/{request}/accept-quote");
        let body = Map::from_iter([("accept_token".to_owned(), token.into())]);
        let call = self.call(Method::POST, &path).json(&body);
        let said = said(call.header("Idempotency-Key", key)).await;
        let id = request.to_string();
        self.record(&body, ("request_id", &id), Some(key), at, &said, Command::AcceptQuote);
        said
    }

    /// What the gateway must have made of a call, and what was answered.
    fn record<T: serde::de::DeserializeOwned>(
        &self,
        body: &Map<String, Value>,
        (name, id): (&str, &str),
        command: Option<&str>,
        at: schemas::Timestamp,
        said: &Said,
        of: impl FnOnce(T) -> Command,
    ) {
        let mut body = body.clone();
        body.insert(name.to_owned(), id.into());
        if let Some(command) = command {
            body.insert("command_id".to_owned(), command.into());
        }
        let Ok(typed) = serde_json::from_value(Value::Object(body)) else { return };
        let replayed = said.header("idempotent-replayed") == "true";
        let answer = if said.status.is_success() {
            let request = Box::new(said.view());
            Answer::Reply(Box::new(CommandReply::Accepted { replayed, request }))
        } else {
            Answer::Silent
        };
        self.ledger.record(Sent {
            customer: CustomerId::parse(&self.customer).unwrap(),
            command: of(typed),
            route: Route::Service,
            at,
            answered: now(),
            answer,
        });
    }
}

pub(super) async fn said(call: RequestBuilder) -> Said {
    let response = call.send().await.unwrap();
    let (status, headers) = (response.status(), response.headers().clone());
    let text = response.text().await.unwrap();
    let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
    Said { status, headers, body }
}
