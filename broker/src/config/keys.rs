//! What every key means, read off the types: name, type, unit, default and consequence have one
//! home, the declaration of the field.

use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::{Config, PolicyOverrides};

/// How a value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Text,
    Number,
    Switch,
    TextList,
    NumberList,
}

impl Kind {
    pub const fn label(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Number => "number",
            Self::Switch => "true or false",
            Self::TextList => "list of texts",
            Self::NumberList => "list of numbers",
        }
    }

    const fn example(self) -> &'static str {
        match self {
            Self::Text => "\"…\"",
            Self::Number => "0",
            Self::Switch => "false",
            Self::TextList => "[\"…\"]",
            Self::NumberList => "[0]",
        }
    }
}

/// One key of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// With its tables: `limits.intake_max`.
    pub name: String,
    pub kind: Kind,
    pub required: bool,
    /// Its table may be absent altogether.
    pub in_optional: bool,
    /// What holds when it is absent, as TOML; nothing when it is then off.
    pub default: Option<String>,
    pub doc: String,
}

impl Key {
    /// The variable that overrides the file.
    pub fn variable(&self) -> String {
        format!("{}{}", super::PREFIX, self.name.replace('.', "__").to_ascii_uppercase())
    }

    /// From the end of the name, as everywhere in the product.
    pub fn unit(&self) -> &'static str {
        let ends = |suffix: &str| self.name.ends_with(suffix);
        match self.kind {
            Kind::Number | Kind::NumberList if ends("_ms") => "milliseconds",
            Kind::Number if ends("_bytes") => "bytes",
            Kind::Number if ends("_permille") => "thousandths",
            Kind::Number if ends("_permyriad") => "ten-thousandths",
            Kind::Number if ends("_per_s") => "per second",
            Kind::Number if ends("_per_min") => "per minute",
            Kind::Number => "count",
            Kind::Text if ends("_file") || ends("dir") => "path",
            Kind::Text | Kind::TextList if ends("url") || ends("urls") => "URL",
            Kind::Text | Kind::TextList | Kind::Switch | Kind::NumberList => "",
        }
    }
}

/// Every key, plain ones before tables, each by name.
pub fn all() -> Vec<Key> {
    let mut settings = SchemaSettings::draft2020_12();
    settings.inline_subschemas = true;
    let schema = settings.into_generator().into_root_schema_for::<Config>().to_value();
    let mut keys = Vec::new();
    collect("", &schema, true, &mut keys);
    let standard = toml::Table::try_from(PolicyOverrides::standard()).unwrap_or_default();
    for key in &mut keys {
        if let Some(name) = key.name.strip_prefix("policy.") {
            key.default = standard.get(name).map(ToString::to_string);
        }
    }
    keys
}

/// What is needed in a table that may be absent is not needed without it.
fn collect(prefix: &str, schema: &Value, needed: bool, keys: &mut Vec<Key>) {
    let Some(properties) = schema["properties"].as_object() else { return };
    let required: Vec<&str> =
        schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    // Plain keys come before tables, as TOML wants it.
    for (name, property) in properties.iter().filter(|(_, property)| table(property).is_none()) {
        keys.push(Key {
            name: format!("{prefix}{name}"),
            kind: kind_of(property),
            required: needed && required.contains(&name.as_str()),
            in_optional: !needed,
            default: property.get("default").and_then(default_of),
            doc: text_of(property),
        });
    }
    for (name, property) in properties {
        if let Some((table, optional)) = table(property) {
            collect(&format!("{prefix}{name}."), table, needed && !optional, keys);
        }
    }
}

/// The schema of a table, and whether the table may be absent altogether.
fn table(property: &Value) -> Option<(&Value, bool)> {
    let types = property["type"].as_array();
    let optional = types.is_some_and(|types| types.iter().any(|one| one == "null"));
    property["properties"].is_object().then_some((property, optional))
}

fn kind_of(property: &Value) -> Kind {
    let alternatives = property["anyOf"].as_array().into_iter().flatten();
    let shapes = std::iter::once(property).chain(alternatives);
    let typed = |shape: &Value, wanted: &str| {
        let types = &shape["type"];
        types == wanted || types.as_array().is_some_and(|all| all.iter().any(|one| one == wanted))
    };
    for shape in shapes {
        if typed(shape, "array") {
            let numbers = typed(&shape["items"], "integer");
            return if numbers { Kind::NumberList } else { Kind::TextList };
        }
        if typed(shape, "integer") {
            return Kind::Number;
        }
        if typed(shape, "boolean") {
            return Kind::Switch;
        }
    }
    Kind::Text
}

fn default_of(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        other => toml::Value::try_from(other).ok().map(|value| value.to_string()),
    }
}

fn text_of(property: &Value) -> String {
    let text = property["description"].as_str().unwrap_or_default();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A file with every key in it: what is required as an example, the rest at its default.
pub fn reference() -> String {
    let mut text =
        "# Every key of broker.toml. Lines that begin with `#` show the default or the form.\n\
         # A variable of the environment overrides the file, `--set key=value` overrides both.\n\
         # Written by `broker config reference`; a test compares.\n"
            .to_owned();
    let mut table = String::new();
    for key in all() {
        let (of, name) = key.name.rsplit_once('.').unwrap_or(("", &key.name));
        if of != table {
            let off = if key.in_optional { "# " } else { "" };
            text.push_str(&format!("\n{off}[{of}]\n"));
            of.clone_into(&mut table);
        }
        text.push('\n');
        for line in wrap(&key.doc) {
            text.push_str(&format!("# {line}\n"));
        }
        let unit = if key.unit().is_empty() { key.kind.label() } else { key.unit() };
        let need = if key.required { ", required" } else { "" };
        text.push_str(&format!("# ({unit}{need}; {})\n", key.variable()));
        let sample = EXAMPLES.iter().find(|(of, _)| *of == key.name).map(|(_, value)| *value);
        let value = key.default.as_deref().or(sample).unwrap_or(key.kind.example());
        let off = if key.required { "" } else { "# " };
        text.push_str(&format!("{off}{name} = {value}\n"));
    }
    text
}

/// Forms of keys that have no default.
const EXAMPLES: &[(&str, &str)] = &[
    ("partners_file", "\"partners.toml\""),
    ("catalog_file", "\"catalog.jsonl\""),
    ("payment_provider", "\"simpay\""),
    ("http_bind", "\"127.0.0.1:8080\""),
    ("nats.urls", "[\"nats://127.0.0.1:4222\"]"),
    ("nats.inbox_prefix", "\"_INBOX.broker\""),
    ("nats.monitoring_url", "\"http://127.0.0.1:8222\""),
    ("store.dir", "\"data\""),
    ("store.backup_dir", "\"backups\""),
];

const LINE_CHARS_MAX: usize = 96;

fn wrap(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let last = lines.last_mut().expect("there is always a line");
        if !last.is_empty() && last.chars().count() + 1 + word.chars().count() > LINE_CHARS_MAX {
            lines.push(word.to_owned());
        } else {
            if !last.is_empty() {
                last.push(' ');
            }
            last.push_str(word);
        }
    }
    lines
}
