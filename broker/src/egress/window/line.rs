//! What waits for one stream.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Instant;

use super::{Bounds, LaneKey, Open, State};

#[derive(Debug, Default)]
pub(super) struct Line {
    /// Every open row.
    pub(super) open: BTreeSet<u64>,
    /// In [`State::Waiting`].
    waiting: BTreeSet<u64>,
    /// In [`State::Again`].
    again: BTreeSet<(Instant, u64)>,
    /// In order of their instants, because the time-out is the same for all. May name rows that
    /// have been settled or sent again since.
    sent: VecDeque<(Instant, u64)>,
    pub(super) in_flight: usize,
    /// Rows in flight that had been refused, by lane: what comes after them waits for their answer.
    resent: BTreeMap<LaneKey, u64>,
    /// Rows after this one, up to the last one looked at, have been left in the store.
    pub(super) behind: Option<u64>,
    pub(super) closed: Option<Closed>,
}

/// A stream that refuses.
#[derive(Debug, Clone, Copy)]
pub(super) struct Closed {
    /// Nothing is tried before.
    until: Instant,
    refusals: u32,
    /// The row whose answer says whether the stream takes messages again.
    trial: Option<u64>,
    /// The last row that it was tried with in vain: the next one comes after it, because it may be
    /// the row that cannot be stored, not the stream that is full.
    after: u64,
}

impl Line {
    pub(super) fn behind(behind: Option<u64>) -> Self {
        Self { behind, ..Self::default() }
    }

    /// The last row before the first unsettled one.
    pub(super) fn settled(&self, taken: u64) -> u64 {
        let before_open = self.open.first().map_or(taken, |first| first - 1);
        self.behind.map_or(before_open, |behind| behind.min(before_open))
    }

    /// The row that this stream would send now, behind whether it is a new one.
    pub(super) fn ready<R>(
        &self,
        now: Instant,
        bounds: &Bounds,
        open: &BTreeMap<u64, Open<R>>,
    ) -> Option<(bool, u64)> {
        let shut = self.closed.is_some_and(|c| c.trial.is_some() || c.until > now);
        if shut || self.in_flight >= bounds.in_flight_max {
            return None;
        }
        let again = self.again.first().filter(|(at, _)| *at <= now).map(|(_, seq)| (false, *seq));
        let next = self
            .closed
            .filter(|closed| closed.after > 0)
            .and_then(|closed| self.first_waiting(now, closed.after, open));
        let waiting = || next.or_else(|| self.first_waiting(now, 0, open));
        again.or_else(|| waiting().map(|seq| (true, seq)))
    }

    /// Rows up to `after` are passed over, and so are the later ones of their lanes.
    fn first_waiting<R>(
        &self,
        now: Instant,
        after: u64,
        open: &BTreeMap<u64, Open<R>>,
    ) -> Option<u64> {
        let mut held_lanes: BTreeSet<LaneKey> = BTreeSet::new();
        self.waiting.iter().copied().find(|seq| {
            let Some(open) = open.get(seq) else { return false };
            let early = matches!(open.state, State::Waiting(Some(until)) if until > now);
            let held = early || *seq <= after;
            let is_held = |lane| held_lanes.contains(&lane) || self.resent.contains_key(&lane);
            let behind = open.lane.is_some_and(is_held);
            if held {
                held_lanes.extend(open.lane);
            }
            !held && !behind
        })
    }

    /// When something of it becomes due by itself. Nothing of it is ready now.
    pub(super) fn next_due<R>(
        &self,
        now: Instant,
        bounds: &Bounds,
        open: &BTreeMap<u64, Open<R>>,
    ) -> Option<Instant> {
        let silent = self.sent.front().map(|(at, _)| *at);
        let has_trial = self.closed.is_some_and(|closed| closed.trial.is_some());
        if self.open.is_empty() || has_trial || self.in_flight >= bounds.in_flight_max {
            return silent;
        }
        let due = match self.closed {
            Some(closed) if closed.until > now => Some(closed.until),
            Some(_) | None => {
                let again = self.again.first().map(|(at, _)| *at);
                [self.held_until(open), again].into_iter().flatten().min()
            }
        };
        [due, silent].into_iter().flatten().min()
    }

