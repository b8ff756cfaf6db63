//! Calls to bookstores. `reqwest`, and not `hyper` by itself: its pool, time limits, unpacking and
//! resolver hook are what would have to be written otherwise, and all that is dangerous in it can
//! be switched off. Redirects, proxies and cookies are; certificates are checked with rustls (ring).

pub mod guard;
mod send;

use std::sync::Arc;
use std::time::Duration;

use reqwest::Client;

pub(crate) use send::{Answer, CallError, Rendered, Sender};

use crate::store::Store;
use guard::Guard;

const USER_AGENT: &str = concat!("book-purchase-broker/", env!("CARGO_PKG_VERSION"));
/// An unused connection is closed after it: shorter than most servers do it, so that a call rarely
/// meets a connection that is just being closed.
const POOL_IDLE: Duration = Duration::from_secs(20);

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("TLS cannot be set up")]
    Tls(#[source] rustls::Error),
    #[error("the HTTP client cannot be set up")]
    Build(#[source] reqwest::Error),
}

/// The client of one store: connections to it are shared with no other.
pub(crate) fn client(
    store: &Store,
    tls: &rustls::ClientConfig,
    guard: Guard,
) -> Result<Client, ClientError> {
    Client::builder()
        .user_agent(USER_AGENT)
        .tls_backend_preconfigured(tls.clone())
        .dns_resolver(Arc::new(guard))
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .connect_timeout(store.limits.connect_timeout_ms.into())
        .timeout(store.limits.timeout_ms.into())
        .pool_idle_timeout(POOL_IDLE)
        .pool_max_idle_per_host(store.limits.concurrency_max as usize)
        .tcp_nodelay(true)
        .build()
        .map_err(ClientError::Build)
}

/// TLS with the roots of the machine.
pub(crate) fn tls() -> Result<rustls::ClientConfig, ClientError> {
    let mut roots = rustls::RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    let (_, ignored) = roots.add_parsable_certificates(found.certs);
    if ignored > 0 || !found.errors.is_empty() {
        tracing::warn!(
            ignored,
            errors = found.errors.len(),
            "root certificates that cannot be read"
        );
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(ClientError::Tls)?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}
