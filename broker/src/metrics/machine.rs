//! The store, its disk, the streams and the process.

use std::time::Duration;

use metrics::{
    Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram,
};

use super::{count, number};

const COMMIT_DURATION: &str = "broker_store_commit_duration_seconds";
const WRITES: &str = "broker_store_writes_total";
const QUEUED: &str = "broker_store_queued_writes";
const STORE_BYTES: &str = "broker_store_size_bytes";
const STORE_FREE: &str = "broker_store_disk_free_bytes";
const STORE_DISK: &str = "broker_store_disk_size_bytes";
const STREAM_BYTES: &str = "broker_stream_size_bytes";
const STREAM_LIMIT: &str = "broker_stream_limit_bytes";
const STREAM_MESSAGES: &str = "broker_stream_messages";
const PENDING: &str = "broker_consumer_pending_messages";
const UNACKED: &str = "broker_consumer_unacknowledged_messages";
const BUILD: &str = "broker_build_info";

pub(super) fn describe() {
    describe_histogram!(COMMIT_DURATION, Unit::Seconds, "One synced group of writes of the store");
    describe_counter!(WRITES, "Writes in the groups that the store has synced");
    describe_gauge!(QUEUED, "Writes that wait to be taken into a group");
    describe_gauge!(STORE_BYTES, Unit::Bytes, "Size of the files of the store");
    describe_gauge!(STORE_FREE, Unit::Bytes, "Room that is left to us on the disk of the store");
    describe_gauge!(STORE_DISK, Unit::Bytes, "Size of the disk of the store");
    describe_gauge!(STREAM_BYTES, Unit::Bytes, "What a stream holds");
    describe_gauge!(STREAM_LIMIT, Unit::Bytes, "What a stream may hold");
    describe_gauge!(STREAM_MESSAGES, "Messages in a stream");
    describe_gauge!(PENDING, "Messages that a consumer has not been given, by stream");
    describe_gauge!(UNACKED, "Messages that a consumer has and has not acknowledged, by stream");
    describe_gauge!(BUILD, "1, with the version of the program");
    metrics_process::Collector::default().describe();
}

pub fn committed(writes: usize, took: Duration) {
    histogram!(COMMIT_DURATION).record(took.as_secs_f64());
    counter!(WRITES).increment(count(writes));
}

pub fn store_queue(writes: usize) {
    gauge!(QUEUED).set(number(count(writes)));
}

pub fn store_size(files: u64) {
    gauge!(STORE_BYTES).set(bytes(files));
}

pub fn store_disk(free: u64, size: u64) {
    gauge!(STORE_FREE).set(bytes(free));
    gauge!(STORE_DISK).set(bytes(size));
}

pub fn stream(name: &'static str, messages: u64, size: u64, limit: u64) {
    gauge!(STREAM_MESSAGES, "stream" => name).set(bytes(messages));
    gauge!(STREAM_BYTES, "stream" => name).set(bytes(size));
    gauge!(STREAM_LIMIT, "stream" => name).set(bytes(limit));
}

pub fn consumer(stream: &'static str, name: &str, pending: u64, unacknowledged: usize) {
    let name = name.to_owned();
    gauge!(PENDING, "stream" => stream, "consumer" => name.clone()).set(bytes(pending));
    gauge!(UNACKED, "stream" => stream, "consumer" => name).set(number(count(unacknowledged)));
}

/// Memory, processor, files of this process, as they are now.
pub fn process() {
    metrics_process::Collector::default().collect();
    gauge!(BUILD, "version" => env!("CARGO_PKG_VERSION")).set(1.0);
}

/// Exact up to 2^53; beyond it the last digits of a gauge help nobody.
#[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
fn bytes(n: u64) -> f64 {
    n as f64
}
