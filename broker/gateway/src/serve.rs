//! Start and stop.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_nats::{Client, jetstream};
use axum::Router;
use axum_server::Handle;
use axum_server::accept::DefaultAcceptor;
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use futures_util::future::select_all;
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinHandle;

use crate::config::GatewayConfig;
use crate::events::{Clients, Hub};
use crate::keys::Keys;
use crate::listen::Bounded;
use crate::metrics;
use crate::router::router;
use crate::shared::{Inner, Shared};
use crate::throttle::Limits;
use crate::tokens::{TokenError, Tokens};
use crate::webhook::{Secrets, SecretsError};

/// Calls that are being worked on at a stop have so long; clients that follow events are cut off.
const STOP_TIME: Duration = Duration::from_secs(3);
/// How often limits of callers that are gone are forgotten.
const FORGET_INTERVAL: Duration = Duration::from_secs(60);

/// Why the gateway does not start.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    #[error("gateway.{key}: {why}")]
    Config { key: String, why: String },
    #[error(transparent)]
    Tokens(#[from] TokenError),
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    #[error("the bucket of Idempotency-Keys cannot be used")]
    Keys { source: jetstream::context::CreateKeyValueError },
    #[error("cannot use the certificate in {} with its key", path.display())]
    Certificate { path: PathBuf, source: std::io::Error },
    #[error("cannot listen on {bind}")]
    Listen { bind: SocketAddr, source: std::io::Error },
}

/// A gateway that takes calls.
#[derive(Debug)]
pub struct Running {
    pub address: SocketAddr,
    /// Whether calls are encrypted.
    pub tls: bool,
    tasks: Vec<JoinHandle<()>>,
}

impl Running {
    /// Until a part ends by itself, which it should not.
    pub async fn ended(&mut self) {
        let _ = select_all(&mut self.tasks).await;
    }

    /// After the stop was said: until what was being worked on is answered.
    pub async fn stopped(self) {
        for task in self.tasks {
            let _ = task.await;
        }
    }
}

/// Takes calls from when it returns until `stop` becomes true.
///
/// # Errors
/// The configuration, a file, the server or the address cannot be used.
pub async fn start(
    config: &GatewayConfig,
    client: Client,
    stop: watch::Receiver<bool>,
) -> Result<Running, GatewayError> {
    let missing = |key: &str, why: &str| GatewayError::Config { key: key.into(), why: why.into() };
    let tokens_file = config.tokens_file.as_deref().ok_or_else(|| {
        missing(
            "tokens_file",
            "is needed: without tokens nobody could call; `broker token` makes one",
        )
    })?;
    metrics::describe();
    let tokens = Tokens::load(tokens_file)?;
    let secrets = Secrets::load(config.callbacks_file.as_deref())?;
    let tls = certificate(config).await?;
    let jetstream = jetstream::new(client.clone());
    let keys = Keys::open(&jetstream).await.map_err(|source| GatewayError::Keys { source })?;
    let hub = Hub::default();
    let limits = Limits::new(config);
    let room = config.in_flight_max.min(Semaphore::MAX_PERMITS);
    let shared = Shared::new(Inner {
        config: config.clone(),
        client,
        jetstream: jetstream.clone(),
        tokens: tokens.clone(),
        secrets,
        keys,
        hub: hub.clone(),
        limits: Arc::clone(&limits),
        room: Arc::new(Semaphore::new(room)),
        event_clients: Clients::default(),
    });
    let listen = |source| GatewayError::Listen { bind: config.bind, source };
    let listener = TcpListener::bind(config.bind).await.map_err(listen)?;
    let address = listener.local_addr().map_err(listen)?;
    let listener = listener.into_std().map_err(listen)?;
    let encrypted = tls.is_some();
    let served = serve(router(shared), listener, tls, config, stop.clone()).map_err(listen)?;
    let tasks = vec![
        served,
        tokio::spawn(hub.run(jetstream, stop.clone())),
        tokio::spawn(tokens.follow(stop.clone())),
        tokio::spawn(forget_idle(limits, stop)),
    ];
    Ok(Running { address, tls: encrypted, tasks })
}

async fn certificate(config: &GatewayConfig) -> Result<Option<RustlsConfig>, GatewayError> {
    let (Some(cert), Some(key)) = (&config.tls_cert_file, &config.tls_key_file) else {
        return Ok(None);
    };
    let loaded = RustlsConfig::from_pem_file(cert, key).await;
    let failed = |source| GatewayError::Certificate { path: cert.clone(), source };
    loaded.map(Some).map_err(failed)
}

fn serve(
    router: Router,
    listener: std::net::TcpListener,
    tls: Option<RustlsConfig>,
    config: &GatewayConfig,
    mut stop: watch::Receiver<bool>,
) -> std::io::Result<JoinHandle<()>> {
    let handle = Handle::new();
    let stopping = handle.clone();
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    let header_timeout = Duration::from(config.header_timeout_ms);
    let max = config.connections_max;
    let mut server = axum_server::from_tcp(listener)?.handle(handle);
    server
        .http_builder()
        .http1()
        .timer(hyper_util::rt::TokioTimer::new())
        .header_read_timeout(header_timeout);
    let serving = tokio::spawn(async move {
        let ended = match tls {
            Some(tls) => {
                let tls = RustlsAcceptor::new(tls).handshake_timeout(header_timeout);
                server.acceptor(Bounded::new(tls, max)).serve(service).await
            }
            None => server.acceptor(Bounded::new(DefaultAcceptor, max)).serve(service).await,
        };
        if let Err(error) = ended {
            tracing::error!(%error, "the gateway ended");
        }
    });
    tokio::spawn(async move {
        let _ = stop.wait_for(|stop| *stop).await;
        stopping.graceful_shutdown(Some(STOP_TIME));
    });
    Ok(serving)
}

async fn forget_idle(limits: Arc<Limits>, mut stop: watch::Receiver<bool>) {
    loop {
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return,
            () = tokio::time::sleep(FORGET_INTERVAL) => limits.forget_idle(),
        }
    }
}
