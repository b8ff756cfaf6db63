//! The AsyncAPI document is a valid AsyncAPI 3.0 document, by the meta-schema of its authors
//! (fixture, see its comment) and by the rules that a schema cannot express.

use std::collections::BTreeSet;

use schemas::generate;
use schemas::subject::filter;
use serde_json::Value;

const META_SCHEMA: &str = include_str!("../fixtures/asyncapi-3.0.0.schema.json");

fn members<'a>(document: &'a Value, pointer: &str) -> Vec<(&'a String, &'a Value)> {
    document.pointer(pointer).and_then(Value::as_object).unwrap().iter().collect()
}

fn each_ref(value: &Value, visit: &mut impl FnMut(&str)) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value.as_str() {
                    Some(target) if name == "$ref" => visit(target),
                    _ => each_ref(value, visit),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| each_ref(item, visit)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[test]
fn the_document_satisfies_the_asyncapi_meta_schema() {
    let schema: Value = serde_json::from_str(META_SCHEMA).unwrap();
    let validator = jsonschema::draft7::new(&schema).unwrap();
    let document = generate::asyncapi();
    let errors: Vec<String> =
        validator.iter_errors(&document).map(|e| format!("{}: {e}", e.instance_path())).collect();
    assert_eq!(errors, Vec::<String>::new());
}

#[test]
fn the_meta_schema_is_able_to_refuse() {
    let schema: Value = serde_json::from_str(META_SCHEMA).unwrap();
    let validator = jsonschema::draft7::new(&schema).unwrap();
    let broken = |edit: fn(&mut Value)| {
        let mut document = generate::asyncapi();
        edit(&mut document);
        !validator.is_valid(&document)
    };
    assert!(broken(|d| d["asyncapi"] = "2.6.0".into()));
    assert!(broken(|d| d["operations"]["send_partner_place"]["action"] = "publish".into()));
    assert!(broken(|d| d["channels"]["notification"]["adress"] = "x".into()));
    assert!(broken(|d| d["components"]["messages"]["place"]["payload"] = 7.into()));
}

#[test]
fn every_reference_resolves_inside_the_document() {
    let document = generate::asyncapi();
    let mut count = 0;
    each_ref(&document, &mut |target| {
        count += 1;
        let pointer = target.strip_prefix('#').unwrap_or_else(|| panic!("{target} is outside"));
        assert!(document.pointer(pointer).is_some(), "{target} points nowhere");
    });
    assert!(count > 100, "the document has references, found {count}");
}

#[test]
fn operations_use_only_messages_of_their_channel_and_of_their_reply_channel() {
    let document = generate::asyncapi();
    for (id, operation) in members(&document, "/operations") {
        let mut sides = vec![operation];
        sides.extend(operation.get("reply"));
        for side in sides {
            let channel = side["channel"]["$ref"].as_str().unwrap();
            for message in side["messages"].as_array().unwrap() {
                let target = message["$ref"].as_str().unwrap();
                assert!(target.starts_with(&format!("{channel}/messages/")), "{id}: {target}");
            }
        }
    }
}

#[test]
fn no_channel_or_message_is_left_unused() {
    let document = generate::asyncapi();
    let mut targets = BTreeSet::new();
    each_ref(&document["operations"], &mut |target| {
        targets.insert(target.to_owned());
    });
    for (id, channel) in members(&document, "/channels") {
        assert!(targets.contains(&format!("#/channels/{id}")), "channel {id} is unused");
        for name in channel["messages"].as_object().unwrap().keys() {
            let message = format!("#/channels/{id}/messages/{name}");
            assert!(targets.contains(&message), "{message} is unused");
        }
    }
}

#[test]
fn address_parameters_are_exactly_those_declared() {
    let document = generate::asyncapi();
    for (id, channel) in members(&document, "/channels") {
        let address = channel["address"].as_str().unwrap_or_default();
        let in_address: BTreeSet<&str> =
            address.split('.').filter_map(|t| t.strip_prefix('{')?.strip_suffix('}')).collect();
        let declared: BTreeSet<&str> = channel
            .get("parameters")
            .and_then(Value::as_object)
            .map(|parameters| parameters.keys().map(String::as_str).collect())
            .unwrap_or_default();
        assert_eq!(in_address, declared, "{id}");
    }
}

#[test]
fn every_stored_channel_names_the_stream_that_captures_it() {
    let document = generate::asyncapi();
    let streams = members(&document, "/x-jetstream-streams");
    for (id, channel) in members(&document, "/channels") {
        let Some(address) = channel["address"].as_str() else {
            continue;
        };
        let capturing: Vec<&str> = streams
            .iter()
            .filter(|(_, stream)| {
                let subjects = stream["subjects"].as_array().unwrap();
                subjects.iter().any(|s| filter::matches(s.as_str().unwrap(), address))
            })
            .map(|(name, _)| name.as_str())
            .collect();
        let declared: Vec<&str> =
            channel.get("x-jetstream-stream").and_then(Value::as_str).into_iter().collect();
        assert_eq!(capturing, declared, "{id} {address}");
    }
}

#[test]
fn every_example_satisfies_the_payload_schema_inside_the_document() {
    let document = generate::asyncapi();
    for (name, message) in members(&document, "/components/messages") {
        let schema = serde_json::json!({
            "$ref": message["payload"]["$ref"],
            "components": document["components"],
        });
        let validator = jsonschema::draft7::new(&schema).unwrap();
        for example in message["examples"].as_array().unwrap() {
            let payload = &example["payload"];
            let errors: Vec<String> =
                validator.iter_errors(payload).map(|e| e.to_string()).collect();
            assert_eq!(errors, Vec::<String>::new(), "{name}");
        }
    }
}
