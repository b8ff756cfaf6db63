//! What has been taken from the outbox and is not settled: pure bookkeeping, no IO.
//!
//! * New rows are first sent in order of sequence, except that a row that is held back (no order
//!   while the clock is in doubt) holds back the later rows of its lane, and only those.
//! * A sent row is *unknown* until it is acknowledged; silence makes it due again.
//! * A refused row is due again later, and later each time.
//! * The cursor is the last row before the first open one: everything up to it is settled.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use broker_core::effect::Lane;
use schemas::RequestId;

use super::OPEN_ROWS_MAX;
use crate::config::Limits;

/// Rows of one lane are first sent in order; other lanes do not wait.
pub type LaneKey = (RequestId, Lane);

/// Doublings of the retry pause after which it no longer grows.
const RETRY_DOUBLINGS_MAX: u32 = 16;

#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    pub in_flight_max: usize,
    pub open_max: usize,
    pub ack_timeout: Duration,
    pub retry_min: Duration,
    pub retry_max: Duration,
}

impl From<&Limits> for Bounds {
    fn from(limits: &Limits) -> Self {
        Self {
            in_flight_max: limits.publish_in_flight_max,
            open_max: OPEN_ROWS_MAX.max(limits.publish_in_flight_max),
            ack_timeout: limits.publish_ack_timeout_ms.into(),
            retry_min: limits.publish_retry_min_ms.into(),
            retry_max: limits.publish_retry_max_ms.into(),
        }
    }
}

#[derive(Debug)]
struct Open<R> {
    row: R,
    lane: Option<LaneKey>,
    state: State,
    refusals: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Never sent; not before the instant.
    Fresh(Option<Instant>),
    /// Sent; unknown after the instant.
    InFlight(Instant),
    /// To be sent again at the instant.
    Again(Instant),
}

/// See the module.
#[derive(Debug)]
pub struct Window<R> {
    bounds: Bounds,
    /// Highest sequence taken in.
    taken: u64,
    open: BTreeMap<u64, Open<R>>,
    fresh: BTreeSet<u64>,
    again: BTreeSet<(Instant, u64)>,
    /// In order of their instants, because the time-out is the same for all. May name rows that
    /// have been settled or sent again since.
    sent: VecDeque<(Instant, u64)>,
    in_flight: usize,
}

impl<R> Window<R> {
    /// Everything up to `cursor` is settled.
    pub fn new(cursor: u64, bounds: Bounds) -> Self {
        Self {
            bounds,
            taken: cursor,
            open: BTreeMap::new(),
            fresh: BTreeSet::new(),
            again: BTreeSet::new(),
            sent: VecDeque::new(),
            in_flight: 0,
        }
    }

    /// Every row up to and including this one is settled.
    pub fn cursor(&self) -> u64 {
        self.open.first_key_value().map_or(self.taken, |(first, _)| first - 1)
    }

    pub fn taken(&self) -> u64 {
        self.taken
    }

    pub fn in_flight(&self) -> usize {
        self.in_flight
    }

    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    pub fn get(&self, seq: u64) -> Option<&R> {
        self.open.get(&seq).map(|open| &open.row)
    }

    /// Whether another row may be taken in.
    pub fn has_room(&self) -> bool {
        self.in_flight < self.bounds.in_flight_max && self.open.len() < self.bounds.open_max
    }

    /// Takes the next row in. Rows in between do not exist any more (the caller has read the
    /// store), or need not be sent. A row taken before is ignored.
    pub fn take(&mut self, seq: u64, lane: Option<LaneKey>, row: R) {
        if seq <= self.taken {
            return;
        }
        self.taken = seq;
        self.open.insert(seq, Open { row, lane, state: State::Fresh(None), refusals: 0 });
        self.fresh.insert(seq);
    }

    /// There is nothing to send up to `seq`.
    pub fn skip_to(&mut self, seq: u64) {
        self.taken = self.taken.max(seq);
    }

    /// The next row to send now, if the limit of rows in flight allows one.
    pub fn due(&self, now: Instant) -> Option<(u64, &R)> {
        if self.in_flight >= self.bounds.in_flight_max {
            return None;
        }
        let again = self.again.first().filter(|(at, _)| *at <= now).map(|(_, seq)| *seq);
        let seq = again.or_else(|| self.first_fresh(now))?;
        self.open.get(&seq).map(|open| (seq, &open.row))
    }

