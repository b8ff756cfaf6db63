//! Rows becoming messages and leaving.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_nats::Message as NatsMessage;
use bytes::Bytes;
use schemas::id::MessageId;

use super::Task;
use super::ack::{self, Ack};
use super::feed::Next;
use super::lapse::{self, Timed};
use super::rows::{Found, PAGE_ROWS_MAX, lane_of, of_stream, shown_receipt};
use super::spans;
use crate::crash;
use crate::metrics;
use crate::nats::headers;
use crate::storage::describe;
use crate::store::{OutboxSeq, StoreError, StoredRow};
use crate::traces::{Span, Traces};
use crate::wire::outgoing::{self, Message};

/// Batches of rows taken in before acks are heard again.
const BATCHES_PER_TURN_MAX: usize = 8;
/// How long an order waits for the clock before it is looked at again.
const CLOCK_PAUSE: Duration = Duration::from_millis(100);

/// A row as it will leave, in every copy.
#[derive(Debug)]
pub(super) struct Sendable {
    message: Message,
    body: Bytes,
    timed: Option<Timed>,
    /// What ends with its acknowledgement.
    spans: Vec<Span>,
}

pub(super) type Prepared = Arc<Sendable>;

fn sendable(row: &StoredRow, mut message: Message, traces: &Traces) -> Prepared {
    let body = Bytes::from(std::mem::take(&mut message.body));
    let spans = spans::of(row, &message, traces);
    Arc::new(Sendable { message, body, timed: lapse::timed(row), spans })
}

impl Task {
    /// Takes rows in and sends them, as long as there are any and they may be sent. Whether it
    /// stopped before, so that acks are heard in between.
    pub(super) async fn take_rows(&mut self) -> bool {
        for _ in 0..BATCHES_PER_TURN_MAX {
            if !self.is_session_open() {
                return false;
            }
            let is_new = self.take_new().await;
            let is_old = self.take_behind().await;
            if !is_new && !is_old {
                return false;
            }
            self.send_due().await;
        }
        true
    }

    /// What became durable since. Rows of a stream without room stay in the store.
    async fn take_new(&mut self) -> bool {
        let mut rows = self.next_rows().await;
        let all: Vec<(u64, &'static str)> =
            rows.iter().map(|row| (row.seq.0, outgoing::stream_of(row))).collect();
        rows.retain(|row| self.window.has_room(outgoing::stream_of(row)));
        let Some(prepared) = self.prepare(rows).await else { return false };
        let mut prepared = prepared.into_iter().peekable();
        for (seq, stream) in &all {
            match prepared.next_if(|(row, _)| row.seq.0 == *seq) {
                Some((row, message)) => {
                    let sendable = sendable(&row, message, &self.with.traces);
                    self.window.take(*seq, stream, lane_of(&row), sendable);
                }
                None => self.window.leave(*seq, stream),
            }
        }
        !all.is_empty()
    }

    /// What was left in the store for a stream that has room again.
    async fn take_behind(&mut self) -> bool {
        let Some((stream, after)) = self.window.wants_more() else { return false };
        let reader = self.with.storage.reader();
        let last = self.window.taken();
        let look = move || of_stream(reader.as_ref(), stream, after, last);
        let Some(Found { rows, up_to }) = self.read(look).await else { return false };
        let Some(prepared) = self.prepare(rows).await else { return false };
        for (row, message) in prepared {
            let (seq, lane) = (row.seq.0, lane_of(&row));
            let sendable = sendable(&row, message, &self.with.traces);
            if !self.window.take_back(seq, stream, lane, sendable) {
                return true;
            }
        }
        self.window.read_up_to(stream, up_to);
        true
    }

    async fn next_rows(&mut self) -> Vec<StoredRow> {
        let mut rows = Vec::new();
        let mut taken = self.window.taken();
        while rows.len() < PAGE_ROWS_MAX {
            match self.feed.next(taken) {
                Next::Row(row) => {
                    taken = row.seq.0;
                    rows.push(*row);
                }
                Next::ReadStore if rows.is_empty() => return self.read_store(taken).await,
                Next::ReadStore | Next::Nothing => break,
            }
        }
        rows
    }

    async fn read_store(&mut self, taken: u64) -> Vec<StoredRow> {
        let highest = self.feed.highest();
        let reader = self.with.storage.reader();
        let read = move || reader.outbox_after(OutboxSeq(taken), PAGE_ROWS_MAX);
        // What could not be read has not been found to be missing.
        let Some(rows) = self.read(read).await else { return Vec::new() };
        if rows.is_empty() {
            // Durable rows are visible to readers before they are announced.
            self.window.skip_to(highest);
        }
        rows
    }

    /// Messages in the order of their rows, with the receipts they show. Nothing if the store
    /// cannot be read.
    async fn prepare(&self, rows: Vec<StoredRow>) -> Option<Vec<(StoredRow, Message)>> {
        let context = self.with.context.clone();
        if rows.iter().all(|row| outgoing::wants_receipt(row).is_none()) {
            let convert = |row: StoredRow| {
                let message = outgoing::message(&context, &row, None);
                (row, message)
            };
            return Some(rows.into_iter().map(convert).collect());
        }
        let reader = self.with.storage.reader();
        self.read(move || {
            let convert = |row: StoredRow| {
                let shown = shown_receipt(&row, reader.as_ref())?;
                let message = outgoing::message(&context, &row, shown.as_ref());
                Ok((row, message))
            };
            rows.into_iter().map(convert).collect()
        })
        .await
    }

    /// Runs a blocking read. A store that cannot be read ends the process.
    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
    ) -> Option<T> {
        match tokio::task::spawn_blocking(read).await {
            Ok(Ok(value)) => Some(value),
            Ok(Err(error)) => {
                self.with.storage.fail(&describe(&error));
                None
            }
            Err(ended) => {
                self.with.storage.fail(&describe(&ended));
                None
            }
        }
    }

