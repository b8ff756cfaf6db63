//! What a publish acknowledgement of this server is worth on a power cut.
//!
//! By default nats-server acknowledges first and syncs within two minutes; with
//! `sync_interval: always` an acknowledged message is on disk. The broker works with both, but
//! says which: requests accepted on the publish path are only as safe as that. (The micro service
//! answers after the broker's own sync and does not depend on it.)

use serde::Deserialize;

use super::http_get;
use crate::metrics;

/// What is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AckWorth {
    /// Acknowledged means synced.
    Durable,
    /// Acknowledged messages of up to the sync interval are lost by a power cut.
    Weak,
    /// No monitoring URL, or it did not answer.
    Unknown,
}

impl AckWorth {
    pub const fn label(self) -> &'static str {
        match self {
            Self::Durable => "durable",
            Self::Weak => "weak",
            Self::Unknown => "unknown",
        }
    }
}

/// Asks the server and says the answer in log and metrics. Called at every (re)connection.
pub async fn announce(monitoring_url: Option<&str>) -> AckWorth {
    let worth = find_out(monitoring_url).await;
    metrics::ack_durable(worth == AckWorth::Durable);
    match worth {
        AckWorth::Durable => {
            tracing::info!("publish-acks are durable: the server syncs before it acknowledges");
        }
        AckWorth::Weak => tracing::warn!(
            "publish-acks are weak: the server acknowledges before it syncs (set sync_interval: \
             always); a power cut loses acknowledged requests of the publish path"
        ),
        AckWorth::Unknown => tracing::warn!(
            "what a publish-ack is worth is unknown: set nats.monitoring_url to find out"
        ),
    }
    worth
}

/// Asks the server, and tells nobody.
pub(crate) async fn find_out(monitoring_url: Option<&str>) -> AckWorth {
    let Some(url) = monitoring_url else {
        return AckWorth::Unknown;
    };
    match http_get::get(url, "/jsz?config=1").await {
        Ok(body) => judge(&body),
        Err(error) => {
            tracing::warn!(%error, "cannot read the server's JetStream settings");
            AckWorth::Unknown
        }
    }
}

#[derive(Deserialize)]
struct Jsz {
    config: Option<JszConfig>,
}

#[derive(Deserialize)]
struct JszConfig {
    #[serde(default)]
    sync_always: bool,
}

fn judge(body: &[u8]) -> AckWorth {
    match serde_json::from_slice::<Jsz>(body) {
        Ok(Jsz { config: Some(JszConfig { sync_always: true }) }) => AckWorth::Durable,
        Ok(Jsz { config: Some(JszConfig { sync_always: false }) }) => AckWorth::Weak,
        Ok(Jsz { config: None }) | Err(_) => AckWorth::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_sync_always_is_durable() {
        assert_eq!(judge(br#"{"config":{"sync_always":true,"x":1}}"#), AckWorth::Durable);
        let default = br#"{"config":{"sync_interval":120000000000}}"#;
        assert_eq!(judge(default), AckWorth::Weak);
        assert_eq!(judge(b"{}"), AckWorth::Unknown);
        assert_eq!(judge(b"<html>"), AckWorth::Unknown);
    }
}
