//! JetStream settings, in the words of the server's own configuration.

use serde_json::{Map, Value, json};

use crate::stream::{self, ConsumerSpec, Discard, StreamSpec, Tail};

pub(super) fn streams() -> Map<String, Value> {
    stream::all().iter().map(|spec| (spec.name.to_owned(), stream(spec))).collect()
}

fn stream(spec: &StreamSpec) -> Value {
    json!({
        "description": spec.description,
        "subjects": spec.subjects,
        "retention": "limits",
        "storage": "file",
        "num_replicas": stream::NUM_REPLICAS,
        "max_bytes": spec.max_bytes,
        "max_age_ms": spec.max_age.as_ms(),
        "duplicate_window_ms": spec.duplicate_window.as_ms(),
        "discard": match spec.discard {
            Discard::New => "new",
            Discard::Old => "old",
        },
        "max_msg_size": spec.max_message_size,
        "max_msgs_per_subject": spec.max_messages_per_subject,
        "persist_mode_async_allowed": spec.tail == Tail::Replayable,
    })
}

/// The broker's own consumers; those of partners and providers follow the same form.
pub(super) fn consumers() -> Map<String, Value> {
    let broker = stream::broker_consumers();
    broker.iter().map(|spec| (spec.durable.clone(), consumer(spec))).collect()
}

fn consumer(spec: &ConsumerSpec) -> Value {
    json!({
        "stream": spec.stream,
        "filter_subjects": spec.filter_subjects,
        "ack_policy": "explicit",
        "deliver_policy": "all",
        "ack_wait_ms": spec.ack_wait.as_ms(),
        "max_ack_pending": spec.max_ack_pending,
    })
}
