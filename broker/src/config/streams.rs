//! How much the streams may hold, and for how long. What the limits mean follows from the stream
//! (`schemas::stream`): a full one refuses, or drops its oldest.

use schemars::JsonSchema;
use schemas::DurationMs;
use schemas::stream::{self, DUPLICATE_WINDOW_MS, MAX_AGE_DEFAULT_MS, StreamSpec, name};
use serde::{Deserialize, Serialize};

use super::ConfigError;

/// No server has a larger disk; sums of limits cannot overflow.
const STREAM_BYTES_MAX: u64 = 1 << 50;

/// Limits of the streams. The server reserves the bytes of all of them (`max_file_store`), and
/// `broker serve` gives them to the streams at each connection.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct StreamsConfig {
    /// Room for outcomes, 2 to 4 KB each. Nothing empties it but `notifications_max_age_ms`; a
    /// full one takes no further outcomes, which then wait in the broker's outbox. The default
    /// suits a laptop: outcomes per day × days × bytes is what production needs.
    pub notifications_max_bytes: u64,
    /// How long an outcome can be read. Shorter needs less room; a customer who stays away longer
    /// must ask for its requests.
    pub notifications_max_age_ms: DurationMs,
    /// Room for what happened to each request; a full one drops its oldest. Larger lets readers
    /// stay away longer.
    pub purchase_events_max_bytes: u64,
    /// How long an event can be read.
    pub purchase_events_max_age_ms: DurationMs,
    /// Room for messages that could not be used; a full one drops its oldest.
    pub dead_letters_max_bytes: u64,
    /// How long such a message can be looked at and sent again.
    pub dead_letters_max_age_ms: DurationMs,
    /// Room for new requests that the broker has not read; a full one refuses further ones.
    pub purchase_creates_max_bytes: u64,
    /// Room for commands of customers that the broker has not read; a full one refuses further
    /// ones.
    pub purchase_commands_max_bytes: u64,
    /// Room for questions to partners that are not always connected; a full one drops its oldest,
    /// and they count as unanswered.
    pub partner_quotes_max_bytes: u64,
    /// Room for commands that partners have not read; while it is full none of them gets an order.
    pub partner_commands_max_bytes: u64,
    /// Room for answers of partners that the broker has not read; a full one refuses further ones.
    pub partner_replies_max_bytes: u64,
    /// Room for commands that the payment provider has not read; while it is full nothing is
    /// authorised, captured or refunded.
    pub payment_commands_max_bytes: u64,
    /// Room for answers of the payment provider that the broker has not read; a full one refuses
    /// further ones.
    pub payment_replies_max_bytes: u64,
    /// How long commands, questions and answers wait for whoever reads them: the longest outage
    /// that loses none. At most `policy.id_horizon_ms`.
    pub backlog_max_age_ms: DurationMs,
}

impl Default for StreamsConfig {
    fn default() -> Self {
        Self {
            notifications_max_bytes: stream::NOTIFICATIONS_BYTES_MAX,
            notifications_max_age_ms: MAX_AGE_DEFAULT_MS,
            purchase_events_max_bytes: stream::PURCHASE_EVENTS_BYTES_MAX,
            purchase_events_max_age_ms: MAX_AGE_DEFAULT_MS,
            dead_letters_max_bytes: stream::DEAD_LETTERS_BYTES_MAX,
            dead_letters_max_age_ms: MAX_AGE_DEFAULT_MS,
            purchase_creates_max_bytes: stream::PURCHASE_CREATES_BYTES_MAX,
            purchase_commands_max_bytes: stream::PURCHASE_COMMANDS_BYTES_MAX,
            partner_quotes_max_bytes: stream::PARTNER_QUOTES_BYTES_MAX,
            partner_commands_max_bytes: stream::PARTNER_COMMANDS_BYTES_MAX,
            partner_replies_max_bytes: stream::PARTNER_REPLIES_BYTES_MAX,
            payment_commands_max_bytes: stream::PAYMENT_COMMANDS_BYTES_MAX,
            payment_replies_max_bytes: stream::PAYMENT_REPLIES_BYTES_MAX,
            backlog_max_age_ms: MAX_AGE_DEFAULT_MS,
        }
    }
}

