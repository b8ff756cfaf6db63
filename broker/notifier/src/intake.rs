//! From the stream into the bucket: a notification is acknowledged when all its deliveries are
//! written, and not before.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use async_nats::Client;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, PullConsumer, pull};
use async_nats::jetstream::stream::{ConsumerError, ConsumerErrorKind};
use async_nats::jetstream::{AckKind, ErrorCode, Message};
use futures_util::StreamExt;
use schemas::event::{DeadLetter, Notification};
use schemas::stream::{
    CONSUMER_FILES_UNUSABLE, ConsumerSpec, EVENT_BYTES_MAX, name, notifier_consumer,
};
use schemas::{RejectReason, json, subject};
use serde_json::value::RawValue;
use tokio::sync::watch;

use crate::clock::now;
use crate::config::NotifierConfig;
use crate::describe::describe;
use crate::metrics;
use crate::record::Delivery;
use crate::store::{Store, StoreError, Written, jetstream};
use crate::subscribers::Current;

/// A fetch that finds nothing returns after this; so long a stop may take.
const FETCH_WAIT: Duration = Duration::from_millis(500);
/// Before a notification that could not be written is delivered again.
const REDELIVERY_DELAY: Duration = Duration::from_secs(1);
/// Pause after the server refused to be read.
const AFTER_FAILURE: Duration = Duration::from_secs(1);
/// Pause between two looks whether there is room again.
const NO_ROOM_PAUSE: Duration = Duration::from_millis(250);
/// How old the known size of the bucket may be.
const BYTES_KNOWN_FOR: Duration = Duration::from_secs(1);
/// What a record has on the server beside the notification: its other fields, subject, headers.
const RECORD_BYTES: usize = 1024;
/// Notifications written at the same time.
const WRITES_MAX: usize = 32;

#[derive(Debug, thiserror::Error)]
#[error("cannot make the consumer {consumer} on {stream}")]
pub struct IntakeError {
    consumer: String,
    stream: &'static str,
    source: ConsumerError,
}

/// How much is there of what has a limit. The last fifth of the bucket stays free: without it
/// results could not be written.
#[derive(Debug, Clone)]
pub(crate) struct Room(Arc<Filled>);

#[derive(Debug)]
struct Filled {
    deliveries: AtomicUsize,
    deliveries_max: usize,
    bytes: AtomicU64,
    bytes_max: u64,
}

impl Room {
    pub(crate) fn new(config: &NotifierConfig) -> Self {
        Self(Arc::new(Filled {
            deliveries: AtomicUsize::new(0),
            deliveries_max: config.pending_max,
            bytes: AtomicU64::new(0),
            bytes_max: config.bucket_bytes_max / 5 * 4,
        }))
    }

    /// So many deliveries the dispatch has on its plan.
    pub(crate) fn planned(&self, count: usize) {
        self.0.deliveries.store(count, Ordering::Relaxed);
    }

    /// So large the bucket is. Returns whether there is any room.
    fn measured(&self, bytes: u64) -> bool {
        self.0.bytes.store(bytes, Ordering::Relaxed);
        bytes < self.0.bytes_max && self.has_plan_room()
    }

    fn has_plan_room(&self) -> bool {
        self.0.deliveries.load(Ordering::Relaxed) < self.0.deliveries_max
    }

    /// Counts a record that is about to be written, if it fits.
    fn reserve(&self, bytes: usize) -> bool {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        let filled = self.0.bytes.fetch_add(bytes, Ordering::Relaxed);
        filled.saturating_add(bytes) < self.0.bytes_max
    }
}

#[derive(Debug)]
pub(crate) struct Intake {
    pub(crate) config: NotifierConfig,
    pub(crate) client: Client,
    pub(crate) store: Store,
    pub(crate) subscribers: Current,
    pub(crate) room: Room,
    pub(crate) stop: watch::Receiver<bool>,
}

