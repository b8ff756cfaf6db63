//! A store that does whatever a test wants, and a test in the place of the broker.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::http::Request;
use axum::response::Response;
use futures_util::StreamExt;
use schemas::id::{CallId, Key, MessageId, QuoteId};
use schemas::partner::{
    Cancel, CommandHeader, Lookup, PartnerOutcome, PartnerReply, Place, QuoteAnswers, QuoteOutcome,
    QuoteQuestion, QuoteRequests,
};
use schemas::stream::name;
use schemas::subject::{
    PartnerOperation, PartnerReplyKind, partner_command, partner_quote, partner_reply,
};
use schemas::{Condition, Currency, DurationMs, Money, PartnerId, RequestId};
use tests::harness::{StreamTail, book, now, wait};

use crate::stage::{SOON, Stage};

/// What was called, and what with.
pub(crate) type Seen = (String, String);
type Answering = dyn Fn(&str, usize) -> Response + Send + Sync;

/// A store served by the test.
#[derive(Clone)]
pub(crate) struct Rogue {
    pub(crate) address: SocketAddr,
    calls: Arc<Mutex<Vec<Seen>>>,
    answer: Arc<Answering>,
}

impl Rogue {
    /// `answer` gets `POST /orders` and how many calls of that kind there were before.
    pub(crate) async fn start(
        answer: impl Fn(&str, usize) -> Response + Send + Sync + 'static,
    ) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let rogue = Self { address, calls: Arc::default(), answer: Arc::new(answer) };
        let router = Router::new().fallback(serve).with_state(rogue.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        rogue
    }

    /// Calls of this kind so far.
    pub(crate) fn calls(&self, what: &str) -> usize {
        self.calls.lock().unwrap().iter().filter(|(called, _)| called == what).count()
    }

    /// The store file of a store that holds nothing, in JSON or XML.
    pub(crate) fn file(&self, format: &str, promises: &str) -> String {
        let paths = match format {
            "xml" => ["/a/@id", "/a/@total", "/a/@price", "/a[@error]"],
            _ => ["$.id", "$.total", "$.price", "$.error"],
        };
        let [id, total, price, error] = paths;
        format!(
            r#"
[partner]
id = "rogue"
currency = "USD"
base_url = "http://{address}"
format = "{format}"
[promises]
lookup = "read_your_writes"
{promises}
[limits]
timeout_ms = 700
body_bytes_max = 65536
[quote]
outcomes = [
  {{ status = "200", when = "{error}", outcome = "rejected" }},
  {{ status = "200", outcome = "accepted" }},
  {{ status = "429", outcome = "too_many" }},
]
[quote.request]
url = "/quote"
[quote.offer]
condition = {{ fixed = "new" }}
item = {{ path = "{price}" }}
shipping = {{ fixed = "0" }}
tax = {{ fixed = "0" }}
fee = {{ fixed = "0" }}
[place]
order_id = "{id}"
total = {{ path = "{total}" }}
outcomes = [
  {{ status = "200", when = "{error}", outcome = "rejected" }},
  {{ status = "200", outcome = "accepted" }},
  {{ status = "404", outcome = "rejected" }},
  {{ status = "429", outcome = "too_many" }},
]
[place.request]
method = "POST"
url = "/orders"
idempotency_header = "Idempotency-Key"
[lookup]
order_id = "{id}"
total = {{ path = "{total}" }}
outcomes = [
  {{ status = "200", outcome = "accepted" }},
  {{ status = "404", outcome = "not_found" }},
]
[lookup.request]
url = "/orders/{{{{ key }}}}"
"#,
            address = self.address
        )
    }
}

async fn serve(State(rogue): State<Rogue>, request: Request<Body>) -> Response {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
    let path = parts.uri.path();
    let path = if path.starts_with("/orders/") { "/orders/…" } else { path };
    let what = format!("{} {path}", parts.method);
    let before = rogue.calls(&what);
    let body = String::from_utf8_lossy(&body).into_owned();
    rogue.calls.lock().unwrap().push((what.clone(), body));
    (rogue.answer)(&what, before)
}

pub(crate) fn answer(status: u16, content_type: &str, body: impl Into<Body>) -> Response {
    Response::builder()
        .status(status)
        .header("content-type", content_type)
        .body(body.into())
        .unwrap()
}

pub(crate) fn json(status: u16, body: &str) -> Response {
    answer(status, "application/json", body.to_owned())
}

fn rogue() -> PartnerId {
    PartnerId::parse("rogue").unwrap()
}

