//! Every metric of the gateway. Routes are labelled by their pattern, never by what is in them.

use std::time::Duration;

use ::metrics::{
    Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};

const CALLS: &str = "broker_gateway_calls_total";
const CALL_DURATION: &str = "broker_gateway_call_duration_seconds";
const REFUSED: &str = "broker_gateway_refused_total";
const IN_FLIGHT: &str = "broker_gateway_calls_in_flight";
const EVENT_CLIENTS: &str = "broker_gateway_event_clients";
const EVENT_CLIENTS_LAGGED: &str = "broker_gateway_event_clients_lagged_total";
const CALLBACKS: &str = "broker_gateway_callbacks_total";

/// Says what the metrics mean; once a recorder is there.
pub(crate) fn describe() {
    describe_counter!(CALLS, "HTTP calls that were answered, by route, method and class of status");
    describe_histogram!(CALL_DURATION, Unit::Seconds, "HTTP calls from head to answer, by route");
    describe_counter!(REFUSED, "Refused calls, by the code of the problem");
    describe_gauge!(IN_FLIGHT, "HTTP calls being worked on");
    describe_gauge!(EVENT_CLIENTS, "Clients that follow events");
    describe_counter!(
        EVENT_CLIENTS_LAGGED,
        "Clients that were told to resume: they read too slowly"
    );
    describe_counter!(CALLBACKS, "Call-backs of bookstores, by what became of them");
}

/// One call is over.
pub(crate) fn call(route: String, method: &'static str, status: u16, took: Duration) {
    let class = match status {
        0..=199 => "1xx",
        200..=299 => "2xx",
        300..=399 => "3xx",
        400..=499 => "4xx",
        _ => "5xx",
    };
    counter!(CALLS, "route" => route.clone(), "method" => method, "status" => class).increment(1);
    histogram!(CALL_DURATION, "route" => route).record(took.as_secs_f64());
}

/// By the code of the problem.
pub(crate) fn refused(code: &str) {
    counter!(REFUSED, "reason" => code.to_owned()).increment(1);
}

/// A call being worked on, until it is dropped: also by a caller who went away.
pub(crate) struct InFlight;

impl InFlight {
    pub(crate) fn begin() -> Self {
        gauge!(IN_FLIGHT).increment(1.0);
        Self
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        gauge!(IN_FLIGHT).decrement(1.0);
    }
}

/// Clients that follow events.
pub(crate) fn event_clients(count: usize) {
    gauge!(EVENT_CLIENTS).set(as_f64(count));
}

/// A client that did not read as fast as events came, and was told to resume.
pub(crate) fn event_client_lagged() {
    counter!(EVENT_CLIENTS_LAGGED).increment(1);
}

/// A call-back was stored for the bridge, or is a copy.
pub(crate) fn callback(result: &'static str) {
    counter!(CALLBACKS, "result" => result).increment(1);
}

#[expect(clippy::cast_precision_loss, reason = "counts of calls are far below 2^52")]
fn as_f64(count: usize) -> f64 {
    count as f64
}
