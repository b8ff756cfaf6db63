//! Outbox → JetStream.
//!
//! Rows come in the order in which they became durable and are first sent in that order; many
//! wait for their acknowledgement at once. Silence means *unknown*: the same bytes are sent again
//! under the same id, once there is a connection. Refusals are retried for ever, later and later.
//! The cursor follows the acknowledged prefix and is made durable now and then; rows behind it
//! are kept by the store, so that a stream that lost its tail can be filled again.
//!
//! ```text
//! store thread ──Outlet──▶ Feed ──▶ Window (what is open) ──▶ publish ──▶ server
//!                            ▲         │  ▲                                │
//!                   outbox_after       │  └──────────── ack inbox ◀────────┘
//!                   (gaps, start,      └─▶ cursor, stream marks ─▶ store
//!                    rewind)
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
pub mod window;

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_nats::Subscriber;
use futures_util::{FutureExt, StreamExt};
use tokio::sync::oneshot;

use crate::clock::Clock;
use crate::config::Limits;
use crate::mailbox::Intake;
use crate::nats::NatsError;
use crate::nats::connect::{Connection, Epoch};
use crate::positions::Positions;
use crate::storage::Storage;
use crate::store::Meta;
use crate::wire::WireContext;

use feed::Feed;
use heal::Replay;
use hour::Hour;
use progress::Progress;
use send::Prepared;
use window::Window;

/// Rows taken from the feed and not settled; beyond it the rest waits in the store.
const OPEN_ROWS_MAX: usize = 8192;
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
    /// Where the server says what a publish-ack is worth; read at every connection.
    pub monitoring_url: Option<String>,
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
    replay: Option<Replay>,
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
    let window = Window::new(meta.outbox_sent.0, window::Bounds::from(&with.limits));
    let mut task = Task {
        jetstream: async_nats::jetstream::new(with.connection.client.clone()),
        epoch: Epoch::default(),
        feed,
        window,
        progress: Progress::new(meta, with.read.clone()),
        replay: None,
        hour: Hour::default(),
        acks,
        inbox,
        flushing: false,
        with,
    };
    while !task.is_finished() {
        task.turn().await;
        task.wait(&mut flush).await;
    }
    task.progress.finish(&task.with.storage, task.window.cursor()).await;
    Ok(())
}

impl Task {
    /// One look at everything that may be due, in this order of priority.
    async fn turn(&mut self) {
        // 1. Acks that are in, so that what they free can be used.
        self.take_acks();
        // 2. A new connection is compared with what we know before it gets anything.
        if !self.is_session_open() && !self.open_session().await {
            return;
        }
        // 3. Orders wait while the hour is in doubt.
        self.watch_clock().await;
        // 4. What has been silent for too long is unknown.
        self.window.time_out(Instant::now());
        // 5. What is due again, then what is new.
        self.send_due().await;
        self.take_rows().await;
        // 6. Remember how far we are.
        self.progress.save_if_due(&self.with.storage, self.window.cursor());
        self.report();
    }

    /// Until something arrives or becomes due.
    async fn wait(&mut self, flush: &mut Flush) {
        let connected = self.is_session_open();
        // Without a connection nothing becomes due.
        let pause = if connected { self.pause() } else { TURN_MAX };
        tokio::select! {
            biased;
            ack = self.acks.next() => if let Some(ack) = ack { self.take_ack(&ack) },
            () = self.feed.arrived(), if connected && self.window.has_room() => {}
            () = self.with.connection.changed(), if !connected => {}
            _ = &mut flush.0, if !self.flushing => self.flushing = true,
            () = tokio::time::sleep(pause) => {}
        }
    }

    fn pause(&self) -> Duration {
        self.window
            .next_due()
            .map_or(TURN_MAX, |due| due.saturating_duration_since(Instant::now()))
            .min(self.progress.pause(self.window.cursor()))
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

    fn report(&self) {
        let backlog = self.feed.highest().saturating_sub(self.window.cursor());
        crate::metrics::outbox(backlog, self.window.in_flight());
    }
}
