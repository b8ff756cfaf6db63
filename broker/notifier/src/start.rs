//! Everything running, and its orderly end.

use std::sync::Arc;
use std::time::Duration;

use async_nats::Client;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::attempt::Attempts;
use crate::config::NotifierConfig;
use crate::dispatch::{Dispatch, count_disabled};
use crate::email::{EmailError, Mailer};
use crate::intake::{Intake, IntakeError, Room};
use crate::store::{Store, StoreError};
use crate::subscribers::{SubscribersError, follow};
use crate::webhook::http::Caller;
use crate::{metrics, webhook};

/// Pause before the server is asked again for what is not there yet.
const AGAIN: Duration = Duration::from_secs(1);

/// Why the notifier does not start.
#[derive(Debug, thiserror::Error)]
pub enum NotifierError {
    #[error("{0}")]
    Config(String),
    #[error("notifier.subscribers_file cannot be used")]
    Subscribers(#[from] SubscribersError),
    #[error("e-mail cannot be sent as configured")]
    Email(#[from] EmailError),
    #[error("notifier.webhook.tls_ca_file: {0}")]
    Tls(String),
    #[error("the buckets of the notifier cannot be made")]
    Store(#[from] StoreError),
    #[error("notifications cannot be read")]
    Intake(#[from] IntakeError),
    #[error("stopped while starting")]
    Stopped,
}

/// A running notifier. Dropping it ends it as a crash does, which is safe.
#[derive(Debug)]
pub struct Running {
    tasks: JoinSet<()>,
    stop: watch::Receiver<bool>,
}

/// Returns once notifications are taken and deliveries are sent. While the stream of notifications
/// does not exist yet (the broker makes it), waits for it.
///
/// # Errors
/// The configuration or a file cannot be used, or the server refuses.
pub async fn start(
    config: &NotifierConfig,
    client: Client,
    mut stop: watch::Receiver<bool>,
) -> Result<Running, NotifierError> {
    config.validate().map_err(NotifierError::Config)?;
    metrics::describe();
    let (subscribers, look) = follow(config, stop.clone())?;
    let mailer = config.email.as_ref().map(Mailer::new).transpose()?;
    let tls = webhook::tls::client(config.webhook.tls_ca_file.as_deref());
    let caller = Caller {
        tls: tls.map_err(NotifierError::Tls)?,
        timeout: config.webhook.timeout_ms.into(),
        retry_after_max: config.webhook.retry_after_max_ms,
    };
    let store = Store::open(&client, config).await?;
    let room = Room::new(config);
    let intake = Intake {
        config: config.clone(),
        client: client.clone(),
        store: store.clone(),
        subscribers: subscribers.clone(),
        room: room.clone(),
        stop: stop.clone(),
    };
    let consumer = loop {
        match intake.consumer().await? {
            Some(consumer) => break consumer,
            None => tracing::warn!("waiting for the stream of notifications; the broker makes it"),
        }
        tokio::select! {
            () = tokio::time::sleep(AGAIN) => {}
            _ = stop.wait_for(|stop| *stop) => return Err(NotifierError::Stopped),
        }
    };
    let attempts =
        Attempts { config: config.clone(), store: store.clone(), subscribers, mailer, caller };
    let mut tasks = JoinSet::new();
    tasks.spawn(look);
    tasks.spawn(count_disabled(store.clone(), stop.clone()));
    let dispatch = Dispatch::new(config, client, store, Arc::new(attempts), room, stop.clone());
    tasks.spawn(dispatch.run());
    tasks.spawn(intake.run(consumer));
    Ok(Running { tasks, stop })
}

impl Running {
    /// Returns when a task has ended that should not; after `stop`, when all have.
    pub async fn ended(&mut self) {
        while self.tasks.join_next().await.is_some() {
            if !*self.stop.borrow() {
                return;
            }
        }
    }

    /// After `stop`: returns when what was under way has ended, or `shutdown_ms` has passed.
    pub async fn stopped(mut self) {
        while self.tasks.join_next().await.is_some() {}
    }
}
