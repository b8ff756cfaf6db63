//! What `serve` would do to the streams and consumers of a server, without doing it.

use async_nats::jetstream::stream::Config;
use async_nats::jetstream::{Context, consumer};
use schemas::stream::{ConsumerSpec, StreamSpec};

use super::streams::{consumer_config, is_missing, refuse_unchangeable, stream_config};
use super::{NatsError, streams};

/// What a stream needs.
#[derive(Debug)]
pub enum Step {
    Nothing,
    Create,
    /// Settings that would be changed.
    Update(Vec<Setting>),
    /// It can never become what is declared.
    Refuse(NatsError),
}

/// One setting: name, found, wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    pub name: &'static str,
    pub found: String,
    pub wanted: String,
}

/// # Errors
/// The server cannot be asked.
pub async fn step(
    context: &Context,
    spec: &StreamSpec,
    can_persist_async: bool,
) -> Result<Step, NatsError> {
    let wanted = stream_config(spec, can_persist_async);
    match context.get_stream(spec.name).await {
        Ok(stream) => Ok(compare(&stream.cached_info().config, &wanted)),
        Err(error) if is_missing(&error) => Ok(Step::Create),
        Err(error) => Err(streams::failed("looking up stream", spec, error)),
    }
}

fn compare(found: &Config, wanted: &Config) -> Step {
    if let Err(refusal) = refuse_unchangeable(found, wanted) {
        return Step::Refuse(refusal);
    }
    let all = [
        setting("subjects", found.subjects.join(" "), wanted.subjects.join(" ")),
        setting("max_bytes", found.max_bytes.to_string(), wanted.max_bytes.to_string()),
        setting("max_msgs", found.max_messages.to_string(), wanted.max_messages.to_string()),
        setting(
            "max_msgs_per_subject",
            found.max_messages_per_subject.to_string(),
            wanted.max_messages_per_subject.to_string(),
        ),
        setting("max_age", format!("{:?}", found.max_age), format!("{:?}", wanted.max_age)),
        setting(
            "duplicate_window",
            format!("{:?}", found.duplicate_window),
            format!("{:?}", wanted.duplicate_window),
        ),
        setting(
            "max_msg_size",
            found.max_message_size.to_string(),
            wanted.max_message_size.to_string(),
        ),
        setting("discard", format!("{:?}", found.discard), format!("{:?}", wanted.discard)),
        setting(
            "discard_new_per_subject",
            found.discard_new_per_subject.to_string(),
            wanted.discard_new_per_subject.to_string(),
        ),
    ];
    let differing = differing(all);
    if differing.is_empty() { Step::Nothing } else { Step::Update(differing) }
}

/// What would be changed of a consumer of ours that exists; it keeps its place in the stream.
pub fn consumer_changes(found: &consumer::Config, spec: &ConsumerSpec) -> Vec<Setting> {
    let wanted = consumer_config(spec);
    differing([
        setting(
            "filter_subjects",
            filters(&found.filter_subjects, &found.filter_subject),
            filters(&wanted.filter_subjects, &wanted.filter_subject),
        ),
        setting("ack_wait", format!("{:?}", found.ack_wait), format!("{:?}", wanted.ack_wait)),
        setting(
            "max_ack_pending",
            found.max_ack_pending.to_string(),
            wanted.max_ack_pending.to_string(),
        ),
        setting("max_deliver", found.max_deliver.to_string(), wanted.max_deliver.to_string()),
    ])
}

/// A server may tell the only filter of a consumer in a field of its own.
fn filters(many: &[String], one: &str) -> String {
    let all = many.iter().map(String::as_str).chain([one]);
    let mut all: Vec<&str> = all.filter(|filter| !filter.is_empty()).collect();
    all.sort_unstable();
    all.join(" ")
}

fn setting(name: &'static str, found: String, wanted: String) -> Setting {
    Setting { name, found, wanted }
}

fn differing<const N: usize>(all: [Setting; N]) -> Vec<Setting> {
    all.into_iter().filter(|setting| setting.found != setting.wanted).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use async_nats::jetstream::consumer::IntoConsumerConfig;
    use async_nats::jetstream::stream::StorageType;
    use schemas::stream::{broker_consumers, by_name, name};

    fn wanted() -> Config {
        stream_config(&by_name(name::PURCHASE_CREATES).unwrap(), false)
    }

    #[test]
    fn every_setting_that_serve_would_change_is_told() {
        assert!(matches!(compare(&wanted(), &wanted()), Step::Nothing));
        let found = Config { max_bytes: 5, max_messages: 7, ..wanted() };
        let Step::Update(settings) = compare(&found, &wanted()) else { panic!("an update") };
        let names: Vec<&str> = settings.iter().map(|setting| setting.name).collect();
        assert_eq!(names, ["max_bytes", "max_msgs"]);
        assert_eq!((settings[0].found.as_str(), settings[0].wanted.as_str()), ("5", "268435456"));
    }

    #[test]
    fn a_consumer_with_other_filters_would_be_changed_in_nothing_else() {
        for spec in broker_consumers() {
            let sound = consumer_config(&spec).into_consumer_config();
            assert_eq!(consumer_changes(&sound, &spec), [], "{}", spec.durable);
            let filter_subjects = vec!["partner.*.reply.0.place".to_owned()];
            let found = consumer::Config { filter_subjects, ..sound };
            let changes = consumer_changes(&found, &spec);
            let names: Vec<&str> = changes.iter().map(|change| change.name).collect();
            assert_eq!(names, ["filter_subjects"], "{}", spec.durable);
            assert_eq!(changes[0].found, "partner.*.reply.0.place");
        }
    }

    #[test]
    fn the_only_filter_is_the_same_wherever_the_server_keeps_it() {
        let [creates, ..] = broker_consumers();
        let filter_subject = creates.filter_subjects[0].clone();
        let told = consumer_config(&creates).into_consumer_config();
        let found = consumer::Config { filter_subject, filter_subjects: Vec::new(), ..told };
        assert_eq!(consumer_changes(&found, &creates), []);
    }

    #[test]
    fn what_serve_would_refuse_is_refused_here() {
        let found = Config { storage: StorageType::Memory, ..wanted() };
        assert!(matches!(compare(&found, &wanted()), Step::Refuse(_)));
    }
}
