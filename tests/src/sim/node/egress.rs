//! Outbox → streams, over the shipped feed, window, marks and rules of lapsing.

use std::rc::Rc;

use broker::config::Limits;
use broker::egress::ack::Ack;
use broker::egress::feed::{Feed, Next, Outlet, feed};
use broker::egress::lapse::{self, Timed};
use broker::egress::progress::{Marks, SAVE_INTERVAL, settled};
use broker::egress::rows::{Found, PAGE_ROWS_MAX, lane_of, of_stream, shown_receipt};
use broker::egress::window::{Bounds, Window};
use broker::positions::Positions;
use broker::store::{Meta, OutboxSeq, StoredRow};
use broker::wire::outgoing;
use bytes::Bytes;
use schemas::{DurationMs, Timestamp};

use super::{Died, Node};
use crate::auditor::Promise;
use crate::sim::jetstream::Message;
use crate::sim::scene::{Publish, Scene, Sender};

/// How long an order waits for the clock before it is looked at again.
const CLOCK_PAUSE_MS: DurationMs = DurationMs(100);
/// How long a session that could not be opened waits before the next try.
pub(super) const SESSION_PAUSE_MS: DurationMs = DurationMs(250);

/// A row as it will leave, in every copy.
#[derive(Debug)]
struct Sendable {
    message: outgoing::Message,
    body: Bytes,
    timed: Option<Timed>,
}

pub(super) struct Egress {
    outlet: Outlet,
    feed: Feed,
    window: Window<Rc<Sendable>>,
    pub(super) marks: Marks,
    /// The connection whose streams have been compared.
    pub(super) session: Option<u64>,
    /// When a session that could not be opened is tried again.
    pub(super) retry_at: Option<Timestamp>,
    saved_at: Timestamp,
    saving: bool,
}

impl Egress {
    pub(super) fn new(meta: &Meta, read: Positions) -> Self {
        let (outlet, feed) = feed(meta.outbox_last.0);
        Self {
            outlet,
            feed,
            window: Window::new(&settled(meta), Bounds::from(&Limits::default())),
            marks: Marks::new(meta, read),
            session: None,
            retry_at: None,
            saved_at: Timestamp::ZERO,
            saving: false,
        }
    }

    /// Rows that are durable now.
    pub(super) fn push(&self, rows: Vec<StoredRow>) {
        if !rows.is_empty() {
            self.outlet.push(rows);
        }
    }

    pub(super) fn saved(&mut self) {
        self.saving = false;
    }

    pub(super) fn is_idle(&self) -> bool {
        self.window.is_empty()
            && self.feed.is_drained(self.window.taken())
            && !self.marks.is_dirty(&self.window.settled())
            && !self.saving
    }

    pub(super) fn rewind(&mut self, stream: &'static str, after: u64) {
        self.window.rewind(stream, after);
    }

    pub(super) fn resend_in_flight(&mut self, scene: &Scene) {
        self.window.resend_in_flight(scene.instant());
    }

    fn next_rows(&mut self, scene: &Scene) -> Vec<StoredRow> {
        let mut rows = Vec::new();
        let mut taken = self.window.taken();
        while rows.len() < PAGE_ROWS_MAX {
            match self.feed.next(taken) {
                Next::Row(row) => {
                    taken = row.seq.0;
                    rows.push(*row);
                }
                Next::ReadStore if rows.is_empty() => return self.read_store(taken, scene),
                Next::ReadStore | Next::Nothing => break,
            }
        }
        rows
    }

    fn read_store(&mut self, taken: u64, scene: &Scene) -> Vec<StoredRow> {
        let highest = self.feed.highest();
        let rows = scene.reader.outbox_after(OutboxSeq(taken), PAGE_ROWS_MAX);
        let rows = rows.expect("the twin can always be read");
        if rows.is_empty() {
            self.window.skip_to(highest);
        }
        rows
    }
}

impl Node {
    pub(super) fn egress_turn(&mut self, scene: &mut Scene) -> Result<(), Died> {
        if !self.is_session_open() && !self.open_session(scene)? {
            return Ok(());
        }
        self.watch_clock(scene);
        self.egress.window.time_out(scene.instant());
        self.send_due(scene)?;
        self.take_rows(scene)?;
        self.save_if_due(scene)
    }

    /// The server's clock is the world's.
    fn watch_clock(&self, scene: &Scene) {
        let in_doubt = !self.clock.placement_allowed();
        if in_doubt && let Some(asked) = self.clock.server_time_wanted() {
            self.clock.server_time(asked, scene.now);
        }
    }

    pub(super) fn is_session_open(&self) -> bool {
        self.egress.session.is_some() && self.egress.session == self.connection
    }

    /// When egress has something to do by itself.
    pub(super) fn egress_due(&self, scene: &Scene) -> Option<Timestamp> {
        if !self.is_session_open() {
            return self.connection.and(self.egress.retry_at);
        }
        let window = &self.egress.window;
        let dirty = self.egress.marks.is_dirty(&window.settled()) && !self.egress.saving;
        let window = window.next_due(scene.instant()).map(|instant| scene.time_of(instant));
        let save = dirty.then(|| self.egress.saved_at.saturating_add(save_interval()));
        [window, save].into_iter().flatten().min()
    }

    fn take_rows(&mut self, scene: &mut Scene) -> Result<(), Died> {
        while self.is_session_open() {
            let is_new = self.take_new(scene);
            let is_old = self.take_behind(scene);
            if !is_new && !is_old {
                return Ok(());
            }
            self.send_due(scene)?;
        }
        Ok(())
    }

