//! `[notifier]` of the configuration.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use schemas::DurationMs;
use serde::{Deserialize, Serialize};

mod email;
mod webhook;

pub use email::{EmailConfig, SmtpSecurity};
pub use schemas::secret::{MASK, Secret};
pub use webhook::WebhookConfig;

/// Who is told of outcomes, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct NotifierConfig {
    /// TOML file with one `[[subscriber]]` for each customer who wants e-mail or webhooks. It is
    /// read again when it changes; one that cannot be used is reported, and the old one stays in
    /// force. Without it nobody gets either.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subscribers_file: Option<PathBuf>,
    /// How often is looked whether `subscribers_file` has changed.
    pub reload_ms: DurationMs,
    /// A log line for each outcome of customers that are not in `subscribers_file`. Ids only.
    pub log_unlisted: bool,
    /// Deliveries under way at the same time, whatever the channel. Endpoints that failed last time
    /// take at most half of these places.
    pub concurrency_max: usize,
    /// Notifications taken from the stream at once. All their deliveries are written down before
    /// the next are taken.
    pub intake_batch_max: usize,
    /// Deliveries that may wait, about 500 bytes of memory each. Beyond it notifications stay in
    /// their stream.
    pub pending_max: usize,
    /// Failures in a row after which an endpoint is left alone for `breaker_open_ms`.
    pub breaker_failures: u32,
    /// How long a failing endpoint is left alone. Then one delivery tries it. What waits meanwhile
    /// uses up none of its attempts.
    pub breaker_open_ms: DurationMs,
    /// A delivery that is older has failed, whatever attempts are left.
    pub age_max_ms: DurationMs,
    /// How long the record of a delivery is kept after its last change: by it a second copy of a
    /// notification is known, and failed ones can be replayed. At least as long as notifications
    /// stay in their stream, and as the longest pause of a schedule.
    pub keep_ms: DurationMs,
    /// Room on the server for records of deliveries: 1 KB and more for one that waits or has
    /// failed, 400 bytes for one that is done. Above four fifths of it notifications stay in their
    /// stream.
    pub bucket_bytes_max: u64,
    /// Longest time for a graceful stop. What is under way then is sent again by the next start.
    pub shutdown_ms: DurationMs,
    pub webhook: WebhookConfig,
    /// Without it no e-mail is sent, and a subscriber who wants some is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<EmailConfig>,
}

const fn minutes(n: u64) -> DurationMs {
    DurationMs::from_secs(n * 60)
}

const fn hours(n: u64) -> DurationMs {
    DurationMs::from_secs(n * 3600)
}

impl Default for NotifierConfig {
    fn default() -> Self {
        Self {
            subscribers_file: None,
            reload_ms: DurationMs::from_secs(2),
            log_unlisted: true,
            concurrency_max: 64,
            intake_batch_max: 256,
            pending_max: 200_000,
            breaker_failures: 5,
            breaker_open_ms: DurationMs::from_secs(30),
            age_max_ms: hours(4 * 24),
            keep_ms: hours(8 * 24),
            bucket_bytes_max: 256 * 1024 * 1024,
            shutdown_ms: DurationMs::from_secs(10),
            webhook: WebhookConfig::default(),
            email: None,
        }
    }
}

/// The secret that a file holds.
///
/// # Errors
/// Names the file, and why it cannot be used.
pub(crate) fn secret_file(file: &Path) -> Result<Secret, String> {
    let shown = file.display();
    let text = std::fs::read_to_string(file).map_err(|e| format!("cannot read {shown}: {e}"))?;
    Secret::of_file(&text).map_err(|why| format!("{shown} {why}"))
}

/// The broken key with the rule, as in `notifier.concurrency_max must be at least 1`.
type Check = Result<(), String>;

fn rule(holds: bool, broken: impl FnOnce() -> (String, &'static str)) -> Check {
    if holds {
        return Ok(());
    }
    let (key, why) = broken();
    Err(format!("{key} {why}"))
}

/// Most attempts of one delivery.
const ATTEMPTS_MAX: usize = 50;

fn schedule_rule(key: &str, schedule: &[DurationMs]) -> Check {
    let sound = (1..=ATTEMPTS_MAX).contains(&schedule.len());
    rule(sound, || (key.to_owned(), "must have 1 to 50 pauses"))
}

/// A bucket below this has no room for two notifications of the largest size.
const BUCKET_BYTES_MIN: u64 = 4 * 1024 * 1024;

impl NotifierConfig {
    /// # Errors
    /// The key that cannot be used, and why.
    pub fn validate(&self) -> Result<(), String> {
        let key = |name: &str| format!("notifier.{name}");
        let counts = [
            ("concurrency_max", self.concurrency_max),
            ("intake_batch_max", self.intake_batch_max),
            ("pending_max", self.pending_max),
            ("breaker_failures", usize::try_from(self.breaker_failures).unwrap_or(usize::MAX)),
        ];
        let times = [
            ("reload_ms", self.reload_ms),
            ("breaker_open_ms", self.breaker_open_ms),
            ("age_max_ms", self.age_max_ms),
            ("shutdown_ms", self.shutdown_ms),
        ];
        for (name, n) in counts {
            rule(n > 0, || (key(name), "must be at least 1"))?;
        }
        for (name, time) in times {
            rule(time.as_ms() > 0, || (key(name), "must be at least 1"))?;
        }
        rule(self.intake_batch_max <= 1000, || (key("intake_batch_max"), "must be at most 1000"))?;
        rule(self.bucket_bytes_max >= BUCKET_BYTES_MIN, || {
            (key("bucket_bytes_max"), "must be at least 4194304")
        })?;
        self.webhook.validate()?;
        self.email.as_ref().map_or(Ok(()), EmailConfig::validate)?;
        rule(self.keep_ms > self.longest_pause(), || {
            (key("keep_ms"), "must be longer than every pause of a schedule")
        })
    }

    /// Prolonged by a fifth, and asked for by an endpoint.
    fn longest_pause(&self) -> DurationMs {
        let email = self.email.iter().flat_map(|email| &email.schedule_ms);
        let longest = self.webhook.schedule_ms.iter().chain(email).max().copied();
        let longest = longest.unwrap_or_default().as_ms();
        DurationMs((longest + longest / 5).max(self.webhook.retry_after_max_ms.as_ms()))
    }

    /// Every path that is there with its key, for those that resolve relative ones.
    pub fn paths_mut(&mut self) -> Vec<(&'static str, Option<&mut PathBuf>)> {
        let mut paths = vec![
            ("notifier.subscribers_file", self.subscribers_file.as_mut()),
            ("notifier.webhook.tls_ca_file", self.webhook.tls_ca_file.as_mut()),
        ];
        if let Some(email) = &mut self.email {
            paths.extend([
                ("notifier.email.password_file", email.password_file.as_mut()),
                ("notifier.email.templates_dir", email.templates_dir.as_mut()),
                ("notifier.email.tls_ca_file", email.tls_ca_file.as_mut()),
            ]);
        }
        paths
    }

    /// A copy whose secrets are masked, for showing.
    #[must_use]
    pub fn masked(&self) -> Self {
        let mut shown = self.clone();
        if let Some(password) = shown.email.as_mut().and_then(|email| email.password.as_mut()) {
            *password = Secret::masked();
        }
        shown
    }
}

#[cfg(test)]
mod tests;
