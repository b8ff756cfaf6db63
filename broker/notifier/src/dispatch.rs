//! What is due is sent: one task owns the plan, hears of every change in the bucket, and lets
//! attempts run beside it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_nats::Client;
use async_nats::jetstream::kv::{Entry, Operation, Watch};
use futures_util::StreamExt;
use schemas::{DurationMs, Timestamp};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::agenda::{Agenda, AgendaLimits, Place};
use crate::attempt::{Attempts, Ended};
use crate::breaker::{BreakerLimits, Switch};
use crate::clock::now;
use crate::config::NotifierConfig;
use crate::describe::describe;
use crate::intake::Room;
use crate::key::{DeliveryKey, Endpoint};
use crate::metrics;
use crate::record::Delivery;
use crate::store::Store;

/// Pause before the bucket is read again that could not be read.
const AFTER_FAILURE: Duration = Duration::from_secs(1);
/// How often gauges are set, and a new connection is noticed.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often the endpoints are counted that are disabled.
const COUNT_EVERY: Duration = Duration::from_secs(30);

pub(crate) struct Dispatch {
    client: Client,
    store: Store,
    attempts: Arc<Attempts>,
    agenda: Agenda,
    running: JoinSet<Ended>,
    room: Room,
    stop: watch::Receiver<bool>,
    shutdown: Duration,
}

/// Why the bucket is read anew.
enum Again {
    Stopped,
    Failed,
    Reconnected,
}

impl Dispatch {
    pub(crate) fn new(
        config: &NotifierConfig,
        client: Client,
        store: Store,
        attempts: Arc<Attempts>,
        room: Room,
        stop: watch::Receiver<bool>,
    ) -> Self {
        let agenda = Agenda::new(AgendaLimits {
            places: config.concurrency_max,
            webhook_places: config.webhook.endpoint_concurrency_max,
            mail_places: config.email.as_ref().map_or(1, |email| email.concurrency_max),
            breaker: BreakerLimits {
                failures: config.breaker_failures,
                open: config.breaker_open_ms,
            },
        });
        let shutdown = config.shutdown_ms.into();
        let running = JoinSet::new();
        Self { client, store, attempts, agenda, running, room, stop, shutdown }
    }

    pub(crate) async fn run(mut self) {
        while !*self.stop.borrow() {
            match self.store.watch().await {
                Ok(changes) => {
                    self.agenda.forget_waiting();
                    if let Again::Stopped = self.follow(changes).await {
                        break;
                    }
                }
                Err(error) => {
                    tracing::warn!(error = describe(&error), "deliveries cannot be read");
                }
            }
            tokio::select! {
                () = tokio::time::sleep(AFTER_FAILURE) => {}
                _ = self.stop.wait_for(|stop| *stop) => {}
            }
        }
        self.finish().await;
    }

    /// Sends what is due, until the changes cannot be followed any more.
    async fn follow(&mut self, mut changes: Watch) -> Again {
        let connection = self.connection();
        let mut looks = tokio::time::interval(LOOK_EVERY);
        let mut stop = self.stop.clone();
        loop {
            self.begin_what_is_due();
            let wake = self.agenda.wake_at().map(until);
            tokio::select! {
                change = changes.next() => match change {
                    Some(Ok(entry)) => self.learn(&entry),
                    Some(Err(error)) => {
                        tracing::warn!(error = describe(&error), "changes cannot be followed");
                        return Again::Failed;
                    }
                    None => return Again::Failed,
                },
                Some(ended) = self.running.join_next() => self.end(ended),
                () = sleep(wake) => {}
                _ = looks.tick() => {
                    self.observe();
                    // A server that lost its tail gives revisions out again; a watch that goes on
                    // would wait for higher ones.
                    if self.connection() != connection {
                        return Again::Reconnected;
                    }
                }
                _ = stop.wait_for(|stop| *stop) => return Again::Stopped,
            }
        }
    }

    fn begin_what_is_due(&mut self) {
        while let Some((key, _)) = self.agenda.take(now()) {
            let attempts = Arc::clone(&self.attempts);
            self.running.spawn(async move { attempts.run(key).await });
        }
    }

    fn learn(&mut self, entry: &Entry) {
        let Some(key) = DeliveryKey::parse(&entry.key) else { return };
        let due = match entry.operation {
            Operation::Delete | Operation::Purge => None,
            Operation::Put => match Delivery::decode(&entry.value) {
                Ok(delivery) => delivery.state.due(),
                Err(error) => {
                    tracing::warn!(delivery = %key.id, %error, "a delivery cannot be read");
                    None
                }
            },
        };
        self.agenda.learn(&key, Place { revision: entry.revision, due });
        self.room.planned(self.agenda.len());
    }

    fn end(&mut self, ended: Result<Ended, tokio::task::JoinError>) {
        // A panic of an attempt ends the dispatch: its places would stay taken.
        let ended = ended.expect("an attempt does not panic");
        let Ended { key, place, verdict } = ended;
        let switch = self.agenda.done(&key, place, verdict, now());
        tell(&key.endpoint(), switch);
        self.room.planned(self.agenda.len());
    }

    fn observe(&self) {
        let overdue = self.agenda.oldest_due().map_or(DurationMs::ZERO, |due| now().since(due));
        metrics::pending(self.agenda.len(), self.agenda.under_way(), overdue);
    }

    fn connection(&self) -> u64 {
        self.client.statistics().connects.load(Ordering::Relaxed)
    }

    /// Whoever is at a delivery may end it. What does not end in time is sent again by the next
    /// start, under the same id.
    async fn finish(mut self) {
        let rest = async { while self.running.join_next().await.is_some() {} };
        if tokio::time::timeout(self.shutdown, rest).await.is_err() {
            tracing::warn!("deliveries are under way that will be sent again");
        }
    }
}

fn tell(endpoint: &Endpoint, switch: Switch) {
    let (channel, to) = match switch {
        Switch::None => return,
        Switch::Opened => (endpoint.channel(), "open"),
        Switch::Closed => (endpoint.channel(), "closed"),
    };
    metrics::breaker_switched(channel, to);
    let works = switch == Switch::Closed;
    match endpoint {
        Endpoint::MailServer if works => tracing::info!("the mail server works again"),
        Endpoint::MailServer => tracing::warn!("the mail server is left alone for a while"),
        Endpoint::Webhook(customer) if works => tracing::info!(%customer, "a webhook works again"),
        Endpoint::Webhook(customer) => tracing::warn!(%customer, "a webhook is left alone"),
    }
}

/// Counts the endpoints that are disabled, until `stop`.
pub(crate) async fn count_disabled(store: Store, mut stop: watch::Receiver<bool>) {
    let mut often = tokio::time::interval(COUNT_EVERY);
    loop {
        tokio::select! {
            _ = often.tick() => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
        if let Ok(endpoints) = store.endpoints().await {
            let disabled = endpoints.iter().filter(|(_, _, record)| record.is_disabled());
            metrics::endpoints_disabled(disabled.count());
        }
    }
}

fn until(at: Timestamp) -> Duration {
    at.since(now()).into()
}

async fn sleep(wake: Option<Duration>) {
    match wake {
        // Once more a moment later if the clock and the timer disagree by less.
        Some(wait) => tokio::time::sleep(wait.max(Duration::from_millis(1))).await,
        None => std::future::pending().await,
    }
}
