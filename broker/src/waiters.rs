//! Who waits for the engine's word: messages of streams that want their ack, and callers of the
//! micro service that want their reply. The engine knows each by an [`Origin`] only.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use async_nats::jetstream;
use async_nats::service::Request;
use broker_core::batch::SourceStream;
use broker_core::engine::input::Origin;
use broker_core::engine::output::Answer;
use schemas::RequestId;
use schemas::subject::PurchaseOperation;
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use crate::ingress::session::Session;
use crate::service::room::Place;
use crate::traces::Span;

/// One of them. Its permit or place bounds how many there are at once.
#[derive(Debug)]
pub enum Waiter {
    Message(Delivery),
    Call(Call),
    /// An operator's word; whoever passed it on tells the answer.
    Operator(oneshot::Sender<Answer>),
}

/// A message of a stream.
#[derive(Debug)]
pub struct Delivery {
    pub message: jetstream::Message,
    pub source: SourceStream,
    pub session: Arc<Session>,
    pub permit: OwnedSemaphorePermit,
    /// Begun when it came, if anybody wants to know.
    pub span: Option<Span>,
}

/// A call of the micro service.
#[derive(Debug)]
pub struct Call {
    pub request: Request,
    pub operation: PurchaseOperation,
    /// The purchase request it is about.
    pub about: Option<RequestId>,
    pub since: Instant,
    pub place: Place,
}

/// All of them.
#[derive(Debug, Default)]
pub struct Waiters {
    next: AtomicU64,
    open: Mutex<HashMap<Origin, Waiter>>,
}

impl Waiters {
    /// A name for `waiter`, not used before in this process.
    pub fn add(&self, waiter: Waiter) -> Origin {
        let origin = Origin(self.next.fetch_add(1, Ordering::Relaxed));
        self.lock().insert(origin, waiter);
        origin
    }

    /// Each is told once.
    pub fn take(&self, origin: Origin) -> Option<Waiter> {
        self.lock().remove(&origin)
    }

    pub fn len(&self) -> usize {
        self.lock().len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Origin, Waiter>> {
        // Nothing panics while it is held; and a map of waiters is whole after any single step.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
