//! One call from the door to the store and back.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use schemas::partner::{PartnerNotice, PartnerOutcome, PartnerReply, QuoteAnswer};
use schemas::{PartnerId, Timestamp};

use super::auth::{self, TOKEN};
use super::fields::Fields;
use super::reply;
use super::request::{Operation, Reader};
use super::webhook::Webhooks;
use super::{HttpConfig, Shape, partner_of};
use crate::nats::clock;
use crate::nats::delay::Delays;
use crate::nats::desk::{Delayed, Desk, Handled};
use crate::partner::{PartnerMessage, PartnerRequest};

const BODY_BYTES_MAX: usize = 256 * 1024;

/// When a job of a polled store is done, and with what.
type Jobs = Mutex<BTreeMap<(PartnerId, String), (Timestamp, PartnerOutcome)>>;

pub(super) struct Shop {
    config: HttpConfig,
    desk: Arc<Desk>,
    delays: Delays,
    webhooks: Arc<Webhooks>,
    jobs: Jobs,
}

/// A call, taken apart.
struct Call {
    method: Method,
    path: Vec<String>,
    fields: Fields,
    items: Vec<Fields>,
}

pub(super) async fn serve(State(shop): State<Arc<Shop>>, request: Request<Body>) -> Response {
    match shop.take(request).await {
        Ok(response) => response,
        Err((status, why)) => (status, why).into_response(),
    }
}

type Refusal = (StatusCode, String);

fn bad(why: impl Into<String>) -> Refusal {
    (StatusCode::BAD_REQUEST, why.into())
}

impl Shop {
    pub(super) fn new(
        config: HttpConfig,
        desk: Arc<Desk>,
        delays: Delays,
        webhooks: Webhooks,
    ) -> Self {
        Self { config, desk, delays, webhooks: Arc::new(webhooks), jobs: Mutex::default() }
    }

    async fn take(&self, request: Request<Body>) -> Result<Response, Refusal> {
        let unknown = || (StatusCode::NOT_FOUND, "there is no such page".to_owned());
        let (parts, body) = request.into_parts();
        let mut path = parts.uri.path().trim_matches('/').split('/').map(str::to_owned);
        let partner = PartnerId::parse(&path.next().unwrap_or_default()).map_err(|_| unknown())?;
        let shape = *self.config.shapes.get(&partner).ok_or_else(unknown)?;
        let path: Vec<String> = path.collect();
        if shape == Shape::Poll && path == ["oauth", "token"] {
            return token(&parts.headers);
        }
        if !auth::is_allowed(shape, &parts.headers) {
            return Err((StatusCode::UNAUTHORIZED, "who are you?".to_owned()));
        }
        let body = to_bytes(body, BODY_BYTES_MAX).await.map_err(|e| bad(e.to_string()))?;
        let query = parts.uri.query().unwrap_or("");
        let mut call =
            read(&parts.headers, query, &body, shape).ok_or_else(|| bad("unreadable"))?;
        call.method = parts.method;
        call.path = path;
        if let (Shape::Poll, Some(key)) = (shape, job(&call)) {
            return Ok(self.job(&partner, key));
        }
        let operation = route(shape, &mut call).ok_or_else(unknown)?;
        let reader = Reader { partner: &partner, fields: &call.fields };
        let asked = reader.read(operation, &call.items).map_err(bad)?;
        let key = call.fields.get("reference").unwrap_or_default().to_owned();
        self.ask(&partner, shape, (operation, key), asked).await.ok_or_else(unknown)
    }

    async fn ask(
        &self,
        partner: &PartnerId,
        shape: Shape,
        (operation, key): (Operation, String),
        asked: PartnerRequest,
    ) -> Option<Response> {
        let now = clock::now();
        if let PartnerRequest::Quote(questions) = asked {
            let answers = self.desk.quote(partner, questions, now)?;
            let at = answers.iter().map(|answer| answer.at).max();
            let items = quoted(answers.into_iter().map(|answer| answer.value.message));
            return Some(match at {
                Some(at) if !items.is_empty() => {
                    wait_until(at).await;
                    reply::quotes(shape, &items)
                }
                _ => self.silence().await,
            });
        }
        let handled = self.desk.partner(partner, asked, now)?;
        let (told, notices) = self.sort(handled, now).await;
        if operation == Operation::Place && shape == Shape::JsonCallback {
            self.call_back_later(partner, &key, told, notices);
            return Some(reply::received(shape, &key));
        }
        let Some((at, outcome)) = told else { return Some(self.silence().await) };
        if operation == Operation::Place && shape == Shape::Poll && !reply::is_busy(&outcome) {
            self.jobs().insert((partner.clone(), key.clone()), (at, outcome));
            return Some(reply::received(shape, &key));
        }
        wait_until(at).await;
        Some(reply::outcome(shape, operation, &outcome))
    }

