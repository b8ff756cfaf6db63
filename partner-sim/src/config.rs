//! `partner-sim.toml`: which partners there are, of what character, and what is on their shelves.

mod script;

use std::path::{Path, PathBuf};

use schemas::directory::PARTNERS_MAX;
use schemas::id::IdError;
use schemas::{PartnerId, ProviderId};
use serde::{Deserialize, Serialize};

pub use script::{PriceScript, StockScript};

use crate::http::HttpConfig;
use crate::payment::PaymentSettings;
use crate::profile::{Profile, ProfileName};

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("cannot read {path}")]
    Read { path: PathBuf, source: std::io::Error },
    #[error("cannot write {path}")]
    Write { path: PathBuf, source: std::io::Error },
    #[error("{path} is not a valid configuration")]
    Parse { path: PathBuf, source: Box<toml::de::Error> },
    #[error("the overrides of the {profile} partners do not fit a profile")]
    Override { profile: &'static str, source: Box<toml::de::Error> },
    #[error("the values of a generated file cannot be written as TOML")]
    Serialize(#[from] toml::ser::Error),
    #[error("partner {0} is configured twice")]
    Twice(PartnerId),
    #[error("{0} partners are configured, at most {PARTNERS_MAX} are allowed")]
    TooMany(usize),
    #[error("a partner group cannot make ids from its prefix")]
    Prefix(#[from] IdError),
    #[error("a script names partner {0}, which is not configured")]
    NoSuchPartner(PartnerId),
}

/// The file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SimConfig {
    /// Same seed, same behaviour.
    pub seed: u64,
    pub nats: NatsConfig,
    /// Synced file of everything that was decided; the memory of the next life.
    pub ledger_file: PathBuf,
    /// Where to write the broker's partner directory at start, if anywhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub directory_file: Option<PathBuf>,
    pub payment: PaymentConfig,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub partners: Vec<PartnerGroup>,
    /// Stores that speak HTTP instead of NATS.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http: Option<HttpConfig>,
    /// Stock set by hand.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stock: Vec<StockScript>,
    /// Prices set by hand.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub price: Vec<PriceScript>,
}

impl Default for SimConfig {
    fn default() -> Self {
        Self {
            seed: 1,
            nats: NatsConfig::default(),
            ledger_file: PathBuf::from("partner-sim-ledger.jsonl"),
            directory_file: None,
            payment: PaymentConfig::default(),
            partners: Vec::new(),
            http: None,
            stock: Vec::new(),
            price: Vec::new(),
        }
    }
}

/// How the stores connect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NatsConfig {
    pub url: String,
    pub connections: Connections,
    /// Answers waiting for their delivery instant; beyond it the shell stops reading.
    pub delayed_max: usize,
}

impl Default for NatsConfig {
    fn default() -> Self {
        Self {
            url: "nats://127.0.0.1:4222".to_owned(),
            connections: Connections::Shared,
            delayed_max: 100_000,
        }
    }
}

/// One connection for all partners, or one each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Connections {
    /// One connection, one subscription, one consumer per stream: cheap, up to a thousand stores.
    #[default]
    Shared,
    /// As real bookstores would: own connection, own subscription, own consumers.
    Own,
}

/// The payment provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PaymentConfig {
    pub provider: ProviderId,
    pub settings: PaymentSettings,
}

impl Default for PaymentConfig {
    fn default() -> Self {
        Self {
            provider: ProviderId::parse("simpay").expect("a valid provider id"),
            settings: PaymentSettings::default(),
        }
    }
}

/// Partners of one character.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PartnerGroup {
    pub profile: ProfileName,
    /// Partners by name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ids: Vec<PartnerId>,
    /// So many more, named `<prefix>-01`, `<prefix>-02`…
    pub count: u16,
    /// Defaults to the name of the profile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefix: Option<String>,
    /// Fields of the profile to change, for example `faults = { busy_permille = 500 }`.
    #[serde(skip_serializing_if = "toml::Table::is_empty")]
    pub overrides: toml::Table,
}

