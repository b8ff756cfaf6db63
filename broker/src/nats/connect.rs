//! The connection, and what the rest of the shell knows about it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_nats::connection::State;
use async_nats::{Client, ConnectOptions, Event};
use tokio::sync::{Notify, watch};

use super::{NatsError, SERVER_VERSION_MIN};
use crate::config::{Limits, NatsConfig};
use crate::metrics;

/// A server that says nothing is noticed after about three of these (the default is a minute).
const PING_INTERVAL: Duration = Duration::from_secs(2);
const RECONNECT_DELAY_MAX: Duration = Duration::from_millis(250);
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(5);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// Events of the client can be lost, so its state is looked at as well.
const LOOK_INTERVAL: Duration = Duration::from_millis(250);

/// Grows with every connection made; 0 while there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Epoch(pub u64);

/// The client and its state. Cloning is cheap.
#[derive(Debug, Clone)]
pub struct Connection {
    pub client: Client,
    changes: watch::Receiver<Epoch>,
}

/// Connects, however long it takes: attempts go on until the server answers.
///
/// # Errors
/// Unusable credentials, or a server that refuses us or is too old.
pub async fn connect(config: &NatsConfig, limits: &Limits) -> Result<Connection, NatsError> {
    let (sender, changes) = watch::channel(Epoch::default());
    let happened = Arc::new(Notify::new());
    let options = options(config, limits, Arc::clone(&happened)).await?;
    let client = options
        .connect(config.urls.clone())
        .await
        .map_err(|source| NatsError::Connect { source })?;
    tokio::spawn(look(client.clone(), sender, happened));
    let mut connection = Connection { client, changes };
    connection.connected().await;
    check_version(&connection.client)?;
    Ok(connection)
}

async fn options(
    config: &NatsConfig,
    limits: &Limits,
    happened: Arc<Notify>,
) -> Result<ConnectOptions, NatsError> {
    let options = ConnectOptions::new()
        .name(&config.name)
        .ping_interval(PING_INTERVAL)
        .connection_timeout(CONNECTION_TIMEOUT)
        .request_timeout(Some(REQUEST_TIMEOUT))
        .subscription_capacity(limits.quote_buffer_max)
        .retry_on_initial_connect()
        .max_reconnects(None)
        .reconnect_delay_callback(reconnect_delay)
        .event_callback(move |event| {
            let happened = Arc::clone(&happened);
            async move {
                tell(&event);
                happened.notify_one();
            }
        });
    super::login::apply(options, config).await
}

fn reconnect_delay(attempts: usize) -> Duration {
    let attempts = u32::try_from(attempts).unwrap_or(u32::MAX);
    Duration::from_millis(25).saturating_mul(attempts).min(RECONNECT_DELAY_MAX)
}

fn tell(event: &Event) {
    match event {
        Event::Connected => tracing::info!("connected to NATS"),
        Event::Disconnected => tracing::warn!("disconnected from NATS; nothing is sent meanwhile"),
        Event::SlowConsumer(subscription) => {
            metrics::slow_consumer();
            tracing::warn!(subscription, "messages were dropped: a subscription's buffer is full");
        }
        Event::LameDuckMode => tracing::warn!("the NATS server is shutting down"),
        Event::ServerError(error) => tracing::warn!(%error, "the NATS server reports an error"),
        // Every failed attempt to reconnect is one of these; the disconnection was told already.
        Event::ClientError(error) => tracing::debug!(%error, "the NATS client reports an error"),
        Event::Draining | Event::Closed => tracing::info!(%event, "the NATS client is ending"),
    }
}

/// Ends when nobody listens any more.
async fn look(client: Client, changes: watch::Sender<Epoch>, happened: Arc<Notify>) {
    let mut ticks = tokio::time::interval(LOOK_INTERVAL);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = happened.notified() => {}
            () = changes.closed() => return,
        }
        let now = epoch_of(&client);
        changes.send_if_modified(|known| {
            let changed = *known != now;
            if changed {
                metrics::nats_connected(now != Epoch::default());
            }
            *known = now;
            changed
        });
    }
}

fn epoch_of(client: &Client) -> Epoch {
    if client.connection_state() == State::Connected {
        Epoch(client.statistics().connects.load(Ordering::Relaxed))
    } else {
        Epoch::default()
    }
}

fn check_version(client: &Client) -> Result<(), NatsError> {
    let (major, minor, patch) = SERVER_VERSION_MIN;
    if client.is_server_compatible(major, minor, patch) {
        return Ok(());
    }
    Err(NatsError::TooOld { found: client.server_info().version })
}

impl Connection {
    /// The connection in force, read from the client itself: current, not the last one announced.
    pub fn epoch(&self) -> Epoch {
        epoch_of(&self.client)
    }

    pub fn is_connected(&self) -> bool {
        self.epoch() != Epoch::default()
    }

    /// Waits until there is a connection.
    pub async fn connected(&mut self) -> Epoch {
        loop {
            let now = self.epoch();
            if now != Epoch::default() {
                return now;
            }
            self.changed().await;
        }
    }

    /// Waits until the announced epoch changes, at most a few [`LOOK_INTERVAL`]s.
    pub async fn changed(&mut self) {
        // The sender ends only after the last receiver; then waiting in small steps is right.
        if self.changes.changed().await.is_err() {
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reconnecting_never_waits_longer_than_a_quarter_second() {
        assert_eq!(reconnect_delay(1), Duration::from_millis(25));
        assert_eq!(reconnect_delay(10_000), RECONNECT_DELAY_MAX);
        assert_eq!(reconnect_delay(usize::MAX), RECONNECT_DELAY_MAX);
    }
}
