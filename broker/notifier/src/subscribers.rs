//! Who wants to be told what, and where: `[[subscriber]]` in a TOML file of the operator's.
//!
//! Messages about it name customer and key, never an address, a URL or a secret.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use data_encoding::BASE64;
use lettre::Address;
use schemas::CustomerId;
use schemas::event::NotificationOutcome;
use serde::Deserialize;
use url::Url;

use crate::config::{NotifierConfig, Secret, secret_file};
use crate::key::Channel;
use crate::webhook::guard;

mod reload;

pub use reload::{Current, follow};

/// A longer file is not read.
const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Most secrets of one webhook: the new one, and old ones until all receivers have it.
const SECRETS_MAX: usize = 4;
/// Standard Webhooks: 24 to 64 random bytes.
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 24..=64;
const SECRET_PREFIX: &str = "whsec_";
/// Longest URL that is called.
const URL_BYTES_MAX: usize = 2000;

/// Everybody in the file.
#[derive(Debug, Default)]
pub struct Subscribers {
    by_customer: BTreeMap<CustomerId, Subscriber>,
}

/// One customer's wishes.
pub struct Subscriber {
    pub email: Option<EmailWish>,
    pub webhook: Option<WebhookWish>,
    log: Option<Outcomes>,
}

pub struct EmailWish {
    pub address: Address,
    outcomes: Outcomes,
}

pub struct WebhookWish {
    pub url: Url,
    /// The host may have private addresses.
    pub is_private_allowed: bool,
    /// Keys of all signatures, the newest first.
    pub keys: Vec<ring::hmac::Key>,
    outcomes: Outcomes,
}

/// Addresses and URLs are shown to nobody.
impl std::fmt::Debug for Subscriber {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Subscriber").finish_non_exhaustive()
    }
}

type Outcomes = BTreeSet<NotificationOutcome>;

/// Why a file of subscribers cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SubscribersError {
    #[error("cannot read {file}")]
    Unreadable { file: String, source: std::io::Error },
    #[error("{file} is longer than {FILE_BYTES_MAX} bytes")]
    TooLong { file: String },
    #[error("{file}, line {line}: {why}")]
    Form { file: String, line: usize, why: String },
    #[error("{file}: subscriber {customer}: {why}")]
    Wish { file: String, customer: CustomerId, why: String },
}

impl Subscribers {
    /// # Errors
    /// The file cannot be read, or a wish in it cannot be fulfilled.
    pub fn read(file: &Path, config: &NotifierConfig) -> Result<Self, SubscribersError> {
        let name = file.display().to_string();
        let unreadable = |source| SubscribersError::Unreadable { file: name.clone(), source };
        if std::fs::metadata(file).map_err(unreadable)?.len() > FILE_BYTES_MAX {
            return Err(SubscribersError::TooLong { file: name });
        }
        let unreadable = |source| SubscribersError::Unreadable { file: name.clone(), source };
        let text = std::fs::read_to_string(file).map_err(unreadable)?;
        let base = file.parent().unwrap_or(Path::new("."));
        Self::parse(&text, &name, base, config)
    }

    fn parse(
        text: &str,
        name: &str,
        base: &Path,
        config: &NotifierConfig,
    ) -> Result<Self, SubscribersError> {
        let file: File = toml::from_str(text).map_err(|error| {
            // Only the message: what the error shows of the file may be a secret.
            let at = error.span().map_or(0, |span| span.start);
            let line = 1 + text.get(..at).unwrap_or_default().matches('\n').count();
            let why = without_values(error.message());
            SubscribersError::Form { file: name.to_owned(), line, why }
        })?;
        let mut by_customer = BTreeMap::new();
        for entry in file.subscriber {
            let customer = entry.customer_id.clone();
            let failed = |why| SubscribersError::Wish {
                file: name.to_owned(),
                customer: customer.clone(),
                why,
            };
            let subscriber = entry.check(base, config).map_err(failed)?;
            if by_customer.insert(customer.clone(), subscriber).is_some() {
                return Err(failed("is there twice".to_owned()));
            }
        }
        Ok(Self { by_customer })
    }

    pub fn len(&self) -> usize {
        self.by_customer.len()
    }

    pub fn is_empty(&self) -> bool {
        self.by_customer.is_empty()
    }

    pub fn get(&self, customer: &CustomerId) -> Option<&Subscriber> {
        self.by_customer.get(customer)
    }

    /// On which channels this customer is to hear of this outcome.
    pub fn channels(&self, customer: &CustomerId, outcome: NotificationOutcome) -> Vec<Channel> {
        let Some(subscriber) = self.get(customer) else { return Vec::new() };
        let wants = |outcomes: Option<&Outcomes>| outcomes.is_some_and(|o| o.contains(&outcome));
        let email = wants(subscriber.email.as_ref().map(|wish| &wish.outcomes));
        let webhook = wants(subscriber.webhook.as_ref().map(|wish| &wish.outcomes));
        let chosen = [(email, Channel::Email), (webhook, Channel::Webhook)];
        chosen.into_iter().filter(|(wanted, _)| *wanted).map(|(_, channel)| channel).collect()
    }

