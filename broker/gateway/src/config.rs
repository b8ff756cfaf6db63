//! What an operator decides about the gateway: `[gateway]` of the configuration.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use schemars::JsonSchema;
use schemas::DurationMs;
use schemas::json::COMMAND_BYTES_MAX;
use serde::{Deserialize, Serialize};

/// The HTTP door.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct GatewayConfig {
    /// Address that the gateway listens on; port 0 takes a free one and logs it. Anything but a
    /// loopback address should have a certificate.
    #[schemars(with = "String")]
    pub bind: SocketAddr,
    /// Who may call: TOML, `[[token]]` tables with the hash of each token, written by `broker token`.
    /// Read again within seconds of a change. Needed: without it nobody could call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens_file: Option<PathBuf>,
    /// Secrets of the bookstores that call back: TOML, `[[partner]]` tables. Without it call-backs
    /// are refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub callbacks_file: Option<PathBuf>,
    /// Certificate chain, PEM. Without it the gateway speaks plain HTTP.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_cert_file: Option<PathBuf>,
    /// Private key of the certificate, PEM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_key_file: Option<PathBuf>,
    /// Origins of web pages, such as `https://shop.example`, that may call from a browser. None by
    /// default: only the gateway's own page may.
    pub cors_origins: Vec<String>,
    /// Connections open at once; further ones wait to be accepted.
    pub connections_max: usize,
    /// Calls worked on at once; further ones are told to come back (503).
    pub in_flight_max: usize,
    /// Largest body of a call.
    pub body_max_bytes: usize,
    /// Time for a client to send the head of a call. Slower ones lose their connection.
    pub header_timeout_ms: DurationMs,
    /// Time for a call as a whole, from its head to the head of its answer; after it the client is
    /// told that the outcome is not known yet (504).
    pub call_timeout_ms: DurationMs,
    /// Clients that follow events at once; further ones are told to come back.
    pub event_clients_max: usize,
    /// The same for one token.
    pub event_clients_per_token_max: usize,
    /// Calls per second from one address. 0: no limit, for a gateway behind a proxy that limits.
    pub per_address_per_s: u32,
    /// Calls per second with one token to one group of endpoints (creates, changes, reads,
    /// operators). 0: no limit.
    pub per_token_per_s: u32,
    /// Currency of `max_price` on the compatibility route `POST /purchase-request`.
    pub compat_currency: String,
    /// How long such a request may be bought.
    pub compat_expiry_ms: DurationMs,
}

impl Default for GatewayConfig {
    fn default() -> Self {
        Self {
            bind: SocketAddr::from((Ipv4Addr::LOCALHOST, 8090)),
            tokens_file: None,
            callbacks_file: None,
            tls_cert_file: None,
            tls_key_file: None,
            cors_origins: Vec::new(),
            connections_max: 16_384,
            in_flight_max: 1024,
            body_max_bytes: COMMAND_BYTES_MAX,
            header_timeout_ms: DurationMs::from_secs(5),
            call_timeout_ms: DurationMs::from_secs(10),
            event_clients_max: 12_000,
            event_clients_per_token_max: 12_000,
            per_address_per_s: 200,
            per_token_per_s: 100,
            compat_currency: "USD".to_owned(),
            compat_expiry_ms: DurationMs::from_secs(24 * 3600),
        }
    }
}

/// Larger bodies would not fit into a message.
const BODY_BYTES_CAP: usize = COMMAND_BYTES_MAX;
const TIMEOUT_MIN_MS: u64 = 10;

impl GatewayConfig {
    /// The rules that types cannot express; the text names the key.
    ///
    /// # Errors
    /// The first key that breaks a rule.
    pub fn validate(&self) -> Result<(), (String, String)> {
        let refuse = |key: &str, why: String| Err((format!("gateway.{key}"), why));
        if self.tls_cert_file.is_some() != self.tls_key_file.is_some() {
            let missing =
                if self.tls_cert_file.is_some() { "tls_key_file" } else { "tls_cert_file" };
            return refuse(missing, "certificate and key are needed together".to_owned());
        }
        for (key, value) in [
            ("connections_max", self.connections_max),
            ("in_flight_max", self.in_flight_max),
            ("event_clients_max", self.event_clients_max),
            ("event_clients_per_token_max", self.event_clients_per_token_max),
        ] {
            if value == 0 {
                return refuse(key, "must be at least 1".to_owned());
            }
        }
        if self.body_max_bytes == 0 || self.body_max_bytes > BODY_BYTES_CAP {
            return refuse("body_max_bytes", format!("must be 1 to {BODY_BYTES_CAP}"));
        }
        for (key, value) in [
            ("header_timeout_ms", self.header_timeout_ms),
            ("call_timeout_ms", self.call_timeout_ms),
            ("compat_expiry_ms", self.compat_expiry_ms),
        ] {
            if value.as_ms() < TIMEOUT_MIN_MS {
                return refuse(key, format!("must be at least {TIMEOUT_MIN_MS}"));
            }
        }
        if let Err(error) = schemas::Currency::parse(&self.compat_currency) {
            return refuse("compat_currency", error.to_string());
        }
        if let Some(bad) = self.cors_origins.iter().find(|origin| !is_origin(origin)) {
            let why = format!("`{bad}` is no origin; write one like `https://shop.example`");
            return refuse("cors_origins", why);
        }
        Ok(())
    }

    /// Every path of the configuration with its key, for those that resolve relative ones.
    pub fn paths_mut(&mut self) -> [(&'static str, Option<&mut PathBuf>); 4] {
        [
            ("gateway.tokens_file", self.tokens_file.as_mut()),
            ("gateway.callbacks_file", self.callbacks_file.as_mut()),
            ("gateway.tls_cert_file", self.tls_cert_file.as_mut()),
            ("gateway.tls_key_file", self.tls_key_file.as_mut()),
        ]
    }
}

/// Scheme and host, nothing behind: browsers compare the whole text.
fn is_origin(text: &str) -> bool {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    host.is_some_and(|host| !host.is_empty() && !host.contains(['/', '*', ' ', '?', '#']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_makes_no_sense_is_refused_by_name() {
        let refused = |text: &str| {
            let config: GatewayConfig = toml::from_str(text).unwrap();
            config.validate().unwrap_err()
        };
        assert_eq!(refused("tls_cert_file = 'a.pem'").0, "gateway.tls_key_file");
        assert_eq!(refused("tls_key_file = 'a.pem'").0, "gateway.tls_cert_file");
        assert_eq!(refused("in_flight_max = 0").0, "gateway.in_flight_max");
        assert_eq!(refused("body_max_bytes = 100000000").0, "gateway.body_max_bytes");
        assert_eq!(refused("call_timeout_ms = 1").0, "gateway.call_timeout_ms");
        assert_eq!(refused("compat_currency = 'DOL'").0, "gateway.compat_currency");
        for origin in ["*", "shop.example", "https://shop.example/", "https://*.example"] {
            let (key, why) = refused(&format!("cors_origins = ['{origin}']"));
            assert_eq!(key, "gateway.cors_origins", "{why}");
        }
        assert!(GatewayConfig::default().validate().is_ok());
    }
}
