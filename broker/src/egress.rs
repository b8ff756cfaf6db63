//! Outbox → JetStream.
//!
//! Rows come in the order in which they became durable and are first sent in that order; many
//! wait for their acknowledgement at once. Silence means *unknown*: the same bytes are sent again
//! under the same id, once there is a connection. Refusals are retried for ever, later and later.
//! The cursor follows the acknowledged prefix and is made durable now and then; rows behind it
//! are kept by the store, so that a stream that lost its tail can be filled again.
//!
//! Each stream has places and a pace of its own: one that is full, slow or being filled again
//! keeps no row of another one waiting. What it has no place for is left in the store and read
//! again in order.
//!
//! ```text
//! store thread ──Outlet──▶ Feed ──▶ Window (what is open) ──▶ publish ──▶ server
//!                            ▲         │  ▲                                │
//!                   outbox_after       │  └──────────── ack inbox ◀────────┘
//!                   (gaps, streams     └─▶ cursor, stream marks ─▶ store
//!                    that are behind)
//! ```
//!
//! Nothing is sent before the streams have been compared with what is known of them ([`heal`]),
//! at every connection anew.

pub mod ack;
pub mod feed;
pub mod heal;
mod hour;
pub mod lapse;
pub mod progress;
pub mod rows;
mod send;
pub mod session;
mod spans;
pub mod window;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_nats::Subscriber;
use futures_util::{FutureExt, StreamExt};
use schemas::stream::StreamSpec;
use tokio::sync::oneshot;

use crate::clock::Clock;
use crate::config::Limits;
use crate::mailbox::Intake;
use crate::nats::NatsError;
use crate::nats::connect::{Connection, Epoch};
use crate::positions::Positions;
use crate::storage::Storage;
use crate::store::Meta;
use crate::traces::Traces;
use crate::wire::WireContext;

use feed::Feed;
use hour::Hour;
use progress::Progress;
use send::Prepared;
use window::Window;

/// Rows of one stream taken in and not settled, for each that may be in flight; beyond it the rest
/// of that stream waits in the store. It is filled up once half are free, and the other half must
/// keep the stream busy.
const OPEN_ROWS_PER_IN_FLIGHT: usize = 4;
/// Longest time between two looks at what is due.
const TURN_MAX: Duration = Duration::from_millis(250);
/// Shortest: what is due and cannot leave (everything in flight) is not met by spinning.
const PAUSE_MIN: Duration = Duration::from_millis(1);

/// What egress needs of the rest.
pub struct Egress {
    pub connection: Connection,
    pub storage: Arc<Storage>,
    pub intake: Intake,
    /// How far ingress has read.
    pub read: Positions,
    pub clock: Clock,
    pub context: WireContext,
    pub limits: Limits,
    /// As they are to be.
    pub streams: Vec<StreamSpec>,
    /// Where the server says what a publish-ack is worth; read at every connection.
    pub monitoring_url: Option<String>,
    pub traces: Traces,
}

/// Ends the task once everything durable is also acknowledged (or there is no connection).
#[derive(Debug)]
pub struct Flush(pub oneshot::Receiver<()>);

struct Task {
    with: Egress,
    jetstream: async_nats::jetstream::Context,
    /// The connection whose streams have been compared; others get nothing.
    epoch: Epoch,
    feed: Feed,
    window: Window<Prepared>,
    progress: Progress,
    /// Streams that refuse, as last told.
    closed: BTreeSet<&'static str>,
    hour: Hour,
    acks: Subscriber,
    /// Acks arrive on `<inbox>.<seq>`.
    inbox: String,
    flushing: bool,
}

