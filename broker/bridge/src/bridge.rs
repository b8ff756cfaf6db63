//! Puts the parts together and takes them apart again.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_nats::Client;
use schemas::subject::partner_quote;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::caller::{Caller, CallerError};
use crate::calls::Calls;
use crate::config::BridgeConfig;
use crate::egress::Egress;
use crate::http::ClientError;
use crate::store::{StoreError, load_all};
use crate::turns::Turns;
use crate::work::{self, Desk};
use crate::{http, metrics};

/// Processes of the bridge that share the questions of a store.
const QUEUE_GROUP: &str = "bridge";
/// How long the server may take until the bucket is there, milliseconds.
const OPEN_DELAY_MS: u64 = 500;

/// Why the bridge does not work.
#[derive(Debug, thiserror::Error)]
pub enum BridgeError {
    #[error("{0}")]
    Config(String),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Caller(#[from] CallerError),
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error("cannot subscribe to {subject}")]
    Subscribe { subject: String, source: async_nats::SubscribeError },
    #[error("stopped before it was ready")]
    Stopped,
}

/// A bridge that works. Dropping it ends it.
#[derive(Debug)]
pub struct Running {
    tasks: JoinSet<()>,
}

impl Running {
    /// Until a part ends by itself, which it should not.
    pub async fn ended(&mut self) {
        // A bridge for no store has no parts.
        if self.tasks.join_next().await.is_none() {
            std::future::pending::<()>().await;
        }
    }

    /// After the stop was said: until what was being worked on is finished.
    pub async fn stopped(mut self) {
        while self.tasks.join_next().await.is_some() {}
    }
}

/// Reads the store files, opens the bucket, and speaks for the stores until `stop`.
///
/// # Errors
/// A store file that is wrong, a host that may not be called; no store is called then. A server
/// that is not there is waited for.
pub async fn start(
    config: &BridgeConfig,
    client: Client,
    mut stop: watch::Receiver<bool>,
) -> Result<Running, BridgeError> {
    config.validate().map_err(BridgeError::Config)?;
    let callers = callers(config)?;
    metrics::describe(callers.len());
    if callers.is_empty() {
        tracing::info!("the bridge speaks for no store");
        return Ok(Running { tasks: JoinSet::new() });
    }
    let egress = Egress::new(client.clone());
    let calls = tokio::select! {
        calls = open_calls(&egress, config) => calls,
        _ = stop.wait_for(|stop| *stop) => return Err(BridgeError::Stopped),
    };
    let desk = Desk { callers, calls, egress, turns: Turns::default(), config: config.clone() };
    let desk = Arc::new(desk);
    let mut tasks = JoinSet::new();
    for (id, caller) in &desk.callers {
        let subject = partner_quote(id);
        let questions = client.queue_subscribe(subject.clone(), QUEUE_GROUP.to_owned()).await;
        let questions = questions.map_err(|source| BridgeError::Subscribe { subject, source })?;
        tasks.spawn(work::run_quotes(
            Arc::clone(&desk),
            Arc::clone(caller),
            questions,
            stop.clone(),
        ));
    }
    tasks.spawn(work::commands_inlet(Arc::clone(&desk), stop.clone()));
    if desk.callers.values().any(|caller| caller.store.callback.is_some()) {
        tasks.spawn(work::callbacks::inlet(Arc::clone(&desk), stop.clone()));
    }
    tracing::info!(stores = desk.callers.len(), "the bridge is open");
    Ok(Running { tasks })
}

/// Every store that is configured, ready to be called.
fn callers(
    config: &BridgeConfig,
) -> Result<BTreeMap<schemas::PartnerId, Arc<Caller>>, BridgeError> {
    let Some(dir) = &config.stores_dir else { return Ok(BTreeMap::new()) };
    let tls = http::tls()?;
    let caller = |(id, store)| Ok((id, Arc::new(Caller::new(store, config, &tls)?)));
    load_all(dir)?.into_iter().map(caller).collect()
}

async fn open_calls(egress: &Egress, config: &BridgeConfig) -> Calls {
    let mut told = false;
    loop {
        match Calls::open(egress.jetstream(), config).await {
            Ok(calls) => return calls,
            Err(error) if !told => {
                tracing::warn!(error, "waiting for the server to open the bridge's records");
                told = true;
            }
            Err(error) => tracing::debug!(error, "the bridge's records are not open yet"),
        }
        tokio::time::sleep(std::time::Duration::from_millis(OPEN_DELAY_MS)).await;
    }
}
