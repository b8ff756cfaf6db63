//! Headers as the broker sends and reads them.

use async_nats::HeaderMap;
use async_nats::header::NATS_MESSAGE_ID;
use schemas::TraceContext;
use schemas::event::EventHeaders;
use schemas::trace::TRACEPARENT;

use crate::wire::outgoing::Message;

/// On every message from the outbox: every row of its stream up to this sequence had been
/// acknowledged before this message was sent. If a stream loses its tail, its last message says
/// where to go on.
pub const OUTBOX_CURSOR: &str = "Broker-Outbox-Cursor";

/// `Nats-Msg-Id`, `traceparent`, and the CloudEvents attributes of events.
pub fn of_message(message: &Message, cursor: u64) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(NATS_MESSAGE_ID, message.id.as_str());
    headers.insert(OUTBOX_CURSOR, cursor.to_string());
    if let Some(trace) = message.trace {
        headers.insert(TRACEPARENT, trace.to_string());
    }
    for (name, value) in message.event.as_ref().map(EventHeaders::to_pairs).unwrap_or_default() {
        headers.insert(name, value);
    }
    headers
}

/// An id and a place in a trace: the quote path carries nothing else.
pub fn of_question(id: &str, trace: TraceContext) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(NATS_MESSAGE_ID, id);
    headers.insert(TRACEPARENT, trace.to_string());
    headers
}

/// The trace that a message came with. One that is not well-formed is none.
pub fn trace(headers: Option<&HeaderMap>) -> Option<TraceContext> {
    TraceContext::parse(headers?.get(TRACEPARENT)?.as_str())
}

/// The value of [`OUTBOX_CURSOR`], if there is a readable one.
pub fn outbox_cursor(headers: &HeaderMap) -> Option<u64> {
    headers.get(OUTBOX_CURSOR)?.as_str().parse().ok()
}

pub fn message_id(headers: &HeaderMap) -> Option<&str> {
    headers.get(NATS_MESSAGE_ID).map(|value| value.as_str())
}

/// Names and first values, for dead letters.
pub fn pairs(headers: Option<&HeaderMap>) -> Vec<(String, String)> {
    let mut pairs: Vec<(String, String)> = headers
        .into_iter()
        .flat_map(HeaderMap::iter)
        .filter_map(|(name, values)| Some((name.to_string(), values.first()?.to_string())))
        .collect();
    // The client's map has no order; the letter should have one.
    pairs.sort();
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{fixture, outgoing};

    #[test]
    fn id_and_cursor_are_read_back() {
        let row = fixture::stored(fixture::lookup_effect());
        let message = outgoing::message(&fixture::context(), &row, None);
        let headers = of_message(&message, 17);
        assert_eq!(message_id(&headers), Some(message.id.as_str()));
        assert_eq!(outbox_cursor(&headers), Some(17));
        assert_eq!(trace(Some(&headers)), message.trace);
        assert!(message.trace.is_some());
        assert_eq!(pairs(Some(&headers)).len(), 3);
    }
}