    /// Sends everything that is due and allowed.
    pub(super) async fn send_due(&mut self) {
        let now = Instant::now();
        while self.is_session_open()
            && let Some((seq, row)) = self.window.due(now).map(|(seq, row)| (seq, Arc::clone(row)))
        {
            match row.timed {
                Some(timed) if timed.has_lapsed(self.with.clock.now()) => {
                    self.lapse(seq, timed).await;
                }
                Some(timed) if timed.is_place() && self.doubts_clock() => {
                    self.window.hold(seq, now + CLOCK_PAUSE);
                }
                Some(_) | None => self.publish(seq, &row).await,
            }
        }
    }

    async fn lapse(&mut self, seq: u64, timed: Timed) {
        let operation = lapse::label(timed.operation);
        tracing::debug!(request = %timed.request, operation, "not sent: its time has passed");
        metrics::lapsed(operation);
        self.window.settle(seq);
        // If the engine has ended, the timers of the request tell it after the restart.
        let _ = self.with.intake.send(timed.input()).await;
    }

    async fn publish(&mut self, seq: u64, row: &Prepared) {
        let message = &row.message;
        let cursor = self.window.settled_of(message.stream);
        let headers = headers::of_message(message, cursor);
        let reply = format!("{}.{seq}", self.inbox);
        crash::point(crash::EGRESS_BEFORE_PUBLISH);
        let publish = self.with.connection.client.publish_with_reply_and_headers(
            message.subject.clone(),
            reply,
            headers,
            row.body.clone(),
        );
        let limit = Duration::from(self.with.limits.publish_ack_timeout_ms);
        let result = tokio::time::timeout(limit, publish).await;
        crash::point(crash::EGRESS_AFTER_PUBLISH);
        match result {
            // Queued late or not at all: unknown, like every silence.
            Ok(Ok(())) | Err(_) => self.window.sent(seq, Instant::now()),
            Ok(Err(error)) => {
                tracing::warn!(id = %message.id, %error, "cannot be sent");
                metrics::publish_retry(message.stream, "not_sent");
                self.window.refused(seq, Instant::now());
            }
        }
    }

    pub(super) fn take_ack(&mut self, message: &NatsMessage) {
        let Some(seq) = ack::row_of(&message.subject) else { return };
        match ack::read(message) {
            Ack::Stored { sequence, duplicate } => {
                if let Some(row) = self.window.stored(seq) {
                    let Message { stream, id, .. } = &row.message;
                    metrics::published(stream, duplicate);
                    spans::tell(&row.spans, self.with.clock.now(), &self.with.traces);
                    self.progress.marks_mut().acked(stream, sequence, id, seq);
                }
            }
            Ack::Refused { why } => {
                let now = Instant::now();
                if let Some((stream, id)) = self.open_row(seq) {
                    tracing::warn!(%id, stream, why, "the server does not take a message");
                    metrics::publish_retry(stream, "refused");
                }
                self.window.refused(seq, now);
            }
        }
    }

    fn open_row(&self, seq: u64) -> Option<(&'static str, MessageId)> {
        let row = self.window.get(seq)?;
        Some((row.message.stream, row.message.id.clone()))
    }
}
