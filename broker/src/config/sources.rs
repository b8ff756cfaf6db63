//! From the places where things are said to one configuration.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use figment::Figment;
use figment::error::Kind as Wrong;

use super::Config;
use super::error::{ConfigError, Finding};
use super::keys::{self, Key};
use super::layers::{self, File, Layer, PREFIX};
use super::roles;

/// Where to look.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    pub file: Option<PathBuf>,
    /// Name and value; only names that begin with [`PREFIX`] count.
    pub environment: Vec<(String, String)>,
    /// `key=value`, each.
    pub set: Vec<String>,
}

/// What was found.
#[derive(Debug, Clone)]
pub struct Loaded {
    pub config: Config,
    /// Who said each key that was said by anybody.
    pub origins: BTreeMap<String, String>,
}

impl Sources {
    /// The environment of the process; variables that are no Unicode cannot be ours.
    pub fn of_process(file: Option<PathBuf>, set: Vec<String>) -> Self {
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        let ours =
            std::env::vars_os().filter_map(text).filter(|(name, _)| name.starts_with(PREFIX));
        let mut environment: Vec<(String, String)> = ours.collect();
        environment.sort();
        Self { file, environment, set }
    }

    /// Reads, merges and checks.
    ///
    /// # Errors
    /// An unreadable file, or everything that is unknown, missing, of the wrong type or out of
    /// range, each with where it was said.
    pub fn load(&self) -> Result<Loaded, ConfigError> {
        let text = self.file.as_deref().map(read).transpose()?;
        self.load_text(text.as_deref())
    }

    /// `text` is what stands in the file.
    pub(super) fn load_text(&self, text: Option<&str>) -> Result<Loaded, ConfigError> {
        let file = self.file.as_deref().zip(text);
        let file = file.map(|(path, text)| File::parse(path, text)).transpose()?;
        let keys = keys::all();
        let mut findings = file.as_ref().map(|file| unknown(file, &keys)).unwrap_or_default();
        let mut layers: Vec<Layer> = file.iter().map(|file| file.layer.clone()).collect();
        for more in
            [layers::of_environment(&self.environment, &keys), layers::of_flags(&self.set, &keys)]
        {
            match more {
                Ok(more) => layers.extend(more),
                Err(wrong) => findings.extend(wrong),
            }
        }
        if !findings.is_empty() {
            return Err(ConfigError::Findings(findings));
        }
        let merged = layers.iter().cloned().fold(Figment::new(), Figment::merge);
        let merged = roles::unused(&merged).into_iter().fold(merged, Figment::join);
        let place = |key: &str| origin(&merged, file.as_ref(), key);
        let mut config: Config = merged.extract().map_err(|e| refused(e, file.as_ref(), &keys))?;
        config.resolve_paths(|key| self.base(&merged, key));
        config.validate().map_err(|error| match error {
            ConfigError::Field { field, why } => {
                ConfigError::Findings(vec![Finding { origin: place(&field), key: field, why }])
            }
            other => other,
        })?;
        let said = |key: &Key| Some((key.name.clone(), place(&key.name)?));
        let origins = keys.iter().filter_map(said).collect();
        Ok(Loaded { config, origins })
    }

    /// Where a relative path of `key` begins.
    fn base(&self, merged: &Figment, key: &str) -> PathBuf {
        let file = self.file.as_deref();
        let by = merged.find_metadata(key).map(|metadata| metadata.name.to_string());
        match file {
            Some(file) if by.is_some_and(|name| name == file.display().to_string()) => {
                file.parent().unwrap_or_else(|| Path::new("")).to_owned()
            }
            _ => PathBuf::new(),
        }
    }
}

fn read(path: &Path) -> Result<String, ConfigError> {
    std::fs::read_to_string(path)
        .map_err(|source| ConfigError::Read { path: path.to_owned(), source })
}

fn unknown(file: &File, keys: &[Key]) -> Vec<Finding> {
    let known = |name: &String| keys.iter().any(|key| key.name == *name);
    // `limits = 5` is known, but not as a table; its type is complained about later.
    let is_table = |name: &String| {
        let inside = format!("{name}.");
        keys.iter().any(|key| key.name.starts_with(&inside))
    };
    let unknown = file.names().into_iter().filter(|name| !known(name) && !is_table(name));
    unknown.map(|name| layers::unknown(Some(file.place(&name)), &name, keys)).collect()
}

fn origin(merged: &Figment, file: Option<&File>, key: &str) -> Option<String> {
    let name = merged.find_metadata(key)?.name.to_string();
    match file {
        Some(file) if file.layer.origin == name => Some(file.place(key)),
        _ => Some(name),
    }
}

fn refused(errors: figment::Error, file: Option<&File>, keys: &[Key]) -> ConfigError {
    let finding = |error: figment::Error| {
        let mut key = error.path.join(".");
        let origin = error.metadata.as_ref().map(|metadata| metadata.name.to_string());
        let why = match &error.kind {
            Wrong::MissingField(name) => {
                let dot = if key.is_empty() { "" } else { "." };
                key = format!("{key}{dot}{name}");
                return missing(key, file, keys);
            }
            kind => kind.to_string(),
        };
        let origin = match file {
            Some(file) if origin.as_ref() == Some(&file.layer.origin) => Some(file.place(&key)),
            _ => origin,
        };
        Finding { origin, key, why }
    };
    ConfigError::Findings(errors.into_iter().map(finding).collect())
}

/// A table that is missing is told by the first key it needs.
fn missing(name: String, file: Option<&File>, keys: &[Key]) -> Finding {
    let inside = format!("{name}.");
    let needed = |key: &&Key| key.name == name || (key.required && key.name.starts_with(&inside));
    let key = keys.iter().find(needed);
    let (name, doc) = match key {
        Some(key) => (key.name.clone(), key.doc.as_str()),
        None => (name, ""),
    };
    let variable = key.map(Key::variable).unwrap_or_default();
    let why = format!("is missing; write it into the file or set {variable}. {doc}");
    Finding { origin: file.map(|file| file.layer.origin.clone()), key: name, why }
}
