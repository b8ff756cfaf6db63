//! The file of subscribers in force: read again when it changes, kept when the new one is broken.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use tokio::sync::watch;

use super::{Subscribers, SubscribersError};
use crate::config::NotifierConfig;
use crate::describe::describe;
use crate::metrics;

/// What is in force at any time.
pub type Current = watch::Receiver<Arc<Subscribers>>;

/// By what a changed file is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    bytes: u64,
    inode: u64,
}

fn stamp(file: &Path) -> Option<Stamp> {
    use std::os::unix::fs::MetadataExt;
    let data = std::fs::metadata(file).ok()?;
    Some(Stamp { modified: data.modified().ok(), bytes: data.len(), inode: data.ino() })
}

/// Reads the file, and returns who is in it now and later. The future looks after the file until
/// `stop`.
///
/// # Errors
/// The file cannot be used.
pub fn follow(
    config: &NotifierConfig,
    stop: watch::Receiver<bool>,
) -> Result<(Current, impl Future<Output = ()> + Send + use<>), SubscribersError> {
    let file = config.subscribers_file.clone();
    let before = file.as_deref().and_then(stamp);
    let first = match &file {
        Some(file) => Subscribers::read(file, config)?,
        None => Subscribers::default(),
    };
    metrics::subscribers(Some(first.len()));
    let (tell, current) = watch::channel(Arc::new(first));
    let config = config.clone();
    let look = async move {
        if let Some(file) = file {
            look_after(file, before, config, tell, stop).await;
        } else {
            // Nobody in it now or later.
            let mut stop = stop;
            let _ = stop.wait_for(|stop| *stop).await;
        }
    };
    Ok((current, look))
}

async fn look_after(
    file: PathBuf,
    mut known: Option<Stamp>,
    config: NotifierConfig,
    tell: watch::Sender<Arc<Subscribers>>,
    mut stop: watch::Receiver<bool>,
) {
    let mut often = tokio::time::interval(config.reload_ms.into());
    loop {
        tokio::select! {
            _ = often.tick() => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
        // Taken before reading: a change meanwhile is seen at the next look.
        let (path, config) = (file.clone(), config.clone());
        let looked = tokio::task::spawn_blocking(move || {
            let found = stamp(&path);
            (found != known).then(|| (found, Subscribers::read(&path, &config)))
        });
        match looked.await {
            Ok(Some((found, Ok(subscribers)))) => {
                known = found;
                tracing::info!(subscribers = subscribers.len(), "subscribers read again");
                metrics::subscribers(Some(subscribers.len()));
                tell.send_replace(Arc::new(subscribers));
            }
            Ok(Some((found, Err(error)))) => {
                known = found;
                let error = describe(&error);
                tracing::warn!(error, "the subscribers as they were stay in force");
                metrics::subscribers(None);
            }
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, "the subscribers could not be looked at"),
        }
    }
}
