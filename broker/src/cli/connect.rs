//! How commands reach the server: flags, a context of the NATS command line, or the broker's own
//! configuration.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_nats::{Client, ConnectOptions, Event};
use clap::Args;

use super::context;
use super::error::CliError;
use super::out::Out;
use super::values::duration;
use crate::config::{NatsConfig, Secret};
use crate::nats::login;

const SERVER_DEFAULT: &str = "nats://127.0.0.1:4222";
/// Words of the server kept for a message of ours.
const SAID_MAX: usize = 8;

/// Names and variables are those of the NATS command line.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Connection")]
pub(super) struct Connect {
    /// URL of the server; several with commas. Default: that of the context, or the local server.
    #[arg(long, short, env = "NATS_URL", value_name = "URL")]
    server: Option<String>,
    /// A context of the NATS command line: ~/.config/nats/context/NAME.json, or a path.
    #[arg(long, env = "NATS_CONTEXT", value_name = "NAME")]
    nats_context: Option<String>,
    /// User name.
    #[arg(long, env = "NATS_USER", value_name = "NAME")]
    user: Option<String>,
    /// Password; rather by the variable than for all to see.
    #[arg(long, env = "NATS_PASSWORD", hide_env_values = true, value_name = "WORD")]
    password: Option<String>,
    /// Token.
    #[arg(long, env = "NATS_TOKEN", hide_env_values = true, value_name = "WORD")]
    token: Option<String>,
    /// Credentials file (JWT and seed).
    #[arg(long, env = "NATS_CREDS", value_name = "FILE")]
    creds: Option<PathBuf>,
    /// File with an nkey seed.
    #[arg(long, env = "NATS_NKEY", value_name = "FILE")]
    nkey: Option<PathBuf>,
    /// Certificate authorities to trust.
    #[arg(long, env = "NATS_CA", value_name = "FILE")]
    tlsca: Option<PathBuf>,
    /// Our own certificate.
    #[arg(long, env = "NATS_CERT", value_name = "FILE", requires = "tlskey")]
    tlscert: Option<PathBuf>,
    /// Its key.
    #[arg(long, env = "NATS_KEY", value_name = "FILE", requires = "tlscert")]
    tlskey: Option<PathBuf>,
    /// TLS before the server's greeting.
    #[arg(long)]
    tlsfirst: bool,
    /// Where answers come back, if permissions demand it: `_INBOX.<user>`.
    #[arg(long, env = "NATS_INBOX_PREFIX", value_name = "PREFIX")]
    inbox_prefix: Option<String>,
    /// How long to wait for an answer.
    #[arg(long, default_value = "5s", value_parser = duration, value_name = "TIME")]
    timeout: Duration,
}

impl Connect {
    /// Flags on top of a context.
    pub(super) fn nats(&self) -> Result<NatsConfig, CliError> {
        let context = self.nats_context.as_deref().map(context::load).transpose()?;
        Ok(self.over(context.unwrap_or_default()))
    }

    /// Flags on top of the `[nats]` of a configuration.
    pub(super) fn over(&self, mut nats: NatsConfig) -> NatsConfig {
        let login = self.user.is_some()
            || self.token.is_some()
            || self.creds.is_some()
            || self.nkey.is_some();
        if login {
            // One way to log in replaces the other.
            (nats.user, nats.password, nats.token) = (None, None, None);
            (nats.credentials_file, nats.nkey_file) = (None, None);
        }
        if let Some(urls) = &self.server {
            nats.urls = urls.split(',').map(|url| url.trim().to_owned()).collect();
        }
        if nats.urls.is_empty() {
            nats.urls = vec![SERVER_DEFAULT.to_owned()];
        }
        take(&mut nats.user, self.user.as_ref());
        take(&mut nats.password, self.password.as_ref().map(Secret::new).as_ref());
        take(&mut nats.token, self.token.as_ref().map(Secret::new).as_ref());
        take(&mut nats.credentials_file, self.creds.as_ref());
        take(&mut nats.nkey_file, self.nkey.as_ref());
        take(&mut nats.tls_ca_file, self.tlsca.as_ref());
        take(&mut nats.tls_cert_file, self.tlscert.as_ref());
        take(&mut nats.tls_key_file, self.tlskey.as_ref());
        take(&mut nats.inbox_prefix, self.inbox_prefix.as_ref());
        nats.tls_first |= self.tlsfirst;
        nats.name = "broker-cli".to_owned();
        nats
    }

    /// Connects by flags and context.
    pub(super) async fn session(&self, json: bool) -> anyhow::Result<Session> {
        self.session_with(self.nats()?, json).await
    }

    /// Connects as `nats` says.
    pub(super) async fn session_with(
        &self,
        nats: NatsConfig,
        json: bool,
    ) -> anyhow::Result<Session> {
        let said = Said::default();
        let heard = said.clone();
        let options = ConnectOptions::new()
            .name(&nats.name)
            .connection_timeout(self.timeout)
            .request_timeout(Some(self.timeout))
            .event_callback(move |event| {
                let heard = heard.clone();
                async move { heard.hear(&event) }
            });
        let options = login::apply(options, &nats).await?;
        let client = options.connect(nats.urls.clone()).await.map_err(|source| {
            let urls = nats.masked().urls.join(", ");
            CliError::Unreachable { urls, said: said.words(), source }
        })?;
        Ok(Session { client, said, timeout: self.timeout, out: Out::new(json) })
    }
}

fn take<T: Clone>(into: &mut Option<T>, from: Option<&T>) {
    if let Some(value) = from {
        *into = Some(value.clone());
    }
}

/// One connection and how to speak to whoever typed.
#[derive(Debug, Clone)]
pub(super) struct Session {
    pub(super) client: Client,
    pub(super) said: Said,
    pub(super) timeout: Duration,
    pub(super) out: Out,
}

impl Session {
    pub(super) fn jetstream(&self) -> async_nats::jetstream::Context {
        let context = async_nats::jetstream::ContextBuilder::new().timeout(self.timeout);
        context.build(self.client.clone())
    }

    /// The server's answer to `doing` is an error.
    pub(super) fn failed(
        &self,
        doing: impl Into<String>,
        source: impl std::error::Error + Send + Sync + 'static,
    ) -> CliError {
        CliError::Server { doing: doing.into(), said: self.said.words(), source: Box::new(source) }
    }
}

/// Complaints of the server come unasked: a permission that lacks is told beside the request that
/// then goes unanswered.
#[derive(Debug, Clone, Default)]
pub(super) struct Said(Arc<Mutex<Vec<String>>>);

impl Said {
    fn hear(&self, event: &Event) {
        if let Event::ServerError(error) = event {
            let mut words = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let error = error.to_string();
            if words.len() < SAID_MAX && !words.contains(&error) {
                words.push(error);
            }
        }
    }

    pub(super) fn words(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
