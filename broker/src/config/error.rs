//! Why a configuration is refused.

use std::path::PathBuf;

/// Names the file or the field, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("cannot read {}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{} is not a valid configuration", path.display())]
    In { path: PathBuf, source: Box<ConfigError> },
    #[error("{0}")]
    Syntax(Box<toml::de::Error>),
    #[error("{field}: {why}")]
    Field { field: String, why: String },
}

impl ConfigError {
    pub(crate) fn field(field: impl Into<String>, why: impl Into<String>) -> Self {
        Self::Field { field: field.into(), why: why.into() }
    }
}
