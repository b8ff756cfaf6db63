//! What has been taken from the outbox and is not settled: pure bookkeeping, no IO.
//!
//! * Each stream has a [`Line`] of its own: what one stream refuses or leaves unanswered never
//!   keeps the rows of another one from leaving.
//! * New rows of a stream are first sent in order of sequence, except that a row that is held back
//!   (no order while the clock is in doubt) or was refused holds back the later rows of its lane on
//!   this stream, until it has been taken, and only those. Rows on different streams have no order.
//! * A sent row is *unknown* until it is acknowledged; silence makes it due again.
//! * A refusal closes the stream: one row after the other is tried, later and later, until the
//!   server takes one.
//! * A stream with too many open rows is *behind*: its further rows stay in the store, from where
//!   they are read in order once there is room. Of them only the place to read on from is kept.
//! * The cursor is the last row before the first unsettled one: everything up to it is settled.

mod line;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use broker_core::effect::Lane;
use schemas::RequestId;

use super::OPEN_ROWS_PER_IN_FLIGHT;
use crate::config::Limits;
use line::Line;

/// Rows of one lane are first sent in order; other lanes do not wait.
pub type LaneKey = (RequestId, Lane);

#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Of each stream.
    pub in_flight_max: usize,
    /// Of each stream.
    pub open_max: usize,
    pub ack_timeout: Duration,
    pub retry_min: Duration,
    pub retry_max: Duration,
}

impl From<&Limits> for Bounds {
    fn from(limits: &Limits) -> Self {
        Self {
            in_flight_max: limits.publish_in_flight_max,
            open_max: limits.publish_in_flight_max.saturating_mul(OPEN_ROWS_PER_IN_FLIGHT),
            ack_timeout: limits.publish_ack_timeout_ms.into(),
            retry_min: limits.publish_retry_min_ms.into(),
            retry_max: limits.publish_retry_max_ms.into(),
        }
    }
}

impl Bounds {
    /// Doubles with each refusal.
    fn pause(&self, refusals: u32) -> Duration {
        let doubled = 2_u32.checked_pow(refusals.saturating_sub(1)).unwrap_or(u32::MAX);
        self.retry_min.saturating_mul(doubled).min(self.retry_max)
    }
}

/// How far publishing is: of every row, and of the rows of each stream, the last one before the
/// first that is not settled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settled {
    pub cursor: u64,
    pub streams: BTreeMap<&'static str, u64>,
}

#[derive(Debug)]
struct Open<R> {
    row: R,
    stream: &'static str,
    lane: Option<LaneKey>,
    state: State,
    refusals: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Never sent, or refused; not before the instant.
    Waiting(Option<Instant>),
    /// Sent; unknown after the instant.
    InFlight(Instant),
    /// To be sent again at the instant.
    Again(Instant),
}

/// See the module.
#[derive(Debug)]
pub struct Window<R> {
    bounds: Bounds,
    /// Highest sequence looked at: taken in, or left in the store for a stream that is behind.
    taken: u64,
    open: BTreeMap<u64, Open<R>>,
    lines: BTreeMap<&'static str, Line>,
}

impl<R> Window<R> {
    /// Goes on where each stream was left.
    pub fn new(settled: &Settled, bounds: Bounds) -> Self {
        let taken = settled.streams.values().copied().max().unwrap_or(0).max(settled.cursor);
        let line = |(stream, settled): (&&'static str, &u64)| {
            (*stream, Line::behind((*settled < taken).then_some(*settled)))
        };
        let lines = settled.streams.iter().map(line).collect();
        Self { bounds, taken, open: BTreeMap::new(), lines }
    }

    /// Every row up to and including this one is settled.
    pub fn cursor(&self) -> u64 {
        let settled = self.lines.values().map(|line| line.settled(self.taken));
        settled.min().unwrap_or(self.taken)
    }

    /// Every row of `stream` up to and including this one is settled.
    pub fn settled_of(&self, stream: &str) -> u64 {
        self.lines.get(stream).map_or(self.taken, |line| line.settled(self.taken))
    }

