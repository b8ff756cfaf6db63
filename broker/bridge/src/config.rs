//! `[bridge]` of the broker's configuration.

use std::path::PathBuf;

use schemars::JsonSchema;
use schemas::DurationMs;
use serde::{Deserialize, Serialize};

/// Bookstores that speak only HTTP, and how much is done for them at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BridgeConfig {
    /// Folder of store files, one `*.toml` for each bookstore; relative to this file. A file that
    /// is wrong keeps the bridge from starting. Without a folder the bridge speaks for nobody.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stores_dir: Option<PathBuf>,
    /// Hosts of stores that may be at private, loopback or link-local addresses, by name as in
    /// their `base_url`. Everything that such a host name leads to can be called by whoever writes
    /// store files.
    pub allow_private_hosts: Vec<String>,
    /// Commands of all stores being worked on; the stream keeps the others. More needs more memory
    /// and lets one slow store take longer to hold up the rest.
    pub commands_max: usize,
    /// Messages with quote questions being worked on, of each store; what comes on top is dropped
    /// and counts as silence.
    pub questions_max: usize,
    /// Messages buffered by the client for each store's questions.
    pub question_buffer_max: usize,
    /// How long the record of a call is kept, milliseconds. It is what keeps an order from being
    /// placed twice: longer than commands and orders are ever asked about.
    pub calls_age_max_ms: DurationMs,
    /// Room for the records of calls, bytes. When it is full no command is carried out.
    pub calls_bytes_max: u64,
    /// Between two signs of life to the server for a command being worked on. Well below six
    /// seconds, or the server delivers it again.
    pub progress_ms: DurationMs,
    /// Longest time to finish what is being worked on when the broker stops; after it calls are
    /// broken off, and taken up again by the next start.
    pub shutdown_ms: DurationMs,
}

impl Default for BridgeConfig {
    fn default() -> Self {
        Self {
            stores_dir: None,
            allow_private_hosts: Vec::new(),
            commands_max: 512,
            questions_max: 64,
            question_buffer_max: 1024,
            calls_age_max_ms: DurationMs::from_secs(90 * 24 * 3600),
            calls_bytes_max: 512 * 1024 * 1024,
            progress_ms: DurationMs(2000),
            shutdown_ms: DurationMs(5000),
        }
    }
}

/// A record must outlive every command that could still ask for its order.
const CALLS_AGE_MIN: DurationMs = DurationMs::from_secs(24 * 3600);
const PROGRESS_MAX: DurationMs = DurationMs(5000);

impl BridgeConfig {
    /// What the types cannot express.
    ///
    /// # Errors
    /// Names the key and the rule.
    pub fn validate(&self) -> Result<(), String> {
        let counts = [
            ("commands_max", self.commands_max),
            ("questions_max", self.questions_max),
            ("question_buffer_max", self.question_buffer_max),
        ];
        if let Some((name, _)) = counts.into_iter().find(|(_, n)| *n == 0) {
            return Err(format!("bridge.{name} must be at least 1"));
        }
        if self.calls_age_max_ms < CALLS_AGE_MIN {
            return Err("bridge.calls_age_max_ms must be at least 86400000 (a day)".to_owned());
        }
        if self.calls_bytes_max < 1024 * 1024 {
            return Err("bridge.calls_bytes_max must be at least 1048576".to_owned());
        }
        if self.progress_ms == DurationMs::ZERO || self.progress_ms > PROGRESS_MAX {
            return Err("bridge.progress_ms must be 1 to 5000".to_owned());
        }
        if self.shutdown_ms == DurationMs::ZERO {
            return Err("bridge.shutdown_ms must be at least 1".to_owned());
        }
        let bare = |host: &String| !host.is_empty() && !host.contains(['/', ' ', '@']);
        if !self.allow_private_hosts.iter().all(bare) {
            return Err("bridge.allow_private_hosts must be host names, without port".to_owned());
        }
        Ok(())
    }

    /// Its paths, each with its key.
    pub fn paths_mut(&mut self) -> [(&'static str, Option<&mut PathBuf>); 1] {
        [("bridge.stores_dir", self.stores_dir.as_mut())]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_out_of_range_is_refused_by_its_key() {
        assert_eq!(BridgeConfig::default().validate(), Ok(()));
        let wrong = [
            (BridgeConfig { commands_max: 0, ..BridgeConfig::default() }, "bridge.commands_max"),
            (
                BridgeConfig { calls_age_max_ms: DurationMs(1), ..BridgeConfig::default() },
                "bridge.calls_age_max_ms",
            ),
            (
                BridgeConfig { progress_ms: DurationMs(6000), ..BridgeConfig::default() },
                "bridge.progress_ms",
            ),
            (
                BridgeConfig {
                    allow_private_hosts: vec!["http://x".to_owned()],
                    ..BridgeConfig::default()
                },
                "bridge.allow_private_hosts",
            ),
        ];
        for (config, key) in wrong {
            let why = config.validate().unwrap_err();
            assert!(why.starts_with(key), "{why}");
        }
    }

    #[test]
    fn a_key_that_is_none_is_refused() {
        assert!(toml::from_str::<BridgeConfig>("stores_dir = \"stores\"").is_ok());
        assert!(toml::from_str::<BridgeConfig>("store_dir = 1").is_err());
    }
}