/// Why a notification was not dealt with.
enum Trouble {
    /// It never will be.
    Useless(RejectReason, String),
    NoRoom,
    Store(StoreError),
}

impl Intake {
    /// `None`: there is no stream of notifications yet.
    pub(crate) async fn consumer(&self) -> Result<Option<PullConsumer>, IntakeError> {
        let context = jetstream(&self.client);
        let (spec, mut last) = (notifier_consumer(), None);
        for named in spec.names() {
            match context.create_consumer_on_stream(pull_config(&named), named.stream).await {
                Ok(consumer) => return Ok(Some(consumer)),
                Err(error) if is_missing(&error) => return Ok(None),
                Err(error) => {
                    let is_unusable = error.to_string().contains(CONSUMER_FILES_UNUSABLE);
                    last = Some((named.durable, error));
                    if !is_unusable {
                        break;
                    }
                }
            }
        }
        let (consumer, source) = last.expect("a consumer has a name");
        Err(IntakeError { consumer, stream: spec.stream, source })
    }

    pub(crate) async fn run(mut self, mut consumer: PullConsumer) {
        let mut measured: Option<Instant> = None;
        let mut has_room = true;
        while !*self.stop.borrow() {
            if measured.is_none_or(|at| at.elapsed() > BYTES_KNOWN_FOR) {
                has_room = self.has_room().await;
                measured = Some(Instant::now());
            }
            if !has_room || !self.room.has_plan_room() {
                self.pause(NO_ROOM_PAUSE).await;
            } else if let Err(error) = self.batch(&consumer).await {
                tracing::warn!(%error, "notifications cannot be read");
                self.pause(AFTER_FAILURE).await;
                // It may be gone with the server's files.
                if let Ok(Some(made)) = self.consumer().await {
                    consumer = made;
                }
            }
        }
    }

    async fn pause(&mut self, length: Duration) {
        tokio::select! {
            () = tokio::time::sleep(length) => {}
            _ = self.stop.wait_for(|stop| *stop) => {}
        }
    }

    async fn has_room(&self) -> bool {
        match self.store.bytes().await {
            Ok(bytes) => {
                let has_room = self.room.measured(bytes);
                metrics::bucket(bytes, !has_room);
                has_room
            }
            Err(error) => {
                tracing::warn!(error = describe(&error), "the room for deliveries is not known");
                false
            }
        }
    }

    async fn batch(&self, consumer: &PullConsumer) -> Result<(), async_nats::Error> {
        let connection = self.connection();
        let fetch = consumer.fetch().max_messages(self.config.intake_batch_max).expires(FETCH_WAIT);
        let mut failure = None;
        let messages = fetch.messages().await?.filter_map(|message| {
            let message = message.map_err(|error| failure = Some(error)).ok();
            std::future::ready(message)
        });
        // Each as it comes: one that takes long to write holds up no other.
        messages
            .for_each_concurrent(WRITES_MAX, |message| self.deal_with(message, connection))
            .await;
        failure.map_or(Ok(()), Err)
    }

    /// Which connection this is. After another one the server may have given the sequence of a lost
    /// message to one that nobody has dealt with: an ack of the old would acknowledge the new.
    fn connection(&self) -> u64 {
        self.client.statistics().connects.load(Ordering::Relaxed)
    }

    async fn deal_with(&self, message: Message, connection: u64) {
        let done = match self.take(&message).await {
            Err(Trouble::Useless(reason, detail)) => self.give_up(&message, reason, detail).await,
            Err(Trouble::Store(error)) => Err(describe(&error)),
            Err(Trouble::NoRoom) => Err("there is no room for its deliveries".to_owned()),
            Ok(()) => Ok(()),
        };
        let word = match done {
            Ok(()) if self.connection() == connection => AckKind::Ack,
            Ok(()) => AckKind::Nak(None),
            Err(error) => {
                tracing::warn!(error, "a notification stays in its stream for now");
                AckKind::Nak(Some(REDELIVERY_DELAY))
            }
        };
        if matches!(word, AckKind::Ack) {
            metrics::notification_taken();
        }
        // A lost ack brings the message back, and its deliveries are there already.
        if let Err(error) = message.ack_with(word).await {
            tracing::warn!(error, "an ack of a notification could not be sent");
        }
    }

