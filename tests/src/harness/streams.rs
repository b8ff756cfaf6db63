//! Streams read from their first message on, so that nothing is missed whatever was restarted.

use std::time::Duration;

use async_nats::Client;
use async_nats::header::NATS_MESSAGE_ID;
use async_nats::jetstream::{self, consumer, stream::Stream};
use bytes::Bytes;
use futures_util::StreamExt;
use schemas::Timestamp;

use super::HarnessError;
use crate::auditor::Seen;

/// Messages per fetch.
const BATCH_MESSAGES_MAX: usize = 500;
/// A local server sends what it has at once; this only ends a fetch that came up short.
const FETCH_EXPIRES: Duration = Duration::from_secs(1);
/// The reading consumer disappears by itself after this.
const CONSUMER_IDLE: Duration = Duration::from_secs(30);

/// One stream, read as far as [`StreamTail::poll`] was called.
#[derive(Debug)]
pub struct StreamTail {
    jetstream: jetstream::Context,
    stream: &'static str,
    next: u64,
    /// Sequence of the first message that the stream still had; earlier ones were purged.
    first: u64,
    seen: Vec<Seen>,
}

impl StreamTail {
    /// From the first message on.
    pub fn new(client: &Client, stream: &'static str) -> Self {
        let jetstream = jetstream::new(client.clone());
        Self { jetstream, stream, next: 1, first: 1, seen: Vec::new() }
    }

    /// Everything read so far, in the order of the stream.
    pub fn seen(&self) -> &[Seen] {
        &self.seen
    }

    /// Whether messages were purged before anybody read them here.
    pub fn is_cut(&self) -> bool {
        self.first > 1
    }

    /// What was read since this was last called.
    pub(super) fn take_seen(&mut self) -> Vec<Seen> {
        std::mem::take(&mut self.seen)
    }

    /// The last so many messages are read once more.
    pub(super) fn go_back(&mut self, messages: u64) {
        self.next = self.next.saturating_sub(messages).max(1);
    }

    pub fn into_seen(self) -> Vec<Seen> {
        self.seen
    }

    /// Reads what was stored since the last call; a stream that does not exist yet is empty.
    ///
    /// # Errors
    /// When the server cannot be asked.
    pub async fn poll(&mut self) -> Result<(), HarnessError> {
        let Ok(stream) = self.jetstream.get_stream(self.stream).await else { return Ok(()) };
        let doing = format!("reading stream {}", self.stream);
        let info = stream.get_info().await.map_err(HarnessError::nats(doing.as_str()))?;
        let last = info.state.last_sequence;
        if self.next == 1 {
            self.first = info.state.first_sequence.max(1);
        }
        if self.next > last || info.state.messages == 0 {
            return Ok(());
        }
        let config = consumer::pull::Config {
            deliver_policy: consumer::DeliverPolicy::ByStartSequence { start_sequence: self.next },
            ack_policy: consumer::AckPolicy::None,
            inactive_threshold: CONSUMER_IDLE,
            ..consumer::pull::Config::default()
        };
        let reader =
            stream.create_consumer(config).await.map_err(HarnessError::nats(doing.as_str()))?;
        self.read_to(&reader, last).await.map_err(HarnessError::nats(doing.as_str()))?;
        forget(&stream, &reader).await;
        Ok(())
    }

    async fn read_to(
        &mut self,
        reader: &consumer::PullConsumer,
        last: u64,
    ) -> Result<(), async_nats::Error> {
        while self.next <= last {
            let fetch = reader.fetch().max_messages(BATCH_MESSAGES_MAX).expires(FETCH_EXPIRES);
            let mut batch = fetch.messages().await?;
            let mut got = 0;
            while let Some(message) = batch.next().await {
                let message = message?;
                let (sequence, at) = place(&message)?;
                self.seen.push(seen(message.message, self.stream, sequence, at));
                self.next = sequence + 1;
                got += 1;
                if self.next > last {
                    return Ok(());
                }
            }
            if got == 0 {
                // What lay between was discarded or purged; nothing more will come up to `last`.
                return Ok(());
            }
        }
        Ok(())
    }
}

/// A reader that stays behind goes away by itself; this only spares the server the wait.
async fn forget(stream: &Stream, reader: &consumer::PullConsumer) {
    let name = reader.cached_info().name.clone();
    drop(stream.delete_consumer(&name).await);
}

fn place(message: &jetstream::Message) -> Result<(u64, Timestamp), async_nats::Error> {
    let info = message.info()?;
    let ms = info.published.unix_timestamp_nanos() / 1_000_000;
    Ok((info.stream_sequence, Timestamp::from_unix_ms(u64::try_from(ms).unwrap_or(0))))
}

fn seen(message: async_nats::Message, stream: &'static str, sequence: u64, at: Timestamp) -> Seen {
    let message_id = message.headers.as_ref().and_then(|headers| headers.get(NATS_MESSAGE_ID));
    Seen {
        message_id: message_id.map(|id| id.as_str().to_owned()),
        subject: message.subject.to_string(),
        body: Bytes::clone(&message.payload),
        at,
        stored: Some((stream, sequence)),
    }
}
