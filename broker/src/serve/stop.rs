//! Stop, from the outside to the store.

use std::sync::Arc;
use std::time::Duration;

use super::parts::Running;
use crate::storage::describe;
use crate::store::OutboxProgress;

/// How often it is looked whether something has ended.
const LOOK_INTERVAL: Duration = Duration::from_millis(5);

impl Running {
    /// Finishes what is in hand, after it was said that nothing new is taken: calls that come are
    /// told so. The caller bounds the time.
    pub(super) async fn stop(mut self) {
        // What was taken in is decided.
        until(|| self.waiters.is_empty()).await;
        // The engine ends, and with it the answers once they are passed on.
        self.results.stop();
        let _ = (&mut self.engine).await;
        let _ = (&mut self.answers).await;
        // Writes are made in order: when this one is durable, so are all before it.
        let storage = Arc::clone(&self.storage);
        let barrier = move || storage.write_progress(OutboxProgress::default());
        let _ = tokio::task::spawn_blocking(barrier).await;
        // Everything durable leaves.
        if let Some(flush) = self.flush.take() {
            let _ = flush.send(());
        }
        let _ = (&mut self.egress).await;
        self.leave_server().await;
        let traces = self.traces.clone();
        let _ = tokio::task::spawn_blocking(move || traces.stop()).await;
        close(self.storage).await;
        tracing::info!("stopped");
    }

    async fn leave_server(&mut self) {
        if let Some(service) = self.service.take()
            && let Err(error) = service.stop().await
        {
            tracing::debug!(error, "the micro service was not signed off");
        }
        for task in self.others.drain(..) {
            // The listener would go on as long as there is a connection.
            task.abort();
            let _ = task.await;
        }
        // The last acks and replies are still in the client's buffer.
        if self.connection.is_connected()
            && let Err(error) = self.connection.client.flush().await
        {
            tracing::debug!(%error, "the connection was not flushed");
        }
    }
}

async fn close(mut storage: Arc<crate::storage::Storage>) {
    loop {
        match Arc::try_unwrap(storage) {
            Ok(storage) => {
                let closed = tokio::task::spawn_blocking(move || storage.close()).await;
                if let Ok(Err(error)) = closed {
                    tracing::warn!(error = describe(&error), "the store was not closed tidily");
                }
                return;
            }
            // A task that read from it is just ending.
            Err(shared) => storage = shared,
        }
        tokio::time::sleep(LOOK_INTERVAL).await;
    }
}

async fn until(condition: impl Fn() -> bool) {
    while !condition() {
        tokio::time::sleep(LOOK_INTERVAL).await;
    }
}