/// A stream, its room, and its key for how long, if it has one of its own.
struct Limit {
    stream: &'static str,
    bytes: (&'static str, u64),
    age: (&'static str, DurationMs),
}

impl StreamsConfig {
    /// Every stream of the product, with these limits.
    pub fn specs(&self) -> Vec<StreamSpec> {
        let mut specs = stream::all();
        for Limit { stream, bytes: (_, bytes), age: (_, age) } in self.limits() {
            if let Some(spec) = specs.iter_mut().find(|spec| spec.name == stream) {
                (spec.max_bytes, spec.max_age) = (bytes, age);
            }
        }
        specs
    }

    fn limits(&self) -> [Limit; 10] {
        let backlog = ("backlog_max_age_ms", self.backlog_max_age_ms);
        let record = |stream, bytes, age| Limit { stream, bytes, age };
        let read_up = |stream, bytes| Limit { stream, bytes, age: backlog };
        [
            record(
                name::NOTIFICATIONS,
                ("notifications_max_bytes", self.notifications_max_bytes),
                ("notifications_max_age_ms", self.notifications_max_age_ms),
            ),
            record(
                name::PURCHASE_EVENTS,
                ("purchase_events_max_bytes", self.purchase_events_max_bytes),
                ("purchase_events_max_age_ms", self.purchase_events_max_age_ms),
            ),
            record(
                name::DEAD_LETTERS,
                ("dead_letters_max_bytes", self.dead_letters_max_bytes),
                ("dead_letters_max_age_ms", self.dead_letters_max_age_ms),
            ),
            read_up(
                name::PURCHASE_CREATES,
                ("purchase_creates_max_bytes", self.purchase_creates_max_bytes),
            ),
            read_up(
                name::PURCHASE_COMMANDS,
                ("purchase_commands_max_bytes", self.purchase_commands_max_bytes),
            ),
            read_up(
                name::PARTNER_QUOTES,
                ("partner_quotes_max_bytes", self.partner_quotes_max_bytes),
            ),
            read_up(
                name::PARTNER_COMMANDS,
                ("partner_commands_max_bytes", self.partner_commands_max_bytes),
            ),
            read_up(
                name::PARTNER_REPLIES,
                ("partner_replies_max_bytes", self.partner_replies_max_bytes),
            ),
            read_up(
                name::PAYMENT_COMMANDS,
                ("payment_commands_max_bytes", self.payment_commands_max_bytes),
            ),
            read_up(
                name::PAYMENT_REPLIES,
                ("payment_replies_max_bytes", self.payment_replies_max_bytes),
            ),
        ]
    }

    /// `horizon` is `policy.id_horizon_ms`.
    pub(super) fn validate(&self, horizon: DurationMs) -> Result<(), ConfigError> {
        let refuse =
            |key: &str, why: String| Err(ConfigError::field(format!("streams.{key}"), why));
        for Limit { stream, bytes: (bytes_key, bytes), age: (age_key, age) } in self.limits() {
            let largest = stream::by_name(stream).map_or(0, |spec| spec.max_message_size as u64);
            if bytes < largest {
                let why = format!("must be at least {largest}: {stream} takes messages so large");
                return refuse(bytes_key, why);
            }
            if bytes > STREAM_BYTES_MAX {
                return refuse(bytes_key, format!("must be at most {STREAM_BYTES_MAX}"));
            }
            let window = DUPLICATE_WINDOW_MS.as_ms();
            if age < DUPLICATE_WINDOW_MS {
                let why = format!("must be at least {window}: so long copies are recognised");
                return refuse(age_key, why);
            }
        }
        if self.backlog_max_age_ms > horizon {
            let why = "must not be above policy.id_horizon_ms: what waits longer is refused";
            return refuse("backlog_max_age_ms", why.to_owned());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HORIZON: DurationMs = DurationMs::from_secs(120 * 24 * 3600);

    #[test]
    fn without_a_word_in_the_file_every_stream_is_as_declared() {
        assert_eq!(StreamsConfig::default().specs(), stream::all());
        assert!(StreamsConfig::default().validate(HORIZON).is_ok());
    }

    #[test]
    fn every_stream_has_limits_of_its_own() {
        let limits = StreamsConfig::default().limits();
        let mut named: Vec<&str> = limits.iter().map(|limit| limit.stream).collect();
        let mut declared: Vec<&str> = stream::all().iter().map(|spec| spec.name).collect();
        named.sort_unstable();
        declared.sort_unstable();
        assert_eq!(named, declared);
        for limit in &limits {
            let key = limit.bytes.0.strip_suffix("_max_bytes").unwrap();
            assert_eq!(key.to_uppercase(), limit.stream);
        }
    }

    #[test]
    fn a_limit_of_the_file_reaches_its_stream_and_no_other() {
        let text = "notifications_max_bytes = 17179869184\nbacklog_max_age_ms = 86400000";
        let config: StreamsConfig = toml::from_str(text).unwrap();
        let specs = config.specs();
        let of = |stream| specs.iter().find(|spec| spec.name == stream).unwrap();
        assert_eq!(of(name::NOTIFICATIONS).max_bytes, 16 << 30);
        assert_eq!(of(name::NOTIFICATIONS).max_age, MAX_AGE_DEFAULT_MS);
        assert_eq!(of(name::PARTNER_COMMANDS).max_age, DurationMs(86_400_000));
        assert_eq!(of(name::PURCHASE_EVENTS).max_bytes, stream::PURCHASE_EVENTS_BYTES_MAX);
    }

    #[test]
    fn what_makes_no_sense_is_refused_by_name() {
        let refused = |text: &str| {
            let config: StreamsConfig = toml::from_str(text).unwrap();
            config.validate(HORIZON).unwrap_err().to_string()
        };
        let small = refused("notifications_max_bytes = 786431");
        assert!(small.contains("streams.notifications_max_bytes: must be at least 786432"));
        let large = refused("partner_replies_max_bytes = 1125899906842625");
        assert!(large.contains("streams.partner_replies_max_bytes: must be at most"));
        assert!(refused("dead_letters_max_age_ms = 1").contains("streams.dead_letters_max_age_ms"));
        assert!(refused("backlog_max_age_ms = 1").contains("streams.backlog_max_age_ms"));
        let old = refused("backlog_max_age_ms = 10368000001");
        assert!(old.contains("streams.backlog_max_age_ms: must not be above"));
    }
}
