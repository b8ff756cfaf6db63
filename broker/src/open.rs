//! What is open, since when, and what it waits for: for operators, and for nothing else.
//!
//! Every request passes the store's threads when it is read at a start and when it changes, so this
//! book is kept there. It is a copy for looking at: nobody decides by it, and it is never asked
//! about a single request.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};

use broker_core::Batch;
use broker_core::effect::Effect;
use broker_core::request::{Checkout, Incident, PurchaseRequest, Step};
use schemas::{RequestId, Timestamp};

use crate::{metrics, operator};

/// The label of requests that wait for a human because of a restore.
const FROZEN: &str = "frozen";

/// A request as far as operators count it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    request: RequestId,
    created_at: Timestamp,
    expires_at: Timestamp,
    /// The engine, or a human, has something to do for it.
    active: bool,
    /// Number of the attempt, and where it stands.
    step: Option<(u8, &'static str)>,
    unknown_since: Option<Timestamp>,
    /// What waits for a human.
    incident: Option<&'static str>,
}

/// A standing that has become durable, and when.
#[derive(Debug, Clone, Copy)]
pub struct Passed {
    standing: Standing,
    at: Timestamp,
    /// The outcome, or its correction, of which the customer is told with it.
    outcome: Option<&'static str>,
}

/// The open requests.
#[derive(Debug, Default)]
pub struct Open {
    book: Mutex<Book>,
}

#[derive(Debug, Default)]
struct Book {
    /// Looked up by id, never iterated. With the instant at which the step was seen to begin.
    requests: HashMap<RequestId, (Standing, Option<Timestamp>)>,
    created: BTreeSet<(Timestamp, RequestId)>,
    deadlines: BTreeSet<(Timestamp, RequestId)>,
    unknown: BTreeSet<(Timestamp, RequestId)>,
    incidents: HashMap<&'static str, u64>,
}

impl Standing {
    pub fn of(request: &PurchaseRequest) -> Self {
        let checkout = request.checkout.as_ref();
        let frozen = request.frozen_at.map(|_| FROZEN);
        Self {
            request: request.id(),
            created_at: request.submission.created_at,
            expires_at: request.terms.expires_at,
            active: request.is_active(),
            step: checkout.map(|checkout| (checkout.attempt, operator::step(&checkout.step))),
            unknown_since: checkout.and_then(unknown_since),
            incident: request.incident.map(Incident::label).or(frozen),
        }
    }
}

fn unknown_since(checkout: &Checkout) -> Option<Timestamp> {
    match &checkout.step {
        Step::PlacementUnknown(unknown) => Some(unknown.since),
        Step::Reserving { .. }
        | Step::Authorizing { .. }
        | Step::ActionRequired { .. }
        | Step::Placing
        | Step::Capturing { .. }
        | Step::Completed
        | Step::Failed(_) => None,
    }
}

impl Passed {
    pub fn of(batch: &Batch) -> Self {
        let outcome = batch.outbox.iter().find_map(|row| match &row.effect {
            Effect::Notify { outcome, .. } => Some(outcome.label()),
            Effect::Event { .. } | Effect::Partner { .. } | Effect::Payment { .. } => None,
        });
        let standing = Standing::of(&batch.request);
        let at = batch.audit.last().map_or(standing.created_at, |row| row.at);
        Self { standing, at, outcome }
    }
}

impl Open {
    /// A request as it was read: what went on before is not known.
    pub fn read(&self, request: &PurchaseRequest) {
        let standing = Standing::of(request);
        self.lock().replace(standing, None);
    }

    /// A change that is durable now.
    pub fn passed(&self, passed: Passed) {
        let Passed { standing, at, outcome } = passed;
        if let Some(outcome) = outcome {
            metrics::open::outcome(outcome, at.since(standing.created_at));
        }
        let left = self.lock().replace(standing, Some(at));
        if let Some((step, since)) = left {
            metrics::open::step_left(step, at.since(since));
        }
    }

