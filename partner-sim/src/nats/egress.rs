//! Publishing answers. What has an id is published until the server says that it is stored: with
//! the same id and the same bytes, because a time-out proves nothing.

use std::time::Duration;

use async_nats::Client;
use async_nats::connection::State;
use async_nats::jetstream::Context;
use async_nats::jetstream::message::PublishMessage;
use schemas::TraceContext;
use schemas::trace::TRACEPARENT;

use super::desk::Outgoing;

/// First and longest wait between two attempts, milliseconds.
const RETRY_DELAY_MIN_MS: u64 = 20;
const RETRY_DELAY_MAX_MS: u64 = 1_000;

/// The way out of one connection.
#[derive(Clone)]
pub(super) struct Egress {
    client: Client,
    jetstream: Context,
}

impl Egress {
    pub(super) fn new(client: Client) -> Self {
        Self { jetstream: super::connect::jetstream(client.clone()), client }
    }

    pub(super) fn jetstream(&self) -> &Context {
        &self.jetstream
    }

    /// Returns when the message is sent (live) or stored (through a stream). An answer belongs to
    /// the trace of its command.
    pub(super) async fn publish(&self, message: Outgoing, trace: Option<TraceContext>) {
        let Outgoing { subject, message_id, body } = message;
        let Some(id) = message_id else {
            if let Err(error) = self.client.publish(subject, body).await {
                tracing::warn!(%error, "a quote could not be sent");
            }
            return;
        };
        let mut delay_ms = RETRY_DELAY_MIN_MS;
        let mut told = false;
        loop {
            if self.client.connection_state() == State::Connected {
                match self.try_store(&subject, &id, body.clone(), trace).await {
                    Ok(()) => return,
                    // Once per answer: a server that is busy is asked again and again.
                    Err(error) if !told => {
                        tracing::warn!(%error, subject, id, "answer not stored, again");
                        told = true;
                    }
                    Err(error) => tracing::debug!(%error, subject, id, "answer not stored, again"),
                }
            }
            tokio::time::sleep(Duration::from_millis(delay_ms)).await;
            delay_ms = (delay_ms * 2).min(RETRY_DELAY_MAX_MS);
        }
    }

    async fn try_store(
        &self,
        subject: &str,
        id: &str,
        body: bytes::Bytes,
        trace: Option<TraceContext>,
    ) -> Result<(), async_nats::jetstream::context::PublishError> {
        let mut message = PublishMessage::build().payload(body).message_id(id);
        if let Some(trace) = trace {
            message = message.header(TRACEPARENT, trace.to_string().as_str());
        }
        self.jetstream.send_publish(subject.to_owned(), message).await?.await.map(|_ack| ())
    }
}
