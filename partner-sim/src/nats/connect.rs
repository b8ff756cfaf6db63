//! Connections, set up so that a dead server is noticed in seconds.

use std::time::Duration;

use async_nats::jetstream;
use async_nats::jetstream::context::ContextBuilder;

/// A black-holed server is noticed after three of these, milliseconds.
const PING_INTERVAL_MS: u64 = 2_000;
/// Longest wait between two attempts to reconnect, milliseconds.
const RECONNECT_DELAY_MAX_MS: u64 = 500;
/// Longest wait for the server's answer to a publish or API call, milliseconds. After a crash of
/// the server every waiting future takes all of it.
const ACK_TIMEOUT_MS: u64 = 2_000;
/// Messages buffered per subscription before the client drops: a burst of quotes to a thousand
/// partners fits.
const SUBSCRIPTION_MESSAGES_MAX: usize = 262_144;
/// Publishes whose ack is awaited at once, the same as the broker's. More than a server that syncs
/// each message can store before [`ACK_TIMEOUT_MS`] would all time out, be sent again, and keep it
/// busy with nothing but repetitions for ever.
const PUBLISH_ACKS_MAX: usize = 512;

/// One connection. Waits for a server that is not there yet, for as long as it takes.
pub(super) async fn connect(
    url: &str,
    name: &str,
) -> Result<async_nats::Client, async_nats::ConnectError> {
    async_nats::ConnectOptions::new()
        .name(name)
        .ping_interval(Duration::from_millis(PING_INTERVAL_MS))
        .subscription_capacity(SUBSCRIPTION_MESSAGES_MAX)
        .max_reconnects(None)
        .retry_on_initial_connect()
        .reconnect_delay_callback(|attempts| {
            let delay_ms = 20u64.saturating_mul(1 << attempts.min(5));
            Duration::from_millis(delay_ms.min(RECONNECT_DELAY_MAX_MS))
        })
        .event_callback(|event| async move {
            match event {
                async_nats::Event::Connected => tracing::info!("connected to NATS"),
                async_nats::Event::Closed => tracing::info!("closed the connection to NATS"),
                other => tracing::warn!(%other, "NATS connection"),
            }
        })
        .connect(url)
        .await
}

pub(super) fn jetstream(client: async_nats::Client) -> jetstream::Context {
    ContextBuilder::new()
        .timeout(Duration::from_millis(ACK_TIMEOUT_MS))
        .max_ack_inflight(PUBLISH_ACKS_MAX)
        .backpressure_on_inflight(true)
        .build(client)
}
