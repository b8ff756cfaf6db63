//! Questions on their way. Requests that ask one store the same thing at the same time wait for one
//! answer; the question is taken back only when the last of them has gone. Each of them still
//! decides by its own limit, its own grace and its own deadline.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use schemas::{DurationMs, Timestamp};

use super::Wanted;
use crate::partner::PartnerIndex;

/// Requests that may wait for one answer; the next one asks anew.
const WAITERS_MAX: usize = 10_000;

/// Named like the call that asked first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::engine) struct FlightId(pub(in crate::engine) u64);

#[derive(Debug, Default)]
pub(in crate::engine) struct Flights {
    open: BTreeMap<FlightId, Flight>,
    /// Looked up, never iterated: order must not depend on a hasher.
    shared: HashMap<(PartnerIndex, Arc<Wanted>), FlightId>,
}

#[derive(Debug)]
pub(in crate::engine) struct Flight {
    pub(in crate::engine) partner: PartnerIndex,
    /// What others may join; a question of its own has none.
    shared: Option<Arc<Wanted>>,
    /// Counters of the calls that wait for the answer.
    pub(in crate::engine) waiters: Waiters,
    /// When its first copy was sent; `None` while it waits for a place at the partner.
    pub(in crate::engine) sent_at: Option<Timestamp>,
    /// When it was last asked again because nobody had answered.
    pub(in crate::engine) asked_again_at: Option<Timestamp>,
    /// Somebody has given it up already: it was judged as silence, once.
    pub(in crate::engine) given_up: bool,
    /// So long others may join it once it is sent.
    lease: DurationMs,
}

/// Counters grow, so the first came first. Most questions are asked for one request only; where
/// there are more, thousands may leave one by one.
#[derive(Debug)]
pub(in crate::engine) struct Waiters {
    /// Who asked, while it waits.
    first: Option<u64>,
    joined: BTreeSet<u64>,
}

impl Waiters {
    /// First come first.
    pub(in crate::engine) fn iter(&self) -> impl DoubleEndedIterator<Item = u64> {
        self.first.into_iter().chain(self.joined.iter().copied())
    }

    pub(in crate::engine) fn last(&self) -> Option<u64> {
        self.joined.last().copied().or(self.first)
    }

    fn len(&self) -> usize {
        usize::from(self.first.is_some()) + self.joined.len()
    }

    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn leave(&mut self, call: u64) {
        if self.first.take_if(|first| *first == call).is_none() {
            self.joined.remove(&call);
        }
    }
}

impl Flight {
    /// True the first time.
    pub(in crate::engine) fn give_up(&mut self) -> bool {
        !std::mem::replace(&mut self.given_up, true)
    }
}

impl Flights {
    /// The first to ask; with `shared` others may wait for the same answer.
    pub(in crate::engine) fn open(
        &mut self,
        call: u64,
        partner: PartnerIndex,
        shared: Option<Arc<Wanted>>,
        response: DurationMs,
    ) -> FlightId {
        let id = FlightId(call);
        if let Some(wanted) = &shared {
            self.shared.insert((partner, Arc::clone(wanted)), id);
        }
        let flight = Flight {
            partner,
            shared,
            waiters: Waiters { first: Some(call), joined: BTreeSet::new() },
            sent_at: None,
            asked_again_at: None,
            given_up: false,
            lease: DurationMs(response.0.saturating_mul(2)),
        };
        self.open.insert(id, flight);
        id
    }

    /// Waits for the answer to the same question, if one is on its way and not overdue.
    pub(in crate::engine) fn join(
        &mut self,
        call: u64,
        partner: PartnerIndex,
        wanted: &Arc<Wanted>,
        now: Timestamp,
    ) -> Option<(FlightId, &Flight)> {
        let id = *self.shared.get(&(partner, Arc::clone(wanted)))?;
        let flight = self.open.get_mut(&id).expect("what is shared is open");
        let overdue = flight.sent_at.is_some_and(|at| at.saturating_add(flight.lease) <= now);
        if overdue || flight.given_up || flight.waiters.len() >= WAITERS_MAX {
            return None;
        }
        flight.waiters.joined.insert(call);
        Some((id, flight))
    }

    pub(in crate::engine) fn get(&self, id: FlightId) -> Option<&Flight> {
        self.open.get(&id)
    }

    pub(in crate::engine) fn get_mut(&mut self, id: FlightId) -> Option<&mut Flight> {
        self.open.get_mut(&id)
    }

    /// A call does not wait any more; the flight itself if it was the last one.
    pub(in crate::engine) fn leave(&mut self, id: FlightId, call: u64) -> Option<Flight> {
        let flight = self.open.get_mut(&id)?;
        flight.waiters.leave(call);
        if flight.waiters.is_empty() { self.land(id) } else { None }
    }

    /// It is over: answered, or nobody listens.
    pub(in crate::engine) fn land(&mut self, id: FlightId) -> Option<Flight> {
        let flight = self.open.remove(&id)?;
        if let Some(wanted) = flight.shared.clone() {
            let key = (flight.partner, wanted);
            // A newer flight may ask the same by now.
            if self.shared.get(&key) == Some(&id) {
                self.shared.remove(&key);
            }
        }
        Some(flight)
    }
}
