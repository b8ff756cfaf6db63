//! Streams → engine. One durable pull consumer per stream; a message is acked only once the
//! engine has decided it from durable state. How many are in the broker's hands at once is bounded
//! by the consumer's `max_ack_pending` and by our own semaphore of the same size.
//!
//! A message that cannot be read, or that nobody asked for, is made durable as a dead letter and
//! then acked: it is never redelivered for ever, and never lost.

pub mod decode;
pub mod envelope;
pub mod give_up;
pub mod session;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::consumer::PullConsumer;
use async_nats::jetstream::consumer::pull::Stream as Messages;
use async_nats::jetstream::{self, AckKind, Message};
use broker_core::batch::{SourceStream, StreamPosition};
use futures_util::{FutureExt, StreamExt};
use schemas::RejectReason;
use schemas::stream::{ConsumerSpec, broker_consumers};
use tokio::sync::{Semaphore, watch};

use crate::mailbox::Intake;
use crate::metrics;
use crate::nats::connect::Connection;
use crate::nats::{NatsError, headers, streams};
use crate::positions::Positions;
use crate::quarantine::{PANICS_MAX, Quarantine};
use crate::storage::describe;
use crate::traces::{Kind, Span, Traces, span_of};
use crate::waiters::{Delivery, Waiter, Waiters};

use decode::{Decoded, Decoder, Refused};
use give_up::GiveUp;
use session::Session;

/// Messages fetched ahead. What waits in the client's buffer is on the server's ack clock already.
const BATCH_MAX: usize = 256;
const PULL_EXPIRES: Duration = Duration::from_secs(10);
const PULL_HEARTBEAT: Duration = Duration::from_secs(2);
/// Pause before a consumer that broke is made again.
const REPAIR_PAUSE: Duration = Duration::from_millis(250);

/// What the consumers share.
#[derive(Clone)]
pub struct Ingress {
    pub connection: Connection,
    pub jetstream: jetstream::Context,
    pub intake: Intake,
    pub waiters: Arc<Waiters>,
    pub decoder: Arc<Decoder>,
    pub give_up: GiveUp,
    pub positions: Positions,
    pub quarantine: Quarantine,
    pub traces: Traces,
    /// Becomes true when no more messages are to be taken.
    pub stop: watch::Receiver<bool>,
}

/// The streams with their consumers.
pub fn sources() -> [(SourceStream, ConsumerSpec); 4] {
    broker_consumers().map(|spec| {
        let source = SourceStream::ALL.into_iter().find(|source| source.name() == spec.stream);
        (source.expect("every broker consumer reads a source stream"), spec)
    })
}

impl Ingress {
    /// Reads one stream until told to stop.
    pub async fn run(mut self, source: SourceStream, spec: ConsumerSpec) {
        let permits = usize::try_from(spec.max_ack_pending).unwrap_or(usize::MAX);
        let room = Arc::new(Semaphore::new(permits.min(Semaphore::MAX_PERMITS)));
        while !*self.stop.borrow() {
            let session = Arc::new(Session::new(&self.connection));
            match self.open(&spec).await {
                Ok(messages) => self.read(source, messages, &session, &room).await,
                Err(error) => {
                    let error = describe(&error);
                    tracing::warn!(stream = spec.stream, error, "cannot read a stream yet");
                }
            }
            if !session.lasts() && self.connection.is_connected() {
                continue;
            }
            tokio::select! {
                _ = self.stop.changed() => {}
                () = tokio::time::sleep(REPAIR_PAUSE) => {}
            }
        }
    }

    async fn open(&self, spec: &ConsumerSpec) -> Result<Messages, NatsError> {
        let consumer: PullConsumer = streams::ensure_consumer(&self.jetstream, spec).await?;
        let messages = consumer
            .stream()
            .max_messages_per_batch(BATCH_MAX)
            .expires(PULL_EXPIRES)
            .heartbeat(PULL_HEARTBEAT)
            .messages()
            .await;
        messages.map_err(|source| NatsError::Stream {
            doing: "reading",
            stream: spec.stream.to_owned(),
            source: Box::new(source),
        })
    }

