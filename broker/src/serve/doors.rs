//! The doors of the broker: parts of the process that are clients of NATS like any other. Each has
//! a connection of its own, so that what one of them reads slowly keeps nobody else waiting.

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
            let connection = door(config, "bridge").await?;
            let client = connection.client.clone();
            let jetstream = async_nats::jetstream::new(client.clone());
            streams::ensure_all(&jetstream, &client, &stream::of_doors()).await?;
            doors.bridge = Some(bridge::start(&config.bridge, client, stopped.clone()).await?);
            tracing::info!("bridge ready");
            doors.connections.push(connection);
        }
        if config.roles.contains(&Role::Gateway) {
            let connection = door(config, "gateway").await?;
            let client = connection.client.clone();
            let jetstream = async_nats::jetstream::new(client.clone());
            streams::ensure_all(&jetstream, &client, &stream::of_doors()).await?;
            let running = gateway::start(&config.gateway, client, stopped.clone()).await?;
            let scheme = if running.tls { "https" } else { "http" };
            tracing::info!(address = %format!("{scheme}://{}", running.address), "gateway ready");
            doors.gateway = Some(running);
            doors.connections.push(connection);
        }
        if config.roles.contains(&Role::Notifier) {
            let connection = door(config, "notifier").await?;
            let client = connection.client.clone();
            doors.notifier = Some(notifier::start(&config.notifier, client, stopped).await?);
            tracing::info!("notifier ready");
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
        let bridge = async {
            match &mut self.bridge {
                Some(bridge) => bridge.ended().await,
                None => std::future::pending().await,
            }
        };
        let gateway = async {
            match &mut self.gateway {
                Some(gateway) => gateway.ended().await,
                None => std::future::pending().await,
            }
        };
        let notifier = async {
            match &mut self.notifier {
                Some(notifier) => notifier.ended().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = bridge => "the bridge",
            () = gateway => "the gateway",
            () = notifier => "the notifier",
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

/// A connection that the server lists under the name of the door.
async fn door(config: &Config, name: &str) -> Result<Connection, ServeError> {
    let name = format!("{}-{name}", config.nats.name);
    let nats = NatsConfig { name, ..config.nats.clone() };
    Ok(connect(&nats, &config.limits).await?)
}
