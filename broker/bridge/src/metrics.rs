//! Every metric of the bridge. Prefix `broker_bridge_`, base units, `_total` for counters; labels
//! are partners that the operator configured, operations, and what became of them.

use std::time::Duration;

use metrics::{
    Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};
use schemas::PartnerId;

const CALLS: &str = "broker_bridge_calls_total";
const CALL_SECONDS: &str = "broker_bridge_call_duration_seconds";
const OUTCOMES: &str = "broker_bridge_outcomes_total";
const COMMANDS: &str = "broker_bridge_commands_total";
const CALLBACKS: &str = "broker_bridge_callbacks_total";
const QUESTIONS_DROPPED: &str = "broker_bridge_questions_dropped_total";
const STORES: &str = "broker_bridge_stores";

/// What a call brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    /// 2 for all of 200 to 299.
    Class(u16),
    NotSent,
    NoAnswer,
}

impl Status {
    const fn label(self) -> &'static str {
        match self {
            Self::Class(2) => "2xx",
            Self::Class(3) => "3xx",
            Self::Class(4) => "4xx",
            Self::Class(5) => "5xx",
            Self::Class(_) => "other",
            Self::NotSent => "not_sent",
            Self::NoAnswer => "no_answer",
        }
    }
}

pub(crate) fn describe(stores: usize) {
    describe_counter!(CALLS, "HTTP calls to bookstores, by what came back");
    describe_histogram!(CALL_SECONDS, Unit::Seconds, "HTTP calls from the first to the last byte");
    describe_counter!(OUTCOMES, "What the answers of bookstores meant");
    describe_counter!(COMMANDS, "Commands taken from the stream, by what became of them");
    describe_counter!(CALLBACKS, "Call-backs of bookstores, by what became of them");
    describe_counter!(QUESTIONS_DROPPED, "Quote questions that were not asked for want of a place");
    describe_gauge!(STORES, "Bookstores that the bridge speaks for");
    gauge!(STORES).set(stores as f64);
}

pub(crate) fn call(partner: &PartnerId, operation: &'static str, status: Status, took: Duration) {
    let partner = partner.to_string();
    let labels = [
        ("partner", partner.clone()),
        ("operation", operation.to_owned()),
        ("status", status.label().to_owned()),
    ];
    counter!(CALLS, &labels).increment(1);
    histogram!(CALL_SECONDS, "partner" => partner, "operation" => operation).record(took);
}

pub(crate) fn outcome(partner: &PartnerId, operation: &'static str, outcome: &'static str) {
    let partner = partner.to_string();
    counter!(OUTCOMES, "partner" => partner, "operation" => operation, "outcome" => outcome)
        .increment(1);
}

pub(crate) fn command(operation: &'static str, end: &'static str) {
    counter!(COMMANDS, "operation" => operation, "end" => end).increment(1);
}

pub(crate) fn callback(end: &'static str) {
    counter!(CALLBACKS, "end" => end).increment(1);
}

pub(crate) fn questions_dropped(partner: &PartnerId, questions: usize) {
    counter!(QUESTIONS_DROPPED, "partner" => partner.to_string()).increment(questions as u64);
}
