//! The doors of the broker: parts of the process that are clients of NATS like any other. Each has
//! a connection of its own, so that what one of them reads slowly keeps nobody else waiting.

use async_nats::Client;
use broker_bridge as bridge;
use broker_gateway as gateway;
use broker_notifier as notifier;
use schemas::stream;
use tokio::sync::watch;

use super::ServeError;
use crate::config::{Config, NatsConfig, Role};
use crate::nats::connect::{Connection, connect};
use crate::nats::streams;

/// What of them runs.
#[derive(Default)]
pub(super) struct Doors {
    stop: watch::Sender<bool>,
    bridge: Option<bridge::Running>,
    gateway: Option<gateway::Running>,
    notifier: Option<notifier::Running>,
    connections: Vec<Connection>,
}

impl Doors {
    /// Starts what the configuration names.
    pub(super) async fn start(config: &Config) -> Result<Self, ServeError> {
        let (stop, stopped) = watch::channel(false);
        let mut doors = Self { stop, ..Self::default() };
        if config.roles.contains(&Role::Bridge) {
            let client = doors.connect(config, "bridge").await?;
            ensure_streams(&client).await?;
            doors.bridge = Some(bridge::start(&config.bridge, client, stopped.clone()).await?);
            tracing::info!("bridge ready");
        }
        if config.roles.contains(&Role::Gateway) {
            let client = doors.connect(config, "gateway").await?;
            ensure_streams(&client).await?;
            let running = gateway::start(&config.gateway, client, stopped.clone()).await?;
            let scheme = if running.tls { "https" } else { "http" };
            tracing::info!(address = %format!("{scheme}://{}", running.address), "gateway ready");
            doors.gateway = Some(running);
        }
        if config.roles.contains(&Role::Notifier) {
            let client = doors.connect(config, "notifier").await?;
            doors.notifier = Some(notifier::start(&config.notifier, client, stopped).await?);
            tracing::info!("notifier ready");
        }
        Ok(doors)
    }

    /// A connection that the server lists under the name of the door.
    async fn connect(&mut self, config: &Config, name: &str) -> Result<Client, ServeError> {
        let name = format!("{}-{name}", config.nats.name);
        let nats = NatsConfig { name, ..config.nats.clone() };
        let connection = connect(&nats, &config.limits).await?;
        let client = connection.client.clone();
        self.connections.push(connection);
        Ok(client)
    }

    /// The connection by which readiness is judged where there is no broker.
    pub(super) fn connection(&self) -> Option<&Connection> {
        self.connections.first()
    }

    /// Until something ends that should not; gives its name. Never, if nothing runs.
    pub(super) async fn ended(&mut self) -> &'static str {
        tokio::select! {
            () = if_any(self.bridge.as_mut().map(bridge::Running::ended)) => "the bridge",
            () = if_any(self.gateway.as_mut().map(gateway::Running::ended)) => "the gateway",
            () = if_any(self.notifier.as_mut().map(notifier::Running::ended)) => "the notifier",
        }
    }

    /// Takes nothing new and finishes what is in hand.
    pub(super) async fn stop(self) {
        let _ = self.stop.send(true);
        if let Some(bridge) = self.bridge {
            bridge.stopped().await;
        }
        if let Some(gateway) = self.gateway {
            gateway.stopped().await;
        }
        if let Some(notifier) = self.notifier {
            notifier.stopped().await;
        }
        for connection in self.connections {
            if connection.is_connected()
                && let Err(error) = connection.client.flush().await
            {
                tracing::debug!(%error, "a door's connection was not flushed");
            }
        }
    }
}

/// Those between the doors: the broker makes the others.
async fn ensure_streams(client: &Client) -> Result<(), ServeError> {
    let jetstream = async_nats::jetstream::new(client.clone());
    Ok(streams::ensure_all(&jetstream, client, &stream::of_doors()).await?)
}

/// Never, if it does not run.
pub(super) async fn if_any<T>(running: Option<impl Future<Output = T>>) -> T {
    match running {
        Some(running) => running.await,
        None => std::future::pending().await,
    }
}