    /// The answer that comes first, and what is said unasked.
    async fn sort(
        &self,
        handled: Handled,
        now: Timestamp,
    ) -> (Option<(Timestamp, PartnerOutcome)>, Vec<(Timestamp, PartnerNotice)>) {
        let Handled { synced, now: at_once, later } = handled;
        // Not on disk: the shell is about to end, and so is this connection.
        if synced.await.is_err() {
            std::future::pending::<()>().await;
        }
        let mut told = None;
        let mut notices = Vec::new();
        let later = later.into_iter().map(|delayed| {
            // Whoever asks waits for it here; after a restart nobody does.
            self.desk.sent(delayed.number);
            (delayed.at, delayed.message)
        });
        for (at, message) in at_once.into_iter().map(|message| (now, message)).chain(later) {
            if let Ok(reply) = serde_json::from_slice::<PartnerReply>(&message.body) {
                if told.as_ref().is_none_or(|(first, _)| at < *first) {
                    told = Some((at, reply.outcome));
                }
            } else if let Ok(notice) = serde_json::from_slice(&message.body) {
                notices.push((at, notice));
            }
        }
        (told, notices)
    }

    fn call_back_later(
        &self,
        partner: &PartnerId,
        key: &str,
        told: Option<(Timestamp, PartnerOutcome)>,
        notices: Vec<(Timestamp, PartnerNotice)>,
    ) {
        let replies = told.into_iter().filter_map(|(at, outcome)| {
            Some((at, format!("{partner}-{key}-answer"), reply::call_back(key, &outcome)?))
        });
        let unasked = notices.into_iter().map(|(at, notice)| {
            let id = notice.notice_id.to_string().replace([':', '.'], "-");
            (at, id, reply::call_back_unasked(&notice))
        });
        let sends: Vec<_> = replies.chain(unasked).collect();
        for (at, id, body) in sends {
            let (webhooks, partner) = (Arc::clone(&self.webhooks), partner.clone());
            self.delays.spawn(async move {
                wait_until(at).await;
                webhooks.send(&partner, &id, body).await;
            });
        }
    }

    /// What an earlier life owed: only a call-back can still be delivered.
    pub(super) fn resume(&self, delayed: Delayed) {
        self.desk.sent(delayed.number);
        let Some(partner) = partner_of(&delayed.message.subject) else { return };
        let notice = serde_json::from_slice::<PartnerNotice>(&delayed.message.body);
        let calls_back = self.config.shapes.get(&partner) == Some(&Shape::JsonCallback);
        if let (true, Ok(notice)) = (calls_back, notice) {
            let key = notice.placement_key.to_string();
            self.call_back_later(&partner, &key, None, vec![(delayed.at, notice)]);
        }
    }

    fn job(&self, partner: &PartnerId, key: &str) -> Response {
        let job = self.jobs().get(&(partner.clone(), key.to_owned())).cloned();
        match job {
            Some((at, outcome)) if at <= clock::now() => {
                reply::outcome(Shape::Poll, Operation::Lookup, &outcome)
            }
            Some(_) | None => reply::received(Shape::Poll, key),
        }
    }

    fn jobs(
        &self,
    ) -> std::sync::MutexGuard<'_, BTreeMap<(PartnerId, String), (Timestamp, PartnerOutcome)>> {
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The caller waits until it gives up, or for so long.
    async fn silence(&self) -> Response {
        tokio::time::sleep(Duration::from_millis(self.config.silence_ms)).await;
        StatusCode::GATEWAY_TIMEOUT.into_response()
    }
}

fn quoted(messages: impl Iterator<Item = PartnerMessage>) -> Vec<QuoteAnswer> {
    let mut items: BTreeMap<_, QuoteAnswer> = BTreeMap::new();
    for message in messages {
        if let PartnerMessage::Quotes(answers) = message {
            for item in answers.items {
                items.entry(item.call_id).or_insert(item);
            }
        }
    }
    items.into_values().collect()
}

