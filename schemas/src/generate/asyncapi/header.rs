//! Headers of messages. Few on purpose: ids and instants that the business needs are in bodies.

use serde_json::{Map, Value, json};

use crate::event::{EventHeaders, PurchaseEventKind, SOURCE_BROKER};
use crate::generate::example::{at, message_id, request_id};

const EVENT: &str = "EventHeaders";
const COMMAND: &str = "CommandHeaders";
const QUOTE: &str = "QuoteHeaders";
const SERVICE_REPLY: &str = "ServiceReplyHeaders";

/// Name of the schema of a message's headers.
pub(super) fn of_message(message: &str) -> Option<&'static str> {
    match message {
        "purchase_event" | "notification" | "dead_letter" => Some(EVENT),
        "quote_requests" | "quote_answers" => Some(QUOTE),
        "command_reply" | "list_reply" | "receipt_reply" => Some(SERVICE_REPLY),
        "get_purchase" | "list_purchases" => None,
        _ => Some(COMMAND),
    }
}

/// Schemas of all header sets.
pub(super) fn schemas() -> Map<String, Value> {
    let msg_id = json!({
        "type": "string",
        "description": "Recognises copies within the duplicate window of the stream.",
    });
    let traceparent = json!({
        "type": "string",
        "pattern": "^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$",
        "description": "W3C trace context; optional. The broker passes on what a create came with, and \
            an answer should have that of its question or command.",
    });
    let sets = [
        (EVENT, event_headers(&msg_id, &traceparent)),
        (
            COMMAND,
            json!({
                "type": "object",
                "required": ["Nats-Msg-Id"],
                "properties": { "Nats-Msg-Id": msg_id, "traceparent": traceparent },
            }),
        ),
        (
            QUOTE,
            json!({
                "type": "object",
                "properties": { "Nats-Msg-Id": msg_id, "traceparent": traceparent },
            }),
        ),
        (
            SERVICE_REPLY,
            json!({
                "type": "object",
                "properties": {
                    "Nats-Service-Error": {
                        "type": "string",
                        "description": "With a rejected command: its code.",
                    },
                    "Nats-Service-Error-Code": {
                        "type": "string",
                        "description": "With a rejected command: the number of its code.",
                    },
                    "traceparent": traceparent,
                },
            }),
        ),
    ];
    sets.into_iter().map(|(name, schema)| (name.to_owned(), schema)).collect()
}

/// CloudEvents 1.0, binary mode. The names are those that [`EventHeaders`] writes.
fn event_headers(msg_id: &Value, traceparent: &Value) -> Value {
    let sample = EventHeaders::of_broker(
        message_id(0),
        PurchaseEventKind::Ordered.event_type(),
        request_id().to_string(),
        at("12:00:01.250"),
    );
    let mut properties = Map::new();
    let mut required = vec![json!("Nats-Msg-Id")];
    for (name, value) in sample.to_pairs() {
        let mut schema = json!({ "type": "string", "examples": [value] });
        match name {
            "ce-specversion" | "ce-datacontenttype" => schema["const"] = value.into(),
            "ce-source" => schema["const"] = SOURCE_BROKER.into(),
            _ => {}
        }
        properties.insert(name.to_owned(), schema);
        required.push(name.into());
    }
    properties.insert("Nats-Msg-Id".to_owned(), msg_id.clone());
    properties.insert("traceparent".to_owned(), traceparent.clone());
    json!({ "type": "object", "required": required, "properties": properties })
}
