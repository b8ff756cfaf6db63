//! Gauges of what is open, and how long requests and their steps take.

use metrics::{Unit, describe_gauge, describe_histogram, gauge, histogram};
use schemas::DurationMs;

use super::{count, number, seconds};

const OPEN: &str = "broker_open_requests";
const OLDEST_OPEN: &str = "broker_oldest_open_request_seconds";
const OVERDUE: &str = "broker_most_overdue_request_seconds";
const UNKNOWN: &str = "broker_placements_unknown";
const OLDEST_UNKNOWN: &str = "broker_oldest_placement_unknown_seconds";
const INCIDENTS: &str = "broker_open_incidents";
const OUTCOME_DURATION: &str = "broker_request_outcome_duration_seconds";
const STEP_DURATION: &str = "broker_checkout_step_duration_seconds";

pub(super) fn describe() {
    describe_gauge!(OPEN, "Requests for which the broker or a human has something to do");
    describe_gauge!(OLDEST_OPEN, Unit::Seconds, "Age of the oldest open request, 0 without one");
    describe_gauge!(
        OVERDUE,
        Unit::Seconds,
        "How long ago the earliest deadline of an open request was, 0 if it is still to come"
    );
    describe_gauge!(UNKNOWN, "Orders of which it is not known whether they stand");
    describe_gauge!(
        OLDEST_UNKNOWN,
        Unit::Seconds,
        "How long it has been unknown of the oldest of them, 0 without one"
    );
    describe_gauge!(INCIDENTS, "Open requests that wait for a human, by what is wrong");
    describe_histogram!(
        OUTCOME_DURATION,
        Unit::Seconds,
        "From a request's creation to an outcome of which its customer is told, by outcome"
    );
    describe_histogram!(
        STEP_DURATION,
        Unit::Seconds,
        "How long a step of buying took, its answer included, by step"
    );
}

pub fn requests(open: usize, oldest: DurationMs, overdue: DurationMs) {
    gauge!(OPEN).set(number(count(open)));
    gauge!(OLDEST_OPEN).set(seconds(oldest.as_ms()));
    gauge!(OVERDUE).set(seconds(overdue.as_ms()));
}

pub fn unknown(placements: usize, oldest: DurationMs) {
    gauge!(UNKNOWN).set(number(count(placements)));
    gauge!(OLDEST_UNKNOWN).set(seconds(oldest.as_ms()));
}

/// `kind` is the label of an incident, or `frozen`.
pub fn incidents(kind: &'static str, open: u64) {
    gauge!(INCIDENTS, "kind" => kind).set(number(open));
}

pub fn outcome(outcome: &'static str, took: DurationMs) {
    histogram!(OUTCOME_DURATION, "outcome" => outcome).record(seconds(took.as_ms()));
}

pub fn step_left(step: &'static str, took: DurationMs) {
    histogram!(STEP_DURATION, "step" => step).record(seconds(took.as_ms()));
}