/// Runs until flushed. `feed` continues at the cursor of `meta`.
///
/// # Errors
/// The ack inbox cannot be subscribed.
pub async fn run(with: Egress, feed: Feed, meta: &Meta, mut flush: Flush) -> Result<(), NatsError> {
    let inbox = with.connection.client.new_inbox();
    let subject = format!("{inbox}.*");
    let acks = with
        .connection
        .client
        .subscribe(subject.clone())
        .await
        .map_err(|source| NatsError::Subscribe { subject, source })?;
    let window = Window::new(&progress::settled(meta), window::Bounds::from(&with.limits));
    let mut task = Task {
        jetstream: async_nats::jetstream::new(with.connection.client.clone()),
        epoch: Epoch::default(),
        feed,
        window,
        progress: Progress::new(meta, with.read.clone()),
        closed: BTreeSet::new(),
        hour: Hour::default(),
        acks,
        inbox,
        flushing: false,
        with,
    };
    for stream in session::TARGETS {
        crate::metrics::outbox_refused(stream, false);
    }
    while !task.is_finished() {
        let has_more = task.turn().await;
        task.wait(&mut flush, has_more).await;
    }
    task.progress.finish(&task.with.storage, task.window.settled()).await;
    Ok(())
}

impl Task {
    /// One look at everything that may be due, in this order of priority. Whether there is more to
    /// do at once.
    async fn turn(&mut self) -> bool {
        // 1. Acks that are in, so that what they free can be used.
        self.take_acks();
        // 2. A new connection is compared with what we know before it gets anything.
        if !self.is_session_open() && !self.open_session().await {
            return false;
        }
        // 3. Orders wait while the hour is in doubt.
        self.watch_clock().await;
        // 4. What has been silent for too long is unknown.
        self.window.time_out(Instant::now());
        // 5. What is due again, then what is new.
        self.send_due().await;
        let has_more = self.take_rows().await;
        // 6. Remember how far we are.
        self.progress.save_if_due(&self.with.storage, self.window.settled());
        self.report();
        has_more
    }

    /// Until something arrives or becomes due.
    async fn wait(&mut self, flush: &mut Flush, has_more: bool) {
        let connected = self.is_session_open();
        let pause = match (connected, has_more) {
            // Without a connection nothing becomes due.
            (false, _) => TURN_MAX,
            (true, true) => Duration::ZERO,
            (true, false) => self.pause(),
        };
        tokio::select! {
            biased;
            ack = self.acks.next() => if let Some(ack) = ack { self.take_ack(&ack) },
            () = self.feed.arrived(), if connected => {}
            () = self.with.connection.changed(), if !connected => {}
            _ = &mut flush.0, if !self.flushing => self.flushing = true,
            () = tokio::time::sleep(pause) => {}
        }
    }

    fn pause(&self) -> Duration {
        let now = Instant::now();
        self.window
            .next_due(now)
            .map_or(TURN_MAX, |due| due.saturating_duration_since(now))
            .min(self.progress.pause(&self.window.settled()))
            .clamp(PAUSE_MIN, TURN_MAX)
    }

    fn take_acks(&mut self) {
        while let Some(Some(ack)) = self.acks.next().now_or_never() {
            self.take_ack(&ack);
        }
    }

    fn is_session_open(&self) -> bool {
        self.epoch != Epoch::default() && self.epoch == self.with.connection.epoch()
    }

    fn is_finished(&self) -> bool {
        let done = self.window.is_empty() && self.feed.is_drained(self.window.taken());
        self.flushing && (done || !self.with.connection.is_connected())
    }

    fn report(&mut self) {
        let backlog = self.feed.highest().saturating_sub(self.window.cursor());
        crate::metrics::outbox(backlog, self.window.in_flight());
        for (stream, is_closed) in self.window.closed() {
            if is_closed && self.closed.insert(stream) {
                tracing::warn!(stream, "a stream refuses: its messages wait in the outbox");
                crate::metrics::outbox_refused(stream, true);
            } else if !is_closed && self.closed.remove(stream) {
                tracing::info!(stream, "a stream that refused takes messages again");
                crate::metrics::outbox_refused(stream, false);
            }
        }
    }
}
