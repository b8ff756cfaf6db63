//! Who says what: the file, then the environment, then the flags; the later one wins. Each
//! remembers where it was said, so that a complaint can say it too.

use std::ops::Range;
use std::path::Path;

use figment::value::{Dict, Map, Value};
use figment::{Metadata, Profile, Provider};
use toml::de::{DeTable, DeValue};

use super::error::{ConfigError, Finding};
use super::keys::{Key, Kind};

/// Beginning of every variable that overrides a key. Two underscores, because Kubernetes itself
/// sets `BROKER_PORT` and the like beside a service of that name.
pub const PREFIX: &str = "BROKER__";

/// Values from one place.
#[derive(Debug, Clone)]
pub(super) struct Layer {
    /// `broker.toml`, `environment variable BROKER__STORE__DIR`, `--set store.dir`.
    pub(super) origin: String,
    pub(super) table: toml::Table,
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.origin.clone())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        let dict = Value::serialize(&self.table)?.into_dict().unwrap_or_default();
        Ok(Profile::Default.collect(dict))
    }
}

/// A file, with the line of each of its keys.
pub(super) struct File {
    pub(super) layer: Layer,
    lines: Vec<(String, usize)>,
}

impl File {
    pub(super) fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        let syntax = |e| ConfigError::Syntax { path: path.to_owned(), source: Box::new(e) };
        let table: toml::Table = toml::from_str(text).map_err(syntax)?;
        let spans = DeTable::parse(text).map_err(syntax)?;
        let mut lines = Vec::new();
        lines_of("", spans.get_ref(), text, &mut lines);
        Ok(Self { layer: Layer { origin: path.display().to_string(), table }, lines })
    }

    /// `broker.toml:12`, or the file alone for what is not in it.
    pub(super) fn place(&self, key: &str) -> String {
        match self.lines.iter().find(|(name, _)| name == key) {
            Some((_, line)) => format!("{}:{line}", self.layer.origin),
            None => self.layer.origin.clone(),
        }
    }

    /// Names of all keys that are no tables.
    pub(super) fn names(&self) -> Vec<String> {
        let is_table = |name: &str| {
            let inside = format!("{name}.");
            self.lines.iter().any(|(other, _)| other.starts_with(&inside))
        };
        let names = self.lines.iter().map(|(name, _)| name);
        names.filter(|name| !is_table(name)).cloned().collect()
    }
}

fn lines_of(prefix: &str, table: &DeTable<'_>, text: &str, into: &mut Vec<(String, usize)>) {
    for (key, value) in table {
        let name = format!("{prefix}{}", key.get_ref());
        into.push((name.clone(), line_at(text, key.span())));
        if let DeValue::Table(inner) = value.get_ref() {
            lines_of(&format!("{name}."), inner, text, into);
        }
    }
}

fn line_at(text: &str, span: Range<usize>) -> usize {
    text.bytes().take(span.start).filter(|byte| *byte == b'\n').count() + 1
}

/// The layers of variables that begin with [`PREFIX`].
pub(super) fn of_environment(
    variables: &[(String, String)],
    keys: &[Key],
) -> Result<Vec<Layer>, Vec<Finding>> {
    let ours = variables.iter().filter_map(|(variable, text)| {
        let name = variable.strip_prefix(PREFIX)?;
        let name = name.to_ascii_lowercase().replace("__", ".");
        Some(one(format!("environment variable {variable}"), &name, text, keys))
    });
    gather(ours)
}

/// The layers of `--set key=value`.
pub(super) fn of_flags(flags: &[String], keys: &[Key]) -> Result<Vec<Layer>, Vec<Finding>> {
    gather(flags.iter().map(|flag| match flag.split_once('=') {
        Some((name, text)) => one(format!("--set {name}"), name.trim(), text, keys),
        None => Err(Finding {
            origin: Some("--set".to_owned()),
            key: flag.clone(),
            why: "must be key=value, such as limits.intake_max=1000".to_owned(),
        }),
    }))
}

fn gather(
    results: impl Iterator<Item = Result<Layer, Finding>>,
) -> Result<Vec<Layer>, Vec<Finding>> {
    let (mut layers, mut findings) = (Vec::new(), Vec::new());
    for result in results {
        match result {
            Ok(layer) => layers.push(layer),
            Err(finding) => findings.push(finding),
        }
    }
    if findings.is_empty() { Ok(layers) } else { Err(findings) }
}

fn one(origin: String, name: &str, text: &str, keys: &[Key]) -> Result<Layer, Finding> {
    let Some(key) = keys.iter().find(|key| key.name == name) else {
        return Err(unknown(Some(origin), name, keys));
    };
    let Some(value) = value_of(key.kind, text) else {
        let why = format!("must be a {}, got {text:?}", key.kind.label());
        return Err(Finding { origin: Some(origin), key: name.to_owned(), why });
    };
    let mut parts = name.rsplit('.');
    let last = parts.next().unwrap_or(name).to_owned();
    let mut table = toml::Table::from_iter([(last, value)]);
    for part in parts {
        table = toml::Table::from_iter([(part.to_owned(), toml::Value::Table(table))]);
    }
    Ok(Layer { origin, table })
}

/// A text stays as it is: a password of digits is no number.
fn value_of(kind: Kind, text: &str) -> Option<toml::Value> {
    if kind == Kind::Text || (kind == Kind::TextList && !text.trim_start().starts_with('[')) {
        return Some(toml::Value::String(text.to_owned()));
    }
    let mut table: toml::Table = toml::from_str(&format!("value = {text}")).ok()?;
    table.remove("value")
}

/// A key that does not exist, and the one that was meant.
pub(super) fn unknown(origin: Option<String>, name: &str, keys: &[Key]) -> Finding {
    let why = match nearest(name, keys) {
        Some(meant) => format!("there is no such key; did you mean {meant}?"),
        None => "there is no such key; `broker config keys` lists all".to_owned(),
    };
    Finding { origin, key: name.to_owned(), why }
}

/// The key that takes the fewest changes, if at least half of the name stays.
fn nearest<'a>(name: &str, keys: &'a [Key]) -> Option<&'a str> {
    let last = |name: &'_ str| name.rsplit('.').next().unwrap_or_default().to_owned();
    let changes = |key: &Key| {
        // The right name in the wrong table is the commonest slip.
        let whole = strsim::damerau_levenshtein(name, &key.name);
        whole.min(strsim::damerau_levenshtein(&last(name), &last(&key.name)))
    };
    let best = keys.iter().min_by_key(|key| changes(key))?;
    (changes(best) * 2 <= last(name).chars().count()).then_some(best.name.as_str())
}
