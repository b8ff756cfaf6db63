//! Operators: what the broker's own endpoints for them say, and dead letters.

use async_nats::HeaderMap;
use async_nats::jetstream::stream::{RawMessageErrorKind, Stream};
use axum::http::HeaderMap as HttpHeaders;
use schemas::event::DeadLetter;
use schemas::problem::Problem;
use schemas::stream::{name, of_subject};
use schemas::subject::AdminOperation;
use schemas::{RejectReason, Timestamp, json};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::problem::{Own, Refusal};
use crate::shared::Shared;

/// Deleted letters leave gaps; so many are passed over for one page.
const GAP_MAX: u64 = 1_000;

/// A letter and its place in the stream.
#[derive(Debug, Serialize)]
pub(crate) struct Numbered {
    number: u64,
    /// When it was given up; `received_at` is when it was first seen.
    last_seen: Timestamp,
    #[serde(flatten)]
    letter: DeadLetter,
}

impl Shared {
    /// An operator's question, answered with an object.
    pub(crate) async fn operator(
        &self,
        operation: AdminOperation,
        body: Vec<u8>,
        http: &HttpHeaders,
    ) -> Result<Map<String, Value>, Refusal> {
        let mut reply: Map<String, Value> = self.admin(operation, body, http).await?;
        if reply.remove("result").is_some_and(|result| result == "rejected") {
            let problem: Result<Problem, _> = serde_json::from_value(Value::Object(reply));
            return Err(problem.map_or_else(
                |error| Refusal::own(Own::GatewayInternal, error.to_string()),
                Refusal::from,
            ));
        }
        Ok(reply)
    }

    /// The newest letters before `before`, at most `limit`.
    pub(crate) async fn dead_letters(
        &self,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<Numbered>, Refusal> {
        let stream = self.jetstream.get_stream(name::DEAD_LETTERS).await;
        let stream = stream.map_err(|error| unread(&error))?;
        let state = &stream.cached_info().state;
        let last = before.map_or(state.last_sequence, |before| before.saturating_sub(1));
        let last = last.min(state.last_sequence);
        let (mut letters, mut gap) = (Vec::new(), 0);
        for number in (state.first_sequence.max(1)..=last).rev() {
            if letters.len() == limit || gap == GAP_MAX {
                break;
            }
            match find(&stream, number).await? {
                Some(letter) => letters.push(letter),
                None => gap += 1,
            }
        }
        Ok(letters)
    }

    /// Publishes the original once more on its own subject: the normal way.
    pub(crate) async fn replay(&self, number: u64) -> Result<String, Refusal> {
        let stream = self.jetstream.get_stream(name::DEAD_LETTERS).await;
        let stream = stream.map_err(|error| unread(&error))?;
        let found = find(&stream, number).await?;
        let letter = found.ok_or_else(|| missing(number))?.letter;
        let body = letter.original().map_err(|error| {
            let detail = format!("dead letter {number} cannot be replayed: {error}");
            Refusal::reason(RejectReason::TransitionNotAllowed, detail)
        })?;
        let mut headers = HeaderMap::new();
        for (name, value) in letter.replayed_headers(number) {
            headers.insert(name, value);
        }
        let subject = letter.subject.clone();
        if of_subject(&subject).is_some() {
            let sent = self.jetstream.publish_with_headers(subject.clone(), headers, body.into());
            let stored = sent.await.map_err(|error| unread(&error))?;
            stored.await.map_err(|error| unread(&error))?;
        } else {
            let sent = self.client.publish_with_headers(subject.clone(), headers, body.into());
            sent.await.map_err(|error| unread(&error))?;
            self.client.flush().await.map_err(|error| unread(&error))?;
        }
        Ok(subject)
    }
}

async fn find<I>(stream: &Stream<I>, number: u64) -> Result<Option<Numbered>, Refusal> {
    match stream.get_raw_message(number).await {
        Ok(message) => {
            let letter = json::decode(&message.payload, usize::MAX);
            let letter = letter.map_err(|error| unread(&error))?;
            let ms = message.time.unix_timestamp_nanos() / 1_000_000;
            let last_seen = Timestamp::from_unix_ms(u64::try_from(ms).unwrap_or(0));
            Ok(Some(Numbered { number, last_seen, letter }))
        }
        Err(error) if error.kind() == RawMessageErrorKind::NoMessageFound => Ok(None),
        Err(error) => Err(unread(&error)),
    }
}

fn missing(number: u64) -> Refusal {
    Refusal::reason(RejectReason::NotFound, format!("there is no dead letter {number}"))
}

fn unread(error: &dyn std::fmt::Display) -> Refusal {
    tracing::warn!(%error, "dead letters cannot be worked on");
    Refusal::own(Own::BrokerUnavailable, "the stream of dead letters cannot be used; try again")
}
