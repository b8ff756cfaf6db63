//! Answers on their way to the broker: published until the server says that they are stored, with
//! the same id and the same bytes, because a time-out proves nothing.

use std::time::Duration;

use async_nats::Client;
use async_nats::connection::State;
use async_nats::jetstream::Context;
use async_nats::jetstream::context::ContextBuilder;
use async_nats::jetstream::message::PublishMessage;
use bytes::Bytes;
use schemas::TraceContext;
use schemas::trace::TRACEPARENT;

const RETRY_DELAY_MIN_MS: u64 = 20;
const RETRY_DELAY_MAX_MS: u64 = 1_000;
/// Longest wait for the server's answer.
const ACK_TIMEOUT_MS: u64 = 2_000;
/// Publishes whose ack is awaited at once.
const PUBLISH_ACKS_MAX: usize = 512;

#[derive(Clone)]
pub(crate) struct Egress {
    client: Client,
    jetstream: Context,
}

impl Egress {
    pub(crate) fn new(client: Client) -> Self {
        let jetstream = ContextBuilder::new()
            .timeout(Duration::from_millis(ACK_TIMEOUT_MS))
            .max_ack_inflight(PUBLISH_ACKS_MAX)
            .backpressure_on_inflight(true)
            .build(client.clone());
        Self { client, jetstream }
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    pub(crate) fn jetstream(&self) -> &Context {
        &self.jetstream
    }

    /// Returns when the message is stored.
    pub(crate) async fn store(
        &self,
        subject: &str,
        id: &str,
        body: Bytes,
        trace: Option<TraceContext>,
    ) {
        let mut delay_ms = RETRY_DELAY_MIN_MS;
        let mut told = false;
        loop {
            if self.client.connection_state() == State::Connected {
                match self.try_store(subject, id, body.clone(), trace).await {
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
        body: Bytes,
        trace: Option<TraceContext>,
    ) -> Result<(), async_nats::jetstream::context::PublishError> {
        let mut message = PublishMessage::build().payload(body).message_id(id);
        if let Some(trace) = trace {
            message = message.header(TRACEPARENT, trace.to_string().as_str());
        }
        self.jetstream.send_publish(subject.to_owned(), message).await?.await.map(|_ack| ())
    }
}
