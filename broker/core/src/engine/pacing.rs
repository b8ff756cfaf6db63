//! When a question may leave: a place at its partner, one of the places of all, the rates of its
//! partner and of its region. Who would wait too long is left out of the sweep, which says so.

use schemas::destination::Country;
use schemas::{DurationMs, PartnerId, RequestId, Timestamp};

use super::Engine;
use super::hot::Task;
use super::input::QuoteOutcome;
use super::limits::board::{Ended, Operation};
use super::limits::breaker::{Switched, Verdict};
use super::offers::flights::FlightId;
use super::output::{CallOutcome, Fact};
use super::ranking::Demotion;
use crate::event::Event;
use crate::partner::PartnerIndex;
use crate::receipt::search::SkipReason;
use crate::request::{PurchaseRequest, Step};
use crate::timer::TimerKind;

/// Where a change of a checkout came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum News {
    /// From the store.
    Answer,
    /// It said nothing in time.
    Silence,
    /// From somebody else: it says nothing about the store.
    OfOthers,
}

impl News {
    pub(super) fn of(task: &Task) -> Self {
        match task {
            Task::Answer(Event::Partner(_)) => Self::Answer,
            Task::Timer { kind: TimerKind::Step, .. } => Self::Silence,
            Task::Answer(_)
            | Task::Operator(_)
            | Task::Timer { .. }
            | Task::Create(_)
            | Task::Command { .. }
            | Task::Get { .. }
            | Task::Sweep { .. } => Self::OfOthers,
        }
    }
}

/// Whom a question is for, where its books go, and how much time is left to who came last.
type Way = (PartnerIndex, Country, DurationMs);

/// What holds a question back.
enum Leave {
    Now,
    /// A place at its partner.
    PlaceTaken,
    /// One of the places of all.
    Crowded,
    At(Timestamp),
    /// It is not asked in this sweep.
    Never(SkipReason),
}

impl Engine {
    /// A question wants to leave: it does, waits, or its partner is left out.
    pub(super) fn queue(&mut self, id: FlightId) {
        let Some(way) = self.goes_to(id) else { return };
        let (partner, region, left) = way;
        if self.asking.first_waiting(partner).is_none() && matches!(self.may_leave(way), Leave::Now)
        {
            return self.leave(partner, id);
        }
        let ahead = self.asking.queue(partner, id.0);
        let policy = &self.config.policy.overload;
        let wait = self.board.rate_wait(partner, region, policy, self.now);
        let queued = self.board.time_of(partner, ahead);
        let in_all = DurationMs(wait.as_ms().saturating_add(queued.as_ms()));
        if wait > DurationMs::ZERO && self.is_too_long(in_all, left) {
            return self.leave_out(id, SkipReason::RateLimited);
        }
        self.pump(partner);
    }

    /// Lets go what may leave to this partner, the longest waiting first.
    pub(super) fn pump(&mut self, partner: PartnerIndex) {
        while let Some(id) = self.asking.first_waiting(partner).map(FlightId) {
            if self.flights.get(id).is_none_or(|flight| flight.sent_at.is_some()) {
                self.asking.unqueue(partner, id.0);
                continue;
            }
            let Some(way) = self.goes_to(id) else {
                self.leave_out(id, SkipReason::NotNeeded);
                continue;
            };
            match self.may_leave(way) {
                Leave::Now => {
                    self.asking.unqueue(partner, id.0);
                    self.leave(partner, id);
                }
                Leave::PlaceTaken => return,
                Leave::Crowded => return self.asking.crowd_out(partner),
                Leave::At(at) => return self.asking.pace(partner, at),
                Leave::Never(why) => self.leave_out(id, why),
            }
        }
    }

    fn leave(&mut self, partner: PartnerIndex, id: FlightId) {
        self.asking.take_place(partner);
        self.board.asked(partner, &self.config.policy.overload, self.now);
        self.send_question(id);
    }

