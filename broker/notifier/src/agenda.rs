//! What is to be sent when: a plan in memory of everything in the bucket that is not over. Pure: the
//! time is an argument, and nothing is sent here.
//!
//! Deliveries wait in one lane per endpoint. A lane has a few places; one whose endpoint failed last
//! time has one, and all of those together have half of the places there are. So endpoints that
//! never answer keep the others waiting for nothing.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use schemas::Timestamp;

use crate::breaker::{Breaker, BreakerLimits, Switch, Verdict};
use crate::key::{Channel, DeliveryKey, Endpoint};

/// How many deliveries may be under way.
#[derive(Debug, Clone, Copy)]
pub struct AgendaLimits {
    pub places: usize,
    /// At one webhook.
    pub webhook_places: usize,
    /// At the mail server.
    pub mail_places: usize,
    pub breaker: BreakerLimits,
}

/// Where a record stands in the bucket, and when there is something to do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    pub revision: u64,
    /// `None`: it is over.
    pub due: Option<Timestamp>,
}

#[derive(Debug)]
pub struct Agenda {
    limits: AgendaLimits,
    entries: BTreeMap<DeliveryKey, Planned>,
    lanes: BTreeMap<Endpoint, Lane>,
    /// Lanes with something to send and a place for it, by the time from which it may go.
    ready: BTreeSet<(Timestamp, Endpoint)>,
    /// The same for endpoints that failed last time.
    suspects: BTreeSet<(Timestamp, Endpoint)>,
    under_way: usize,
    suspects_under_way: usize,
}

#[derive(Debug)]
struct Planned {
    revision: u64,
    due: Timestamp,
    under_way: Option<Seat>,
    /// What the bucket said while it was under way.
    news: Option<Place>,
}

impl Planned {
    const fn waiting(revision: u64, due: Timestamp) -> Self {
        Self { revision, due, under_way: None, news: None }
    }
}

/// Out of which share its place is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seat {
    Free,
    Suspect,
}

#[derive(Debug, Default)]
struct Lane {
    waiting: BTreeSet<(Timestamp, DeliveryKey)>,
    under_way: usize,
    breaker: Breaker,
    /// Where it stands in `ready` or `suspects`.
    listed: Option<(bool, Timestamp)>,
}

impl Agenda {
    pub fn new(limits: AgendaLimits) -> Self {
        Self {
            limits,
            entries: BTreeMap::new(),
            lanes: BTreeMap::new(),
            ready: BTreeSet::new(),
            suspects: BTreeSet::new(),
            under_way: 0,
            suspects_under_way: 0,
        }
    }