    fn take_new(&mut self, scene: &Scene) -> bool {
        let rows = self.egress.next_rows(scene);
        for row in &rows {
            let (seq, stream) = (row.seq.0, outgoing::stream_of(row));
            if self.egress.window.has_room(stream) {
                let sendable = self.sendable(row, scene);
                self.egress.window.take(seq, stream, lane_of(row), sendable);
            } else {
                self.egress.window.leave(seq, stream);
            }
        }
        !rows.is_empty()
    }

    fn take_behind(&mut self, scene: &Scene) -> bool {
        let Some((stream, after)) = self.egress.window.wants_more() else { return false };
        let last = self.egress.window.taken();
        let found = of_stream(scene.reader.as_ref(), stream, after, last);
        let Found { rows, up_to } = found.expect("the twin can always be read");
        for row in rows {
            let (seq, lane) = (row.seq.0, lane_of(&row));
            let sendable = self.sendable(&row, scene);
            if !self.egress.window.take_back(seq, stream, lane, sendable) {
                return true;
            }
        }
        self.egress.window.read_up_to(stream, up_to);
        true
    }

    fn sendable(&self, row: &StoredRow, scene: &Scene) -> Rc<Sendable> {
        let shown = shown_receipt(row, scene.reader.as_ref()).expect("the twin can be read");
        let mut message = outgoing::message(&self.context, row, shown.as_ref());
        let body = Bytes::from(std::mem::take(&mut message.body));
        Rc::new(Sendable { message, body, timed: lapse::timed(row) })
    }

    fn send_due(&mut self, scene: &mut Scene) -> Result<(), Died> {
        let now = scene.instant();
        while self.is_session_open()
            && let Some((seq, row)) =
                self.egress.window.due(now).map(|(seq, row)| (seq, Rc::clone(row)))
        {
            match row.timed {
                Some(timed) if timed.has_lapsed(self.clock.now()) => {
                    self.may_die(scene)?;
                    self.egress.window.settle(seq);
                    self.engine_hears_later(timed, scene);
                }
                Some(timed) if timed.is_place() && !self.clock.placement_allowed() => {
                    let until = now + std::time::Duration::from(CLOCK_PAUSE_MS);
                    self.egress.window.hold(seq, until);
                }
                Some(_) | None => self.send(seq, &row, scene)?,
            }
        }
        Ok(())
    }

    /// Egress runs after the engine's turn: what it says is heard in the next one.
    fn engine_hears_later(&mut self, timed: Timed, scene: &mut Scene) {
        self.inputs.push_back(timed.input());
        scene.after(DurationMs::ZERO, crate::sim::scene::Item::Wake(self.id));
    }

    fn send(&mut self, seq: u64, row: &Sendable, scene: &mut Scene) -> Result<(), Died> {
        self.may_die(scene)?;
        self.look_at_row(seq, row, scene);
        let message = Message {
            subject: row.message.subject.clone(),
            id: Some(row.message.id.to_string()),
            cursor: Some(self.egress.window.settled_of(row.message.stream)),
            body: row.body.clone(),
        };
        let from = Sender::Egress { process: self.id, row: seq };
        scene.publish(Publish { from, message });
        self.may_die(scene)?;
        self.egress.window.sent(seq, scene.instant());
        Ok(())
    }

    /// The first rule of the outbox, looked at whenever something leaves: it is in the store.
    fn look_at_row(&self, seq: u64, row: &Sendable, scene: &mut Scene) {
        let before = OutboxSeq(seq.saturating_sub(1));
        let stored = scene.reader.outbox_after(before, 1).expect("the twin can always be read");
        let is_there = stored.first().is_some_and(|stored| {
            stored.seq.0 == seq && stored.message_id(self.context.incarnation) == row.message.id
        });
        if !is_there {
            let said = format!("{} leaves at {} and is not durable", row.message.id, scene.now);
            let request = row.timed.map(|timed| timed.request);
            scene.violated(Promise::P4, "step:durable_before_told", request, said);
        }
        let late = row.timed.filter(|timed| timed.is_place() && timed.send_by <= self.clock.now());
        if let Some(timed) = late {
            let said = format!("an order leaves at {}, due was {}", scene.now, timed.send_by);
            scene.violated(Promise::P3, "step:no_late_order", Some(timed.request), said);
        }
    }

    /// The server's word about a row.
    pub fn acked(&mut self, row: u64, ack: Ack, scene: &mut Scene) -> Result<(), Died> {
        match ack {
            Ack::Stored { sequence, .. } => {
                if let Some(sent) = self.egress.window.stored(row) {
                    let outgoing::Message { stream, id, .. } = &sent.message;
                    self.egress.marks.acked(stream, sequence, id, row);
                }
            }
            Ack::Refused { .. } => self.egress.window.refused(row, scene.instant()),
        }
        self.turn(scene)
    }

    fn save_if_due(&mut self, scene: &mut Scene) -> Result<(), Died> {
        let settled = self.egress.window.settled();
        let due = self.egress.saved_at.saturating_add(save_interval()) <= scene.now;
        if self.egress.saving || !due || !self.egress.marks.is_dirty(&settled) {
            return Ok(());
        }
        self.may_die(scene)?;
        let progress = self.egress.marks.take(settled);
        self.egress.saving = true;
        self.egress.saved_at = scene.now;
        self.write_progress(progress, scene);
        Ok(())
    }
}

fn save_interval() -> DurationMs {
    DurationMs(u64::try_from(SAVE_INTERVAL.as_millis()).unwrap_or(u64::MAX))
}