    fn may_leave(&mut self, (partner, region, left): Way) -> Leave {
        if self.board.blocks(partner, self.now) {
            return Leave::Never(SkipReason::BreakerOpen);
        }
        let pause = self.board.pause(partner, self.now);
        if pause > DurationMs::ZERO {
            return self.later_or_never(pause, left, SkipReason::AskedForPause);
        }
        if self.asking.in_flight_at(partner) >= self.board.limit(partner) {
            return Leave::PlaceTaken;
        }
        let policy = &self.config.policy.overload;
        if self.asking.in_flight() >= policy.calls_in_flight_max {
            return Leave::Crowded;
        }
        match self.board.take_rate(partner, region, policy, self.now) {
            Ok(()) => Leave::Now,
            Err(wait) => self.later_or_never(wait, left, SkipReason::RateLimited),
        }
    }

    fn later_or_never(&self, wait: DurationMs, left: DurationMs, why: SkipReason) -> Leave {
        if self.is_too_long(wait, left) {
            return Leave::Never(why);
        }
        Leave::At(self.now.saturating_add(wait))
    }

    /// With so much time left, waiting so long would not leave enough for an answer.
    fn is_too_long(&self, wait: DurationMs, left: DurationMs) -> bool {
        let share = u64::from(self.config.policy.overload.delay_permille);
        wait.as_ms().saturating_mul(1000) >= left.as_ms().saturating_mul(share)
    }

    fn goes_to(&self, id: FlightId) -> Option<Way> {
        let flight = self.flights.get(id)?;
        let last = flight.waiters.iter().rev().find_map(|waiter| self.find_call(waiter))?;
        let sweep = self.hot.get(&last.0)?.sweep.as_ref()?;
        Some((flight.partner, sweep.wanted.zone.country, sweep.hard_stop.since(self.now)))
    }

    /// Nobody who waits for the answer will have one.
    fn leave_out(&mut self, id: FlightId, why: SkipReason) {
        let Some(flight) = self.flights.land(id) else { return };
        let partner = flight.partner;
        self.asking.unqueue(partner, id.0);
        for (request, index) in self.waiting_for(&flight) {
            if let Some(sweep) = self.hot.get_mut(&request).and_then(|hot| hot.sweep.as_mut()) {
                sweep.leave_out(index, why);
                self.stirred.insert(request);
            }
        }
        self.observe(Fact::LeftOut { partner, why });
    }

    /// Whether a further copy of a question may be sent now.
    pub(super) fn may_repeat(&mut self, partner: PartnerIndex, request: RequestId) -> bool {
        let Some(record) = self.hot.get(&request).and_then(|hot| hot.request()) else {
            return false;
        };
        let region = record.submission.destination.country;
        let policy = &self.config.policy.overload;
        !self.board.blocks(partner, self.now)
            && self.board.pause(partner, self.now) == DurationMs::ZERO
            && self.board.take_rate(partner, region, policy, self.now).is_ok()
    }

    /// Frees the place of a finished call. The next one of its partner goes, unless others have
    /// waited longer for one of the places of all.
    pub(super) fn free_place(&mut self, partner: PartnerIndex) {
        self.asking.release(partner);
        if self.asking.is_crowded() {
            self.asking.crowd_out(partner);
        } else {
            self.pump(partner);
        }
    }

    /// Lanes whose time has come, and those for which there is room again.
    pub(super) fn pump_due(&mut self) {
        while let Some(partner) = self.asking.pop_paced(self.now) {
            self.pump(partner);
        }
        while self.may_pump()
            && let Some(partner) = self.asking.pop_crowded_out()
        {
            self.pump(partner);
        }
    }

    /// A lane that was crowded out would find a place.
    pub(super) fn may_pump(&self) -> bool {
        let most = self.config.policy.overload.calls_in_flight_max;
        self.asking.is_crowded() && self.asking.in_flight() < most
    }

