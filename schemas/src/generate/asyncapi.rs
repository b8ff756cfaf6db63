//! The AsyncAPI 3.0 document: who may say what on which subject, and what stores it. Addresses
//! come from [`crate::subject`], JetStream settings from [`crate::stream`], payloads from the
//! types; nothing is written twice. JetStream has no AsyncAPI binding, so its settings are in
//! `x-jetstream-*` extensions.

use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::message::{self, Message};

mod channel;
mod header;
mod jetstream;

use channel::{Action, Channel, Operation};

/// The whole document.
pub fn document() -> Value {
    // AsyncAPI's own schema dialect is a superset of draft 07.
    let settings = SchemaSettings::draft07().with(|s| s.definitions_path = DEFINITIONS.into());
    let mut generator = settings.into_generator();
    let channels = channel::all();
    let used = |m: &Message| channels.iter().any(|c| c.messages.contains(&m.name));
    let messages: Map<String, Value> = message::all()
        .iter()
        .filter(|m| used(m))
        .map(|m| (m.name.to_owned(), message_object(m, &mut generator)))
        .collect();
    let mut schemas = generator.take_definitions(true);
    schemas.extend(header::schemas());
    json!({
        "asyncapi": "3.0.0",
        "info": info(),
        "defaultContentType": "application/json",
        "channels": channels.iter().map(channel_entry).collect::<Map<_, _>>(),
        "operations": channel::operations().iter().map(operation_entry).collect::<Map<_, _>>(),
        "components": { "messages": messages, "schemas": schemas },
        "x-jetstream-streams": jetstream::streams(),
        "x-jetstream-consumers": jetstream::consumers(),
    })
}

const DEFINITIONS: &str = "/components/schemas";

fn info() -> Value {
    json!({
        "title": "Book Purchase Broker",
        "version": "1.0.0",
        "description": "Buys a book at the best landed price under a limit, before a deadline, at \
            most once. Written from the broker's side: it receives commands and answers, and sends \
            questions, commands, events and notifications. Fields are only ever added; unknown \
            fields are ignored; missing ones are refused by name.",
        "license": { "name": "MIT OR Apache-2.0" },
    })
}

fn message_object(message: &Message, generator: &mut SchemaGenerator) -> Value {
    let examples: Vec<Value> = message
        .examples
        .iter()
        .map(|example| match example.label {
            "" => json!({ "payload": example.value() }),
            label => json!({ "name": label, "payload": example.value() }),
        })
        .collect();
    let mut object = json!({
        "name": message.name,
        "title": message.name.replace('_', " "),
        "contentType": "application/json",
        "payload": message.reference(generator),
        "examples": examples,
    });
    if let Some(headers) = header::of_message(message.name) {
        object["headers"] = json!({ "$ref": format!("#{DEFINITIONS}/{headers}") });
    }
    object
}

fn channel_entry(channel: &Channel) -> (String, Value) {
    let messages: Map<String, Value> = channel
        .messages
        .iter()
        .map(|name| {
            let target = format!("#/components/messages/{name}");
            ((*name).to_owned(), json!({ "$ref": target }))
        })
        .collect();
    let mut entry = json!({
        "address": channel.address,
        "description": channel.description,
        "messages": messages,
    });
    if let Some(address) = &channel.address {
        let parameters = channel::parameters(address);
        if !parameters.is_empty() {
            entry["parameters"] = Value::Object(parameters);
        }
    }
    if let Some(stream) = channel.stream {
        entry["x-jetstream-stream"] = stream.into();
    }
    (channel.id.clone(), entry)
}

fn operation_entry(operation: &Operation) -> (String, Value) {
    let mut entry = json!({
        "action": match operation.action {
            Action::Send => "send",
            Action::Receive => "receive",
        },
        "channel": channel_ref(&operation.channel),
        "messages": message_refs(&operation.channel, &operation.messages),
    });
    if let Some(reply) = &operation.reply {
        entry["reply"] = json!({
            "channel": channel_ref(&reply.channel),
            "messages": message_refs(&reply.channel, &reply.messages),
        });
    }
    if operation.service {
        // Endpoints of the NATS micro service share the default queue group.
        entry["bindings"] = json!({ "nats": { "queue": "q", "bindingVersion": "0.1.0" } });
    }
    (operation.id.clone(), entry)
}

fn channel_ref(channel: &str) -> Value {
    json!({ "$ref": format!("#/channels/{channel}") })
}

fn message_refs(channel: &str, messages: &[&str]) -> Value {
    messages
        .iter()
        .map(|name| json!({ "$ref": format!("#/channels/{channel}/messages/{name}") }))
        .collect()
}
