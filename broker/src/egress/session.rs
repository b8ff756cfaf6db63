//! What happens once per connection, before anything is published on it: the streams are made to
//! exist, the server says what its acks are worth, and each stream is compared with its mark.

use std::collections::BTreeSet;
use std::time::Instant;

use async_nats::jetstream::stream::{Info, Stream};
use broker_core::batch::SourceStream;
use schemas::stream::name;

use super::Task;
use super::heal::{Finding, Replay, Seen, judge};
use crate::metrics;
use crate::nats::connect::Epoch;
use crate::nats::{NatsError, durability, headers, streams};
use crate::storage::describe;

/// Streams that only the outbox writes to.
const TARGETS: [&str; 5] = [
    name::PARTNER_COMMANDS,
    name::PAYMENT_COMMANDS,
    name::PURCHASE_EVENTS,
    name::NOTIFICATIONS,
    name::DEAD_LETTERS,
];

impl Task {
    /// Compares the streams and decides where to go on. False if that was not possible yet.
    pub(super) async fn open_session(&mut self) -> bool {
        let epoch = self.with.connection.epoch();
        if epoch == Epoch::default() {
            return false;
        }
        match self.compare_streams().await {
            Ok(()) => {
                self.epoch = epoch;
                self.window.resend_in_flight(Instant::now());
                true
            }
            Err(error) => {
                let error = describe(&error);
                tracing::warn!(error, "the streams cannot be compared yet; nothing is sent");
                false
            }
        }
    }

    async fn compare_streams(&mut self) -> Result<(), NatsError> {
        streams::ensure_all(&self.jetstream, &self.with.connection.client).await?;
        durability::announce(self.with.monitoring_url.as_deref()).await;
        let mut lost = BTreeSet::new();
        let mut resume_after = self.window.cursor();
        for stream in TARGETS {
            let (seen, finding) = self.compare(stream).await?;
            if let Finding::Lost { what, resume_after: row } = finding {
                tracing::error!(stream, what, from = row, "a stream lost acknowledged messages");
                metrics::stream_incident(stream, what);
                metrics::rewound(stream);
                lost.insert(stream);
                resume_after = resume_after.min(row);
            }
            let is_new = finding != Finding::Intact;
            self.progress.found(stream, seen.created_unix_ns, is_new);
        }
        if !lost.is_empty() {
            let cursor = self.window.cursor();
            let replay = Replay { settled: cursor, streams: lost };
            self.replay = Some(replay.merge(self.replay.take(), cursor));
            self.window.rewind(resume_after);
        }
        self.look_at_sources().await
    }

    async fn compare(&self, stream: &'static str) -> Result<(Seen, Finding), NatsError> {
        let handle = self.stream(stream).await?;
        let info = handle.cached_info();
        let mark = self.progress.mark(stream);
        let marked = mark.map_or(0, |mark| mark.sequence);
        let seen = Seen {
            created_unix_ns: info.created.unix_timestamp_nanos(),
            last_sequence: info.state.last_sequence,
            id_at_mark: id_at(&handle, marked).await,
            last_cursor: cursor_of_last(&handle, info).await,
        };
        let finding = judge(mark, &seen);
        Ok((seen, finding))
    }

    async fn stream(&self, stream: &'static str) -> Result<Stream, NatsError> {
        self.jetstream.get_stream(stream).await.map_err(|source| NatsError::Stream {
            doing: "reading the state of",
            stream: stream.to_owned(),
            source: Box::new(source),
        })
    }

    /// What others wrote cannot be written again by us; it can only be said that it is gone.
    async fn look_at_sources(&mut self) -> Result<(), NatsError> {
        for source in SourceStream::ALL {
            let stream = source.name();
            let info = self.stream(stream).await?.cached_info().clone();
            let created = info.created.unix_timestamp_nanos();
            let recreated =
                self.progress.mark(stream).is_some_and(|mark| mark.created_unix_ns != created);
            let shorter = info.state.last_sequence < self.applied[usize::from(source.number())];
            if recreated || shorter {
                let what = if recreated { "recreated" } else { "shorter" };
                tracing::error!(
                    stream,
                    what,
                    "a stream lost messages of others; senders that did not hear from us must ask"
                );
                metrics::stream_incident(stream, what);
            }
            self.progress.found(stream, created, recreated);
        }
        Ok(())
    }
}

/// `Nats-Msg-Id` of the message at a sequence, if there is such a message.
async fn id_at(stream: &Stream, sequence: u64) -> Option<String> {
    if sequence == 0 {
        return None;
    }
    let message = stream.get_raw_message(sequence).await.ok()?;
    headers::message_id(&message.headers).map(str::to_owned)
}

async fn cursor_of_last(stream: &Stream, info: &Info) -> Option<u64> {
    if info.state.messages == 0 {
        return None;
    }
    let message = stream.get_raw_message(info.state.last_sequence).await.ok()?;
    headers::outbox_cursor(&message.headers)
}
