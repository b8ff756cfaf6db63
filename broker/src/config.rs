//! What an operator decides: one TOML file, every field with unit, default and consequence.
//!
//! Unknown fields are refused (a misspelt limit must not silently be the default), relative paths
//! count from the directory of the file, and what is in force is printed once at start.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use schemas::ProviderId;
use serde::{Deserialize, Serialize};

mod error;
mod limits;
mod policy;

pub use error::ConfigError;
pub use limits::Limits;
pub use policy::PolicyOverrides;

/// The whole file.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub nats: NatsConfig,
    pub store: StoreConfig,
    /// Partner directory (`[[partner]]` tables); read at start.
    pub partners_file: PathBuf,
    /// Catalog of titles and other identifiers, JSON Lines. Without it only ISBNs are understood.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub catalog_file: Option<PathBuf>,
    /// The payment provider that authorises and captures; a token of its subjects.
    pub payment_provider: ProviderId,
    /// Address of `/metrics`, `/live` and `/ready`; port 0 takes a free one and logs it. Without
    /// it nothing listens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http_bind: Option<SocketAddr>,
    #[serde(default)]
    pub log: LogConfig,
    #[serde(default)]
    pub limits: Limits,
    /// Numbers of the core that differ from the standard ones, for tests and special operation.
    #[serde(default)]
    pub policy: PolicyOverrides,
}

/// How to reach NATS.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NatsConfig {
    /// At least one `nats://` or `tls://` URL of the same cluster.
    pub urls: Vec<String>,
    /// A `.creds` file (JWT and seed).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials_file: Option<PathBuf>,
    /// The server's monitoring endpoint, `http://host:port`. With it the broker can say what a
    /// publish acknowledgement is worth; without it that stays unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monitoring_url: Option<String>,
    /// Connection name shown by the server's monitoring.
    #[serde(default = "default_name")]
    pub name: String,
}

fn default_name() -> String {
    "broker".to_owned()
}

/// Where the truth lives.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoreConfig {
    /// Directory of the store; created when missing. One process at a time.
    pub dir: PathBuf,
}

/// How the log looks.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogConfig {
    /// Filter in the syntax of `RUST_LOG`, which overrides it. Default: `info`, libraries `warn`.
    pub filter: String,
    /// One JSON object per line instead of text. Default false.
    pub json: bool,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { filter: "info,async_nats=warn,fjall=warn,lsm_tree=warn".to_owned(), json: false }
    }
}

impl Config {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// An unreadable file, a syntax error, an unknown or missing field, or a value out of range.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        let base = path.parent().unwrap_or_else(|| Path::new("."));
        Self::parse(&text, base)
            .map_err(|source| ConfigError::In { path: path.to_owned(), source: Box::new(source) })
    }

    /// Checks the text of a file whose relative paths count from `base`.
    ///
    /// # Errors
    /// As [`Config::load`], except for reading.
    pub fn parse(text: &str, base: &Path) -> Result<Self, ConfigError> {
        let mut config: Self =
            toml::from_str(text).map_err(|e| ConfigError::Syntax(Box::new(e)))?;
        config.resolve_paths(base);
        config.validate()?;
        Ok(config)
    }

    /// The rules that types cannot express; for configurations that were built in code.
    ///
    /// # Errors
    /// The first field that breaks a rule.
    pub fn validate(&self) -> Result<(), ConfigError> {
        if self.nats.urls.is_empty() {
            return Err(ConfigError::field("nats.urls", "give at least one server URL"));
        }
        if let Some(url) = &self.nats.monitoring_url
            && !url.starts_with("http://")
        {
            return Err(ConfigError::field("nats.monitoring_url", "must start with http://"));
        }
        self.limits.validate()?;
        self.policy.validate()
    }

    /// The settings in force, as TOML without secrets: user names and passwords in URLs are cut.
    pub fn to_display(&self) -> String {
        let mut shown = self.clone();
        shown.nats.urls = self.nats.urls.iter().map(|url| without_user_info(url)).collect();
        toml::to_string(&shown).unwrap_or_else(|e| format!("(cannot be shown: {e})"))
    }

    fn resolve_paths(&mut self, base: &Path) {
        let paths = [Some(&mut self.store.dir), Some(&mut self.partners_file)];
        let optional = [self.catalog_file.as_mut(), self.nats.credentials_file.as_mut()];
        for path in paths.into_iter().chain(optional).flatten() {
            // `join` keeps an absolute path as it is.
            *path = base.join(&*path);
        }
    }
}

fn without_user_info(url: &str) -> String {
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://{host}"),
        (None, Some((_, host))) => host.to_owned(),
        (_, None) => url.to_owned(),
    }
}

#[cfg(test)]
mod tests;
