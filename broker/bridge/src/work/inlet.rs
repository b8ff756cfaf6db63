//! Durable consumers: opened, read, and opened again whatever breaks them.

use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream;
use async_nats::jetstream::AckKind;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use futures_util::StreamExt;
use schemas::stream::{CONSUMER_FILES_UNUSABLE, ConsumerSpec};
use schemas::trace::TRACEPARENT;
use schemas::{DurationMs, TraceContext};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use super::Desk;

/// Messages asked for at once.
const PULL_MESSAGES_MAX: usize = 128;
/// Life of one pull request, and how often the server shows that it is alive, milliseconds. A
/// restarted server forgets pulls: two missed heartbeats tell.
const PULL_EXPIRES_MS: u64 = 10_000;
const PULL_HEARTBEAT_MS: u64 = 1_000;
/// First and longest wait between two attempts to open a consumer, milliseconds.
const OPEN_DELAY_MIN_MS: u64 = 50;
const OPEN_DELAY_MAX_MS: u64 = 1_000;

/// What is done with one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Done {
    /// What it caused is durable.
    Ack,
    Again(DurationMs),
}

/// One consumer, and who works on its messages.
pub(crate) struct Inlet<F> {
    pub(crate) spec: ConsumerSpec,
    pub(crate) desk: Arc<Desk>,
    pub(crate) at_once_max: usize,
    pub(crate) work: F,
    pub(crate) stop: watch::Receiver<bool>,
}

/// Reads commands of all stores.
pub(crate) async fn commands_inlet(desk: Arc<Desk>, stop: watch::Receiver<bool>) {
    let spec = schemas::stream::bridge_commands_consumer(desk.callers.keys());
    let at_once_max = desk.config.commands_max;
    let work = |desk: Arc<Desk>, message: Arc<jetstream::Message>| async move {
        super::commands::handle(&desk, &message).await
    };
    Inlet { spec, desk, at_once_max, work, stop }.run().await;
}

impl<F, W> Inlet<F>
where
    F: Fn(Arc<Desk>, Arc<jetstream::Message>) -> W,
    W: Future<Output = Done> + Send + 'static,
{
    /// Reads until it is told to stop; then what is in hand is finished, for as long as there is.
    pub(crate) async fn run(mut self) {
        let seats = Arc::new(Semaphore::new(self.at_once_max));
        let mut tasks = JoinSet::new();
        let mut stop = self.stop.clone();
        loop {
            let opened = tokio::select! {
                opened = self.open() => opened,
                _ = stop.wait_for(|stop| *stop) => break,
            };
            if self.read(opened, &seats, &mut tasks).await {
                break;
            }
        }
        let finish = async { while tasks.join_next().await.is_some() {} };
        let shutdown = Duration::from(self.desk.config.shutdown_ms);
        if tokio::time::timeout(shutdown, finish).await.is_err() {
            tracing::warn!(consumer = self.spec.durable, "work was broken off to stop in time");
        }
    }

    /// Whether it was told to stop.
    async fn read(
        &mut self,
        mut messages: pull::Stream,
        seats: &Arc<Semaphore>,
        tasks: &mut JoinSet<()>,
    ) -> bool {
        loop {
            while tasks.try_join_next().is_some() {}
            let next = async {
                let seat = Arc::clone(seats).acquire_owned().await;
                (seat, messages.next().await)
            };
            let (seat, message) = tokio::select! {
                next = next => next,
                _ = self.stop.wait_for(|stop| *stop) => return true,
            };
            match message {
                Some(Ok(message)) => {
                    let message = Arc::new(message);
                    let work = (self.work)(Arc::clone(&self.desk), Arc::clone(&message));
                    let progress = self.desk.config.progress_ms.into();
                    tasks.spawn(async move {
                        attend(&message, work, progress).await;
                        drop(seat);
                    });
                }
                Some(Err(error)) => {
                    let consumer = &self.spec.durable;
                    tracing::warn!(%error, consumer, "reading broke, opening again");
                    return false;
                }
                None => return false,
            }
        }
    }

    /// The stream may not be there yet: wait for it.
    async fn open(&self) -> pull::Stream {
        let mut delay_ms = OPEN_DELAY_MIN_MS;
        let mut told = false;
        loop {
            let error = match self.try_open().await {
                Ok(messages) => {
                    tracing::info!(consumer = self.spec.durable, "reading {}", self.spec.stream);
                    return messages;
                }
                Err(error) => error,
            };
            if !told {
                let (stream, consumer) = (self.spec.stream, &self.spec.durable);
                tracing::info!(error, consumer, "waiting for {stream}");
                told = true;
            }
            tokio::time::sleep(Duration::from_millis(delay_ms)).await;
            delay_ms = (delay_ms * 2).min(OPEN_DELAY_MAX_MS);
        }
    }

    /// Under the first of its names that the server can still use.
    async fn try_open(&self) -> Result<pull::Stream, String> {
        let mut refused = String::new();
        for spec in self.spec.names() {
            match self.try_open_as(&spec).await {
                Err(error) if error.contains(CONSUMER_FILES_UNUSABLE) => refused = error,
                opened => return opened,
            }
        }
        Err(refused)
    }

    async fn try_open_as(&self, spec: &ConsumerSpec) -> Result<pull::Stream, String> {
        let config = pull::Config {
            durable_name: Some(spec.durable.clone()),
            deliver_policy: DeliverPolicy::All,
            ack_policy: AckPolicy::Explicit,
            ack_wait: spec.ack_wait.into(),
            max_deliver: -1,
            max_ack_pending: i64::from(spec.max_ack_pending),
            filter_subjects: spec.filter_subjects.clone(),
            ..pull::Config::default()
        };
        let jetstream = self.desk.egress.jetstream();
        let consumer = jetstream
            .create_consumer_on_stream(config, spec.stream)
            .await
            .map_err(|e| e.to_string())?;
        consumer
            .stream()
            .max_messages_per_batch(PULL_MESSAGES_MAX)
            .expires(Duration::from_millis(PULL_EXPIRES_MS))
            .heartbeat(Duration::from_millis(PULL_HEARTBEAT_MS))
            .messages()
            .await
            .map_err(|e| e.to_string())
    }
}

/// Works on one message and tells the server meanwhile that somebody does.
async fn attend(
    message: &jetstream::Message,
    work: impl Future<Output = Done>,
    progress: Duration,
) {
    let mut work = std::pin::pin!(work);
    let done = loop {
        tokio::select! {
            done = &mut work => break done,
            () = tokio::time::sleep(progress) => {
                // Lost, it is delivered to somebody else, who finds the record.
                let _ = message.ack_with(AckKind::Progress).await;
            }
        }
    };
    let kind = match done {
        Done::Ack => AckKind::Ack,
        Done::Again(wait) => AckKind::Nak(Some(wait.into())),
    };
    // A lost acknowledgement brings the message again, and it finds its record.
    if let Err(error) = message.ack_with(kind).await {
        tracing::warn!(error, subject = %message.subject, "a message was not acknowledged");
    }
}

pub(crate) fn trace_of(message: &jetstream::Message) -> Option<TraceContext> {
    TraceContext::parse(message.headers.as_ref()?.get(TRACEPARENT)?.as_str())
}
