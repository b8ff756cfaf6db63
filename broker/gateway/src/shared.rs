//! What all calls share.

use std::sync::Arc;

use async_nats::Client;
use async_nats::jetstream;
use tokio::sync::Semaphore;

use crate::config::GatewayConfig;
use crate::events::{Clients, Hub};
use crate::keys::Keys;
use crate::throttle::Limits;
use crate::tokens::Tokens;
use crate::webhook::Secrets;

#[derive(Clone)]
pub(crate) struct Shared(Arc<Inner>);

pub(crate) struct Inner {
    pub(crate) config: GatewayConfig,
    pub(crate) client: Client,
    pub(crate) jetstream: jetstream::Context,
    pub(crate) tokens: Tokens,
    pub(crate) secrets: Secrets,
    pub(crate) keys: Keys,
    pub(crate) hub: Hub,
    pub(crate) limits: Arc<Limits>,
    /// One place per call being worked on.
    pub(crate) room: Arc<Semaphore>,
    pub(crate) event_clients: Clients,
}

impl Shared {
    pub(crate) fn new(inner: Inner) -> Self {
        Self(Arc::new(inner))
    }
}

impl std::ops::Deref for Shared {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}
