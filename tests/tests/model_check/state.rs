//! Everything that tells two moments of the small world apart.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use broker_core::effect::{Outcome, PartnerCommand, PaymentCommand};
use broker_core::event::Event;
use broker_core::request::{PurchaseRequest, Status, Version};
use broker_core::timer::TimerKind;
use schemas::{PartnerId, Timestamp};

use super::bank::Payment;
use super::numbers::ATTEMPTS_MAX;
use super::promise::Broken;
use super::setting::Budget;
use super::shop::Shop;

/// Receivers of commands, and senders of answers: one ordered stream each.
pub(crate) const LANES: usize = ATTEMPTS_MAX + 1;
/// The lane of the payment provider; the stores come before it.
pub(crate) const BANK: usize = ATTEMPTS_MAX;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct State {
    /// What the store of the broker holds.
    pub(crate) stored: Record,
    /// What a second owner believes that the store holds.
    pub(crate) stale: Option<Record>,
    pub(crate) now: Timestamp,
    /// Commands on their way, oldest first; the clock stands still for them.
    pub(crate) commands: [Vec<Arc<Command>>; LANES],
    /// Answers on their way, oldest first; the clock stands still for them.
    pub(crate) answers: [Vec<Arc<Event>>; LANES],
    /// Messages that arrive whenever they like.
    pub(crate) strays: Vec<Stray>,
    /// By attempt, from 0.
    pub(crate) shops: [Shop; ATTEMPTS_MAX],
    pub(crate) payments: [Payment; ATTEMPTS_MAX],
    /// The order as it first left, and the deadline it was sent under.
    pub(crate) sent: [Option<Arc<Sent>>; ATTEMPTS_MAX],
    /// Until when an authorisation that was sent may be accepted.
    pub(crate) asked_money: [Option<Timestamp>; ATTEMPTS_MAX],
    pub(crate) told: Vec<Outcome>,
    /// What a crash brings back: inputs heard but not yet acknowledged, newest last …
    pub(crate) unacknowledged: Vec<Arc<Event>>,
    /// … and commands published but not yet recorded as published.
    pub(crate) unrecorded: Vec<Arc<Command>>,
    pub(crate) left: Budget,
    pub(crate) broken: Broken,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Stray {
    Command(Arc<Command>),
    Answer(Arc<Event>),
}

#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Sent {
    pub(crate) command: PartnerCommand,
    pub(crate) deadline: Timestamp,
}

/// A command as the outbox publishes it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Command {
    /// The change that sent it.
    pub(crate) version: Version,
    pub(crate) attempt: u8,
    pub(crate) what: What,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum What {
    Partner(PartnerId, PartnerCommand),
    Payment(PaymentCommand),
}

impl Command {
    pub(crate) fn index(&self) -> usize {
        usize::from(self.attempt) - 1
    }

    pub(crate) fn lane(&self) -> usize {
        match self.what {
            What::Partner(..) => self.index(),
            What::Payment(_) => BANK,
        }
    }

    pub(crate) fn not_after(&self) -> Option<Timestamp> {
        match &self.what {
            What::Partner(_, PartnerCommand::Reserve { not_after, .. })
            | What::Partner(_, PartnerCommand::Place { not_after, .. })
            | What::Payment(PaymentCommand::Authorize { not_after, .. }) => Some(*not_after),
            What::Partner(..) | What::Payment(_) => None,
        }
    }
}

/// A durable head with its hash, which is taken once per change instead of once per state.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    pub(crate) request: Arc<PurchaseRequest>,
    hash: u64,
}

impl Record {
    pub(crate) fn new(request: PurchaseRequest) -> Self {
        let hash = hash_of_head(&request);
        Self { request: Arc::new(request), hash }
    }

    pub(crate) fn timers(&self) -> impl Iterator<Item = (TimerKind, Timestamp)> {
        let timers = self.request.timers;
        TimerKind::ALL.into_iter().filter_map(move |kind| timers.get(kind).map(|at| (kind, at)))
    }
}

impl PartialEq for Record {
    fn eq(&self, other: &Self) -> bool {
        self.hash == other.hash && self.request == other.request
    }
}

impl Eq for Record {}

impl Hash for Record {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.hash.hash(state);
    }
}

/// Everything but the submission, which never changes. Spelled out so that a new field is asked
/// about.
fn hash_of_head(request: &PurchaseRequest) -> u64 {
    let PurchaseRequest {
        submission: _,
        version,
        terms,
        status,
        checkout,
        undo,
        known_orders,
        cancel_requested,
        sweep,
        fruitless,
        tried,
        notified,
        told_best,
        incident,
        timers,
        closed_at,
        frozen_at,
    } = request;
    let mut hasher = DefaultHasher::new();
    (version, terms, status, checkout, undo, cancel_requested).hash(&mut hasher);
    (sweep, fruitless, tried, notified, told_best, incident, known_orders).hash(&mut hasher);
    (timers, closed_at, frozen_at).hash(&mut hasher);
    hasher.finish()
}

impl State {
    pub(crate) fn request(&self) -> &PurchaseRequest {
        &self.stored.request
    }

    /// Whether the engine would be running a sweep.
    pub(crate) fn is_sweeping(&self) -> bool {
        let request = self.request();
        request.status == Status::Searching && request.timers.get(TimerKind::Sweep).is_none()
    }

    pub(crate) fn nothing_on_its_way(&self) -> bool {
        self.commands.iter().all(Vec::is_empty) && self.answers.iter().all(Vec::is_empty)
    }

    pub(crate) fn timers(&self) -> impl Iterator<Item = (TimerKind, Timestamp)> {
        self.stored.timers()
    }

    /// The view of an owner that is out of date and may still act on it.
    pub(crate) fn old_view(&self) -> Option<&Record> {
        let may_act = self.left.stale_decisions > 0;
        self.stale.as_ref().filter(|stale| may_act && **stale != self.stored)
    }

    /// Nothing will happen any more unless somebody acts of their own accord. Messages that still
    /// stray about must find everything done, except a notice that nobody asked for: it is the
    /// only word on what it says.
    pub(crate) fn is_quiet(&self) -> bool {
        let notice = |stray: &Stray| match stray {
            Stray::Answer(answer) => {
                matches!(&**answer, Event::Partner(answer) if answer.operation.is_none())
            }
            Stray::Command(_) => false,
        };
        let idle = self.timers().next().is_none() && !self.strays.iter().any(notice);
        let waits = self.request().status == Status::Pending || self.is_sweeping();
        idle && !waits && self.nothing_on_its_way()
    }

    pub(crate) fn live_orders(&self) -> usize {
        self.shops.iter().filter(|shop| shop.is_live()).count()
    }

    /// The next instant at which anything can be different.
    pub(crate) fn next_instant(&self, skew: i64) -> Option<Timestamp> {
        let strays = self.strays.iter().filter_map(|stray| match stray {
            Stray::Command(command) => command.not_after(),
            Stray::Answer(_) => None,
        });
        // By its own clock the receiver refuses from the instant after `not_after`.
        let refusals = strays.map(|not_after| shifted(not_after, 1 - skew));
        let old = self.old_view().into_iter().flat_map(Record::timers);
        let timers = self.timers().chain(old).map(|(_, at)| at);
        timers.chain(refusals).filter(|at| *at > self.now).min()
    }
}

/// `at` moved by so many milliseconds.
pub(crate) fn shifted(at: Timestamp, by: i64) -> Timestamp {
    let distance = schemas::DurationMs(by.unsigned_abs());
    if by < 0 { at.saturating_sub(distance) } else { at.saturating_add(distance) }
}
