//! The customers' side: what was sent, when it was meant to be sent, and what was heard of it when.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context;
use async_nats::{Client, Message};
use futures_util::StreamExt;
use schemas::event::NotificationOutcome;
use schemas::subject::filter;
use schemas::{RequestId, Timestamp};
use serde::Deserialize;
use tests::harness::now;
use tokio::sync::oneshot;

/// One request as its customer saw it.
#[derive(Debug)]
pub(super) struct Wish {
    /// Since the start of the load.
    pub(super) intended: Duration,
    pub(super) intended_at: Timestamp,
    /// The first notification.
    pub(super) told: Option<Told>,
    /// Whoever waits for it.
    waiter: Option<oneshot::Sender<()>>,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Told {
    pub(super) outcome: NotificationOutcome,
    /// Since the intended instant.
    pub(super) after: Duration,
    pub(super) at: Timestamp,
}

#[derive(Debug, Default)]
struct Book {
    wishes: HashMap<RequestId, Wish>,
    told: BTreeMap<&'static str, usize>,
    late: Vec<Duration>,
}

/// All requests of a run.
#[derive(Debug, Clone)]
pub(super) struct Ear {
    book: Arc<Mutex<Book>>,
    /// Start of the load, on both clocks.
    start: Instant,
    start_at: Timestamp,
}

/// The part of a notification that says whom it is for.
#[derive(Deserialize)]
struct Addressee {
    request_id: RequestId,
}

impl Ear {
    /// Listens from now on; the load starts now.
    pub(super) async fn start(client: &Client) -> anyhow::Result<Self> {
        let mut notices = client.subscribe(filter::notifications()).await?;
        client.flush().await.context("listening to notifications")?;
        let ear = Self { book: Arc::default(), start: Instant::now(), start_at: now() };
        let listener = ear.clone();
        tokio::spawn(async move {
            while let Some(notice) = notices.next().await {
                listener.hear(&notice);
            }
        });
        Ok(ear)
    }

    pub(super) fn start_instant(&self) -> Instant {
        self.start
    }

    /// A request that was to be sent at `intended` is sent now.
    pub(super) fn sending(&self, request: RequestId, intended: Duration) {
        self.note(request, intended, None);
    }

    /// The same, and the receiver is told when there is an outcome.
    pub(super) fn sending_and_waiting(
        &self,
        request: RequestId,
        intended: Duration,
    ) -> oneshot::Receiver<()> {
        let (waiter, told) = oneshot::channel();
        self.note(request, intended, Some(waiter));
        told
    }

    fn note(&self, request: RequestId, intended: Duration, waiter: Option<oneshot::Sender<()>>) {
        let ms = u64::try_from(intended.as_millis()).unwrap_or(u64::MAX);
        let intended_at = self.start_at.saturating_add(schemas::DurationMs(ms));
        let late = self.start.elapsed().saturating_sub(intended);
        let mut book = self.lock();
        book.late.push(late);
        book.wishes.insert(request, Wish { intended, intended_at, told: None, waiter });
    }

    fn hear(&self, notice: &Message) {
        let since_start = self.start.elapsed();
        let label = notice.subject.rsplit('.').next().and_then(NotificationOutcome::parse);
        // What cannot be read is found by the auditor, who reads all of it again.
        let (Some(outcome), Ok(Addressee { request_id })) =
            (label, serde_json::from_slice(&notice.payload))
        else {
            return;
        };
        let mut book = self.lock();
        let Some(wish) = book.wishes.get_mut(&request_id) else { return };
        if wish.told.is_some() {
            return;
        }
        let after = since_start.saturating_sub(wish.intended);
        wish.told = Some(Told { outcome, after, at: now() });
        if let Some(waiter) = wish.waiter.take() {
            // Whoever has stopped waiting does not mind.
            let _ = waiter.send(());
        }
        *book.told.entry(outcome.label()).or_default() += 1;
    }

    /// Requests sent, and those that have an outcome.
    pub(super) fn counts(&self) -> (usize, usize) {
        let book = self.lock();
        (book.wishes.len(), book.told.values().sum())
    }

    /// Outcomes so far.
    pub(super) fn outcomes(&self) -> BTreeMap<&'static str, usize> {
        self.lock().told.clone()
    }

    /// How late the generator itself was, each time; and everything else. Nothing is left here.
    pub(super) fn take(&self) -> (Vec<Duration>, HashMap<RequestId, Wish>) {
        let mut book = self.lock();
        (std::mem::take(&mut book.late), std::mem::take(&mut book.wishes))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
