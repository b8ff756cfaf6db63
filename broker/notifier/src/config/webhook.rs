//! How webhooks are sent.

use std::path::PathBuf;

use schemars::JsonSchema;
use schemas::DurationMs;
use serde::{Deserialize, Serialize};

use super::{Check, hours, minutes, rule, schedule_rule};

/// HTTP calls to customers, signed as in Standard Webhooks 1.0.0.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct WebhookConfig {
    /// From the look-up of the host to the head of the answer. An endpoint that takes longer has
    /// failed, and holds one of its places for so long.
    pub timeout_ms: DurationMs,
    /// Pause before each attempt, the first included. Each pause is prolonged by up to a fifth, so
    /// that not all come back at once. After the last attempt the delivery has failed; it is kept
    /// for `broker webhooks replay`.
    pub schedule_ms: Vec<DurationMs>,
    /// Longest wait that `Retry-After` of an endpoint can ask for.
    pub retry_after_max_ms: DurationMs,
    /// Calls to one endpoint at the same time.
    pub endpoint_concurrency_max: usize,
    /// An endpoint that answered nothing but failures for so long is disabled until
    /// `broker webhooks enable`. One that answers 410 is disabled at once.
    pub disable_after_ms: DurationMs,
    /// Hosts that may have addresses of the own network (private, loopback, link-local) and may be
    /// called without TLS, exactly as they stand in the URL. All other hosts must have public
    /// addresses and `https`.
    pub allow_private_hosts: Vec<String>,
    /// PEM file with certificate authorities to trust besides the system's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_ca_file: Option<PathBuf>,
}

impl Default for WebhookConfig {
    fn default() -> Self {
        Self {
            timeout_ms: DurationMs::from_secs(15),
            schedule_ms: vec![
                DurationMs::ZERO,
                DurationMs::from_secs(5),
                minutes(5),
                minutes(30),
                hours(2),
                hours(5),
                hours(10),
                hours(14),
                hours(20),
                hours(24),
            ],
            retry_after_max_ms: hours(24),
            endpoint_concurrency_max: 2,
            disable_after_ms: hours(5 * 24),
            allow_private_hosts: Vec::new(),
            tls_ca_file: None,
        }
    }
}

impl WebhookConfig {
    pub(super) fn validate(&self) -> Check {
        let key = |name: &str| format!("notifier.webhook.{name}");
        rule(self.timeout_ms.as_ms() > 0, || (key("timeout_ms"), "must be at least 1"))?;
        rule(self.endpoint_concurrency_max > 0, || {
            (key("endpoint_concurrency_max"), "must be at least 1")
        })?;
        rule(self.disable_after_ms.as_ms() > 0, || {
            (key("disable_after_ms"), "must be at least 1")
        })?;
        let bare = |host: &String| !host.is_empty() && !host.contains(['/', '@', ' ']);
        rule(self.allow_private_hosts.iter().all(bare), || {
            (key("allow_private_hosts"), "must be hosts as in a URL, without scheme and path")
        })?;
        schedule_rule(&key("schedule_ms"), &self.schedule_ms)
    }
}
