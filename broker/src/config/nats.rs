//! How to reach NATS, and as whom.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use super::{ConfigError, Secret};

/// The server and the way to log in. At most one of: user and password, token, nkey, credentials.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NatsConfig {
    /// At least one `nats://` or `tls://` URL of the same cluster; the client uses any of them.
    /// A user and password may stand in the URL; they are never printed.
    #[serde(deserialize_with = "one_or_many")]
    pub urls: Vec<String>,
    /// User name, together with `password`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Password of `user`. Never printed. Rather give it by the environment than in the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<Secret>,
    /// Token, where the server asks for one. Never printed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<Secret>,
    /// File with an nkey seed (`SU…`); only the public key leaves the machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nkey_file: Option<PathBuf>,
    /// A `.creds` file (JWT and seed), for servers in operator mode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials_file: Option<PathBuf>,
    /// PEM file with the certificate authorities to trust besides the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_ca_file: Option<PathBuf>,
    /// PEM file with our own certificate, together with `tls_key_file`, for servers that verify
    /// their clients.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_cert_file: Option<PathBuf>,
    /// PEM file with the key of `tls_cert_file`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_key_file: Option<PathBuf>,
    /// Refuse a connection without TLS, whatever the URL says.
    #[serde(default)]
    pub tls_required: bool,
    /// Start with the TLS handshake instead of the server's greeting, for servers that are
    /// configured with `handshake_first`.
    #[serde(default)]
    pub tls_first: bool,
    /// Prefix of the subjects on which answers come back. Without it `_INBOX`, which every client
    /// of the account shares: permissions can keep clients apart only by prefixes of their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inbox_prefix: Option<String>,
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

impl Default for NatsConfig {
    /// No URL yet, no login.
    fn default() -> Self {
        Self {
            urls: Vec::new(),
            user: None,
            password: None,
            token: None,
            nkey_file: None,
            credentials_file: None,
            tls_ca_file: None,
            tls_cert_file: None,
            tls_key_file: None,
            tls_required: false,
            tls_first: false,
            inbox_prefix: None,
            monitoring_url: None,
            name: default_name(),
        }
    }
}

impl NatsConfig {
    pub(super) fn validate(&self) -> Result<(), ConfigError> {
        if self.urls.is_empty() {
            return Err(ConfigError::field("nats.urls", "give at least one server URL"));
        }
        if let Some(url) = &self.monitoring_url
            && !url.starts_with("http://")
        {
            return Err(ConfigError::field("nats.monitoring_url", "must start with http://"));
        }
        if self.user.is_some() != self.password.is_some() {
            let (has, lacks) = if self.user.is_some() {
                ("nats.user", "nats.password")
            } else {
                ("nats.password", "nats.user")
            };
            return Err(ConfigError::field(has, format!("needs {lacks} as well")));
        }
        if self.tls_cert_file.is_some() != self.tls_key_file.is_some() {
            let why = "nats.tls_cert_file and nats.tls_key_file are given together or not at all";
            return Err(ConfigError::field("nats.tls_cert_file", why));
        }
        let ways = [
            ("nats.user", self.user.is_some()),
            ("nats.token", self.token.is_some()),
            ("nats.nkey_file", self.nkey_file.is_some()),
            ("nats.credentials_file", self.credentials_file.is_some()),
        ];
        let given: Vec<&str> = ways.iter().filter(|(_, has)| *has).map(|(key, _)| *key).collect();
        if let [_, second, ..] = given.as_slice() {
            let why = format!("one way to log in is enough; given are {}", given.join(", "));
            return Err(ConfigError::field(*second, why));
        }
        Ok(())
    }

    /// The same, safe to be shown.
    pub(crate) fn masked(&self) -> Self {
        let masked = |secret: &Option<Secret>| secret.as_ref().map(|_| Secret::masked());
        Self {
            urls: self.urls.iter().map(|url| without_user_info(url)).collect(),
            password: masked(&self.password),
            token: masked(&self.token),
            ..self.clone()
        }
    }

    pub(super) fn paths_mut(&mut self) -> [(&'static str, Option<&mut PathBuf>); 5] {
        [
            ("nats.nkey_file", self.nkey_file.as_mut()),
            ("nats.credentials_file", self.credentials_file.as_mut()),
            ("nats.tls_ca_file", self.tls_ca_file.as_mut()),
            ("nats.tls_cert_file", self.tls_cert_file.as_mut()),
            ("nats.tls_key_file", self.tls_key_file.as_mut()),
        ]
    }
}

/// `"a,b"` as well as `["a", "b"]`: one server is the rule, and environments have no lists.
fn one_or_many<'de, D: Deserializer<'de>>(source: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "a URL or a list of URLs")]
    enum OneOrMany {
        One(String),
        Many(Vec<String>),
    }
    Ok(match OneOrMany::deserialize(source)? {
        OneOrMany::One(text) => text
            .split(',')
            .map(str::trim)
            .filter(|url| !url.is_empty())
            .map(str::to_owned)
            .collect(),
        OneOrMany::Many(urls) => urls,
    })
}

fn without_user_info(url: &str) -> String {
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://{host}"),
        (None, Some((_, host))) => host.to_owned(),
        (_, None) => url.to_owned(),
    }
}
