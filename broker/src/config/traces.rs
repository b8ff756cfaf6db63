//! Where traces go.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ConfigError;

/// Everything.
const PERMILLE_MAX: u16 = 1000;

/// OpenTelemetry. Whether or not anything is exported, a customer's `traceparent` is passed on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TracesConfig {
    /// Where spans are sent: OTLP over HTTP, protobuf, such as
    /// `http://localhost:4318/v1/traces`. Without it none are. Needs a broker that was built with
    /// the feature `otlp`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub otlp_endpoint: Option<String>,
    /// Of a thousand requests whose customer brings no trace, how many are sampled. A customer who
    /// brings one decides for it. More cost the broker, its server and the collector more.
    pub sampled_permille: u16,
}

impl Default for TracesConfig {
    fn default() -> Self {
        Self { otlp_endpoint: None, sampled_permille: PERMILLE_MAX }
    }
}

impl TracesConfig {
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        if self.sampled_permille > PERMILLE_MAX {
            return Err(ConfigError::field("traces.sampled_permille", "must be at most 1000"));
        }
        let Some(endpoint) = &self.otlp_endpoint else { return Ok(()) };
        let wrong = |why: &str| Err(ConfigError::field("traces.otlp_endpoint", why));
        if !endpoint.starts_with("http://") {
            return wrong(
                "must begin with http://; a collector beside the broker goes on from there",
            );
        }
        if !cfg!(feature = "otlp") {
            return wrong("needs a broker that was built with `--features otlp`");
        }
        Ok(())
    }
}
