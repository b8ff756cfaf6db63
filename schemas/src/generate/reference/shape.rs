//! The fields of a schema, and what may be in them.

use serde_json::Value;

use super::table::Table;
use super::{resolved, sentence, text};

const SCHEMA_PREFIX: &str = "#/components/schemas/";

/// Fields, variants or rule of one schema.
pub(super) fn fields(document: &Value, schema: &Value) -> String {
    let mut said = table_of(document, schema);
    let variants = schema["oneOf"].as_array().into_iter().flatten();
    let (plain, structured): (Vec<&Value>, Vec<&Value>) =
        variants.partition(|variant| values(variant).is_some());
    if !plain.is_empty() {
        said.push('\n');
        said.push_str(&values_table(&plain).to_string());
    }
    for variant in structured {
        said.push_str(&variant_of(document, variant));
    }
    if said.is_empty() {
        said = format!("\n{}\n", kind(schema));
    }
    said
}

fn table_of(document: &Value, schema: &Value) -> String {
    let Some(properties) = schema["properties"].as_object().filter(|fields| !fields.is_empty())
    else {
        return String::new();
    };
    let is_required = |name: &str| {
        schema["required"].as_array().is_some_and(|all| all.iter().any(|one| one == name))
    };
    let mut table = Table::new(&["field", "", "type", "meaning"]);
    // The tag of a variant is in its headline.
    let fields = properties.iter().filter(|(_, field)| field.get("const").is_none());
    let fields: Vec<_> = fields.collect();
    if fields.is_empty() {
        return String::new();
    }
    for (name, field) in fields {
        let needed = if is_required(name) { "required" } else { "optional" };
        let about = match field.get("default") {
            Some(default) if !default.is_null() => {
                format!("{} Default `{default}`.", about(document, field))
            }
            _ => about(document, field),
        };
        let about = about.trim().to_owned();
        table.row([format!("`{name}`"), needed.to_owned(), kind(field), about]);
    }
    format!("\n{table}")
}

/// What the field says of itself, else what its type says.
fn about(document: &Value, field: &Value) -> String {
    match text(field, "description") {
        "" => sentence(text(resolved(document, field), "description")),
        own => sentence(own),
    }
}

fn variant_of(document: &Value, variant: &Value) -> String {
    let tags = variant["properties"].as_object().into_iter().flatten();
    let mut tags = tags.filter_map(|(name, field)| Some((name, field.get("const")?)));
    let head = match tags.next() {
        Some((name, value)) => format!("With `{name}` = `{value}`"),
        None => "One form".to_owned(),
    };
    // Beside other keywords, draft 07 wants a reference inside `allOf`.
    let parts = variant["allOf"].as_array().into_iter().flatten();
    let referring = parts.chain([variant]).find(|part| part.get("$ref").is_some());
    let more =
        referring.map_or_else(String::new, |part| format!(": the fields of {}", reference(part)));
    let about = sentence(text(variant, "description"));
    let about = if about.is_empty() { "." } else { &format!(": {about}") };
    format!("\n{head}{more}{about}\n{}", table_of(document, variant))
}

/// The words that a plain variant allows.
fn values(variant: &Value) -> Option<Vec<&Value>> {
    if let Some(value) = variant.get("const") {
        return Some(vec![value]);
    }
    variant["enum"].as_array().map(|all| all.iter().collect())
}

fn values_table(variants: &[&Value]) -> Table {
    let mut table = Table::new(&["value", "meaning"]);
    for variant in variants {
        for value in values(variant).unwrap_or_default() {
            table.row([format!("`{value}`"), sentence(text(variant, "description"))]);
        }
    }
    table
}

/// Type and limits in a few words.
fn kind(schema: &Value) -> String {
    if schema.get("$ref").is_some() {
        return reference(schema);
    }
    for several in ["anyOf", "allOf"] {
        if let Some(all) = schema[several].as_array() {
            let kinds = all.iter().filter(|one| one["type"] != "null").map(kind);
            return kinds.collect::<Vec<_>>().join(" or ");
        }
    }
    if let Some(value) = schema.get("const") {
        return format!("`{value}`");
    }
    if let Some(all) = schema["enum"].as_array() {
        return all.iter().map(|one| format!("`{one}`")).collect::<Vec<_>>().join(", ");
    }
    if let Some(items) = schema.get("items") {
        return format!(
            "list of {}{}",
            kind(items),
            range(schema, "minItems", "maxItems", "items")
        );
    }
    let name = match schema["type"].as_array() {
        Some(all) => all.iter().find_map(Value::as_str).unwrap_or_default(),
        None => text(schema, "type"),
    };
    let mut limits = range(schema, "minLength", "maxLength", "characters");
    limits.push_str(&range(schema, "minimum", "maximum", ""));
    if let Some(format) = schema["format"].as_str().filter(|format| !format.starts_with("uint")) {
        limits.push_str(&format!(", {format}"));
    }
    if let Some(pattern) = schema["pattern"].as_str() {
        limits.push_str(&format!(", `{pattern}`"));
    }
    format!("{name}{limits}")
}

fn range(schema: &Value, min: &str, max: &str, unit: &str) -> String {
    let unit = if unit.is_empty() { String::new() } else { format!(" {unit}") };
    match (schema.get(min), schema.get(max)) {
        (Some(min), Some(max)) => format!(", {min} to {max}{unit}"),
        (None, Some(max)) => format!(", at most {max}{unit}"),
        (Some(min), None) => format!(", at least {min}{unit}"),
        (None, None) => String::new(),
    }
}

fn reference(schema: &Value) -> String {
    let target = text(schema, "$ref");
    let name = target.strip_prefix(SCHEMA_PREFIX).unwrap_or(target);
    format!("[{name}](#{})", name.to_lowercase())
}
