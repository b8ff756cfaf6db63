//! Commands from JetStream: handled in the order of arrival, answered and acknowledged when their
//! records are on disk.

use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use futures_util::StreamExt;
use schemas::TraceContext;
use schemas::json::{PARTNER_MESSAGE_BYTES_MAX, decode, decode_valid};
use schemas::stream::{CONSUMER_FILES_UNUSABLE, ConsumerSpec};
use schemas::subject::{
    PartnerOperation, PaymentOperation, parse_partner_command, parse_partner_quote,
    parse_payment_command,
};
use schemas::trace::TRACEPARENT;

use super::clock;
use super::delay::Delays;
use super::desk::{Desk, Handled};
use super::egress::Egress;
use crate::partner::PartnerRequest;
use crate::payment::PaymentRequest;

/// Messages asked for at once.
const PULL_MESSAGES_MAX: usize = 512;
/// Life of one pull request, and how often the server shows that it is alive, milliseconds. A
/// restarted server forgets pulls: two missed heartbeats tell.
const PULL_EXPIRES_MS: u64 = 10_000;
const PULL_HEARTBEAT_MS: u64 = 1_000;
/// First and longest wait between two attempts to open a consumer, milliseconds.
const OPEN_DELAY_MIN_MS: u64 = 50;
const OPEN_DELAY_MAX_MS: u64 = 1_000;

/// One consumer and what its messages are handed to.
pub(super) struct Inlet {
    pub(super) spec: ConsumerSpec,
    pub(super) desk: Arc<Desk>,
    pub(super) egress: Egress,
    pub(super) delays: Delays,
}

impl Inlet {
    /// Reads until it is aborted; whatever breaks the consumer, it is opened again.
    pub(super) async fn run(self) {
        loop {
            let mut messages = self.open().await;
            while let Some(message) = messages.next().await {
                match message {
                    Ok(message) => self.take(message).await,
                    Err(error) => {
                        let consumer = &self.spec.durable;
                        tracing::warn!(%error, consumer, "reading commands broke, opening again");
                        break;
                    }
                }
            }
        }
    }

    /// The streams belong to the broker: wait for them.
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
            // Once per wait: the reason does not change, and a log full of it hides others.
            if !told {
                let (stream, consumer) = (self.spec.stream, &self.spec.durable);
                tracing::info!(error, consumer, "waiting for the broker to create {stream}");
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
            ack_wait: self.spec.ack_wait.into(),
            max_deliver: -1,
            max_ack_pending: i64::from(self.spec.max_ack_pending),
            filter_subjects: self.spec.filter_subjects.clone(),
            ..pull::Config::default()
        };
        let jetstream = self.egress.jetstream();
        let consumer = jetstream
            .create_consumer_on_stream(config, self.spec.stream)
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

    async fn take(&self, message: jetstream::Message) {
        match self.handle(&message) {
            Ok(Some(handled)) => self.finish(message, handled).await,
            // Somebody else's partner; its own consumer has its own copy.
            Ok(None) => acknowledge(&message).await,
            Err(error) => {
                let subject = message.subject.as_str();
                tracing::warn!(error, subject, "a command cannot be read and is passed over");
                acknowledge(&message).await;
            }
        }
    }

    fn handle(&self, message: &jetstream::Message) -> Result<Option<Handled>, String> {
        let (subject, body) = (message.subject.as_str(), &message.payload);
        let now = clock::now();
        if let Some((provider, op)) = parse_payment_command(subject) {
            let request = payment_request(op, body).map_err(|e| e.to_string())?;
            tracing::debug!(%provider, operation = op.label(), "payment command");
            return Ok(Some(self.desk.payment(request, now)));
        }
        let (partner, request) = if let Some((partner, op)) = parse_partner_command(subject) {
            (partner, partner_request(op, body).map_err(|e| e.to_string())?)
        } else if let Some(partner) = parse_partner_quote(subject) {
            let questions =
                decode_valid(body, PARTNER_MESSAGE_BYTES_MAX).map_err(|e| e.to_string())?;
            (partner, PartnerRequest::Quote(questions))
        } else {
            return Err("its subject is no command".to_owned());
        };
        if !self.desk.has_partner(&partner) {
            return Ok(None);
        }
        tracing::debug!(%partner, subject, "command");
        Ok(self.desk.partner(&partner, request, now))
    }

    /// Waits for the disk beside the next command, not before it.
    async fn finish(&self, message: jetstream::Message, handled: Handled) {
        let Handled { synced, now, later } = handled;
        let trace = trace_of(&message);
        let mut seats = Vec::with_capacity(later.len());
        for _ in &later {
            seats.push(self.delays.seat().await);
        }
        let (desk, egress, delays) =
            (Arc::clone(&self.desk), self.egress.clone(), self.delays.clone());
        self.delays.spawn(async move {
            // Not on disk: say nothing and do not acknowledge, the shell is about to end.
            if synced.await.is_err() {
                return;
            }
            for (seat, delayed) in seats.into_iter().zip(later) {
                let (desk, egress) = (Arc::clone(&desk), egress.clone());
                delays.run(seat, delayed.at, async move {
                    egress.publish(delayed.message, trace).await;
                    desk.sent(delayed.number);
                });
            }
            for answer in now {
                egress.publish(answer, trace).await;
            }
            acknowledge(&message).await;
        });
    }
}

fn trace_of(message: &jetstream::Message) -> Option<TraceContext> {
    TraceContext::parse(message.headers.as_ref()?.get(TRACEPARENT)?.as_str())
}

/// A lost acknowledgement brings the command again, and it finds its key.
async fn acknowledge(message: &jetstream::Message) {
    if let Err(error) = message.ack().await {
        tracing::warn!(error, subject = %message.subject, "a command was not acknowledged");
    }
}

fn partner_request(
    op: PartnerOperation,
    body: &[u8],
) -> Result<PartnerRequest, schemas::json::DecodeError> {
    let max = PARTNER_MESSAGE_BYTES_MAX;
    Ok(match op {
        PartnerOperation::Reserve => PartnerRequest::Reserve(decode(body, max)?),
        PartnerOperation::Release => PartnerRequest::Release(decode(body, max)?),
        PartnerOperation::Place => PartnerRequest::Place(decode(body, max)?),
        PartnerOperation::Cancel => PartnerRequest::Cancel(decode(body, max)?),
        PartnerOperation::Lookup => PartnerRequest::Lookup(decode(body, max)?),
    })
}

fn payment_request(
    op: PaymentOperation,
    body: &[u8],
) -> Result<PaymentRequest, schemas::json::DecodeError> {
    let max = PARTNER_MESSAGE_BYTES_MAX;
    Ok(match op {
        PaymentOperation::Authorize => PaymentRequest::Authorize(decode(body, max)?),
        PaymentOperation::Capture => PaymentRequest::Capture(decode(body, max)?),
        PaymentOperation::Void => PaymentRequest::Void(decode(body, max)?),
        PaymentOperation::Refund => PaymentRequest::Refund(decode(body, max)?),
        PaymentOperation::Lookup => PaymentRequest::Lookup(decode(body, max)?),
    })
}
