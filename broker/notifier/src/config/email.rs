//! How e-mail is sent.

use std::path::PathBuf;

use lettre::message::Mailbox;
use schemars::JsonSchema;
use schemas::DurationMs;
use serde::{Deserialize, Serialize};

use super::{Check, Secret, hours, minutes, rule, schedule_rule};

/// The mail server that takes our messages, and what they look like.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EmailConfig {
    /// Host of the mail server. With TLS its certificate must be for this name.
    pub host: String,
    /// Port of the mail server: 587 with `starttls`, 465 with `tls`, 25 with `none` as a rule.
    #[serde(default = "default_port")]
    pub port: u16,
    /// `starttls`: refuses to go on without it. `tls`: from the first byte. `none`: readable by
    /// everybody on the way, for a mail server on the same machine; never together with a password.
    #[serde(default)]
    pub security: SmtpSecurity,
    /// User name at the mail server, together with a password. Without both we do not log in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Password of `user`. Never printed. Rather give it by a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<Secret>,
    /// File whose only line is the password of `user`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_file: Option<PathBuf>,
    /// Sender of every message: `shop@example.com` or `Book Shop <shop@example.com>`. Its domain
    /// stands in the message ids.
    pub from: String,
    /// Where answers go; without it to the sender.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<String>,
    /// Directory with templates of your own: `subject.txt`, `body.txt`, `body.html`. What is not
    /// there is as shipped. They are tried with samples of every outcome at start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub templates_dir: Option<PathBuf>,
    /// For one message, from connecting to the server's last word. A server that takes longer has
    /// failed.
    #[serde(default = "default_timeout")]
    pub timeout_ms: DurationMs,
    /// Messages under way at the same time, each on a connection of its own.
    #[serde(default = "default_concurrency")]
    pub concurrency_max: usize,
    /// Pause before each attempt, the first included, prolonged by up to a fifth. After the last
    /// the delivery has failed and is kept. A final refusal (a mailbox that does not exist) is not
    /// tried again.
    #[serde(default = "default_schedule")]
    pub schedule_ms: Vec<DurationMs>,
    /// PEM file with certificate authorities to trust besides the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls_ca_file: Option<PathBuf>,
}

/// How the way to the mail server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SmtpSecurity {
    #[default]
    Starttls,
    Tls,
    None,
}

const fn default_port() -> u16 {
    587
}

const fn default_timeout() -> DurationMs {
    DurationMs::from_secs(30)
}

const fn default_concurrency() -> usize {
    4
}

/// Shorter pauses than with webhooks: one server serves all, and a mail is waited for.
fn default_schedule() -> Vec<DurationMs> {
    vec![
        DurationMs::ZERO,
        DurationMs::from_secs(5),
        minutes(1),
        minutes(5),
        minutes(15),
        minutes(30),
        hours(1),
        hours(2),
        hours(4),
        hours(8),
        hours(16),
        hours(24),
    ]
}

impl EmailConfig {
    /// The least that must be said; everything else is as shipped.
    pub fn new(host: impl Into<String>, from: impl Into<String>) -> Self {
        Self {
            host: host.into(),
            port: default_port(),
            security: SmtpSecurity::default(),
            user: None,
            password: None,
            password_file: None,
            from: from.into(),
            reply_to: None,
            templates_dir: None,
            timeout_ms: default_timeout(),
            concurrency_max: default_concurrency(),
            schedule_ms: default_schedule(),
            tls_ca_file: None,
        }
    }

    pub(super) fn validate(&self) -> Check {
        let key = |name: &str| format!("notifier.email.{name}");
        rule(!self.host.is_empty(), || (key("host"), "must not be empty"))?;
        rule(self.port > 0, || (key("port"), "must be at least 1"))?;
        rule(self.timeout_ms.as_ms() > 0, || (key("timeout_ms"), "must be at least 1"))?;
        rule(self.concurrency_max > 0, || (key("concurrency_max"), "must be at least 1"))?;
        let mailbox = |text: &String| text.parse::<Mailbox>().is_ok();
        rule(mailbox(&self.from), || (key("from"), "must be an address: Shop <shop@example.com>"))?;
        rule(self.reply_to.iter().all(mailbox), || (key("reply_to"), "must be an address"))?;
        rule(self.password.is_none() || self.password_file.is_none(), || {
            (key("password_file"), "must not be given together with notifier.email.password")
        })?;
        let word = self.password.is_some() || self.password_file.is_some();
        rule(self.user.is_some() == word, || {
            (key("user"), "needs a password, and a password needs a user")
        })?;
        rule(!word || self.security != SmtpSecurity::None, || {
            (key("security"), "must be starttls or tls where there is a password")
        })?;
        schedule_rule(&key("schedule_ms"), &self.schedule_ms)
    }
}
