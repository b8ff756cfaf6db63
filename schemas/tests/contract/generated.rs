//! The committed documents are those of the types, and the types accept what the documents say.

use std::collections::BTreeSet;
use std::path::Path;

use schemas::RejectReason;
use schemas::generate::{self, message};
use serde_json::{Value, json};

fn validator(schema: &Value) -> jsonschema::Validator {
    jsonschema::options().should_validate_formats(true).build(schema).unwrap()
}

#[test]
fn generated_files_are_fresh() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("generated");
    let stale = generate::stale(&dir).unwrap();
    assert_eq!(stale, Vec::<String>::new(), "run: cargo run -p schemas");
}

#[test]
fn stale_missing_and_superfluous_files_are_named() {
    let dir = std::env::temp_dir().join(format!("schemas-stale-{}", std::process::id()));
    generate::write(&dir).unwrap();
    assert_eq!(generate::stale(&dir).unwrap(), Vec::<String>::new());
    std::fs::write(dir.join("void.schema.json"), "{}").unwrap();
    std::fs::remove_file(dir.join("place.schema.json")).unwrap();
    std::fs::write(dir.join("left_over.schema.json"), "{}").unwrap();
    let expected = ["left_over.schema.json", "place.schema.json", "void.schema.json"];
    assert_eq!(generate::stale(&dir).unwrap(), expected);
    generate::write(&dir).unwrap();
    assert_eq!(generate::stale(&dir).unwrap(), Vec::<String>::new());
    std::fs::remove_dir_all(&dir).unwrap();
}

#[test]
fn every_schema_is_valid_and_accepts_every_example_of_its_message() {
    for message in message::all() {
        let schema = message.json_schema();
        jsonschema::meta::validate(&schema).unwrap_or_else(|e| panic!("{}: {e}", message.name));
        let validator = validator(&schema);
        for example in &message.examples {
            let errors: Vec<String> =
                validator.iter_errors(&example.value()).map(|e| e.to_string()).collect();
            assert_eq!(errors, Vec::<String>::new(), "{} {}", message.name, example.label);
        }
    }
}

/// What the decoder refuses for its form, the schema refuses too: a partner that validates against
/// the schema before it sends is not surprised.
#[test]
fn schemas_refuse_what_decoding_refuses() {
    for (name, pointer, bad) in [
        ("create_purchase", "/quantity", json!(0)),
        ("create_purchase", "/quantity", json!(100)),
        ("create_purchase", "/max_total/amount", json!(-1)),
        ("create_purchase", "/max_total/amount", json!(1.5)),
        ("create_purchase", "/max_total/amount", json!(1_000_000_000_001u64)),
        ("create_purchase", "/max_total/currency", json!("usd")),
        ("create_purchase", "/request_id", json!("42")),
        ("create_purchase", "/expires_at", json!("tomorrow")),
        ("create_purchase", "/strategy", json!("lucky")),
        ("create_purchase", "/item/scheme", json!("barcode")),
        ("create_purchase", "/destination/country", json!("usa")),
        ("create_purchase", "/destination/postal_code", json!("")),
        ("create_purchase", "/payment_token", json!("")),
        ("list_purchases", "/limit", json!(101)),
        ("quote_answers", "/items", json!([])),
        ("quote_answers", "/items/0/outcome", json!("maybe")),
        ("quote_answers", "/items/0/isbn", json!("4006381333931")),
        ("partner_reply", "/attempt", json!(256)),
        ("payment_reply", "/outcome", json!("stolen")),
    ] {
        let message = message::all().into_iter().find(|m| m.name == name).unwrap();
        let mut value = message.examples[0].value();
        *value.pointer_mut(pointer).unwrap() = bad;
        assert!(message.recode(value.to_string().as_bytes()).is_err(), "{name} {pointer}: decoder");
        assert!(!validator(&message.json_schema()).is_valid(&value), "{name} {pointer}: schema");
    }
}

#[test]
fn every_link_of_the_reference_leads_to_one_heading_and_every_code_is_explained() {
    let page = &generate::files()["REFERENCE.md"];
    let headings: Vec<String> = page
        .lines()
        .filter_map(|line| line.strip_prefix("### ").or_else(|| line.strip_prefix("## ")))
        .map(|heading| heading.to_lowercase().replace(' ', "-"))
        .collect();
    let links: BTreeSet<&str> =
        page.split("](#").skip(1).map(|rest| rest.split(')').next().unwrap()).collect();
    assert!(links.len() > 50, "{links:?}");
    for link in links {
        let leads_to = headings.iter().filter(|heading| *heading == link).count();
        assert_eq!(leads_to, 1, "#{link}");
    }
    for reason in RejectReason::ALL {
        let row = format!("| {} | `{}` | ", reason.number(), reason.label());
        let explained = page.lines().find_map(|line| line.strip_prefix(&row)).unwrap();
        assert!(explained.len() > "yes | . |".len(), "{}", reason.label());
    }
}
