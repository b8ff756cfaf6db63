//! Every metric of the notifier: names, units and labels, one function per observation. No label
//! takes its values from customers or requests.

use std::time::Duration;

use metrics::{
    Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};
use schemas::DurationMs;

use crate::key::Channel;
use crate::record::Why;

const TAKEN: &str = "broker_notifier_notifications_total";
const GIVEN_UP: &str = "broker_notifier_notifications_given_up_total";
const LOGGED: &str = "broker_notifier_logged_total";
const CREATED: &str = "broker_notifier_deliveries_total";
const ATTEMPTS: &str = "broker_notifier_attempts_total";
const ATTEMPT_DURATION: &str = "broker_notifier_attempt_duration_seconds";
const DELIVERED: &str = "broker_notifier_delivered_total";
const DELIVERY_AGE: &str = "broker_notifier_delivery_age_seconds";
const FAILED: &str = "broker_notifier_failed_total";
const CONFLICTS: &str = "broker_notifier_conflicts_total";
const PENDING: &str = "broker_notifier_pending";
const PENDING_AGE: &str = "broker_notifier_pending_age_seconds";
const UNDER_WAY: &str = "broker_notifier_under_way";
const BREAKERS: &str = "broker_notifier_breaker_switches_total";
const DISABLED: &str = "broker_notifier_endpoints_disabled";
const BUCKET_BYTES: &str = "broker_notifier_bucket_bytes";
const PAUSED: &str = "broker_notifier_intake_paused";
const SUBSCRIBERS: &str = "broker_notifier_subscribers";
const SUBSCRIBERS_VALID: &str = "broker_notifier_subscribers_valid";

/// Says what the metrics mean; once a recorder is there.
pub(crate) fn describe() {
    describe_counter!(TAKEN, "Notifications taken from the stream and dealt with");
    describe_counter!(GIVEN_UP, "Notifications that became dead letters");
    describe_counter!(LOGGED, "Notifications told to the log");
    describe_counter!(CREATED, "Deliveries written down, by channel");
    describe_counter!(ATTEMPTS, "Attempts, by channel and result");
    describe_histogram!(ATTEMPT_DURATION, Unit::Seconds, "How long attempts took, by channel");
    describe_counter!(DELIVERED, "Deliveries that the receiver has, by channel");
    describe_histogram!(DELIVERY_AGE, Unit::Seconds, "From decision to delivery, by channel");
    describe_counter!(FAILED, "Deliveries given up and kept for replay, by channel and reason");
    describe_counter!(CONFLICTS, "Records that somebody else changed meanwhile");
    describe_gauge!(PENDING, "Deliveries that wait or are under way");
    describe_gauge!(PENDING_AGE, Unit::Seconds, "How long the oldest one is overdue");
    describe_gauge!(UNDER_WAY, "Deliveries under way");
    describe_counter!(BREAKERS, "Breakers that opened or closed, by channel");
    describe_gauge!(DISABLED, "Endpoints that are disabled until an operator enables them");
    describe_gauge!(BUCKET_BYTES, Unit::Bytes, "Size of the bucket of deliveries");
    describe_gauge!(PAUSED, "1 while notifications are left in their stream for want of room");
    describe_gauge!(SUBSCRIBERS, "Customers in the file of subscribers in force");
    describe_gauge!(SUBSCRIBERS_VALID, "0 while a changed file of subscribers cannot be used");
}

pub(crate) fn notification_taken() {
    counter!(TAKEN).increment(1);
}

pub(crate) fn notification_given_up() {
    counter!(GIVEN_UP).increment(1);
}

pub(crate) fn logged() {
    counter!(LOGGED).increment(1);
}

pub(crate) fn delivery_created(channel: Channel) {
    counter!(CREATED, "channel" => channel.label()).increment(1);
}

/// `why`: not delivered.
pub(crate) fn attempt(channel: Channel, why: Option<Why>, took: Duration) {
    let result = why.map_or("delivered", Why::label);
    counter!(ATTEMPTS, "channel" => channel.label(), "result" => result).increment(1);
    histogram!(ATTEMPT_DURATION, "channel" => channel.label()).record(took.as_secs_f64());
}

pub(crate) fn delivered(channel: Channel, age: DurationMs) {
    counter!(DELIVERED, "channel" => channel.label()).increment(1);
    histogram!(DELIVERY_AGE, "channel" => channel.label()).record(seconds(age));
}

pub(crate) fn failed(channel: Channel, why: Why) {
    counter!(FAILED, "channel" => channel.label(), "reason" => why.label()).increment(1);
}

pub(crate) fn conflict() {
    counter!(CONFLICTS).increment(1);
}

pub(crate) fn pending(count: usize, under_way: usize, overdue: DurationMs) {
    gauge!(PENDING).set(count_of(count));
    gauge!(UNDER_WAY).set(count_of(under_way));
    gauge!(PENDING_AGE).set(seconds(overdue));
}

pub(crate) fn breaker_switched(channel: Channel, to: &'static str) {
    counter!(BREAKERS, "channel" => channel.label(), "to" => to).increment(1);
}

pub(crate) fn endpoints_disabled(count: usize) {
    gauge!(DISABLED).set(count_of(count));
}

pub(crate) fn bucket(bytes: u64, paused: bool) {
    gauge!(BUCKET_BYTES).set(count_of(usize::try_from(bytes).unwrap_or(usize::MAX)));
    gauge!(PAUSED).set(if paused { 1.0 } else { 0.0 });
}

/// How many there are, or that the new file is no good.
pub(crate) fn subscribers(count: Option<usize>) {
    gauge!(SUBSCRIBERS_VALID).set(if count.is_some() { 1.0 } else { 0.0 });
    if let Some(count) = count {
        gauge!(SUBSCRIBERS).set(count_of(count));
    }
}

fn seconds(span: DurationMs) -> f64 {
    Duration::from(span).as_secs_f64()
}

#[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
fn count_of(count: usize) -> f64 {
    count as f64
}