fn header(partner: &PartnerId, operation: PartnerOperation, n: u32) -> CommandHeader {
    let reply_to = partner_reply(partner, PartnerReplyKind::Command(operation));
    let id = MessageId::parse(&format!("test-{}-{n}", operation.label())).unwrap();
    let request_id = RequestId::from_parts(now().as_unix_ms(), u128::from(n));
    CommandHeader { id, request_id, attempt: 1, reply_to }
}

/// An order with the id `test-place-<n>`, as it goes over the wire.
pub(crate) fn order(partner: &PartnerId, key: &str, n: u32, within: Duration) -> Vec<u8> {
    schemas::json::encode(&Place {
        header: header(partner, PartnerOperation::Place, n),
        placement_key: Key::parse(key).unwrap(),
        quote_id: QuoteId::parse("q").unwrap(),
        reservation_key: None,
        isbn: book(1),
        quantity: 1,
        condition: Condition::New,
        price_cap: Money::new(2000, Currency::USD).unwrap(),
        destination: serde_json::from_str(r#"{"country":"US","postal_code":"10001"}"#).unwrap(),
        not_after: now().saturating_add(DurationMs(within.as_millis() as u64)),
    })
}

/// The broker's part, spoken by the test.
impl Stage {
    async fn command(&self, operation: PartnerOperation, body: Vec<u8>) -> u64 {
        let jetstream = async_nats::jetstream::new(self.client().clone());
        let subject = partner_command(&rogue(), operation);
        let stored = jetstream.publish(subject, body.into()).await.unwrap();
        stored.await.unwrap().sequence
    }

    pub(crate) async fn place(&self, key: &str, n: u32, within: Duration) -> u64 {
        self.command(PartnerOperation::Place, order(&rogue(), key, n, within)).await
    }

    pub(crate) async fn lookup(&self, key: &str, n: u32) -> u64 {
        let header = header(&rogue(), PartnerOperation::Lookup, n);
        let lookup = Lookup { header, placement_key: Key::parse(key).unwrap() };
        self.command(PartnerOperation::Lookup, schemas::json::encode(&lookup)).await
    }

    pub(crate) async fn cancel(&self, key: &str, n: u32) -> u64 {
        let header = header(&rogue(), PartnerOperation::Cancel, n);
        let cancel = Cancel { header, placement_key: Key::parse(key).unwrap() };
        self.command(PartnerOperation::Cancel, schemas::json::encode(&cancel)).await
    }

    /// What the bridge answered so far, by the id of the command.
    pub(crate) async fn answers(&self) -> Vec<(String, PartnerOutcome)> {
        let mut tail = StreamTail::new(self.client(), name::PARTNER_REPLIES);
        tail.poll().await.unwrap();
        let read = |seen: &tests::auditor::Seen| {
            let reply: PartnerReply = serde_json::from_slice(&seen.body).unwrap();
            (reply.header.in_reply_to.to_string(), reply.outcome)
        };
        tail.seen().iter().map(read).collect()
    }

    /// The answer to one command, waited for.
    pub(crate) async fn answered(&self, id: &str) -> PartnerOutcome {
        let found = wait::until(format!("an answer to {id}"), SOON, async || {
            let answers = self.answers().await;
            Ok(answers.into_iter().find(|(to, _)| to == id).map(|(_, outcome)| outcome))
        });
        let found = found.await;
        found.unwrap_or_else(|error| panic!("{error}\n{}", self.bridge.log_tail()))
    }

    /// Asks for one quote and waits for what is said; silence ends with `within`.
    pub(crate) async fn quote(&self, n: u64, within: Duration) -> Option<QuoteOutcome> {
        let reply_to = partner_reply(&rogue(), PartnerReplyKind::Quote);
        let mut answers = self.client().subscribe(reply_to.clone()).await.unwrap();
        let question = QuoteQuestion {
            call_id: CallId { epoch: 9, counter: n },
            isbn: book(1),
            quantity: 1,
            condition: Condition::New,
            currency: Currency::USD,
            destination: serde_json::from_str(r#"{"country":"US","postal_code":"10001"}"#).unwrap(),
            not_after: now().saturating_add(DurationMs(5000)),
        };
        let asked = QuoteRequests { reply_to, items: vec![question] };
        let body = schemas::json::encode(&asked);
        self.client().publish(partner_quote(&rogue()), body.into()).await.unwrap();
        self.client().flush().await.unwrap();
        let message = tokio::time::timeout(within, answers.next()).await.ok()??;
        let mut answers: QuoteAnswers = serde_json::from_slice(&message.payload).unwrap();
        answers.items.pop().map(|answer| answer.outcome)
    }
}
