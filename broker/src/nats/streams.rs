//! Streams and consumers as declared in `schemas::stream`, with the limits of the configuration,
//! created or brought up to date.
//!
//! What cannot be changed in place and would break a promise (retention, storage, a mirror) is
//! refused by name; what can be changed is changed; what only makes things faster
//! (`persist_mode`) is set when the stream is created and left alone afterwards.

use std::time::Duration;

use async_nats::Client;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, PullConsumer, ReplayPolicy, pull};
use async_nats::jetstream::stream::{
    Config, ConsumerError, DiscardPolicy, PersistenceMode, RetentionPolicy, StorageType,
};
use async_nats::jetstream::{Context, ErrorCode, context::GetStreamErrorKind};
use schemas::stream::{
    CONSUMER_FILES_UNUSABLE, ConsumerSpec, Discard, NUM_REPLICAS, StreamSpec, Tail,
};

use super::NatsError;

/// First server with `persist_mode: async`.
pub const PERSIST_MODE_SINCE: (i64, i64, i64) = (2, 12, 0);

/// Makes every one of these streams exist as declared.
///
/// # Errors
/// The server refuses, or a stream exists that cannot become the declared one.
pub async fn ensure_all(
    context: &Context,
    client: &Client,
    specs: &[StreamSpec],
) -> Result<(), NatsError> {
    let (major, minor, patch) = PERSIST_MODE_SINCE;
    let can_persist_async = client.is_server_compatible(major, minor, patch);
    for spec in specs {
        ensure(context, spec, can_persist_async).await?;
    }
    Ok(())
}

async fn ensure(
    context: &Context,
    spec: &StreamSpec,
    can_persist_async: bool,
) -> Result<(), NatsError> {
    let wanted = stream_config(spec, can_persist_async);
    let found = match context.get_stream(spec.name).await {
        Ok(stream) => stream.cached_info().config.clone(),
        Err(error) if is_missing(&error) => {
            context.create_stream(wanted).await.map_err(|e| failed("creating stream", spec, e))?;
            tracing::info!(stream = spec.name, "stream created");
            return Ok(());
        }
        Err(error) => return Err(failed("looking up stream", spec, error)),
    };
    match compare(&found, &wanted)? {
        Difference::None => Ok(()),
        Difference::Updatable(update) => {
            context.update_stream(*update).await.map_err(|e| failed("updating stream", spec, e))?;
            tracing::info!(stream = spec.name, "stream brought up to date");
            Ok(())
        }
    }
}

pub(crate) fn is_missing(error: &async_nats::jetstream::context::GetStreamError) -> bool {
    match error.kind() {
        GetStreamErrorKind::JetStream(inner) => inner.error_code() == ErrorCode::STREAM_NOT_FOUND,
        _ => false,
    }
}

/// A stream of the declaration as server configuration.
pub fn stream_config(spec: &StreamSpec, can_persist_async: bool) -> Config {
    let per_subject = spec.max_messages_per_subject.map_or(-1, to_i64);
    Config {
        name: spec.name.to_owned(),
        description: Some(spec.description.to_owned()),
        subjects: spec.subjects.clone(),
        retention: RetentionPolicy::Limits,
        storage: StorageType::File,
        num_replicas: NUM_REPLICAS,
        max_bytes: to_i64(spec.max_bytes),
        max_messages: -1,
        max_messages_per_subject: per_subject,
        max_consumers: -1,
        max_age: spec.max_age.into(),
        duplicate_window: spec.duplicate_window.into(),
        max_message_size: i32::try_from(spec.max_message_size).unwrap_or(i32::MAX),
        discard: match spec.discard {
            Discard::New => DiscardPolicy::New,
            Discard::Old => DiscardPolicy::Old,
        },
        discard_new_per_subject: spec.max_messages_per_subject.is_some(),
        persist_mode: match spec.tail {
            Tail::Replayable if can_persist_async => Some(PersistenceMode::Async),
            Tail::Replayable | Tail::Precious => None,
        },
        ..Config::default()
    }
}

enum Difference {
    None,
    Updatable(Box<Config>),
}

fn compare(found: &Config, wanted: &Config) -> Result<Difference, NatsError> {
    refuse_unchangeable(found, wanted)?;
    let mut merged = found.clone();
    merged.description.clone_from(&wanted.description);
    merged.subjects.clone_from(&wanted.subjects);
    merged.max_bytes = wanted.max_bytes;
    merged.max_messages = wanted.max_messages;
    merged.max_messages_per_subject = wanted.max_messages_per_subject;
    merged.max_age = wanted.max_age;
    merged.duplicate_window = wanted.duplicate_window;
    merged.max_message_size = wanted.max_message_size;
    merged.discard = wanted.discard;
    merged.discard_new_per_subject = wanted.discard_new_per_subject;
    if merged == *found {
        Ok(Difference::None)
    } else {
        Ok(Difference::Updatable(Box::new(merged)))
    }
}

/// Settings that the server cannot change, or that mean the stream is not ours.
pub(super) fn refuse_unchangeable(found: &Config, wanted: &Config) -> Result<(), NatsError> {
    let settings = [
        ("retention", format!("{:?}", found.retention), format!("{:?}", wanted.retention)),
        ("storage", format!("{:?}", found.storage), format!("{:?}", wanted.storage)),
        ("no_ack", found.no_ack.to_string(), wanted.no_ack.to_string()),
        ("sealed", found.sealed.to_string(), wanted.sealed.to_string()),
        ("mirror", found.mirror.is_some().to_string(), wanted.mirror.is_some().to_string()),
        ("sources", sources(found).to_string(), sources(wanted).to_string()),
    ];
    match settings.into_iter().find(|(_, found, wanted)| found != wanted) {
        None => Ok(()),
        Some((setting, found, needed)) => Err(NatsError::Incompatible {
            stream: wanted.name.clone(),
            setting,
            found,
            wanted: needed,
        }),
    }
}