    fn first_fresh(&self, now: Instant) -> Option<u64> {
        let mut held_lanes: BTreeSet<LaneKey> = BTreeSet::new();
        self.fresh.iter().copied().find(|seq| {
            let Some(open) = self.open.get(seq) else { return false };
            let held = matches!(open.state, State::Fresh(Some(until)) if until > now);
            let behind = open.lane.is_some_and(|lane| held_lanes.contains(&lane));
            if held {
                held_lanes.extend(open.lane);
            }
            !held && !behind
        })
    }

    /// Not before `until`. A row that was never sent keeps the rest of its lane back with it.
    pub fn hold(&mut self, seq: u64, until: Instant) {
        match self.open.get(&seq).map(|open| open.state) {
            Some(State::Fresh(_)) => self.set(seq, State::Fresh(Some(until))),
            Some(State::InFlight(_) | State::Again(_)) => self.set(seq, State::Again(until)),
            None => false,
        };
    }

    /// The row has left, or may have left.
    pub fn sent(&mut self, seq: u64, now: Instant) {
        let unknown_at = now + self.bounds.ack_timeout;
        if self.set(seq, State::InFlight(unknown_at)) {
            self.sent.push_back((unknown_at, seq));
        }
    }

    /// The server has stored it, now or before, or it is not to be sent. `None` if not open.
    pub fn settle(&mut self, seq: u64) -> Option<R> {
        let open = self.open.remove(&seq)?;
        self.forget(seq, open.state);
        Some(open.row)
    }

    /// The server said no, or it could not be sent: again after a pause that grows.
    pub fn refused(&mut self, seq: u64, now: Instant) {
        let Some(open) = self.open.get_mut(&seq) else { return };
        let doublings = open.refusals.min(RETRY_DOUBLINGS_MAX);
        open.refusals = open.refusals.saturating_add(1);
        let pause = self.bounds.retry_min.saturating_mul(1 << doublings);
        self.hold(seq, now + pause.min(self.bounds.retry_max));
    }

    /// Makes what has been silent for too long due again; gives the number of such rows.
    pub fn time_out(&mut self, now: Instant) -> usize {
        let mut silent = 0;
        while let Some((at, seq)) = self.sent.front().copied().filter(|(at, _)| *at <= now) {
            self.sent.pop_front();
            let still = |open: &Open<R>| open.state == State::InFlight(at);
            if self.open.get(&seq).is_some_and(still) {
                self.set(seq, State::Again(now));
                silent += 1;
            }
        }
        silent
    }

    /// A new connection: no answer of the old one is coming any more.
    pub fn resend_in_flight(&mut self, now: Instant) {
        let flying: Vec<u64> = self
            .open
            .iter()
            .filter(|(_, open)| matches!(open.state, State::InFlight(_)))
            .map(|(seq, _)| *seq)
            .collect();
        for seq in flying {
            self.set(seq, State::Again(now));
        }
        self.sent.clear();
    }

    /// Starts over behind `cursor`: the rows after it are read from the store again.
    pub fn rewind(&mut self, cursor: u64) {
        *self = Self::new(cursor, self.bounds);
    }

    /// When something becomes due by itself.
    pub fn next_due(&self) -> Option<Instant> {
        let held = self.fresh.iter().find_map(|seq| match self.open.get(seq)?.state {
            State::Fresh(until) => until,
            State::InFlight(_) | State::Again(_) => None,
        });
        let again = self.again.first().map(|(at, _)| *at);
        let silent = self.sent.front().map(|(at, _)| *at);
        [held, again, silent].into_iter().flatten().min()
    }

    fn set(&mut self, seq: u64, state: State) -> bool {
        let Some(open) = self.open.get_mut(&seq) else { return false };
        let before = std::mem::replace(&mut open.state, state);
        self.forget(seq, before);
        match state {
            State::Fresh(_) => {
                self.fresh.insert(seq);
            }
            State::InFlight(_) => self.in_flight += 1,
            State::Again(at) => {
                self.again.insert((at, seq));
            }
        }
        true
    }

    fn forget(&mut self, seq: u64, state: State) {
        match state {
            State::Fresh(_) => {
                self.fresh.remove(&seq);
            }
            State::InFlight(_) => self.in_flight -= 1,
            State::Again(at) => {
                self.again.remove(&(at, seq));
            }
        }
    }
}

#[cfg(test)]
mod tests;
