//! Who says what on which subject.

use serde_json::Value;

use super::table::Table;
use super::{members, resolved, sentence, text};

const INTRODUCTION: &str = "\
## Subjects

The subject is the proof of who speaks: with the shipped permissions nobody else can publish there.
What has a stream goes through JetStream and can be read again; the rest is core NATS.
";

/// Peers of the broker, in the order of their tables.
const PEERS: [(&str, &str); 4] = [
    (CUSTOMER, "Customers"),
    (PARTNER, "Bookstores"),
    (PROVIDER, "Payment providers"),
    (OPERATOR, "Operators"),
];
const CUSTOMER: &str = "customer";
const PARTNER: &str = "partner";
const PROVIDER: &str = "provider";
const OPERATOR: &str = "operator";

/// A table for each peer of the broker, and one of the parameters.
pub(super) fn section(document: &Value) -> String {
    let mut section = INTRODUCTION.to_owned();
    for (name, heading) in PEERS {
        let table = table_of(document, name);
        section.push_str(&format!("\n### {heading}\n\n{table}"));
    }
    let mut parameters = Table::new(&["in a subject", "stands for"]);
    for (name, description) in all_parameters(document) {
        parameters.row([format!("`{{{name}}}`"), sentence(&description)]);
    }
    format!("{section}\n{parameters}")
}

fn table_of(document: &Value, name: &str) -> Table {
    let heads = ["subject", "from → to", "message", "reply", "stream", "what for"];
    let mut table = Table::new(&heads);
    for (_, operation) in members(document, "/operations") {
        let channel = resolved(document, &operation["channel"]);
        if peer(channel) != name {
            continue;
        }
        let from_to = match text(operation, "action") {
            "receive" => format!("{name} → broker"),
            _ => format!("broker → {name}"),
        };
        table.row([
            format!("`{}`", text(channel, "address")),
            from_to,
            links(&operation["messages"]),
            reply(document, operation),
            stream(channel),
            sentence(text(channel, "description")),
        ]);
    }
    table
}

/// The subjects on which `message` travels.
pub(super) fn of_message(document: &Value, message: &str) -> String {
    let carries = |channel: &&Value| channel["messages"].get(message).is_some();
    let channels = members(document, "/channels").map(|(_, channel)| channel).filter(carries);
    let named = channels.map(|channel| match channel["address"].as_str() {
        Some(address) => format!("`{address}`"),
        None => "the asker's inbox".to_owned(),
    });
    named.collect::<Vec<_>>().join(", ")
}

/// Who is at the other end of a channel.
fn peer(channel: &Value) -> &'static str {
    match text(channel, "address").split('.').next().unwrap_or_default() {
        "partner" => PARTNER,
        "payment" => PROVIDER,
        "dead_letter" => OPERATOR,
        _ => CUSTOMER,
    }
}

fn reply(document: &Value, operation: &Value) -> String {
    let Some(reply) = operation.get("reply") else { return String::new() };
    let channel = resolved(document, &reply["channel"]);
    let place = match channel["address"].as_str() {
        Some(address) => format!("`{address}`"),
        None => "inbox".to_owned(),
    };
    format!("{} on {place}", links(&reply["messages"]))
}

fn stream(channel: &Value) -> String {
    match channel["x-jetstream-stream"].as_str() {
        Some(stream) => format!("`{stream}`"),
        None => String::new(),
    }
}

/// Links to the messages of an operation.
fn links(messages: &Value) -> String {
    let targets = messages.as_array().into_iter().flatten().map(|message| text(message, "$ref"));
    let names = targets.map(|target| target.rsplit('/').next().unwrap_or_default());
    names.map(|name| format!("[{name}](#{name})")).collect::<Vec<_>>().join(", ")
}

fn all_parameters(document: &Value) -> std::collections::BTreeMap<String, String> {
    let of_channel = |channel: &Value| {
        let parameters = channel["parameters"].as_object().cloned().unwrap_or_default();
        parameters.into_iter().map(|(name, about)| (name, text(&about, "description").to_owned()))
    };
    members(document, "/channels").flat_map(|(_, channel)| of_channel(channel)).collect()
}
