//! Documents made from the types: one JSON Schema (2020-12) per message, one AsyncAPI 3.0 document
//! of all channels, and one page about both for people. They are committed under
//! `schemas/generated`, written by the binary `schemas-gen`, and a test fails when they are stale.

use std::collections::BTreeMap;
use std::path::Path;
use std::{fs, io};

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};

mod asyncapi;
pub mod example;
pub mod message;
mod reference;

pub use asyncapi::document as asyncapi;

const ASYNCAPI_FILE: &str = "asyncapi.json";
const REFERENCE_FILE: &str = "REFERENCE.md";
const SCHEMA_SUFFIX: &str = ".schema.json";

/// Every generated file: name below `schemas/generated`, and its text.
pub fn files() -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    files.insert(ASYNCAPI_FILE.to_owned(), text_of(asyncapi()));
    files.insert(REFERENCE_FILE.to_owned(), reference::page());
    for message in message::all() {
        files.insert(format!("{}{SCHEMA_SUFFIX}", message.name), text_of(message.json_schema()));
    }
    files
}

/// Writes every file and removes generated files that no message has any more.
///
/// # Errors
/// The file system's, naming the file.
pub fn write(dir: &Path) -> io::Result<()> {
    let files = files();
    fs::create_dir_all(dir).map_err(|e| named(dir, &e))?;
    for name in present(dir)?.into_iter().filter(|name| !files.contains_key(name)) {
        let path = dir.join(name);
        fs::remove_file(&path).map_err(|e| named(&path, &e))?;
    }
    for (name, text) in files {
        let path = dir.join(name);
        fs::write(&path, text).map_err(|e| named(&path, &e))?;
    }
    Ok(())
}

/// Names of files that are missing, differ or should not be there; empty when all is fresh.
///
/// # Errors
/// The file system's, naming the directory.
pub fn stale(dir: &Path) -> io::Result<Vec<String>> {
    let files = files();
    let mut stale: Vec<String> =
        present(dir)?.into_iter().filter(|name| !files.contains_key(name)).collect();
    for (name, text) in files {
        let is_fresh = fs::read_to_string(dir.join(&name)).is_ok_and(|found| found == text);
        if !is_fresh {
            stale.push(name);
        }
    }
    stale.sort();
    Ok(stale)
}

fn present(dir: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(dir).map_err(|e| named(dir, &e))? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    Ok(names)
}

fn named(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{}: {error}", path.display()))
}

/// Pretty JSON with sorted keys: the order must not depend on how serde_json was built.
fn text_of(value: Value) -> String {
    let mut text = format!("{:#}", sorted(value));
    text.push('\n');
    text
}

fn sorted(value: Value) -> Value {
    match value {
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        Value::Object(fields) => {
            let fields: BTreeMap<String, Value> =
                fields.into_iter().map(|(name, value)| (name, sorted(value))).collect();
            Value::Object(fields.into_iter().collect::<Map<_, _>>())
        }
        scalar @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => scalar,
    }
}

fn json_schema_settings() -> SchemaSettings {
    SchemaSettings::draft2020_12()
}
