//! One client that follows one request: first what the stream has after its `Last-Event-ID`, then
//! what comes. Server-sent events (HTML Living Standard): the id of an event is its place in the
//! stream, so that a client that lost its connection misses nothing.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::Stream;
use futures_util::stream::unfold;
use schemas::stream::name::PURCHASE_EVENTS;
use schemas::subject::filter;
use schemas::text::Text;
use schemas::{CustomerId, RequestId};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc;

use super::hub::{Happened, next_stored};
use crate::config::GatewayConfig;
use crate::metrics;
use crate::shared::Shared;

/// Comments in between keep proxies from closing a quiet connection, and find out who has gone.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// After a lost connection clients come back after so long.
const COME_BACK: Duration = Duration::from_secs(1);
/// Events that wait for a client to read.
const QUEUE: usize = 8;
/// Between two tries to read the stream.
const RETRY: Duration = Duration::from_millis(500);

/// Who follows: how many with each token.
#[derive(Default)]
pub(crate) struct Clients(Arc<Mutex<HashMap<Text<64>, usize>>>);

/// A place among the clients; given back when it is dropped.
pub(crate) struct Place {
    token: Text<64>,
    clients: Arc<Mutex<HashMap<Text<64>, usize>>>,
}

impl Clients {
    /// A place, if there is one.
    pub(crate) fn enter(&self, token: &Text<64>, config: &GatewayConfig) -> Option<Place> {
        let mut clients = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = clients.values().sum();
        let own = clients.get(token).copied().unwrap_or_default();
        if all >= config.event_clients_max || own >= config.event_clients_per_token_max {
            return None;
        }
        clients.insert(token.clone(), own + 1);
        metrics::event_clients(all + 1);
        Some(Place { token: token.clone(), clients: Arc::clone(&self.0) })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = clients.get_mut(&self.token) {
            *own -= 1;
            if *own == 0 {
                clients.remove(&self.token);
            }
        }
        metrics::event_clients(clients.values().sum());
    }
}

/// Whose request it is must have been checked. `after` is the last event that the client has.
pub(crate) fn follow(
    shared: Shared,
    customer: &CustomerId,
    request: RequestId,
    after: u64,
    place: Place,
) -> Sse<impl Stream<Item = Result<Event, Infallible>> + use<>> {
    let (sender, receiver) = mpsc::channel(QUEUE);
    let subject = filter::purchase_events_of(customer, request);
    tokio::spawn(async move {
        tokio::select! {
            () = run(&shared, request, &subject, after, &sender) => {}
            () = sender.closed() => {}
        }
        shared.hub.left(request);
        drop(place);
    });
    let events = unfold(receiver, |mut receiver: mpsc::Receiver<Event>| async move {
        let event = receiver.recv().await?;
        Some((Ok(event), receiver))
    });
    Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE))
}

/// Ends when the client has gone.
async fn run(
    shared: &Shared,
    request: RequestId,
    subject: &str,
    after: u64,
    sender: &mpsc::Sender<Event>,
) {
    // An id of a stream that was made anew since says nothing.
    let last = shared.hub.last();
    let mut after = if last > 0 && after > last { 0 } else { after };
    if sender.send(Event::default().retry(COME_BACK)).await.is_err() {
        return;
    }
    loop {
        // Listening first: nothing falls between what was stored and what comes.
        let mut live = shared.hub.listen(request);
        let Ok(reached) = catch_up(shared, subject, after, sender).await else { return };
        after = reached;
        loop {
            match live.recv().await {
                Ok(happened) if happened.sequence <= after => {}
                Ok(happened) => {
                    after = happened.sequence;
                    if sender.send(event(&happened)).await.is_err() {
                        return;
                    }
                }
                Err(RecvError::Lagged(_)) => {
                    metrics::event_client_lagged();
                    break;
                }
                Err(RecvError::Closed) => break,
            }
        }
    }
}

/// Sends what the stream has; gives the last event's place. An error: the client has gone.
async fn catch_up(
    shared: &Shared,
    subject: &str,
    mut after: u64,
    sender: &mpsc::Sender<Event>,
) -> Result<u64, ()> {
    loop {
        let stream = shared.jetstream.get_stream_no_info(PURCHASE_EVENTS).await;
        let found = match stream {
            Ok(stream) => next_stored(&stream, subject, after + 1).await,
            Err(error) => Err(error.to_string()),
        };
        match found {
            Ok(Some(happened)) => {
                after = happened.sequence;
                sender.send(event(&happened)).await.map_err(drop)?;
            }
            Ok(None) => return Ok(after),
            Err(error) => {
                tracing::debug!(error, "events cannot be read; trying again");
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}

/// The wire message is JSON on one line.
fn event(happened: &Happened) -> Event {
    let data = String::from_utf8_lossy(&happened.body);
    Event::default().id(happened.sequence.to_string()).event(&happened.kind).data(data)
}