    /// How many are planned or under way.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub const fn under_way(&self) -> usize {
        self.under_way
    }

    /// When the oldest that waits became due.
    pub fn oldest_due(&self) -> Option<Timestamp> {
        let first = |lane: &Lane| lane.waiting.first().map(|(due, _)| *due);
        self.lanes.values().filter_map(first).min()
    }

    /// The bucket has this. What is older than what is known is no news.
    pub fn learn(&mut self, key: &DeliveryKey, place: Place) {
        match self.entries.get_mut(key) {
            Some(known) if known.revision >= place.revision => {}
            Some(known) if known.under_way.is_some() => {
                if known.news.is_none_or(|news| news.revision < place.revision) {
                    known.news = Some(place);
                }
            }
            Some(_) | None => self.put(key, place),
        }
    }

    /// Forgets what only waits, to learn it anew.
    pub fn forget_waiting(&mut self) {
        self.entries.retain(|_, planned| planned.under_way.is_some());
        let lanes: Vec<Endpoint> = self.lanes.keys().cloned().collect();
        for endpoint in lanes {
            if let Some(lane) = self.lanes.get_mut(&endpoint) {
                lane.waiting.clear();
            }
            self.list(&endpoint);
        }
    }

    /// The next that may be sent now, with its revision; it is under way from here on.
    pub fn take(&mut self, now: Timestamp) -> Option<(DeliveryKey, u64)> {
        let (seat, endpoint) = self.next_lane(now)?;
        let lane = self.lanes.get_mut(&endpoint)?;
        let (_, key) = lane.waiting.pop_first()?;
        lane.under_way += 1;
        self.under_way += 1;
        self.suspects_under_way += usize::from(seat == Seat::Suspect);
        let planned = self.entries.get_mut(&key);
        let planned = planned.expect("what waits in a lane is planned");
        planned.under_way = Some(seat);
        let revision = planned.revision;
        self.list(&endpoint);
        Some((key, revision))
    }

    /// What was taken has come to an end. `place` is its record now, as far as known; without it
    /// the record stands as it did, and is looked at again at `again`.
    pub fn done(
        &mut self,
        key: &DeliveryKey,
        place: Result<Place, Timestamp>,
        verdict: Verdict,
        now: Timestamp,
    ) -> Switch {
        let endpoint = key.endpoint();
        let Some(planned) = self.entries.get_mut(key) else { return Switch::None };
        let Some(seat) = planned.under_way.take() else { return Switch::None };
        let revision = planned.revision;
        let place = place.unwrap_or_else(|again| Place { revision, due: Some(again) });
        let news = planned.news.take().filter(|news| news.revision > place.revision);
        let lane = self.lanes.get_mut(&endpoint).expect("what is under way has a lane");
        lane.under_way -= 1;
        self.under_way -= 1;
        self.suspects_under_way -= usize::from(seat == Seat::Suspect);
        let switch = lane.breaker.hear(verdict, self.limits.breaker, now);
        self.put(key, news.unwrap_or(place));
        switch
    }

    /// When there may be something to take; never, before something else happens.
    pub fn wake_at(&self) -> Option<Timestamp> {
        if self.under_way >= self.limits.places {
            return None;
        }
        let first = |lanes: &BTreeSet<(Timestamp, Endpoint)>| lanes.first().map(|(at, _)| *at);
        let suspects = if self.suspects_have_room() { first(&self.suspects) } else { None };
        first(&self.ready).into_iter().chain(suspects).min()
    }

    fn suspects_have_room(&self) -> bool {
        self.suspects_under_way < (self.limits.places / 2).max(1)
    }

    fn next_lane(&self, now: Timestamp) -> Option<(Seat, Endpoint)> {
        if self.under_way >= self.limits.places {
            return None;
        }
        let due = |lanes: &BTreeSet<(Timestamp, Endpoint)>| {
            lanes.first().filter(|(at, _)| *at <= now).cloned()
        };
        let ready = due(&self.ready);
        let suspect = if self.suspects_have_room() { due(&self.suspects) } else { None };
        // Whoever waits longer goes first.
        match (ready, suspect) {
            (Some(ready), Some(suspect)) if suspect < ready => Some((Seat::Suspect, suspect.1)),
            (Some((_, endpoint)), _) => Some((Seat::Free, endpoint)),
            (None, Some((_, endpoint))) => Some((Seat::Suspect, endpoint)),
            (None, None) => None,
        }
    }

    fn put(&mut self, key: &DeliveryKey, place: Place) {
        let endpoint = key.endpoint();
        match self.entries.entry(key.clone()) {
            Entry::Occupied(mut known) => {
                let old = known.get().due;
                if let Some(lane) = self.lanes.get_mut(&endpoint) {
                    lane.waiting.remove(&(old, key.clone()));
                }
                match place.due {
                    Some(due) => {
                        known.insert(Planned::waiting(place.revision, due));
                    }
                    None => {
                        known.remove();
                    }
                }
            }
            Entry::Vacant(free) => {
                if let Some(due) = place.due {
                    free.insert(Planned::waiting(place.revision, due));
                }
            }
        }
        if let Some(due) = place.due {
            let lane = self.lanes.entry(endpoint.clone()).or_default();
            lane.waiting.insert((due, key.clone()));
        }
        self.list(&endpoint);
    }

    /// Puts a lane where it belongs.
    fn list(&mut self, endpoint: &Endpoint) {
        let Some(lane) = self.lanes.get_mut(endpoint) else { return };
        if let Some((suspect, at)) = lane.listed.take() {
            let lanes = if suspect { &mut self.suspects } else { &mut self.ready };
            lanes.remove(&(at, endpoint.clone()));
        }
        let suspect = lane.breaker.is_suspect();
        let places = match (suspect, endpoint.channel()) {
            (true, _) => 1,
            (false, Channel::Email) => self.limits.mail_places,
            (false, Channel::Webhook) => self.limits.webhook_places,
        };
        let first = lane.waiting.first().map(|(due, _)| *due);
        match first {
            Some(due) if lane.under_way < places => {
                let at = due.max(lane.breaker.ready_at());
                lane.listed = Some((suspect, at));
                let lanes = if suspect { &mut self.suspects } else { &mut self.ready };
                lanes.insert((at, endpoint.clone()));
            }
            Some(_) => {}
            None if lane.under_way == 0 && lane.breaker == Breaker::default() => {
                self.lanes.remove(endpoint);
            }
            None => {}
        }
    }
}

#[cfg(test)]
mod outage;
#[cfg(test)]
mod tests;
