//! `/live`, `/ready` and `/metrics` for operators and their probes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::clock::Clock;
use crate::clock::agreement::Doubt;
use crate::metrics;
use crate::nats::connect::Connection;

/// What the pages show.
#[derive(Clone)]
pub struct Pages {
    prometheus: PrometheusHandle,
    clock: Clock,
    health: Arc<Health>,
}

/// Ready means: recovered, taking requests, and connected.
#[derive(Debug, Default)]
pub struct Health {
    serving: AtomicBool,
    connection: std::sync::OnceLock<Connection>,
}

impl Health {
    /// From now on readiness follows the connection.
    pub fn connected_by(&self, connection: Connection) {
        // One connection per process life; a second call would change nothing.
        let _ = self.connection.set(connection);
    }

    pub fn set_serving(&self, serving: bool) {
        self.serving.store(serving, Ordering::Relaxed);
        metrics::ready(self.is_ready());
    }

    pub fn is_ready(&self) -> bool {
        self.serving.load(Ordering::Relaxed)
            && self.connection.get().is_some_and(Connection::is_connected)
    }
}

impl Pages {
    pub fn new(prometheus: PrometheusHandle, clock: Clock, health: Arc<Health>) -> Self {
        Self { prometheus, clock, health }
    }

    /// Binds now and serves until told to stop. Gives the address it listens on.
    ///
    /// # Errors
    /// The address cannot be bound.
    pub async fn start(
        self,
        bind: SocketAddr,
        mut stop: watch::Receiver<bool>,
    ) -> std::io::Result<SocketAddr> {
        let listener = TcpListener::bind(bind).await?;
        let address = listener.local_addr()?;
        let stopped = async move {
            // An error means that nobody can say stop any more: the same.
            let _ = stop.wait_for(|stop| *stop).await;
        };
        let serve = axum::serve(listener, self.router()).with_graceful_shutdown(stopped);
        tokio::spawn(async move {
            if let Err(error) = serve.await {
                tracing::error!(%error, "the HTTP pages ended");
            }
        });
        Ok(address)
    }

    fn router(self) -> Router {
        Router::new()
            .route("/live", get(live))
            .route("/ready", get(ready))
            .route("/metrics", get(show_metrics))
            .with_state(self)
    }
}

/// The process runs; a store or engine that does not, ends it.
async fn live() -> &'static str {
    "live\n"
}

/// A broker that holds orders back is ready: it takes requests, finds out what became of orders
/// and gives money back. That it holds them is said beside.
async fn ready(State(pages): State<Pages>) -> (StatusCode, String) {
    let orders = match pages.clock.doubt() {
        Some(doubt) => format!("orders are held: {doubt}\n"),
        None => String::new(),
    };
    if pages.health.is_ready() {
        (StatusCode::OK, format!("ready\n{orders}"))
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, format!("not ready\n{orders}"))
    }
}

async fn show_metrics(State(pages): State<Pages>) -> String {
    metrics::ready(pages.health.is_ready());
    metrics::clock_disagreement(pages.clock.disagreement().as_ms());
    metrics::orders_held(pages.clock.doubt().map(Doubt::label));
    metrics::machine::process();
    pages.prometheus.render()
}

#[cfg(test)]
mod tests {
    use schemas::DurationMs;

    use super::*;
    use crate::nats::http_get;

    #[tokio::test]
    async fn a_broker_that_is_not_serving_is_live_and_not_ready() {
        let (_stop, stopped) = watch::channel(false);
        let health = Arc::new(Health::default());
        let pages = Pages::new(metrics::install().unwrap(), Clock::system(), health);
        let address = pages.start(([127, 0, 0, 1], 0).into(), stopped).await.unwrap();
        let base = format!("http://{address}");
        assert_eq!(http_get::get(&base, "/live").await.unwrap(), b"live\n");
        let error = http_get::get(&base, "/ready").await.unwrap_err();
        assert!(error.to_string().contains("503"), "{error}");
        let text = String::from_utf8(http_get::get(&base, "/metrics").await.unwrap()).unwrap();
        assert!(text.contains("broker_ready 0"), "{text}");
    }

    #[tokio::test]
    async fn a_broker_that_holds_orders_back_says_why() {
        let clock = Clock::system();
        let pages = |clock: &Clock| {
            let health = Arc::new(Health::default());
            Pages::new(metrics::install().unwrap(), clock.clone(), health)
        };
        let (_, page) = ready(State(pages(&clock))).await;
        assert!(page.starts_with("not ready\norders are held: the server's clock has"), "{page}");
        let asked = clock.server_time_wanted().unwrap();
        clock.server_time(asked, clock.now());
        let (_, page) = ready(State(pages(&clock))).await;
        assert_eq!(page, "not ready\n");
        clock.not_before(clock.now().saturating_add(DurationMs::from_secs(3600)));
        let (status, page) = ready(State(pages(&clock))).await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(page.starts_with("not ready\norders are held: the wall clock is"), "{page}");
        let text = show_metrics(State(pages(&clock))).await;
        assert!(text.contains("broker_orders_held{clock=\"in_the_past\"} 1"), "{text}");
        assert!(text.contains("broker_orders_held{clock=\"behind\"} 0"), "{text}");
    }
}
