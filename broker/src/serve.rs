//! The whole broker: what starts in which order, and what ends in which.
//!
//! ```text
//! start: store ─▶ connection ─▶ streams ─▶ engine (recovers) ─▶ egress ─▶ answers ─▶ intake ─▶ doors
//! stop:  doors ─▶ intake ─▶ waiting work ─▶ engine ─▶ store writes ─▶ egress ─▶ connection ─▶ store
//! ```
//!
//! Nothing at start depends on anything but the store and the configuration, and a stop is only a
//! tidier crash: whatever it does not finish is found again in the store.

mod doors;
mod parts;
mod start;
mod stop;
pub(crate) mod token_key;

use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use crate::clock::Clock;
use crate::config::{Config, ConfigError, Role};
use crate::directory::FileError;
use crate::http::Health;
use crate::metrics;
use crate::nats::NatsError;
use crate::store::{Fatal, StoreError};
use doors::Doors;
use parts::Running;

/// Why the broker does not start, or ended.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    File(#[from] FileError),
    #[error("cannot install the metrics: {0}")]
    Metrics(String),
    #[error("cannot listen on {bind}")]
    Http { bind: std::net::SocketAddr, source: std::io::Error },
    #[error("cannot open the store in {}", dir.display())]
    Open { dir: PathBuf, source: StoreError },
    #[error("cannot read the store")]
    Read { source: StoreError },
    #[error("cannot use the key of accept tokens in {}", dir.display())]
    TokenKey { dir: PathBuf, source: std::io::Error },
    #[error("cannot read the file {} in {}", crate::quarantine::FILE, dir.display())]
    Quarantine { dir: PathBuf, source: std::io::Error },
    #[error("cannot export traces: {0}")]
    Traces(String),
    #[error("cannot start a thread")]
    Thread { source: std::io::Error },
    #[error("the operating system gives no random bytes: {0}")]
    Random(String),
    #[error(transparent)]
    Nats(#[from] NatsError),
    #[error(transparent)]
    Bridge(#[from] broker_bridge::BridgeError),
    #[error(transparent)]
    Gateway(#[from] broker_gateway::GatewayError),
    #[error(transparent)]
    Notifier(#[from] broker_notifier::NotifierError),
    #[error("the store ended the broker: {reason}")]
    Store { reason: String },
    #[error("{task} ended by itself")]
    Task { task: &'static str },
}

/// Serves until `shutdown` completes, then stops in order.
///
/// # Errors
/// The configuration, a file, the store or the server cannot be used; or the store failed while
/// serving, in which case the process should end at once: only a restart shows what is durable.
pub async fn serve(
    config: Config,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), ServeError> {
    config.validate()?;
    tracing::info!(version = env!("CARGO_PKG_VERSION"), "starting with\n{}", config.to_display());
    let (fatal, mut failures) = fatal();
    tokio::pin!(shutdown);
    let base = Base::new();
    let started = tokio::select! {
        started = Process::start(&config, fatal, &base) => started?,
        () = &mut shutdown => return Ok(()),
    };
    tracing::info!("ready");
    let mut running = started;
    tokio::select! {
        () = &mut shutdown => {}
        Some(reason) = failures.recv() => return Err(ServeError::Store { reason }),
        task = running.ended() => return Err(ServeError::Task { task }),
    }
    let limit = Duration::from(config.limits.shutdown_ms);
    tokio::select! {
        stopped = tokio::time::timeout(limit, running.stop(&base)) => {
            if stopped.is_err() {
                tracing::warn!(?limit, "not everything was finished in time; the store has it");
            }
            metrics::ready(false);
            Ok(())
        }
        Some(reason) = failures.recv() => Err(ServeError::Store { reason }),
    }
}

/// What every role needs.
struct Base {
    clock: Clock,
    health: Arc<Health>,
    stop: watch::Sender<bool>,
    stopped: watch::Receiver<bool>,
}

impl Base {
    fn new() -> Self {
        let (stop, stopped) = watch::channel(false);
        Self { clock: Clock::system(), health: Arc::default(), stop, stopped }
    }
}

/// The roles that this process plays.
struct Process {
    broker: Option<Running>,
    doors: Doors,
}

impl Process {
    async fn start(config: &Config, fatal: Fatal, base: &Base) -> Result<Self, ServeError> {
        start::start_pages(config, base).await?;
        let broker = if config.roles.contains(&Role::Broker) {
            Some(start::start(config, fatal, base).await?)
        } else {
            None
        };
        let doors = Doors::start(config).await?;
        if let (None, Some(connection)) = (&broker, doors.connection()) {
            base.health.connected_by(connection.clone());
        }
        base.health.set_serving(true);
        Ok(Self { broker, doors })
    }

    /// Until something ends that should not; gives its name.
    async fn ended(&mut self) -> &'static str {
        tokio::select! {
            task = doors::if_any(self.broker.as_mut().map(Running::ended)) => task,
            task = self.doors.ended() => task,
        }
    }

    async fn stop(self, base: &Base) {
        base.health.set_serving(false);
        self.doors.stop().await;
        let _ = base.stop.send(true);
        if let Some(broker) = self.broker {
            broker.stop().await;
        }
    }
}

/// The hook that threads call when the store cannot be trusted any more.
fn fatal() -> (Fatal, mpsc::UnboundedReceiver<String>) {
    let (sender, failures) = mpsc::unbounded_channel();
    let fatal: Fatal = Arc::new(move |reason: &str| {
        tracing::error!(reason, "the store ends the broker");
        // Without a listener the broker is ending already.
        let _ = sender.send(reason.to_owned());
    });
    (fatal, failures)
}
