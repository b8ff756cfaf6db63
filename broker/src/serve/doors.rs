//! The doors of the broker: parts of the process that are clients of NATS like any other. Each has
//! a connection of its own, so that what one of them reads slowly keeps nobody else waiting.

use broker_gateway as gateway;
use schemas::stream;
use tokio::sync::watch;

use super::ServeError;
use crate::config::{Config, NatsConfig, Role};
use crate::nats::connect::{Connection, connect};
use crate::nats::streams;

/// What of them runs.
pub(super) struct Doors {
    stop: watch::Sender<bool>,
    gateway: Option<gateway::Running>,
    connections: Vec<Connection>,
}

impl Doors {
    /// Starts what the configuration names.
    pub(super) async fn start(config: &Config) -> Result<Self, ServeError> {
        let (stop, stopped) = watch::channel(false);
        let mut doors = Self { stop, gateway: None, connections: Vec::new() };
        if config.roles.contains(&Role::Gateway) {
            let connection = door(config, "gateway").await?;
            let client = connection.client.clone();
            let running = gateway::start(&config.gateway, client, stopped).await?;
            let scheme = if running.tls { "https" } else { "http" };
            tracing::info!(address = %format!("{scheme}://{}", running.address), "gateway ready");
            doors.gateway = Some(running);
            doors.connections.push(connection);
        }
        Ok(doors)
    }

    /// The connection by which readiness is judged where there is no broker.
    pub(super) fn connection(&self) -> Option<&Connection> {
        self.connections.first()
    }

    /// Until something ends that should not; gives its name. Never, if nothing runs.
    pub(super) async fn ended(&mut self) -> &'static str {
        match &mut self.gateway {
            Some(gateway) => {
                gateway.ended().await;
                "the gateway"
            }
            None => std::future::pending().await,
        }
    }

    /// Takes nothing new and finishes what is in hand.
    pub(super) async fn stop(self) {
        let _ = self.stop.send(true);
        if let Some(gateway) = self.gateway {
            gateway.stopped().await;
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

/// A connection that the server lists under the name of the door, and the streams between doors.
async fn door(config: &Config, name: &str) -> Result<Connection, ServeError> {
    let name = format!("{}-{name}", config.nats.name);
    let nats = NatsConfig { name, ..config.nats.clone() };
    let connection = connect(&nats, &config.limits).await?;
    let jetstream = async_nats::jetstream::new(connection.client.clone());
    streams::ensure_all(&jetstream, &connection.client, &stream::of_doors()).await?;
    Ok(connection)
}
