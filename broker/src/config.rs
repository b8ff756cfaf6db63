//! What an operator decides: one TOML file, every key with unit, default and consequence.
//!
//! ```text
//! defaults ◀── broker.toml ◀── environment (BROKER__STORE__DIR) ◀── flags (--set store.dir=…)
//! ```
//!
//! Unknown keys are refused with the one that was meant (a misspelt limit must not silently be the
//! default), relative paths count from where they were said (the file's directory, or the working
//! directory), and what is in force is printed at start, secrets masked.
//! `ops/config/reference.toml` shows every key.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use broker_bridge::BridgeConfig;
use broker_core::Policy;
use broker_core::partner::Partners;
use broker_gateway::GatewayConfig;
use broker_notifier::NotifierConfig;
use schemars::JsonSchema;
use schemas::ProviderId;
use serde::{Deserialize, Serialize};

mod customers;
mod error;
pub mod keys;
mod layers;
mod limits;
mod nats;
mod overload;
mod policy;
mod roles;
mod sources;
mod streams;
mod traces;

pub use customers::{ClassName, CustomersConfig};
pub use error::{ConfigError, Finding};
pub use layers::PREFIX;
pub use limits::Limits;
pub use nats::NatsConfig;
pub use overload::{OverloadConfig, WhenFullName};
pub use policy::PolicyOverrides;
pub use roles::Role;
pub use schemas::secret::{MASK, Secret};
pub use sources::{Loaded, Sources};
pub use streams::StreamsConfig;
pub use traces::TracesConfig;

/// The whole file.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Parts that this process plays: `broker`, `bridge`, `gateway`, `notifier`. Each can run in a
    /// process of its own, on a machine of its own, and each but the broker in several.
    #[serde(default = "roles::standard")]
    #[schemars(with = "Vec<String>")]
    pub roles: Vec<Role>,
    pub nats: NatsConfig,
    pub store: StoreConfig,
    /// Partner directory (`[[partner]]` tables); read at start. Only who stands in it is asked and
    /// believed.
    pub partners_file: PathBuf,
    /// Catalog of titles and other identifiers, JSON Lines. Without it only ISBNs are understood.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub catalog_file: Option<PathBuf>,
    /// The payment provider that authorises and captures; a token of its subjects.
    #[schemars(with = "String")]
    pub payment_provider: ProviderId,
    /// Address of `/metrics`, `/live` and `/ready`; port 0 takes a free one and logs it. Without
    /// it nothing listens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub http_bind: Option<SocketAddr>,
    #[serde(default)]
    pub log: LogConfig,
    #[serde(default)]
    pub traces: TracesConfig,
    #[serde(default)]
    pub limits: Limits,
    #[serde(default)]
    pub streams: StreamsConfig,
    #[serde(default)]
    pub overload: OverloadConfig,
    #[serde(default)]
    pub customers: CustomersConfig,
    /// Bookstores that only speak HTTP.
    #[serde(default)]
    pub bridge: BridgeConfig,
    /// The HTTP door.
    #[serde(default)]
    pub gateway: GatewayConfig,
    /// E-mail and webhooks to customers.
    #[serde(default)]
    pub notifier: NotifierConfig,
    /// Numbers of the core that differ from the standard ones, for tests and special operation.
    #[serde(default)]
    pub policy: PolicyOverrides,
}

/// Where the truth lives.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StoreConfig {
    /// Directory of the store; created when missing. One process at a time, on a local disk that
    /// keeps what it has synced.
    pub dir: PathBuf,
    /// Directory, best on another disk, into which the serving broker may write backups when an
    /// operator asks for one (`broker store backup`). Without it backups need a stopped broker.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup_dir: Option<PathBuf>,
}

/// How the log looks.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LogConfig {
    /// Filter in the syntax of `RUST_LOG`, which overrides it. `debug` tells every message.
    pub filter: String,
    /// One JSON object per line instead of text, for log collectors.
    pub json: bool,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { filter: "info,async_nats=warn,fjall=warn,lsm_tree=warn".to_owned(), json: false }
    }
}

impl Config {
    /// Reads and checks a file, and nothing else.
    ///
    /// # Errors
    /// An unreadable file, a syntax error, an unknown or missing key, or a value out of range.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let sources = Sources { file: Some(path.to_owned()), ..Sources::default() };
        Ok(sources.load()?.config)
    }

    /// [`Config::load`] of a text, as if it stood in the file at `path`.
    ///
    /// # Errors
    /// As [`Config::load`], except for reading.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        let sources = Sources { file: Some(path.to_owned()), ..Sources::default() };
        Ok(sources.load_text(Some(text))?.config)
    }

    /// The rules that types cannot express; for configurations that were built in code.
    ///
    /// # Errors
    /// The first key that breaks a rule.
    pub fn validate(&self) -> Result<(), ConfigError> {
        self.nats.validate()?;
        self.traces.validate()?;
        self.limits.validate()?;
        self.streams.validate(self.policy.id_horizon())?;
        self.overload.validate()?;
        self.customers.validate()?;
        roles::validate(&self.roles)?;
        self.gateway.validate().map_err(|(key, why)| ConfigError::field(key, why))?;
        self.bridge.validate().map_err(|broken| named("bridge", &broken))?;
        self.notifier.validate().map_err(|broken| named("notifier", &broken))?;
        self.policy.validate()
    }

    /// Every number of the core, with these partners.
    pub fn core_policy(&self, partners: Partners) -> Policy {
        let policy = self.policy.apply(Policy::standard(partners));
        self.overload.apply(&self.customers, policy)
    }

    /// The same without secrets: user names and passwords in URLs are cut, others masked.
    #[must_use]
    pub fn masked(&self) -> Self {
        Self { nats: self.nats.masked(), notifier: self.notifier.masked(), ..self.clone() }
    }

    /// The settings in force, as TOML without secrets.
    pub fn to_display(&self) -> String {
        toml::to_string(&self.masked()).unwrap_or_else(|e| format!("(cannot be shown: {e})"))
    }

    /// Relative paths get the directory that `base` names for their key.
    fn resolve_paths(&mut self, base: impl Fn(&str) -> PathBuf) {
        let own = [
            ("store.dir", Some(&mut self.store.dir)),
            ("store.backup_dir", self.store.backup_dir.as_mut()),
            ("partners_file", Some(&mut self.partners_file)),
            ("catalog_file", self.catalog_file.as_mut()),
        ];
        let doors = self.gateway.paths_mut().into_iter().chain(self.notifier.paths_mut());
        let doors = doors.chain(self.bridge.paths_mut());
        for (key, path) in own.into_iter().chain(self.nats.paths_mut()).chain(doors) {
            if let Some(path) = path {
                // `join` keeps an absolute path as it is.
                *path = base(key).join(&*path);
            }
        }
    }
}

/// What a door found wrong: a text that begins with the key.
fn named(door: &str, broken: &str) -> ConfigError {
    let (key, why) = broken.split_once(' ').unwrap_or((door, broken));
    ConfigError::field(key, why)
}

#[cfg(test)]
mod tests;
