//! What happens once per connection, before anything is published on it: the streams are made to
//! exist, the server says what its acks are worth, and each stream is compared with its mark.

use std::time::Instant;

use async_nats::jetstream;
use async_nats::jetstream::message::StreamMessage;
use async_nats::jetstream::stream::{Info, RawMessageErrorKind, Stream};
use broker_core::batch::SourceStream;
use schemas::stream::name;

use super::Task;
use super::heal::{Finding, Seen, judge, judge_source};
use crate::metrics;
use crate::nats::connect::Epoch;
use crate::nats::{NatsError, durability, headers, streams};
use crate::storage::describe;
use crate::store::rollback::LastWord;

/// Streams that only the outbox writes to.
pub const TARGETS: [&str; 5] = [
    name::PARTNER_COMMANDS,
    name::PAYMENT_COMMANDS,
    name::PURCHASE_EVENTS,
    name::NOTIFICATIONS,
    name::DEAD_LETTERS,
];

/// How each of [`TARGETS`] ends.
///
/// # Errors
/// A stream cannot be read.
pub async fn last_words(jetstream: &jetstream::Context) -> Result<Vec<LastWord>, NatsError> {
    let mut words = Vec::new();
    for stream in TARGETS {
        let found = jetstream.get_stream(stream).await;
        let handle = found.map_err(|source| unreadable(stream, source))?;
        let last = handle.cached_info().state.last_sequence;
        let Some(message) = message_at(&handle, last).await? else { continue };
        let cursor = headers::outbox_cursor(&message.headers);
        let id = headers::message_id(&message.headers).map(str::to_owned);
        words.extend(id.map(|id| LastWord { stream, id, cursor }));
    }
    Ok(words)
}

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
        let client = &self.with.connection.client;
        streams::ensure_all(&self.jetstream, client, &self.with.streams).await?;
        durability::announce(self.with.monitoring_url.as_deref()).await;
        // Everything is read before anything is concluded: a loss that was noticed and then
        // forgotten because the next question failed would never be noticed again.
        let mut found = Vec::new();
        for stream in TARGETS {
            found.push((stream, self.compare(stream).await?));
        }
        let mut sources = Vec::new();
        for source in SourceStream::ALL {
            sources.push((source, self.stream(source.name()).await?));
        }
        self.conclude(found);
        self.look_at_sources(&sources);
        Ok(())
    }

    fn conclude(&mut self, found: Vec<(&'static str, (Seen, Finding))>) {
        for (stream, (seen, finding)) in found {
            if let Finding::Lost { what, resume_after } = finding {
                tracing::error!(
                    stream,
                    what,
                    from = resume_after,
                    "a stream lost acknowledged messages"
                );
                metrics::stream_incident(stream, what);
                metrics::rewound(stream);
                self.window.rewind(stream, resume_after);
            }
            let is_new = finding != Finding::Intact;
            self.progress.marks_mut().found(stream, seen.created_unix_ns, is_new);
        }
    }

    async fn compare(&self, stream: &'static str) -> Result<(Seen, Finding), NatsError> {
        let handle = self.stream(stream).await?;
        let info = handle.cached_info();
        let mark = self.progress.marks().mark(stream);
        let marked = mark.map_or(0, |mark| mark.sequence);
        let seen = Seen {
            created_unix_ns: info.created.unix_timestamp_nanos(),
            last_sequence: info.state.last_sequence,
            id_at_mark: id_at(&handle, marked).await?,
            last_cursor: cursor_of_last(&handle, info).await?,
        };
        let finding = judge(mark, &seen);
        Ok((seen, finding))
    }

    async fn stream(&self, stream: &'static str) -> Result<Stream, NatsError> {
        let found = self.jetstream.get_stream(stream).await;
        found.map_err(|source| unreadable(stream, source))
    }

    /// What others wrote cannot be written again by us; it can only be said that it is gone.
    fn look_at_sources(&mut self, sources: &[(SourceStream, Stream)]) {
        for (source, handle) in sources {
            let (stream, info) = (source.name(), handle.cached_info());
            let created = info.created.unix_timestamp_nanos();
            let last = info.state.last_sequence;
            let read = self.progress.marks().read_of(*source);
            let lost = judge_source(self.progress.marks().mark(stream), created, last, read);
            if let Some(what) = lost {
                tracing::error!(
                    stream,
                    what,
                    "a stream lost messages of others; senders that did not hear from us must ask"
                );
                metrics::stream_incident(stream, what);
            }
            self.progress.marks_mut().found_source(*source, created, last, lost.is_some());
        }
    }
}

/// `Nats-Msg-Id` of the message at a sequence, if there is such a message.
async fn id_at(stream: &Stream, sequence: u64) -> Result<Option<String>, NatsError> {
    let message = message_at(stream, sequence).await?;
    Ok(message.and_then(|message| headers::message_id(&message.headers).map(str::to_owned)))
}

async fn cursor_of_last(stream: &Stream, info: &Info) -> Result<Option<u64>, NatsError> {
    if info.state.messages == 0 {
        return Ok(None);
    }
    let message = message_at(stream, info.state.last_sequence).await?;
    Ok(message.and_then(|message| headers::outbox_cursor(&message.headers)))
}

/// No message is an answer, no answer is not: a loss must not hide behind a time-out.
async fn message_at(stream: &Stream, sequence: u64) -> Result<Option<StreamMessage>, NatsError> {
    if sequence == 0 {
        return Ok(None);
    }
    match stream.get_raw_message(sequence).await {
        Ok(message) => Ok(Some(message)),
        Err(error) if error.kind() == RawMessageErrorKind::NoMessageFound => Ok(None),
        Err(error) => Err(unreadable(&stream.cached_info().config.name, error)),
    }
}

fn unreadable(stream: &str, source: impl std::error::Error + Send + Sync + 'static) -> NatsError {
    let stream = stream.to_owned();
    NatsError::Stream { doing: "reading the state of", stream, source: Box::new(source) }
}
