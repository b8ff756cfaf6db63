//! Backups of a serving broker, on request over NATS: the store has one owner, so only the broker
//! itself can copy it. The caller chooses nothing but the moment; the directory is the operator's.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_nats::{Client, Message, Subscriber};
use bytes::Bytes;
use futures_util::StreamExt;
use schemas::subject::AdminOperation;
use schemas::{json, subject};
use serde::{Deserialize, Serialize};
use tokio::task::JoinHandle;

use crate::clock::Clock;
use crate::config::{Limits, StoreConfig};
use crate::nats::NatsError;
use crate::serve::token_key;
use crate::storage::describe;
use crate::store::{Copying, Extent, FjallCopier, StoreError};

pub mod freeze;

/// What became of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "result", rename_all = "snake_case")]
pub enum BackupReply {
    Done {
        /// On the broker's own machine.
        path: PathBuf,
        commit: u64,
        rows: u64,
        bytes: u64,
    },
    Failed {
        detail: String,
    },
}

/// Waits for requests, if there is a directory to write to. One backup at a time: who asks while
/// one is made is refused, because its moment lies before the question.
///
/// # Errors
/// The server refuses the subscription.
pub async fn listen(
    client: &Client,
    config: &StoreConfig,
    limits: &Limits,
    copier: FjallCopier,
) -> Result<Option<JoinHandle<()>>, NatsError> {
    let Some(into) = config.backup_dir.clone() else { return Ok(None) };
    let subject = subject::admin(AdminOperation::Backup);
    let requests = client.subscribe(subject.clone()).await;
    let requests = requests.map_err(|source| NatsError::Subscribe { subject, source })?;
    let time_max = limits.backup_max_ms.into();
    let desk = Desk { client: client.clone(), copier: Arc::new(copier), into, time_max };
    Ok(Some(tokio::spawn(desk.run(requests))))
}

struct Desk {
    client: Client,
    copier: Arc<FjallCopier>,
    into: PathBuf,
    time_max: Duration,
}

impl Desk {
    async fn run(self, mut requests: Subscriber) {
        while let Some(request) = requests.next().await {
            let reply = {
                let making = self.make();
                tokio::pin!(making);
                loop {
                    tokio::select! {
                        reply = &mut making => break reply,
                        Some(other) = requests.next() => {
                            let detail = "another backup is being made".to_owned();
                            self.tell(other, &BackupReply::Failed { detail }).await;
                        }
                    }
                }
            };
            self.tell(request, &reply).await;
        }
    }

    async fn tell(&self, request: Message, reply: &BackupReply) {
        let Some(to) = request.reply else { return };
        let body = Bytes::from(json::encode(reply));
        if let Err(error) = self.client.publish(to, body).await {
            tracing::warn!(%error, "nobody could be told of a backup");
        }
    }

    async fn make(&self) -> BackupReply {
        let (copier, into) = (Arc::clone(&self.copier), self.into.clone());
        let time_max = Some(self.time_max);
        let copied = tokio::task::spawn_blocking(move || make(&copier, &into, time_max)).await;
        let detail = match copied {
            Ok(Ok((path, extent))) => {
                tracing::info!(path = %path.display(), rows = extent.rows, "backup made");
                let Extent { rows, bytes, commit, .. } = extent;
                return BackupReply::Done { path, commit: commit.0, rows, bytes };
            }
            Ok(Err(error)) => describe(&error),
            Err(error) => describe(&error),
        };
        tracing::error!(detail, "a backup could not be made");
        BackupReply::Failed { detail }
    }
}

/// A backup in a directory of its own below `into`, named after the instant.
///
/// # Errors
/// The store cannot be read, the copy not written, or not within `time_max`.
pub fn make(
    copier: &FjallCopier,
    into: &Path,
    time_max: Option<Duration>,
) -> Result<(PathBuf, Extent), StoreError> {
    let name = Clock::system().now().to_string().replace([':', '.'], "-");
    let path = into.join(format!("store-{name}"));
    let extent = copy(copier, &path, &Copying { time_max, ..Copying::default() })?;
    Ok((path, extent))
}

/// A store in `to`, which must be empty or missing, with the key of accept tokens.
///
/// # Errors
/// The store cannot be read or the copy not written.
pub fn copy(copier: &FjallCopier, to: &Path, copying: &Copying) -> Result<Extent, StoreError> {
    copier.copy_to(to, copying, &[token_key::FILE])
}