    /// Returns when everything that is to be sent because of it is on the server's disk.
    async fn take(&self, message: &Message) -> Result<(), Trouble> {
        let told: Notification = json::decode(&message.payload, EVENT_BYTES_MAX)
            .map_err(|error| Trouble::Useless(error.reason(), error.to_string()))?;
        let own = subject::notification(&told.customer_id, told.outcome.label());
        if message.subject.as_str() != own {
            let why = "the subject names another customer or outcome than the notification";
            return Err(Trouble::Useless(RejectReason::FieldInvalid, why.to_owned()));
        }
        let subscribers = self.subscribers.borrow().clone();
        if subscribers.logs(&told.customer_id, told.outcome, self.config.log_unlisted) {
            log(&told);
        }
        for channel in subscribers.channels(&told.customer_id, told.outcome) {
            let bytes = raw(&message.payload)
                .map_err(|error| Trouble::Useless(RejectReason::Malformed, error.to_string()))?;
            let delivery = Delivery::new(&told, bytes, channel, now());
            if !self.room.reserve(message.payload.len() + RECORD_BYTES) {
                return Err(Trouble::NoRoom);
            }
            match self.store.create(&delivery).await.map_err(Trouble::Store)? {
                Written::Done(_) => metrics::delivery_created(channel),
                // Another copy of the notification was there before.
                Written::Conflict => metrics::conflict(),
            }
        }
        Ok(())
    }

    /// Kept where the broker keeps what it gave up.
    async fn give_up(
        &self,
        message: &Message,
        reason: RejectReason,
        detail: String,
    ) -> Result<(), String> {
        let about = (name::NOTIFICATIONS, message.subject.as_str());
        let headers = message.headers.iter().flat_map(|headers| headers.iter());
        let headers: Vec<(&str, &str)> = headers
            .filter_map(|(name, values)| Some((name.as_ref(), values.first()?.as_str())))
            .collect();
        tracing::warn!(reason = reason.label(), "a notification is given up");
        let letter = DeadLetter::new(about, (reason, detail), now(), &message.payload, headers);
        let subject = subject::dead_letter(name::NOTIFICATIONS);
        let stored = jetstream(&self.client).publish(subject, json::encode(&letter).into()).await;
        stored.map_err(|e| describe(&e))?.await.map_err(|e| describe(&e))?;
        metrics::notification_given_up();
        Ok(())
    }
}

fn raw(bytes: &[u8]) -> Result<Box<RawValue>, serde_json::Error> {
    serde_json::from_slice(bytes)
}

/// The log is a channel of its own: nothing has to be remembered of it, a copy shows by its id.
fn log(told: &Notification) {
    metrics::logged();
    tracing::info!(
        notification = %told.notification_id,
        request = %told.request_id,
        customer = %told.customer_id,
        outcome = told.outcome.label(),
        number = told.number,
        "told the log"
    );
}

fn is_missing(error: &ConsumerError) -> bool {
    match error.kind() {
        ConsumerErrorKind::JetStream(inner) => inner.error_code() == ErrorCode::STREAM_NOT_FOUND,
        _ => false,
    }
}

fn pull_config(spec: &ConsumerSpec) -> pull::Config {
    pull::Config {
        durable_name: Some(spec.durable.clone()),
        deliver_policy: DeliverPolicy::All,
        ack_policy: AckPolicy::Explicit,
        ack_wait: spec.ack_wait.into(),
        max_deliver: -1,
        filter_subjects: spec.filter_subjects.clone(),
        max_ack_pending: i64::from(spec.max_ack_pending),
        ..pull::Config::default()
    }
}
