//! Answers that wait for their instant, each on a timer of its own, at most so many at once.

use std::sync::Arc;
use std::time::Duration;

use schemas::Timestamp;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::clock;

/// The waiting room.
#[derive(Clone)]
pub(crate) struct Delays {
    seats: Arc<Semaphore>,
    stop: watch::Receiver<bool>,
}

impl Delays {
    pub(crate) fn new(delayed_max: usize, stop: watch::Receiver<bool>) -> Self {
        Self { seats: Arc::new(Semaphore::new(delayed_max.min(Semaphore::MAX_PERMITS))), stop }
    }

    /// A seat if there is one: what is soft is dropped when the room is full.
    pub(crate) fn try_seat(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.seats).try_acquire_owned().ok()
    }

    /// A seat, as soon as there is one.
    pub(crate) async fn seat(&self) -> OwnedSemaphorePermit {
        let seats = Arc::clone(&self.seats);
        seats.acquire_owned().await.expect("the waiting room is never closed")
    }

    /// Runs `send` at `at`, unless the shell is stopped before.
    pub(crate) fn run(
        &self,
        seat: OwnedSemaphorePermit,
        at: Timestamp,
        send: impl Future<Output = ()> + Send + 'static,
    ) {
        let wait = Duration::from(at.since(clock::now()));
        self.spawn(async move {
            tokio::time::sleep(wait).await;
            send.await;
            drop(seat);
        });
    }

    /// Runs a task of its own, until the shell is stopped.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let mut stop = self.stop.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = task => {}
                // An error means that the shell is gone, which is a stop too.
                _ = stop.wait_for(|stop| *stop) => {}
            }
        });
    }
}
