//! Webhooks as in Standard Webhooks 1.0.0: signed, to public addresses only, never redirected.

use schemas::event::NotificationOutcome;
use schemas::{DurationMs, Timestamp};
use serde::Serialize;
use serde_json::value::RawValue;

pub mod guard;
pub mod http;
pub mod retry_after;
pub mod sign;
pub mod tls;

/// What is posted. `data` is the notification, byte for byte.
#[derive(Serialize)]
struct Body<'a> {
    r#type: String,
    timestamp: Timestamp,
    data: &'a RawValue,
}

/// The body of every attempt: the same bytes each time.
pub fn body(outcome: NotificationOutcome, at: Timestamp, notification: &RawValue) -> Vec<u8> {
    let body = Body { r#type: outcome.event_type(), timestamp: at, data: notification };
    serde_json::to_vec(&body).expect("texts and a raw value serialize to JSON")
}

/// What an endpoint answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    /// How long it wants to be left alone.
    pub retry_after: Option<DurationMs>,
}
