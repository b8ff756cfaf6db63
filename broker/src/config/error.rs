//! Why a configuration is refused.

use std::fmt;
use std::path::PathBuf;

/// Names the file or the key, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("cannot read {}; give the file with --config FILE", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("{} is not TOML", path.display())]
    Syntax { path: PathBuf, source: Box<toml::de::Error> },
    #[error("the configuration cannot be used{}", list(.0))]
    Findings(Vec<Finding>),
    /// A value that breaks a rule, where it is not known who gave it.
    #[error("{field}: {why}")]
    Field { field: String, why: String },
}

/// One thing to mend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Where it was said: file and line, variable or flag. Nothing when it was not said at all.
    pub origin: Option<String>,
    pub key: String,
    pub why: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(origin) = &self.origin {
            write!(f, "{origin}: ")?;
        }
        write!(f, "{}: {}", self.key, self.why)
    }
}

fn list(findings: &[Finding]) -> String {
    findings.iter().map(|finding| format!("\n  {finding}")).collect()
}

impl ConfigError {
    pub(crate) fn field(field: impl Into<String>, why: impl Into<String>) -> Self {
        Self::Field { field: field.into(), why: why.into() }
    }
}