    /// Until told to stop, the connection is another, or reading fails.
    async fn read(
        &mut self,
        source: SourceStream,
        mut messages: Messages,
        session: &Arc<Session>,
        room: &Arc<Semaphore>,
    ) {
        loop {
            let next = tokio::select! {
                biased;
                _ = self.stop.changed() => return give_back(messages).await,
                () = self.connection.changed() => None,
                next = messages.next() => Some(next),
            };
            if !session.lasts() {
                if let Some(Some(Ok(message))) = next {
                    ask_again(&message).await;
                }
                return give_back(messages).await;
            }
            let Some(next) = next else { continue };
            match next {
                Some(Ok(message)) => self.take(source, message, session, room).await,
                Some(Err(error)) => {
                    tracing::info!(stream = source.name(), %error, "reading a stream starts anew");
                    return;
                }
                None => return,
            }
        }
    }

    async fn take(
        &self,
        source: SourceStream,
        message: Message,
        session: &Arc<Session>,
        room: &Arc<Semaphore>,
    ) {
        metrics::received(source.name());
        let Ok(permit) = Arc::clone(room).acquire_owned().await else { return };
        let position = message
            .info()
            .ok()
            .map(|info| StreamPosition { stream: source, sequence: info.stream_sequence });
        if let Some(position) = position {
            self.positions.note(position);
        }
        let decoded = self.read_message(&message, position);
        let span = position.and_then(|position| self.span(&message, position));
        let delivery = Delivery { message, source, session: Arc::clone(session), permit, span };
        match decoded {
            Ok(decoded) => {
                let origin = self.waiters.add(Waiter::Message(delivery));
                if self.intake.send(decoded.into_input(origin, position)).await.is_err() {
                    // The broker is ending; the message comes back after its ack wait.
                    self.waiters.take(origin);
                }
            }
            Err(refused) => {
                let give_up = self.give_up.clone();
                tokio::spawn(async move { give_up.message(delivery, refused).await });
            }
        }
    }
}

impl Ingress {
    /// The work on a message, begun now.
    fn span(&self, message: &Message, position: StreamPosition) -> Option<Span> {
        let sent = headers::trace(message.headers.as_ref())?;
        if !self.traces.wants(sent) {
            return None;
        }
        let (stream, now) = (position.stream.name(), self.decoder.clock.now());
        Some(Span {
            place: sent.at(span_of(&format!("{stream} {}", position.sequence))),
            parent: Some(sent.span_id()),
            kind: Kind::Consumer,
            name: format!("process {stream}"),
            began: now,
            ended: now,
            attributes: vec![
                ("messaging.system", "nats".to_owned()),
                ("messaging.operation.name", "process".to_owned()),
                ("messaging.destination.name", message.subject.to_string()),
            ],
        })
    }

    fn read_message(
        &self,
        message: &Message,
        position: Option<StreamPosition>,
    ) -> Result<Decoded, Refused> {
        if position.is_some_and(|position| self.quarantine.holds(position)) {
            let detail = format!("the broker panicked {PANICS_MAX} times with it in hand");
            return Err(Refused::new(RejectReason::Quarantined, detail));
        }
        envelope::check(message.headers.as_ref())?;
        // Reading changes nothing, so a panic of it is the message's own affair.
        let decode = || self.decoder.decode(&message.subject, &message.payload);
        let decoded = catch_unwind(AssertUnwindSafe(decode)).unwrap_or_else(|_| {
            let detail = "the broker panicked as it read it".to_owned();
            Err(Refused::new(RejectReason::Quarantined, detail))
        });
        let brought = headers::trace(message.headers.as_ref());
        Ok(decoded?.traced(brought, self.decoder.sampling))
    }
}

/// What was fetched ahead and not taken goes back at once, not after its ack wait.
async fn give_back(mut messages: Messages) {
    while let Some(Some(Ok(message))) = messages.next().now_or_never() {
        ask_again(&message).await;
    }
}

async fn ask_again(message: &Message) {
    if let Err(error) = message.ack_with(AckKind::Nak(None)).await {
        tracing::debug!(error, "a message comes back only after its ack wait");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_source_stream_has_its_consumer() {
        let streams = sources().map(|(source, _)| source);
        assert_eq!(streams, SourceStream::ALL);
    }
}
