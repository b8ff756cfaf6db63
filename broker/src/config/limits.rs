//! Bounds of the shell: every queue, buffer and wait has a name here.

use schemars::JsonSchema;
use schemas::DurationMs;
use serde::{Deserialize, Serialize};

use super::ConfigError;

/// Sizes and times of the IO around the engine.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Inputs from outside that wait for the engine. Beyond it senders wait, and the server keeps
    /// what it has: more memory against shorter bursts.
    pub intake_max: usize,
    /// Purchase requests held in memory, about 2 KB each; creates beyond it are refused as
    /// `overloaded`.
    pub hot_requests_max: usize,
    /// Calls of the micro service being worked on; more are answered `overloaded` at once. Creates,
    /// which may wait to be let in, take at most three quarters of these places.
    pub service_in_flight_max: usize,
    /// Outbox rows published and not yet acknowledged by the server, of each stream. More is faster
    /// over a slow network and repeats more after a crash; four times as many are held in memory,
    /// the rest of a stream that is full or slow waits in the store.
    pub publish_in_flight_max: usize,
    /// Silence after a publish that means "unknown": the same bytes are sent again. Shorter than
    /// the server's worst sync, and copies pile up.
    pub publish_ack_timeout_ms: DurationMs,
    /// First pause before a refused publish (a full stream, say) is tried again; it doubles.
    pub publish_retry_min_ms: DurationMs,
    /// Longest pause before a refused publish is tried again: so long a stream that has room
    /// again may wait.
    pub publish_retry_max_ms: DurationMs,
    /// Quote answers buffered by the client; what comes on top is dropped and counts as silence.
    pub quote_buffer_max: usize,
    /// Threads that read the store for the engine; more help when requests are rarely in memory.
    pub reader_threads: usize,
    /// Delay before a command is delivered again that could not be decided now.
    pub redelivery_delay_ms: DurationMs,
    /// Longest time for a graceful stop; after it the process just ends, which is safe.
    pub shutdown_ms: DurationMs,
    /// Longest time for a backup while serving; after it the copy is given up. As long as it
    /// takes, everything committed meanwhile stays in memory.
    pub backup_max_ms: DurationMs,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            intake_max: 4096,
            hot_requests_max: 200_000,
            service_in_flight_max: 1024,
            publish_in_flight_max: 512,
            publish_ack_timeout_ms: DurationMs(2000),
            publish_retry_min_ms: DurationMs(100),
            publish_retry_max_ms: DurationMs(5000),
            quote_buffer_max: 65_536,
            reader_threads: 2,
            redelivery_delay_ms: DurationMs(1000),
            shutdown_ms: DurationMs(10_000),
            backup_max_ms: DurationMs(600_000),
        }
    }
}

impl Limits {
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        let counts = [
            ("intake_max", self.intake_max),
            ("hot_requests_max", self.hot_requests_max),
            ("service_in_flight_max", self.service_in_flight_max),
            ("publish_in_flight_max", self.publish_in_flight_max),
            ("quote_buffer_max", self.quote_buffer_max),
            ("reader_threads", self.reader_threads),
        ];
        let times = [
            ("publish_ack_timeout_ms", self.publish_ack_timeout_ms),
            ("publish_retry_min_ms", self.publish_retry_min_ms),
            ("publish_retry_max_ms", self.publish_retry_max_ms),
            ("redelivery_delay_ms", self.redelivery_delay_ms),
            ("shutdown_ms", self.shutdown_ms),
            ("backup_max_ms", self.backup_max_ms),
        ];
        let zero_count = counts.into_iter().find(|(_, n)| *n == 0).map(|(name, _)| name);
        let zero_time = times.into_iter().find(|(_, ms)| ms.as_ms() == 0).map(|(name, _)| name);
        if let Some(name) = zero_count.or(zero_time) {
            return Err(ConfigError::field(format!("limits.{name}"), "must be at least 1"));
        }
        if self.publish_retry_max_ms < self.publish_retry_min_ms {
            let why = "must not be below limits.publish_retry_min_ms";
            return Err(ConfigError::field("limits.publish_retry_max_ms", why));
        }
        Ok(())
    }
}
