//! What `serve` would do to the streams of a server, without doing it.

use async_nats::jetstream::Context;
use async_nats::jetstream::stream::Config;
use schemas::stream::StreamSpec;

use super::streams::{is_missing, refuse_unchangeable, stream_config};
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
    let setting = |name, found: String, wanted: String| Setting { name, found, wanted };
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
    let differing: Vec<Setting> = all.into_iter().filter(|s| s.found != s.wanted).collect();
    if differing.is_empty() { Step::Nothing } else { Step::Update(differing) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use async_nats::jetstream::stream::StorageType;
    use schemas::stream::{by_name, name};

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
    fn what_serve_would_refuse_is_refused_here() {
        let found = Config { storage: StorageType::Memory, ..wanted() };
        assert!(matches!(compare(&found, &wanted()), Step::Refuse(_)));
    }
}