    /// Shows it all.
    pub fn show(&self, now: Timestamp) {
        let book = self.lock();
        let age = |set: &BTreeSet<(Timestamp, RequestId)>| {
            set.first().map(|(since, _)| now.since(*since)).unwrap_or_default()
        };
        metrics::open::requests(book.requests.len(), age(&book.created), age(&book.deadlines));
        metrics::open::unknown(book.unknown.len(), age(&book.unknown));
        for kind in Incident::ALL.map(Incident::label).into_iter().chain([FROZEN]) {
            metrics::open::incidents(kind, book.incidents.get(kind).copied().unwrap_or_default());
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Book {
    /// Gives the step that is over now, and when it began, if that was seen.
    fn replace(
        &mut self,
        next: Standing,
        at: Option<Timestamp>,
    ) -> Option<(&'static str, Timestamp)> {
        let before = self.remove(next.request);
        let same = before.is_some_and(|(before, _)| before.step == next.step);
        let since = if same { before.and_then(|(_, since)| since) } else { at };
        if next.active {
            self.add(next, since);
        }
        let (before, since) = before.filter(|_| !same)?;
        Some((before.step?.1, since?))
    }

    fn add(&mut self, standing: Standing, since: Option<Timestamp>) {
        let id = standing.request;
        self.created.insert((standing.created_at, id));
        self.deadlines.insert((standing.expires_at, id));
        self.unknown.extend(standing.unknown_since.map(|since| (since, id)));
        if let Some(kind) = standing.incident {
            *self.incidents.entry(kind).or_default() += 1;
        }
        self.requests.insert(id, (standing, since));
    }

    fn remove(&mut self, id: RequestId) -> Option<(Standing, Option<Timestamp>)> {
        let Entry::Occupied(entry) = self.requests.entry(id) else { return None };
        let (standing, since) = entry.remove();
        self.created.remove(&(standing.created_at, id));
        self.deadlines.remove(&(standing.expires_at, id));
        if let Some(unknown) = standing.unknown_since {
            self.unknown.remove(&(unknown, id));
        }
        if let Some(count) = standing.incident.and_then(|kind| self.incidents.get_mut(kind)) {
            *count = count.saturating_sub(1);
        }
        Some((standing, since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::fixture;

    #[test]
    fn a_request_counts_while_somebody_has_something_to_do_for_it() {
        let mut book = Book::default();
        book.replace(standing(|s| s.active = true), None);
        assert_eq!((book.requests.len(), book.created.len(), book.deadlines.len()), (1, 1, 1));
        book.replace(standing(|s| s.active = false), Some(at(5)));
        assert_eq!((book.requests.len(), book.created.len(), book.deadlines.len()), (0, 0, 0));
    }

    #[test]
    fn a_changed_deadline_and_a_resolved_doubt_leave_nothing_behind() {
        let mut book = Book::default();
        book.replace(
            standing(|s| {
                s.unknown_since = Some(at(3));
                s.incident = Some("placement_unknown");
            }),
            Some(at(3)),
        );
        assert_eq!((book.unknown.len(), book.incidents["placement_unknown"]), (1, 1));
        book.replace(standing(|s| s.expires_at = at(99)), Some(at(4)));
        assert_eq!((book.unknown.len(), book.incidents["placement_unknown"]), (0, 0));
        assert_eq!(book.deadlines.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [at(99)]);
    }

    #[test]
    fn a_step_is_timed_from_its_own_beginning_to_the_next_one() {
        let mut book = Book::default();
        let placing = |s: &mut Standing| s.step = Some((1, "placing"));
        assert_eq!(book.replace(standing(placing), Some(at(10))), None);
        // Another change during the same step.
        assert_eq!(book.replace(standing(placing), Some(at(12))), None);
        let capturing = standing(|s| s.step = Some((1, "capturing")));
        assert_eq!(book.replace(capturing, Some(at(20))), Some(("placing", at(10))));
        // The same step of the next attempt is another one.
        let again = standing(|s| s.step = Some((2, "capturing")));
        assert_eq!(book.replace(again, Some(at(21))), Some(("capturing", at(20))));
    }

    #[test]
    fn a_step_that_began_before_the_start_is_not_timed() {
        let mut book = Book::default();
        book.replace(standing(|s| s.step = Some((1, "placing"))), None);
        assert_eq!(book.replace(standing(|_| {}), Some(at(20))), None);
    }

    fn standing(change: impl FnOnce(&mut Standing)) -> Standing {
        let mut standing = Standing { active: true, ..Standing::of(&fixture::request()) };
        change(&mut standing);
        standing
    }

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_unix_ms(ms)
    }
}