fn sources(config: &Config) -> usize {
    config.sources.as_ref().map_or(0, Vec::len)
}

/// Creates or updates a durable pull consumer, under the first of its names that the server can
/// still use ([`ConsumerSpec::names`]).
///
/// # Errors
/// The server refuses.
pub async fn ensure_consumer(
    context: &Context,
    spec: &ConsumerSpec,
) -> Result<PullConsumer, NatsError> {
    let mut refused = None;
    let mut names = spec.names();
    while let Some(named) = names.next() {
        match context.create_consumer_on_stream(consumer_config(&named), spec.stream).await {
            Ok(consumer) => {
                forget(context, names).await;
                return Ok(consumer);
            }
            Err(error) => {
                let unusable = is_unusable(&error);
                let (stream, consumer) = (spec.stream, &named.durable);
                tracing::warn!(stream, consumer, %error, "a consumer cannot be made");
                refused = Some(error);
                if !unusable {
                    break;
                }
            }
        }
    }
    Err(NatsError::Stream {
        doing: "creating a consumer on",
        stream: spec.stream.to_owned(),
        source: Box::new(refused.expect("a consumer has a name")),
    })
}

/// The server found files of this consumer that it can neither read nor replace.
fn is_unusable(error: &ConsumerError) -> bool {
    error.to_string().contains(CONSUMER_FILES_UNUSABLE)
}

/// Whoever stood in for a consumer that can be used again would hold back what the stream may
/// forget.
async fn forget(context: &Context, stand_ins: impl Iterator<Item = ConsumerSpec>) {
    for stand_in in stand_ins {
        let ConsumerSpec { durable, stream, .. } = &stand_in;
        if context.delete_consumer_from_stream(durable, *stream).await.is_err() {
            return;
        }
    }
}

/// A consumer of the declaration as server configuration.
pub fn consumer_config(spec: &ConsumerSpec) -> pull::Config {
    pull::Config {
        durable_name: Some(spec.durable.clone()),
        deliver_policy: DeliverPolicy::All,
        ack_policy: AckPolicy::Explicit,
        ack_wait: Duration::from(spec.ack_wait),
        // Poison is counted and given up by the broker, never silently by the server.
        max_deliver: -1,
        filter_subjects: spec.filter_subjects.clone(),
        replay_policy: ReplayPolicy::Instant,
        max_ack_pending: i64::from(spec.max_ack_pending),
        ..pull::Config::default()
    }
}

fn to_i64(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

pub(super) fn failed(
    doing: &'static str,
    spec: &StreamSpec,
    source: impl std::error::Error + Send + Sync + 'static,
) -> NatsError {
    NatsError::Stream { doing, stream: spec.name.to_owned(), source: Box::new(source) }
}

#[cfg(test)]
mod tests {
    use schemas::stream::{all, broker_consumers, by_name, name};

    use super::*;

    #[test]
    fn every_stream_keeps_its_messages_by_limits_on_disk() {
        for spec in all() {
            let config = stream_config(&spec, true);
            assert_eq!(config.retention, RetentionPolicy::Limits, "{}", spec.name);
            assert_eq!(config.storage, StorageType::File, "{}", spec.name);
            assert!(config.duplicate_window <= config.max_age, "{}", spec.name);
            let precious = spec.tail == Tail::Precious;
            assert_eq!(config.persist_mode.is_none(), precious, "{}", spec.name);
            assert_eq!(stream_config(&spec, false).persist_mode, None);
        }
    }

    #[test]
    fn a_stream_as_declared_is_left_alone_even_without_async_persistence() {
        let spec = by_name(name::PURCHASE_EVENTS).unwrap();
        let found = stream_config(&spec, false);
        let difference = compare(&found, &stream_config(&spec, true)).unwrap();
        assert!(matches!(difference, Difference::None));
    }

    #[test]
    fn a_changed_limit_is_updated_and_keeps_what_is_not_declared() {
        let spec = by_name(name::PURCHASE_CREATES).unwrap();
        let mut found = stream_config(&spec, true);
        found.max_bytes = 1;
        found.allow_direct = true;
        let Difference::Updatable(update) = compare(&found, &stream_config(&spec, true)).unwrap()
        else {
            panic!("an update");
        };
        assert_eq!(update.max_bytes, to_i64(spec.max_bytes));
        assert!(update.allow_direct);
    }

    #[test]
    fn a_work_queue_of_the_same_name_is_refused_by_name() {
        let wanted = stream_config(&by_name(name::PARTNER_REPLIES).unwrap(), true);
        let found = Config { retention: RetentionPolicy::WorkQueue, ..wanted.clone() };
        let Err(error) = compare(&found, &wanted) else { panic!("refused") };
        let text = error.to_string();
        assert!(text.contains("PARTNER_REPLIES") && text.contains("retention"), "{text}");
    }

    #[test]
    fn consumers_wait_for_explicit_acks_and_never_give_up() {
        for spec in broker_consumers() {
            let config = consumer_config(&spec);
            assert_eq!(config.ack_policy, AckPolicy::Explicit);
            assert_eq!(config.max_deliver, -1);
            assert_eq!(config.max_ack_pending, i64::from(spec.max_ack_pending));
        }
    }
}