impl PartnerGroup {
    /// `count` partners of a character, named after it.
    pub fn of(profile: ProfileName, count: u16) -> Self {
        Self { profile, count, ..Self::default() }
    }

    /// One partner with a name of its own.
    pub fn named(profile: ProfileName, id: PartnerId) -> Self {
        Self { profile, ids: vec![id], ..Self::default() }
    }

    /// The partners of this group.
    pub fn partner_ids(&self) -> Result<Vec<PartnerId>, IdError> {
        let prefix = self.prefix.as_deref().unwrap_or(self.profile.label());
        let mut ids = self.ids.clone();
        for n in 1..=self.count {
            ids.push(PartnerId::parse(&format!("{prefix}-{n:02}"))?);
        }
        Ok(ids)
    }

    fn resolved(&self) -> Result<Profile, ConfigError> {
        if self.overrides.is_empty() {
            return Ok(self.profile.profile());
        }
        let mut table = toml::Table::try_from(self.profile.profile())?;
        merge(&mut table, &self.overrides);
        table.try_into().map_err(|source| ConfigError::Override {
            profile: self.profile.label(),
            source: Box::new(source),
        })
    }
}

/// Overrides win; tables are merged field by field.
fn merge(base: &mut toml::Table, overrides: &toml::Table) {
    for (name, value) in overrides {
        match (base.get_mut(name), value) {
            (Some(toml::Value::Table(below)), toml::Value::Table(above)) => merge(below, above),
            _ => {
                base.insert(name.clone(), value.clone());
            }
        }
    }
}

impl SimConfig {
    /// Reads a file; relative paths in it are relative to it.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        Self::parse(&text, path)
    }

    /// Checks the text of the file at `path`.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        let mut config: Self = toml::from_str(text).map_err(|source| ConfigError::Parse {
            path: path.to_owned(),
            source: Box::new(source),
        })?;
        let dir = path.parent().unwrap_or(Path::new("."));
        config.ledger_file = dir.join(&config.ledger_file);
        config.directory_file = config.directory_file.map(|file| dir.join(file));
        config.profiles()?;
        Ok(config)
    }

    /// The file's text.
    pub fn to_toml(&self) -> Result<String, ConfigError> {
        Ok(toml::to_string(self)?)
    }

    /// Every partner with its character, in the order of the file.
    pub fn profiles(&self) -> Result<Vec<(PartnerId, Profile)>, ConfigError> {
        let mut profiles: Vec<(PartnerId, Profile)> = Vec::new();
        let mut seen = std::collections::BTreeSet::new();
        for group in &self.partners {
            let profile = group.resolved()?;
            for id in group.partner_ids()? {
                if !seen.insert(id.clone()) {
                    return Err(ConfigError::Twice(id));
                }
                profiles.push((id, profile.clone()));
            }
        }
        if profiles.len() > PARTNERS_MAX {
            return Err(ConfigError::TooMany(profiles.len()));
        }
        let named = self.stock.iter().filter_map(|s| s.partner.as_ref());
        let mut named = named
            .chain(self.price.iter().filter_map(|p| p.partner.as_ref()))
            .chain(self.http.iter().flat_map(|http| http.shapes.keys()));
        match named.find(|id| !seen.contains(*id)) {
            Some(stranger) => Err(ConfigError::NoSuchPartner(stranger.clone())),
            None => Ok(profiles),
        }
    }

    /// Writes the broker's partner directory, if a file is named for it.
    pub fn write_directory(&self) -> Result<(), ConfigError> {
        let Some(path) = &self.directory_file else { return Ok(()) };
        let directory = crate::World::new(self)?.directory();
        let text =
            format!("# Written by partner-sim; do not edit.\n\n{}", toml::to_string(&directory)?);
        // Renamed into place, so that a broker that reloads never reads half a file.
        let draft = path.with_extension("tmp");
        let written = std::fs::write(&draft, text).and_then(|()| std::fs::rename(&draft, path));
        written.map_err(|source| ConfigError::Write { path: path.clone(), source })
    }
}
