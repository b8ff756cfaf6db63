//! `REFERENCE.md`: every subject, message, field and code for people to read. Made from the same
//! channels and schemas as the other documents; nothing is explained here that is not there.

use std::fmt::Write as _;

use serde_json::Value;

use super::{asyncapi, sorted};
use crate::RejectReason;

mod shape;
mod subjects;
mod table;

use table::Table;

const INTRODUCTION: &str = "\
# Message reference

Generated from the types by `cargo run -p schemas`; do not edit. For machines: `asyncapi.json` and
`<message>.schema.json` beside it. How messages may change: [schemas/README.md](../README.md).

Messages are JSON. Unknown fields are ignored, missing ones are refused by name. Money is an integer in
minor units with its currency (2499 USD is 24.99 US dollars); instants are RFC 3339 with an offset;
fields named `…_ms` are integers in milliseconds. An optional field that is absent and one that is
`null` mean the same.
";

/// The whole page.
pub(super) fn page() -> String {
    let document = sorted(asyncapi());
    let mut page = INTRODUCTION.to_owned();
    for section in [subjects::section(&document), messages(&document), types(&document), codes()] {
        page.push('\n');
        page.push_str(&section);
    }
    page
}

fn messages(document: &Value) -> String {
    let mut section = "## Messages\n".to_owned();
    for (name, message) in members(document, "/components/messages") {
        let schema = resolved(document, &message["payload"]);
        let used = subjects::of_message(document, name);
        write!(section, "\n### {name}\n\n{}\n", sentence(text(schema, "description")))
            .expect("a string takes any text");
        if !used.is_empty() {
            write!(section, "\nOn {used}.\n").expect("a string takes any text");
        }
        section.push_str(&shape::fields(document, schema));
    }
    section
}

/// What fields are made of, each once.
fn types(document: &Value) -> String {
    let whole: Vec<&str> = members(document, "/components/messages")
        .filter_map(|(_, message)| message["payload"]["$ref"].as_str())
        .collect();
    let mut section = "## Types\n".to_owned();
    for (name, schema) in members(document, "/components/schemas") {
        let is_message = whole.iter().any(|target| target.ends_with(&format!("/{name}")));
        if is_message || name == "RejectReason" || name.ends_with("Headers") {
            continue;
        }
        write!(section, "\n### {name}\n\n{}\n", sentence(text(schema, "description")))
            .expect("a string takes any text");
        section.push_str(&shape::fields(document, schema));
    }
    section
}

/// Every reason with its number.
fn codes() -> String {
    let mut generator = super::json_schema_settings().into_generator();
    let documented = generator.root_schema_for::<RejectReason>().to_value();
    let meaning = |label: &str| {
        let mut all = documented["oneOf"].as_array().into_iter().flatten();
        let found = all.find(|one| one["const"] == label);
        found.map(|one| sentence(text(one, "description"))).unwrap_or_default()
    };
    let mut table = Table::new(&["number", "code", "again?", "what it means and what to do"]);
    for reason in RejectReason::ALL {
        let again = if reason.is_transient() { "yes" } else { "no" };
        let code = format!("`{}`", reason.label());
        table.row([reason.number().to_string(), code, again.to_owned(), meaning(reason.label())]);
    }
    format!(
        "## Codes\n\n### RejectReason\n\nIn `code` and `number` of a refusal ([Problem](#problem)), in `failure` of a \
         request and in dead letters.\nNumbers are never used again. 1 to 99: how a request ended; \
         100 to 199: why a command was refused;\n200 to 299: why a partner's or provider's message \
         was. Again: the same bytes may be answered\notherwise later.\n\n{table}"
    )
}

fn members<'a>(document: &'a Value, pointer: &str) -> impl Iterator<Item = (&'a str, &'a Value)> {
    let found = document.pointer(pointer).and_then(Value::as_object);
    found.into_iter().flatten().map(|(name, value)| (name.as_str(), value))
}

/// The schema itself, where `schema` only refers to one.
fn resolved<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    let target = schema["$ref"].as_str().and_then(|target| target.strip_prefix('#'));
    target.and_then(|target| document.pointer(target)).unwrap_or(schema)
}

fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_default()
}

/// Lines of a doc comment as one.
fn sentence(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
