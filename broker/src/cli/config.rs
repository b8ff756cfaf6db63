//! `broker config`, and the flags by which every command finds the configuration.

use std::io;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::json;

use super::out;
use crate::config::keys::{self, Key};
use crate::config::{ConfigError, Loaded, Sources};

/// Where the configuration is.
#[derive(Debug, Args)]
pub(super) struct ConfigArgs {
    /// The TOML configuration. Without it the environment must say everything.
    #[arg(long, value_name = "FILE", env = "BROKER_CONFIG")]
    pub(super) config: Option<PathBuf>,
    /// Overrides one key of file and environment, such as `--set limits.intake_max=1000`. Can be
    /// given many times.
    #[arg(long, value_name = "KEY=VALUE")]
    pub(super) set: Vec<String>,
}

/// `broker serve`
#[derive(Debug, Args)]
pub(super) struct Serve {
    #[command(flatten)]
    from: ConfigArgs,
    /// Parts that this process plays, instead of what the configuration says: broker,
    /// bridge, gateway, notifier.
    #[arg(long, value_name = "ROLE,…", value_delimiter = ',')]
    roles: Vec<String>,
}

impl Serve {
    pub(super) fn load(&self) -> Result<Loaded, ConfigError> {
        let mut set = self.from.set.clone();
        if !self.roles.is_empty() {
            let quoted: Vec<String> = self.roles.iter().map(|role| format!("{role:?}")).collect();
            set.push(format!("roles=[{}]", quoted.join(",")));
        }
        Sources::of_process(self.from.config.clone(), set).load()
    }
}

impl ConfigArgs {
    pub(super) fn load(&self) -> Result<Loaded, ConfigError> {
        Sources::of_process(self.config.clone(), self.set.clone()).load()
    }
}

#[derive(Debug, Subcommand)]
pub(super) enum ConfigCommand {
    /// The value of every key and who said it; secrets are masked.
    Show {
        #[command(flatten)]
        from: ConfigArgs,
        /// As one JSON object: key → value, from.
        #[arg(long)]
        json: bool,
    },
    /// Every key: type, unit, default, meaning and the variable that overrides it.
    Keys {
        /// As a JSON array.
        #[arg(long)]
        json: bool,
    },
    /// A commented file with every key in it.
    Reference,
}

impl ConfigCommand {
    pub(super) fn run(&self) -> anyhow::Result<()> {
        match self {
            Self::Show { from, json } => show(&from.load()?, *json)?,
            Self::Keys { json: true } => {
                let all: Vec<_> = keys::all().iter().map(as_json).collect();
                out::line(&format!("{:#}", serde_json::Value::from(all)))?;
            }
            Self::Keys { json: false } => {
                let all: Vec<String> = keys::all().iter().map(sheet).collect();
                out::line(&all.join("\n"))?;
            }
            Self::Reference => out::line(keys::reference().trim_end())?,
        }
        Ok(())
    }
}

fn show(loaded: &Loaded, json: bool) -> io::Result<()> {
    let masked = loaded.config.masked();
    let table = toml::Table::try_from(&masked).unwrap_or_default();
    let rows = keys::all().into_iter().map(|key| {
        let value = lookup(&table, &key.name).map(ToString::to_string);
        let value = value.or(key.default).unwrap_or_else(|| "(off)".to_owned());
        let from = loaded.origins.get(&key.name).map_or("default", String::as_str).to_owned();
        (key.name, value, from)
    });
    if json {
        let all: serde_json::Map<_, _> = rows
            .map(|(name, value, from)| (name, json!({ "value": value, "from": from })))
            .collect();
        return out::line(&format!("{:#}", serde_json::Value::from(all)));
    }
    let rows = rows.map(|(name, value, from)| format!("{name} = {value}  # {from}"));
    out::line(&rows.collect::<Vec<_>>().join("\n"))
}

fn lookup<'a>(table: &'a toml::Table, name: &str) -> Option<&'a toml::Value> {
    match name.split_once('.') {
        Some((of, rest)) => table.get(of)?.as_table()?.get(rest),
        None => table.get(name),
    }
}

fn as_json(key: &Key) -> serde_json::Value {
    json!({
        "key": key.name, "type": key.kind.label(), "unit": key.unit(), "required": key.required,
        "default": key.default, "variable": key.variable(), "meaning": key.doc,
    })
}

fn sheet(key: &Key) -> String {
    let default = match (&key.default, key.required) {
        (Some(default), _) => format!("default {default}"),
        (None, true) => "required".to_owned(),
        (None, false) => "off".to_owned(),
    };
    let unit = if key.unit().is_empty() { key.kind.label() } else { key.unit() };
    format!("{}  ({unit}, {default})\n    {}\n    {}\n", key.name, key.doc, key.variable())
}
