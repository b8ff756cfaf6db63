//! Puts the parts together and takes them apart again.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_nats::Client;
use async_nats::jetstream::stream;
use schemas::stream::StreamSpec;
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
pub struct Bridge {
    tasks: JoinSet<()>,
    stop: watch::Receiver<bool>,
}

impl Bridge {
    /// Returns when all of it has ended after a stop, or as soon as a part of it ended by itself,
    /// which is a bug.
    pub async fn ended(&mut self) {
        while self.tasks.join_next().await.is_some() {
            if !*self.stop.borrow() {
                tracing::error!("a part of the bridge ended by itself");
                return;
            }
        }
        // For nobody it has nothing to do until it is told to stop.
        let _ = self.stop.wait_for(|stop| *stop).await;
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
) -> Result<Bridge, BridgeError> {
    config.validate().map_err(BridgeError::Config)?;
    let callers = callers(config)?;
    metrics::describe(callers.len());
    if callers.is_empty() {
        tracing::info!("the bridge speaks for no store");
        return Ok(Bridge { tasks: JoinSet::new(), stop });
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
    Ok(Bridge { tasks, stop })
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
        let opened = async {
            for spec in schemas::stream::of_doors() {
                let config = stream_config(&spec);
                egress.jetstream().get_or_create_stream(config).await.map_err(|e| e.to_string())?;
            }
            Calls::open(egress.jetstream(), config).await
        };
        match opened.await {
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

fn stream_config(spec: &StreamSpec) -> stream::Config {
    stream::Config {
        name: spec.name.to_owned(),
        description: Some(spec.description.to_owned()),
        subjects: spec.subjects.clone(),
        max_bytes: i64::try_from(spec.max_bytes).unwrap_or(i64::MAX),
        max_age: spec.max_age.into(),
        max_message_size: i32::try_from(spec.max_message_size).unwrap_or(i32::MAX),
        duplicate_window: spec.duplicate_window.into(),
        discard: stream::DiscardPolicy::New,
        retention: stream::RetentionPolicy::Limits,
        storage: stream::StorageType::File,
        num_replicas: schemas::stream::NUM_REPLICAS,
        ..stream::Config::default()
    }
}