async fn wait_until(at: Timestamp) {
    tokio::time::sleep(at.since(clock::now()).into()).await;
}

fn token(headers: &HeaderMap) -> Result<Response, Refusal> {
    let wanted = auth::basic();
    if headers.get("authorization").is_none_or(|found| found.as_bytes() != wanted.as_bytes()) {
        return Err((StatusCode::UNAUTHORIZED, "who are you?".to_owned()));
    }
    let body = serde_json::json!({
        "access_token": TOKEN, "token_type": "Bearer", "expires_in": 3600,
    });
    Ok(reply::json(StatusCode::OK, body.to_string()))
}

/// Names and texts of headers, query and body.
fn read(headers: &HeaderMap, query: &str, body: &Bytes, shape: Shape) -> Option<Call> {
    let mut fields = Fields::default();
    fields.form(query);
    let named = [
        ("x-correlation-id", "correlation"),
        ("x-client-order", "client_order"),
        ("x-client-attempt", "client_attempt"),
        ("idempotency-key", "reference"),
    ];
    for (header, name) in named {
        if let Some(value) = headers.get(header).and_then(|value| value.to_str().ok()) {
            fields.set(name, value);
        }
    }
    let mut items = Vec::new();
    if !body.is_empty() {
        let text = std::str::from_utf8(body).ok()?;
        match shape {
            Shape::Xml => fields.xml(text)?,
            Shape::NoReservation => fields.form(text),
            Shape::JsonSync | Shape::JsonCallback | Shape::Poll => {
                let value: serde_json::Value = serde_json::from_str(text).ok()?;
                fields.json(&value);
                for item in value.get("items").and_then(|v| v.as_array()).into_iter().flatten() {
                    let mut one = Fields::default();
                    one.json(item);
                    items.push(one);
                }
            }
        }
    }
    Some(Call { method: Method::GET, path: Vec::new(), fields, items })
}

fn job(call: &Call) -> Option<&str> {
    match call.path.as_slice() {
        [jobs, key] if jobs == "jobs" && call.method == Method::GET => Some(key),
        _ => None,
    }
}

fn route(shape: Shape, call: &mut Call) -> Option<Operation> {
    let path: Vec<&str> = call.path.iter().map(String::as_str).collect();
    let (operation, named) = match (shape, call.method.as_str(), path.as_slice()) {
        (Shape::JsonSync, "POST", ["quotes"])
        | (Shape::JsonCallback, "GET", ["price"])
        | (Shape::Xml, "POST", ["quote"])
        | (Shape::Poll, "GET", ["quotes"]) => (Operation::Quote, None),
        (Shape::NoReservation, "GET", ["books", isbn]) => (Operation::Quote, Some(("isbn", *isbn))),
        (Shape::JsonSync, "POST", ["holds"]) | (Shape::Xml, "POST", ["hold"]) => {
            (Operation::Reserve, None)
        }
        (Shape::JsonSync, "DELETE", ["holds", key]) => {
            (Operation::Release, Some(("reference", *key)))
        }
        (Shape::Xml, "POST", ["release"]) => (Operation::Release, None),
        (Shape::JsonSync, "POST", ["orders"])
        | (Shape::JsonCallback | Shape::Xml, "POST", ["order"])
        | (Shape::Poll, "POST", ["jobs"])
        | (Shape::NoReservation, "POST", ["buy"]) => (Operation::Place, None),
        (Shape::JsonSync, "DELETE", ["orders", key])
        | (Shape::Poll, "POST", ["orders", key, "cancel"]) => {
            (Operation::Cancel, Some(("reference", *key)))
        }
        (Shape::JsonCallback, "POST", ["order", "cancel"]) | (Shape::Xml, "POST", ["cancel"]) => {
            (Operation::Cancel, None)
        }
        (Shape::JsonSync | Shape::Poll, "GET", ["orders", key])
        | (Shape::NoReservation, "GET", ["purchases", key]) => {
            (Operation::Lookup, Some(("reference", *key)))
        }
        (Shape::JsonCallback, "GET", ["order"]) | (Shape::Xml, "POST", ["status"]) => {
            (Operation::Lookup, None)
        }
        _ => return None,
    };
    if let Some((name, text)) = named.map(|(name, text)| (name, text.to_owned())) {
        call.fields.set(name, &text);
    }
    Some(operation)
}