    pub fn settled(&self) -> Settled {
        let of = |(stream, line): (&&'static str, &Line)| (*stream, line.settled(self.taken));
        Settled { cursor: self.cursor(), streams: self.lines.iter().map(of).collect() }
    }

    pub fn taken(&self) -> u64 {
        self.taken
    }

    pub fn in_flight(&self) -> usize {
        self.lines.values().map(|line| line.in_flight).sum()
    }

    /// Nothing is open, and nothing left in the store.
    pub fn is_empty(&self) -> bool {
        self.open.is_empty() && self.lines.values().all(|line| line.behind.is_none())
    }

    pub fn get(&self, seq: u64) -> Option<&R> {
        self.open.get(&seq).map(|open| &open.row)
    }

    /// Streams, and whether they refuse what we have for them.
    pub fn closed(&self) -> impl Iterator<Item = (&'static str, bool)> + '_ {
        self.lines.iter().map(|(stream, line)| (*stream, line.closed.is_some()))
    }

    /// Whether the next row of `stream` would be taken in; otherwise it stays in the store.
    pub fn has_room(&self, stream: &str) -> bool {
        self.lines
            .get(stream)
            .is_none_or(|line| line.behind.is_none() && line.open.len() < self.bounds.open_max)
    }

    /// Takes the next row in, if its stream has room. Rows in between do not exist any more (the
    /// caller has read the store). A row taken before is ignored.
    pub fn take(&mut self, seq: u64, stream: &'static str, lane: Option<LaneKey>, row: R) {
        if seq <= self.taken {
            return;
        }
        if self.has_room(stream) {
            self.taken = seq;
            self.insert(seq, stream, lane, row);
        } else {
            self.leave(seq, stream);
        }
    }

    /// The next row stays in the store, because its stream has no room.
    pub fn leave(&mut self, seq: u64, stream: &'static str) {
        if seq > self.taken {
            self.taken = seq;
            self.line(stream).behind.get_or_insert(seq - 1);
        }
    }

    /// There is nothing to send up to `seq`.
    pub fn skip_to(&mut self, seq: u64) {
        self.taken = self.taken.max(seq);
    }

    /// A stream that is behind and has room, and the row after which to read on for it. First the
    /// one that has least to read: it is the first to be up to date.
    pub fn wants_more(&self) -> Option<(&'static str, u64)> {
        let wanting = self.lines.iter().filter_map(|(stream, line)| {
            let roomy = line.open.len() <= self.bounds.open_max / 2;
            line.behind.filter(|_| roomy).map(|after| (*stream, after))
        });
        wanting.max_by_key(|(_, after)| *after)
    }

    /// A row that was read on for a stream that is behind, in order. False if there is no room for
    /// it after all.
    pub fn take_back(
        &mut self,
        seq: u64,
        stream: &'static str,
        lane: Option<LaneKey>,
        row: R,
    ) -> bool {
        let open_max = self.bounds.open_max;
        let line = self.line(stream);
        let next = line.behind.is_some_and(|after| after < seq);
        if !next || line.open.len() >= open_max {
            return false;
        }
        line.behind = Some(seq);
        self.insert(seq, stream, lane, row);
        true
    }

    /// The store was read for `stream` up to `seq`, and what was found is taken back.
    pub fn read_up_to(&mut self, stream: &'static str, seq: u64) {
        let taken = self.taken;
        let line = self.line(stream);
        line.behind = line.behind.map(|after| after.max(seq)).filter(|after| *after < taken);
    }

    /// The next row to send now, if the limit of rows in flight allows one.
    pub fn due(&self, now: Instant) -> Option<(u64, &R)> {
        let lines = self.lines.values();
        let ready = lines.filter_map(|line| line.ready(now, &self.bounds, &self.open));
        // What is due again before what is new, else in order.
        let (_, seq) = ready.min()?;
        self.open.get(&seq).map(|open| (seq, &open.row))
    }

    /// Not before `until`. A row that was never sent keeps the rest of its lane back with it.
    pub fn hold(&mut self, seq: u64, until: Instant) {
        match self.open.get(&seq).map(|open| open.state) {
            Some(State::Waiting(_)) => self.set(seq, State::Waiting(Some(until))),
            Some(State::InFlight(_) | State::Again(_)) => self.set(seq, State::Again(until)),
            None => {}
        }
    }

    /// The row has left, or may have left.
    pub fn sent(&mut self, seq: u64, now: Instant) {
        let Some(open) = self.open.get(&seq) else { return };
        let (stream, refused_lane) = (open.stream, open.lane.filter(|_| open.refusals > 0));
        let unknown_at = now + self.bounds.ack_timeout;
        self.set(seq, State::InFlight(unknown_at));
        self.line(stream).sent(seq, unknown_at, refused_lane);
    }

    /// The server has stored it, now or before. `None` if not open.
    pub fn stored(&mut self, seq: u64) -> Option<R> {
        let stream = self.open.get(&seq)?.stream;
        self.line(stream).taken_by_server(seq);
        self.settle(seq)
    }

    /// It is not to be sent (any more). `None` if not open.
    pub fn settle(&mut self, seq: u64) -> Option<R> {
        let open = self.open.remove(&seq)?;
        self.line(open.stream).forget(seq, open.lane, open.state);
        self.line(open.stream).remove(seq);
        Some(open.row)
    }

    /// The server said no, or it could not be sent: again after a pause that grows.
    pub fn refused(&mut self, seq: u64, now: Instant) {
        let Some(open) = self.open.get_mut(&seq) else { return };
        let stream = open.stream;
        open.refusals = open.refusals.saturating_add(1);
        let bounds = self.bounds;
        let pause = bounds.pause(open.refusals);
        self.line(stream).refused(seq, now, &bounds);
        self.set(seq, State::Waiting(Some(now + pause)));
    }

    /// Makes what has been silent for too long due again; gives the number of such rows.
    pub fn time_out(&mut self, now: Instant) -> usize {
        let silent: Vec<(Instant, u64)> =
            self.lines.values_mut().flat_map(|line| line.silent(now)).collect();
        let mut count = 0;
        for (at, seq) in silent {
            if self.open.get(&seq).is_some_and(|open| open.state == State::InFlight(at)) {
                self.set(seq, State::Again(now));
                count += 1;
            }
        }
        count
    }

    /// A new connection: no answer of the old one is coming any more, and what was refused may be
    /// taken now.
    pub fn resend_in_flight(&mut self, now: Instant) {
        let flying = |(seq, open): (&u64, &Open<R>)| {
            matches!(open.state, State::InFlight(_)).then_some(*seq)
        };
        let flying: Vec<u64> = self.open.iter().filter_map(flying).collect();
        for seq in flying {
            self.set(seq, State::Again(now));
        }
        self.lines.values_mut().for_each(|line| line.reconnected(now));
    }

    /// A stream has lost what it had after this row: its rows are read from the store again, while
    /// the others go on.
    pub fn rewind(&mut self, stream: &'static str, after: u64) {
        let after = after.min(self.settled_of(stream));
        self.open.retain(|_, open| open.stream != stream);
        let behind = (after < self.taken).then_some(after);
        self.lines.insert(stream, Line::behind(behind));
    }

    /// When something becomes due by itself. Nothing is due now.
    pub fn next_due(&self, now: Instant) -> Option<Instant> {
        let due = |line: &Line| line.next_due(now, &self.bounds, &self.open);
        self.lines.values().filter_map(due).min()
    }

    fn insert(&mut self, seq: u64, stream: &'static str, lane: Option<LaneKey>, row: R) {
        let state = State::Waiting(None);
        self.open.insert(seq, Open { row, stream, lane, state, refusals: 0 });
        self.line(stream).insert(seq);
    }

    fn line(&mut self, stream: &'static str) -> &mut Line {
        self.lines.entry(stream).or_default()
    }

    fn set(&mut self, seq: u64, state: State) {
        let Some(open) = self.open.get_mut(&seq) else { return };
        let before = std::mem::replace(&mut open.state, state);
        let line = self.lines.entry(open.stream).or_default();
        line.forget(seq, open.lane, before);
        line.note(seq, state);
    }
}

#[cfg(test)]
mod tests;
