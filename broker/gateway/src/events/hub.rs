//! One tail of PURCHASE_EVENTS for all clients: ten thousand of them cost the server one consumer.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_nats::jetstream::consumer::{DeliverPolicy, pull};
use async_nats::jetstream::{self, Message, stream::Stream};
use bytes::Bytes;
use futures_util::StreamExt;
use schemas::RequestId;
use schemas::stream::name::PURCHASE_EVENTS;
use schemas::subject::{filter, parse_purchase_event};
use tokio::sync::{broadcast, watch};

/// Events of one request that a slow client may be behind before it must read the stream again.
const BEHIND_MAX: usize = 32;
/// Between two tries to read the stream.
const RETRY: Duration = Duration::from_millis(500);

/// One event, as it is on the wire.
#[derive(Debug, Clone)]
pub(crate) struct Happened {
    /// Its place in the stream.
    pub(crate) sequence: u64,
    /// Last token of its subject.
    pub(crate) kind: String,
    pub(crate) body: Bytes,
}

type Channels = HashMap<RequestId, broadcast::Sender<Arc<Happened>>>;

#[derive(Clone, Default)]
pub(crate) struct Hub {
    channels: Arc<Mutex<Channels>>,
    last: Arc<AtomicU64>,
}

impl Hub {
    /// Everything about this request from now on. Whose it is must have been checked.
    pub(crate) fn listen(&self, request: RequestId) -> broadcast::Receiver<Arc<Happened>> {
        let mut channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
        let channel = channels.entry(request).or_insert_with(|| broadcast::channel(BEHIND_MAX).0);
        channel.subscribe()
    }

    /// Forgets a request that nobody listens to any more.
    pub(crate) fn left(&self, request: RequestId) {
        let mut channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
        if channels.get(&request).is_some_and(|channel| channel.receiver_count() == 0) {
            channels.remove(&request);
        }
    }

    /// Last event that was read; 0 before the first.
    pub(crate) fn last(&self) -> u64 {
        self.last.load(Ordering::Relaxed)
    }

    /// Reads until told to stop, whatever happens to the server.
    pub(crate) async fn run(self, jetstream: jetstream::Context, mut stop: watch::Receiver<bool>) {
        loop {
            let read = self.read(&jetstream);
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return,
                error = read => tracing::debug!(error, "events cannot be read; trying again"),
            }
            tokio::select! {
                _ = stop.wait_for(|stop| *stop) => return,
                () = tokio::time::sleep(RETRY) => {}
            }
        }
    }

    /// Ends with what is wrong.
    async fn read(&self, jetstream: &jetstream::Context) -> String {
        let deliver_policy = match self.last() {
            0 => DeliverPolicy::New,
            last => DeliverPolicy::ByStartSequence { start_sequence: last + 1 },
        };
        let config = pull::OrderedConfig {
            deliver_policy,
            filter_subject: filter::purchase_events(),
            ..pull::OrderedConfig::default()
        };
        let stream = match jetstream.get_stream_no_info(PURCHASE_EVENTS).await {
            Ok(stream) => stream,
            Err(error) => return error.to_string(),
        };
        let consumer = match stream.create_consumer(config).await {
            Ok(consumer) => consumer,
            Err(error) => return error.to_string(),
        };
        let mut messages = match consumer.messages().await {
            Ok(messages) => messages,
            Err(error) => return error.to_string(),
        };
        while let Some(message) = messages.next().await {
            match message {
                Ok(message) => self.tell(&message),
                Err(error) => return error.to_string(),
            }
        }
        "the server sends no more".to_owned()
    }

    fn tell(&self, message: &Message) {
        let Ok(info) = message.info() else { return };
        let sequence = info.stream_sequence;
        self.last.store(sequence, Ordering::Relaxed);
        let Some((_, request, kind)) = parse_purchase_event(&message.subject) else { return };
        let channels = self.channels.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(channel) = channels.get(&request) else { return };
        let body = message.payload.clone();
        // Without a listener: one has just left.
        let _ = channel.send(Arc::new(Happened { sequence, kind: kind.to_owned(), body }));
    }
}

/// The next event of a subject from `from` on, straight from the stream.
pub(crate) async fn next_stored(
    stream: &Stream<()>,
    subject: &str,
    from: u64,
) -> Result<Option<Happened>, String> {
    use async_nats::jetstream::stream::RawMessageErrorKind;
    let next = stream.raw_message_builder().sequence(from).next_by_subject(subject);
    match next.send().await {
        Ok(message) => {
            let kind = message.subject.rsplit('.').next().unwrap_or_default().to_owned();
            Ok(Some(Happened { sequence: message.sequence, kind, body: message.payload }))
        }
        Err(error) if error.kind() == RawMessageErrorKind::NoMessageFound => Ok(None),
        Err(error) => Err(error.to_string()),
    }
}