    /// When the first of the rows that are held back may go: behind the earlier ones of its lane.
    fn held_until<R>(&self, open: &BTreeMap<u64, Open<R>>) -> Option<Instant> {
        let mut lanes: BTreeMap<LaneKey, Instant> = BTreeMap::new();
        let mut first: Option<Instant> = None;
        for row in self.waiting.iter().filter_map(|seq| open.get(seq)) {
            let State::Waiting(own) = row.state else { continue };
            if row.lane.is_some_and(|lane| self.resent.contains_key(&lane)) {
                continue;
            }
            let before = row.lane.and_then(|lane| lanes.get(&lane).copied());
            let Some(until) = own.max(before) else { continue };
            lanes.extend(row.lane.map(|lane| (lane, until)));
            first = Some(first.map_or(until, |first| first.min(until)));
        }
        first
    }

    pub(super) fn insert(&mut self, seq: u64) {
        self.open.insert(seq);
        self.waiting.insert(seq);
    }

    pub(super) fn remove(&mut self, seq: u64) {
        self.open.remove(&seq);
    }

    /// `refused_lane` is that of a row that had been refused.
    pub(super) fn sent(&mut self, seq: u64, unknown_at: Instant, refused_lane: Option<LaneKey>) {
        self.sent.push_back((unknown_at, seq));
        self.resent.extend(refused_lane.map(|lane| (lane, seq)));
        if let Some(closed) = &mut self.closed {
            closed.trial.get_or_insert(seq);
        }
    }

    /// A stream that takes the row it was tried with takes the others, too.
    pub(super) fn taken_by_server(&mut self, seq: u64) {
        if self.closed.is_some_and(|closed| closed.trial == Some(seq)) {
            self.closed = None;
        }
    }

    /// Rows that were in flight together are refused together: only the first, and later the one
    /// that it is tried with, says something about the stream.
    pub(super) fn refused(&mut self, seq: u64, now: Instant, bounds: &Bounds) {
        let (refusals, after) = match self.closed {
            None => (1, 0),
            Some(closed) if closed.trial == Some(seq) => (closed.refusals.saturating_add(1), seq),
            Some(_) => return,
        };
        let until = now + bounds.pause(refusals);
        self.closed = Some(Closed { until, refusals, trial: None, after });
    }

    /// What may have been silent for too long.
    pub(super) fn silent(&mut self, now: Instant) -> Vec<(Instant, u64)> {
        let late = self.sent.iter().take_while(|(at, _)| *at <= now).count();
        self.sent.drain(..late).collect()
    }

    /// Whatever became of this row, the stream is not being tried with it any more.
    fn end_trial(&mut self, seq: u64) {
        if let Some(closed) = &mut self.closed
            && closed.trial == Some(seq)
        {
            closed.trial = None;
        }
    }

    pub(super) fn reconnected(&mut self, now: Instant) {
        self.sent.clear();
        if let Some(closed) = &mut self.closed {
            (closed.until, closed.trial) = (now, None);
        }
    }

    pub(super) fn note(&mut self, seq: u64, state: State) {
        match state {
            State::Waiting(_) => {
                self.waiting.insert(seq);
            }
            State::InFlight(_) => self.in_flight += 1,
            State::Again(at) => {
                self.again.insert((at, seq));
            }
        }
    }

    pub(super) fn forget(&mut self, seq: u64, lane: Option<LaneKey>, state: State) {
        match state {
            State::Waiting(_) => {
                self.waiting.remove(&seq);
            }
            State::InFlight(_) => {
                self.in_flight -= 1;
                self.end_trial(seq);
                if let Some(lane) = lane.filter(|lane| self.resent.get(lane) == Some(&seq)) {
                    self.resent.remove(&lane);
                }
            }
            State::Again(at) => {
                self.again.remove(&(at, seq));
            }
        }
    }
}