    /// Whether the log is to have a line about it.
    pub fn logs(
        &self,
        customer: &CustomerId,
        outcome: NotificationOutcome,
        unlisted: bool,
    ) -> bool {
        match self.get(customer) {
            Some(subscriber) => subscriber.log.as_ref().is_some_and(|o| o.contains(&outcome)),
            None => unlisted,
        }
    }
}

/// serde quotes values that do not fit; a secret in the wrong place must not reach the log.
fn without_values(message: &str) -> String {
    let first = message.lines().next().unwrap_or_default();
    let mut parts = first.split('"');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for (at, part) in parts.enumerate() {
        text.push_str(if at % 2 == 0 { "…" } else { part });
    }
    text
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    subscriber: Vec<EntryText>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EntryText {
    customer_id: CustomerId,
    email: Option<EmailText>,
    webhook: Option<WebhookText>,
    log: Option<LogText>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EmailText {
    address: String,
    outcomes: Option<Outcomes>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WebhookText {
    url: String,
    #[serde(default)]
    secrets: Vec<Secret>,
    #[serde(default)]
    secret_files: Vec<std::path::PathBuf>,
    outcomes: Option<Outcomes>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LogText {
    outcomes: Option<Outcomes>,
}

fn all(outcomes: Option<Outcomes>) -> Outcomes {
    outcomes.unwrap_or_else(|| NotificationOutcome::ALL.into())
}

impl EntryText {
    fn check(self, base: &Path, config: &NotifierConfig) -> Result<Subscriber, String> {
        if self.email.is_some() && config.email.is_none() {
            return Err("email.address: there is no [notifier.email] to send by".to_owned());
        }
        let webhook = self.webhook.map(|wish| wish.check(base, config)).transpose()?;
        let email = self.email.map(EmailText::check).transpose()?;
        Ok(Subscriber { email, webhook, log: self.log.map(|log| all(log.outcomes)) })
    }
}

impl EmailText {
    fn check(self) -> Result<EmailWish, String> {
        let address = self.address.parse::<Address>();
        // What the parser found is not repeated: it would name the address.
        let address = address.map_err(|_| "email.address is no address such as a@example.com")?;
        Ok(EmailWish { address, outcomes: all(self.outcomes) })
    }
}

impl WebhookText {
    fn check(self, base: &Path, config: &NotifierConfig) -> Result<WebhookWish, String> {
        let mut secrets = self.secrets;
        for file in &self.secret_files {
            secrets.push(secret_file(&base.join(file)).map_err(|e| format!("webhook: {e}"))?);
        }
        if secrets.is_empty() || secrets.len() > SECRETS_MAX {
            return Err(format!("webhook must have 1 to {SECRETS_MAX} secrets, newest first"));
        }
        let keys = secrets.iter().map(key).collect::<Result<_, _>>()?;
        let (url, is_private_allowed) = endpoint(&self.url, config)?;
        Ok(WebhookWish { url, is_private_allowed, keys, outcomes: all(self.outcomes) })
    }
}

/// `whsec_` and base64.
fn key(secret: &Secret) -> Result<ring::hmac::Key, String> {
    let form = || "webhook: a secret must be whsec_ and base64 of 24 to 64 bytes".to_owned();
    let text = secret.reveal().strip_prefix(SECRET_PREFIX).ok_or_else(form)?;
    let bytes = BASE64.decode(text.as_bytes()).map_err(|_| form())?;
    if !SECRET_BYTES.contains(&bytes.len()) {
        return Err(form());
    }
    Ok(ring::hmac::Key::new(ring::hmac::HMAC_SHA256, &bytes))
}

/// The URL, and whether its host may be in the own network.
fn endpoint(text: &str, config: &NotifierConfig) -> Result<(Url, bool), String> {
    let refused = |why: &str| Err(format!("webhook.url {why}"));
    if text.len() > URL_BYTES_MAX {
        return refused("is longer than 2000 bytes");
    }
    let Ok(url) = text.parse::<Url>() else { return refused("is no URL") };
    let Some(host) = url.host() else { return refused("has no host") };
    let name = host.to_string();
    let allowed = config.webhook.allow_private_hosts.contains(&name);
    let address = match host {
        url::Host::Domain(_) => None,
        url::Host::Ipv4(address) => Some(address.into()),
        url::Host::Ipv6(address) => Some(address.into()),
    };
    if !matches!((url.scheme(), allowed), ("https", _) | ("http", true)) {
        return refused("must be https (http only to a host of allow_private_hosts)");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return refused("must not have a user or password; the signature proves who calls");
    }
    if address.is_some_and(|address| !allowed && !guard::is_public(address)) {
        return refused("is of the own network and not in allow_private_hosts");
    }
    Ok((url, allowed))
}

#[cfg(test)]
mod tests;
