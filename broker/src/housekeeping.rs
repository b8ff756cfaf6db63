//! Keeping the server's streams small. Under limits retention nothing goes away when it is
//! consumed, so `max_bytes` would bound what ever passed through. What every reader has acked, and
//! what the server's deduplication no longer needs, is purged here: then `max_bytes` bounds a
//! backlog.
//!
//! Events and notifications are a record for others and stay until their `max_age`.
//!
//! On the way it shows how full every stream is and who lags.

mod floors;

use std::time::{Duration, Instant};

use async_nats::jetstream;
use async_nats::jetstream::stream::Stream;
use futures_util::TryStreamExt;
use schemas::stream::{DUPLICATE_WINDOW_MS, name};
use tokio::sync::watch;

use crate::metrics;
use crate::nats::connect::Connection;
use crate::storage::describe;
use floors::{Floors, Reader, floors_of};

const INTERVAL: Duration = Duration::from_secs(30);
/// Messages younger than this are kept: the server rebuilds its memory of ids from them.
const KEEP: Duration = Duration::from_millis(DUPLICATE_WINDOW_MS.as_ms() + 10_000);

/// What goes away once it is consumed.
const STREAMS: [&str; 6] = [
    name::PURCHASE_CREATES,
    name::PURCHASE_COMMANDS,
    name::PARTNER_REPLIES,
    name::PAYMENT_REPLIES,
    name::PARTNER_COMMANDS,
    name::PAYMENT_COMMANDS,
];

/// What stays until it is old, or until newer messages need its room.
const RECORDS: [&str; 4] =
    [name::PURCHASE_EVENTS, name::NOTIFICATIONS, name::PARTNER_QUOTES, name::DEAD_LETTERS];

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Looks at the streams from time to time, until told to stop.
pub async fn run(connection: Connection, mut stop: watch::Receiver<bool>) {
    let jetstream = jetstream::new(connection.client.clone());
    let mut seen = STREAMS.map(|stream| (stream, Floors::default()));
    loop {
        if connection.is_connected() {
            for (stream, floors) in &mut seen {
                if let Err(error) = tidy(&jetstream, stream, floors).await {
                    let error = describe(error.as_ref());
                    tracing::debug!(stream, error, "not tidied this time");
                }
            }
            for stream in RECORDS {
                if let Err(error) = look(&jetstream, stream).await {
                    tracing::debug!(stream, error = describe(error.as_ref()), "not looked at");
                }
            }
        }
        tokio::select! {
            // An error means that nobody can say stop any more: the same.
            _ = stop.wait_for(|stop| *stop) => return,
            () = tokio::time::sleep(INTERVAL) => {}
        }
    }
}

async fn look(jetstream: &jetstream::Context, name: &'static str) -> Result<Stream, Failure> {
    let stream = jetstream.get_stream(name).await?;
    let info = stream.cached_info();
    let limit = u64::try_from(info.config.max_bytes).unwrap_or(0);
    metrics::machine::stream(name, info.state.messages, info.state.bytes, limit);
    Ok(stream)
}

async fn tidy(
    jetstream: &jetstream::Context,
    name: &'static str,
    floors: &mut Floors,
) -> Result<(), Failure> {
    let stream = look(jetstream, name).await?;
    // Read before the consumers: a reader with nothing left has read at least up to here.
    let last = stream.cached_info().state.last_sequence;
    let readers = readers(name, &stream).await?;
    floors.note(Instant::now(), floors_of(&readers, last));
    for (filter, consumed) in floors.settled(Instant::now(), KEEP) {
        let purge = stream.purge().sequence(consumed.saturating_add(1));
        let result = match filter {
            Some(filter) => purge.filter(filter).await?,
            None => purge.await?,
        };
        tracing::debug!(stream = name, purged = result.purged, "consumed messages purged");
    }
    Ok(())
}

async fn readers(name: &'static str, stream: &Stream) -> Result<Vec<Reader>, Failure> {
    let mut readers = Vec::new();
    let mut consumers = stream.consumers();
    while let Some(info) = consumers.try_next().await? {
        let waiting = info.num_ack_pending;
        metrics::machine::consumer(name, &info.name, info.num_pending, waiting);
        let mut filters = info.config.filter_subjects;
        if !info.config.filter_subject.is_empty() {
            filters.push(info.config.filter_subject);
        }
        readers.push(Reader {
            filters,
            acked: info.ack_floor.stream_sequence,
            has_work: info.num_pending > 0 || waiting > 0,
        });
    }
    Ok(readers)
}