    /// A store that says it is too much is left alone for as long as it says.
    pub(super) fn heed(&mut self, partner: PartnerIndex, said: &QuoteOutcome, took: DurationMs) {
        if let QuoteOutcome::Refused { retry_after: Some(hold) } = *said {
            let (asked_at, policy) = (self.now.saturating_sub(took), &self.config.policy.overload);
            self.board.too_much(partner, asked_at, hold, (policy, self.now));
        }
    }

    /// A question has ended: limits and breaker learn from it.
    pub(super) fn limits_learn(
        &mut self,
        partner: PartnerIndex,
        outcome: CallOutcome,
        took: DurationMs,
    ) {
        let samples = u32::from(self.config.policy.latency_samples);
        // What is quick for anybody is not held against what is usual for it.
        let slow_perhaps = took > self.config.policy.overload.slow_after;
        let usual = slow_perhaps.then(|| self.ranking.is_late_after(partner, samples)).flatten();
        let in_flight = self.asking.in_flight_at(partner);
        let policy = &self.config.policy;
        let transport = policy.partners.at(partner).transport;
        let ended = Ended { outcome, took, usual, in_flight };
        let switched = self.board.ended(partner, transport, ended, &policy.overload, self.now);
        self.switched(partner, Operation::Quote, switched);
    }

    /// A commit became durable: what it says about reservations and orders.
    pub(super) fn watch_checkout(
        &mut self,
        request: RequestId,
        before: Option<Awaited>,
        news: News,
    ) {
        let Some(record) = self.hot.get(&request).and_then(|hot| hot.request()) else { return };
        let now_awaited = Awaited::of(record);
        if before == now_awaited {
            return;
        }
        let step = record.checkout.as_ref().map(|checkout| &checkout.step);
        let is_unknown = matches!(step, Some(Step::PlacementUnknown(_)));
        if let Some(before) = before {
            self.awaited_ended(&before, is_unknown, news);
        }
        let partners = &self.config.policy.partners;
        if let Some(awaited) = now_awaited
            && let Some(partner) = partners.index_of(&awaited.partner)
        {
            let policy = &self.config.policy.overload;
            self.board.sent(partner, awaited.operation, policy, self.now);
        }
    }

    fn awaited_ended(&mut self, awaited: &Awaited, is_unknown: bool, news: News) {
        let policy = &self.config.policy;
        let Some(partner) = policy.partners.index_of(&awaited.partner) else { return };
        let verdict = match (is_unknown, news) {
            // An order that lapsed on our side says nothing about the store either.
            (_, News::OfOthers) => return,
            (true, News::Answer | News::Silence) => Verdict::Unknown,
            (false, News::Answer) => Verdict::Good,
            (false, News::Silence) => Verdict::Failed,
        };
        let operation = awaited.operation;
        let switched = self.board.record(partner, operation, verdict, &policy.overload, self.now);
        self.switched(partner, operation, switched);
    }

    fn switched(
        &mut self,
        partner: PartnerIndex,
        operation: Operation,
        switched: Option<Switched>,
    ) {
        let Some(to) = switched else { return };
        self.observe(Fact::Breaker { partner, operation, to });
        match to {
            Switched::Opened if !self.board.is_dry(partner) => {
                self.demote(partner, Demotion::Breaker);
            }
            Switched::Opened | Switched::Closed => {}
        }
    }
}

/// A reservation or an order that its store has not answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Awaited {
    partner: PartnerId,
    attempt: u8,
    operation: Operation,
}

impl Awaited {
    pub(super) fn of(record: &PurchaseRequest) -> Option<Self> {
        let checkout = record.checkout.as_ref()?;
        let operation = match &checkout.step {
            Step::Reserving { .. } => Operation::Reserve,
            Step::Placing => Operation::Place,
            Step::Authorizing { .. }
            | Step::ActionRequired { .. }
            | Step::PlacementUnknown(_)
            | Step::Capturing { .. }
            | Step::Completed
            | Step::Failed(_) => return None,
        };
        let partner = checkout.quote.partner.clone();
        Some(Self { partner, attempt: checkout.attempt, operation })
    }
}
