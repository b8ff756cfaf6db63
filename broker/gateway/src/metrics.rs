//! Every metric of the gateway. Routes are labelled by their pattern, never by what is in them.

use std::time::Duration;

use ::metrics::{counter, gauge, histogram};

/// One call is over.
pub(crate) fn call(route: String, method: &'static str, status: u16, took: Duration) {
    let class = match status {
        0..=199 => "1xx",
        200..=299 => "2xx",
        300..=399 => "3xx",
        400..=499 => "4xx",
        _ => "5xx",
    };
    counter!(
        "broker_gateway_calls_total",
        "route" => route.clone(), "method" => method, "status" => class
    )
    .increment(1);
    histogram!("broker_gateway_call_duration_seconds", "route" => route).record(took.as_secs_f64());
}

/// By the code of the problem.
pub(crate) fn refused(code: &str) {
    counter!("broker_gateway_refused_total", "reason" => code.to_owned()).increment(1);
}

/// Calls being worked on.
pub(crate) fn in_flight(count: usize) {
    gauge!("broker_gateway_calls_in_flight").set(as_f64(count));
}

/// Clients that follow events.
pub(crate) fn event_clients(count: usize) {
    gauge!("broker_gateway_event_clients").set(as_f64(count));
}

/// A client that did not read as fast as events came, and was told to resume.
pub(crate) fn event_client_lagged() {
    counter!("broker_gateway_event_clients_lagged_total").increment(1);
}

/// A call-back was stored for the bridge, or is a copy.
pub(crate) fn callback(result: &'static str) {
    counter!("broker_gateway_callbacks_total", "result" => result).increment(1);
}

#[expect(clippy::cast_precision_loss, reason = "counts of calls are far below 2^52")]
fn as_f64(count: usize) -> f64 {
    count as f64
}
