//! The contract as OpenAPI 3.1: made of the types themselves, committed as `openapi.json`, served at
//! `/openapi.json` and shown at `/docs`.

mod operations;

use std::sync::LazyLock;

use schemars::generate::{SchemaGenerator, SchemaSettings};
use schemas::RejectReason;
use serde_json::{Map, Value, json};

use crate::problem::{Own, ProblemBody, status_of, title};
use operations::{Operation, all};

/// The document, pretty, with a line feed at its end.
pub fn document() -> String {
    static TEXT: LazyLock<String> = LazyLock::new(|| format!("{:#}\n", build()));
    TEXT.clone()
}

fn build() -> Value {
    let mut settings = SchemaSettings::draft2020_12();
    settings.definitions_path = "/components/schemas".into();
    settings.meta_schema = None;
    let mut generator = settings.into_generator();
    let problem = generator.subschema_for::<ProblemBody>().to_value();
    let mut paths = Map::new();
    for operation in all(&mut generator) {
        let path = paths.entry(operation.path).or_insert_with(|| json!({}));
        path[operation.method] = one(&operation, &problem);
    }
    json!({
        "openapi": "3.1.1",
        "info": {
            "title": "Book Purchase Broker",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "Buys a book at the best landed price: at most once, in time, never above the limit.",
            "description": DESCRIPTION,
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "tags": [
            { "name": "purchases", "description": "Requests of a customer." },
            { "name": "compatibility", "description": "The two routes of the older API." },
            { "name": "bookstores", "description": "For partners." },
            { "name": "operators", "description": "For whoever runs the broker." },
        ],
        "paths": paths,
        "components": {
            "schemas": schemas(generator),
            "securitySchemes": { "token": {
                "type": "http", "scheme": "bearer",
                "description": "Made by `broker token`; scopes requester, read_only, operator, partner.",
            } },
        },
        "security": [{ "token": [] }],
        "x-problems": problems(),
    })
}

/// Every `code` of a refusal, for people and generators.
fn problems() -> Vec<Value> {
    let one = |label: &str, status: u16, number: Option<u16>| json!({ "code": label, "status": status, "number": number, "title": title(label) });
    let own = Own::ALL.iter().map(|own| one(own.label(), own.status().as_u16(), None));
    let reasons = RejectReason::ALL.iter();
    let shared = reasons
        .map(|reason| one(reason.label(), status_of(*reason).as_u16(), Some(reason.number())));
    own.chain(shared).collect()
}

const DESCRIPTION: &str = "A call that changes something carries an `Idempotency-Key`: sent again \
with the same body it is done once, and the answer is marked `Idempotent-Replayed: true` and shows \
the request as it is now; with another body it is refused (422). Keys are kept for 120 days. A key \
that is a UUID version 7 becomes the id of the request itself. Refusals are problem details (RFC \
9457); `code` is what programs should look at, `retryable` says whether the same call may succeed \
later, and `Retry-After` when. An answer with status 202 or 200 says that the broker has it on its \
own disk.";

fn schemas(mut generator: SchemaGenerator) -> Value {
    let definitions = generator.take_definitions(true);
    Value::Object(definitions)
}

fn one(operation: &Operation, problem: &Value) -> Value {
    let refusal = json!({
        "description": "Problem details (RFC 9457).",
        "headers": { "Retry-After": {
            "description": "Seconds; with 409, 429, 503 and 504.",
            "schema": { "type": "integer", "minimum": 1 },
        } },
        "content": { "application/problem+json": { "schema": problem } },
    });
    let mut responses = Map::new();
    let (status, description, content) = &operation.answer;
    let mut answer = json!({ "description": description });
    if let Some((media, schema)) = content {
        answer["content"] = json!({ *media: { "schema": schema } });
    }
    responses.insert(status.to_string(), answer);
    for status in operation.refusals {
        responses.insert(status.to_string(), refusal.clone());
    }
    // What every call may meet.
    for status in [429, 500, 503, 504] {
        responses.insert(status.to_string(), refusal.clone());
    }
    let mut described = json!({
        "operationId": operation.id,
        "tags": [operation.tag],
        "summary": operation.summary,
        "parameters": operation.parameters,
        "responses": responses,
    });
    if let Some((required, media, schema)) = &operation.body {
        described["requestBody"] =
            json!({ "required": required, "content": { *media: { "schema": schema } } });
    }
    if operation.open {
        described["security"] = json!([]);
    }
    described
}

/// The schema of a parameter as the contract has it.
#[cfg(test)]
pub(crate) fn parameter(operation: &str, name: &str) -> jsonschema::Validator {
    let document = build();
    let mut paths = document["paths"].as_object().into_iter().flat_map(Map::values);
    let described = paths.find_map(|path| {
        path.as_object()?.values().find(|described| described["operationId"] == operation)
    });
    let parameters = described.and_then(|one| one["parameters"].as_array());
    let found = parameters.and_then(|all| all.iter().find(|one| one["name"] == name));
    let schema = found.map(|one| &one["schema"]);
    jsonschema::validator_for(schema.expect("it is in the contract")).expect("it is a schema")
}

#[cfg(test)]
mod tests {
    use crate::problem::Refusal;

    use super::*;

    /// `GOLDEN_ACCEPT=1` writes it.
    #[test]
    fn the_committed_document_is_what_the_types_say() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");
        if std::env::var_os("GOLDEN_ACCEPT").is_some() {
            std::fs::write(path, document()).unwrap();
        }
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        assert!(committed == document(), "openapi.json is old; run with GOLDEN_ACCEPT=1");
    }

    #[test]
    fn what_a_refusal_may_leave_out_is_not_promised() {
        let refusal = Refusal::own(Own::NoSuchPage, "nothing is here");
        let refusal = serde_json::to_value(refusal.body()).unwrap();
        let promised = &build()["components"]["schemas"]["ProblemBody"]["required"];
        for name in promised.as_array().unwrap() {
            assert!(
                refusal.get(name.as_str().unwrap()).is_some(),
                "{name} is not there: {refusal}"
            );
        }
    }

    #[test]
    fn every_reference_leads_somewhere_and_every_operation_has_an_id_of_its_own() {
        let document = build();
        let text = document.to_string();
        for reference in text.split("\"$ref\":\"#").skip(1) {
            let pointer = &reference[..reference.find('"').unwrap()];
            assert!(document.pointer(pointer).is_some(), "{pointer}");
        }
        let mut ids = std::collections::BTreeSet::new();
        for path in document["paths"].as_object().unwrap().values() {
            for operation in path.as_object().unwrap().values() {
                assert!(ids.insert(operation["operationId"].as_str().unwrap().to_owned()));
            }
        }
        assert!(ids.len() > 15);
    }
}
