//! Running sweeps: asking, taking answers in, asking again, taking questions back.

use schemas::directory::Transport;
use schemas::id::CallId;
use schemas::{PartnerId, RequestId};

use super::Engine;
use super::hot::Task;
use super::input::{Origin, QuoteAnswer, QuoteOutcome};
use super::late::LateCall;
use super::output::{Answer, CallOutcome, Fact, Output, Question};
use super::planner::{self, PlannedCall};
use super::ranking::Demotion;
use super::sweep::{Call, CallState, Due, Sweep};
use crate::event::Event;
use crate::partner::PartnerIndex;
use crate::receipt::search::{Came, Opening};
use crate::request::Status;
use crate::timer::TimerKind;

impl Engine {
    /// Starts, keeps or drops the sweep so that it fits the request as it now stands.
    pub(super) fn align_sweep(&mut self, request: RequestId) {
        let Some(hot) = self.hot.get(&request) else { return };
        let Some(record) = hot.request() else { return };
        let wanted = (record.status == Status::Searching
            && record.frozen_at.is_none()
            && record.timers.get(TimerKind::Sweep).is_none())
        .then_some(record.sweep);
        let running = hot.sweep.as_ref().map(|sweep| sweep.number);
        if wanted == running {
            return;
        }
        self.drop_sweep(request);
        if let Some(number) = wanted {
            self.start_sweep(request, number);
        }
    }

    fn start_sweep(&mut self, request: RequestId, number: u32) {
        let Some(hot) = self.hot.get_mut(&request) else { return };
        let Some(record) = hot.request() else { return };
        // Without time for a sweep the expiry timer ends the request.
        let policy = &self.config.policy;
        self.ranking.review_if_due(policy, self.now);
        let Some(plan) = planner::plan(record, self.now, policy, &mut self.ranking) else { return };
        let first_call = self.next_call;
        self.next_call += plan.calls.len().max(1) as u64;
        let (asked, why) = (plan.first, plan.opening);
        let last_resort = record.let_down_by().cloned();
        let snapshot = self.ranking.number();
        hot.sweep = Some(Sweep::new(number, first_call, plan, last_resort, snapshot, self.now));
        self.sweeps.insert(first_call, request);
        self.observe(Fact::SweepStarted { request, asked });
        let first: Vec<usize> = (0..asked).collect();
        self.open_round(request, why, &first);
    }

    /// It is the turn of these calls.
    pub(super) fn open_round(&mut self, request: RequestId, why: Opening, calls: &[usize]) {
        let Some(sweep) = self.hot.get_mut(&request).and_then(|hot| hot.sweep.as_mut()) else {
            return;
        };
        sweep.open(why, calls, self.now, &self.config.policy);
        self.observe(Fact::RoundOpened { why, asked: calls.len() });
        for index in calls {
            self.ask_or_wait(request, *index);
        }
        self.register_wake(request);
    }

    /// Notes when the sweep wants to be looked at; an earlier note is replaced.
    pub(super) fn register_wake(&mut self, request: RequestId) {
        let Some(sweep) = self.hot.get_mut(&request).and_then(|hot| hot.sweep.as_mut()) else {
            return;
        };
        if sweep.registered == Some(sweep.wake) {
            return;
        }
        if let Some(before) = sweep.registered.replace(sweep.wake) {
            self.wakes.remove(&(before, request));
        }
        self.wakes.insert((sweep.wake, request));
    }

    fn ask_or_wait(&mut self, request: RequestId, index: usize) {
        let Some(sweep) = self.hot.get(&request).and_then(|hot| hot.sweep.as_ref()) else { return };
        let counter = sweep.first_call + index as u64;
        let partner = sweep.calls[index].partner();
        let cap = self.config.policy.partners.at(partner).in_flight_max;
        if self.asking.admit(partner, counter, cap) {
            self.send_question(request, index);
        }
    }

    /// Sends the question, or another copy of it whose time counts anew.
    fn send_question(&mut self, request: RequestId, index: usize) {
        let Some(sweep) = self.hot.get_mut(&request).and_then(|hot| hot.sweep.as_mut()) else {
            return;
        };
        let policy = &self.config.policy;
        let partner = sweep.calls[index].partner();
        self.asking.earn_hedge(partner, policy.hedge_budget_permille);
        // A second copy may be sent once most of this partner's answers would have come.
        let late = self.ranking.is_late_after(partner, u32::from(policy.latency_samples));
        sweep.asked(index, late.map(|late| late.max(policy.hedge_floor)), self.now);
        // A question that had to wait for a place is timed from now on.
        let rearmed = sweep.registered != Some(sweep.wake);
        self.send_copy(request, index);
        if rearmed {
            self.register_wake(request);
        }
    }

    fn send_copy(&mut self, request: RequestId, index: usize) {
        let Some(hot) = self.hot.get(&request) else { return };
        let (Some(sweep), super::hot::Presence::Present(record)) = (&hot.sweep, &hot.presence)
        else {
            return;
        };
        let wanted = &record.submission;
        let question = Question {
            call: CallId {
                epoch: self.config.boot_epoch,
                counter: sweep.first_call + index as u64,
            },
            isbn: wanted.isbn,
            quantity: wanted.quantity,
            condition: wanted.condition,
            currency: record.terms.max_total.currency(),
            destination: wanted.destination.zone(),
            not_after: sweep.hard_stop,
        };
        self.asking.push(sweep.calls[index].partner(), question);
    }

    /// Frees the place of a finished call and lets the next waiting one go.
    fn free_place(&mut self, partner: PartnerIndex) {
        let mut next = self.asking.release(partner);
        while let Some(counter) = next {
            let found = self.find_call(counter).filter(|(request, index)| {
                self.hot
                    .get(request)
                    .and_then(|hot| hot.sweep.as_ref())
                    .is_some_and(|sweep| sweep.calls[*index].state == CallState::Waiting)
            });
            if let Some((request, index)) = found {
                self.asking.take_place(partner);
                self.send_question(request, index);
                return;
            }
            next = self.asking.next_waiting(partner);
        }
    }

    /// The running sweep and call behind a call counter.
    fn find_call(&self, counter: u64) -> Option<(RequestId, usize)> {
        let (_, request) = self.sweeps.range(..=counter).next_back()?;
        let sweep = self.hot.get(request)?.sweep.as_ref()?;
        Some((*request, sweep.index_of(counter)?))
    }

    pub(super) fn quotes(
        &mut self,
        origin: Option<Origin>,
        partner: &PartnerId,
        answers: Vec<QuoteAnswer>,
    ) {
        match self.config.policy.partners.index_of(partner) {
            Some(index) => {
                for answer in answers {
                    self.quote(index, answer);
                }
            }
            None => self.observe(Fact::LateQuote),
        }
        if let Some(origin) = origin {
            self.outputs.push_back(Output::Done { origin, answer: Answer::Taken });
        }
    }

    fn quote(&mut self, partner: PartnerIndex, answer: QuoteAnswer) {
        if answer.call.epoch != self.config.boot_epoch {
            return self.observe(Fact::LateQuote);
        }
        let counter = answer.call.counter;
        let Some((request, index)) = self.find_call(counter) else {
            return self.late_quote(partner, answer);
        };
        let hot = self.hot.get_mut(&request).expect("found by find_call");
        let super::hot::Presence::Present(record) = &hot.presence else { return };
        let sweep = hot.sweep.as_mut().expect("found by find_call");
        if sweep.calls[index].partner() != partner {
            return self.observe(Fact::InvalidQuote { partner });
        }
        let was_asked = sweep.calls[index].state == CallState::Asked;
        let wake_before = sweep.wake;
        if !sweep.is_unsettled(index) {
            return self.observe(Fact::DuplicateQuote);
        }
        let took = sweep.calls[index].took(self.now);
        let mut invalid = false;
        let (came, outcome) = match answer.outcome {
            QuoteOutcome::Offer { isbn, quote } => {
                let wanted = record.submission.as_ref();
                // Another book or another currency than asked for is no offer at all.
                invalid =
                    isbn != wanted.isbn || quote.currency != record.terms.max_total.currency();
                let (terms, policy) = (&record.terms, &self.config.policy);
                if invalid {
                    (Came::Invalid, CallOutcome::Invalid)
                } else if sweep.offer(index, *quote, terms, wanted, self.now, policy) {
                    (Came::Offer, CallOutcome::Offer)
                } else {
                    (Came::Unsuitable, CallOutcome::Offer)
                }
            }
            QuoteOutcome::NoStock => (Came::NoStock, CallOutcome::NoStock),
            QuoteOutcome::Refused => (Came::Refused, CallOutcome::Refused),
        };
        sweep.settle(index, came, self.now);
        if sweep.wake != wake_before {
            self.register_wake(request);
        }
        if invalid {
            self.observe(Fact::InvalidQuote { partner });
            self.demote(partner, Demotion::Integrity);
        }
        self.ended(partner, outcome, took);
        if was_asked {
            self.free_place(partner);
        }
        self.go_on(request);
    }

    /// An answer that no sweep waits for under this id. It is learned from; a queued partner's
    /// offer may still buy the book.
    fn late_quote(&mut self, partner: PartnerIndex, answer: QuoteAnswer) {
        let counter = answer.call.counter;
        let taken = match &answer.outcome {
            QuoteOutcome::Offer { isbn, .. } => {
                self.late.take(counter, partner).filter(|late| late.isbn == *isbn)
            }
            QuoteOutcome::NoStock | QuoteOutcome::Refused => None,
        };
        // A newer sweep has asked the same question: this is its answer, only sooner.
        if let Some(late) = taken
            && let Some(call) = self.open_call(late.request, partner)
        {
            return self.quote(partner, QuoteAnswer { call, ..answer });
        }
        self.learn_late(counter, partner, &answer.outcome);
        match (taken, answer.outcome) {
            (Some(late), QuoteOutcome::Offer { quote, .. }) => {
                let task = Task::Sweep { event: Event::LateOffer(*quote), receipt: None };
                self.enqueue(late.request, None, None, task);
            }
            (_, QuoteOutcome::Offer { .. } | QuoteOutcome::NoStock | QuoteOutcome::Refused) => {
                self.observe(Fact::LateQuote);
            }
        }
    }

    /// The unanswered question of the request's running sweep to this partner.
    fn open_call(&self, request: RequestId, partner: PartnerIndex) -> Option<CallId> {
        let sweep = self.hot.get(&request)?.sweep.as_ref()?;
        let asked = |call: &Call| call.partner() == partner && call.state == CallState::Asked;
        let counter = sweep.first_call + sweep.calls.iter().position(asked)? as u64;
        Some(CallId { epoch: self.config.boot_epoch, counter })
    }

    /// Nobody listens at the partner: its calls are over at once, without waiting for a time-out.
    pub(super) fn partner_down(&mut self, partner: &PartnerId, calls: &[CallId]) {
        let Some(partner) = self.config.policy.partners.index_of(partner) else { return };
        let epoch = self.config.boot_epoch;
        for call in calls.iter().filter(|call| call.epoch == epoch) {
            if let Some((request, index)) = self.find_call(call.counter) {
                self.give_up_call(request, index, partner, Came::Down);
                self.go_on(request);
            }
        }
    }

    fn give_up_call(
        &mut self,
        request: RequestId,
        index: usize,
        partner: PartnerIndex,
        came: Came,
    ) {
        let outcome = if came == Came::Down { CallOutcome::Down } else { CallOutcome::TimedOut };
        let Some(sweep) = self.hot.get_mut(&request).and_then(|hot| hot.sweep.as_mut()) else {
            return;
        };
        let asked = sweep.calls[index].state == CallState::Asked;
        if sweep.calls[index].partner() != partner || !asked {
            return;
        }
        let took = sweep.calls[index].took(self.now);
        sweep.settle(index, came, self.now);
        self.ended(partner, outcome, took);
        self.free_place(partner);
    }

    /// A sweep asked to be looked at now: time-outs, retries, grace, hard stop.
    pub(super) fn sweep_woke(&mut self, request: RequestId) {
        let Some(sweep) = self.hot.get_mut(&request).and_then(|hot| hot.sweep.as_mut()) else {
            return;
        };
        sweep.registered = None;
        for (index, due) in sweep.due(self.now, &self.config.policy) {
            self.call_due(request, index, due);
        }
        let now = self.now;
        if let Some(sweep) = self.hot.get_mut(&request).and_then(|hot| hot.sweep.as_mut()) {
            sweep.rearm(now, &self.config.policy);
            if sweep.wake > now {
                self.register_wake(request);
            }
        }
        self.go_on(request);
    }

    fn call_due(&mut self, request: RequestId, index: usize, due: Due) {
        let Some(sweep) = self.hot.get_mut(&request).and_then(|hot| hot.sweep.as_mut()) else {
            return;
        };
        let partner = sweep.calls[index].partner();
        match due {
            Due::Retry => self.send_question(request, index),
            Due::GiveUp => self.give_up_call(request, index, partner, Came::TimedOut),
            Due::Hedge => {
                sweep.hedged(index);
                let cap = self.config.policy.partners.at(partner).in_flight_max;
                if self.asking.spend_hedge(partner, cap) {
                    self.send_copy(request, index);
                    self.observe(Fact::Hedged { partner });
                }
            }
        }
    }

    /// Forgets the sweep. Questions that have not left are taken back. Live calls are no longer
    /// counted as in flight; queued ones may still bring an offer, except those of shadows, from
    /// which nothing is bought.
    pub(super) fn drop_sweep(&mut self, request: RequestId) {
        let Some(hot) = self.hot.get_mut(&request) else { return };
        let Some(sweep) = hot.sweep.take() else { return };
        let isbn = hot.request().map(|record| record.submission.isbn);
        self.sweeps.remove(&sweep.first_call);
        if let Some(at) = sweep.registered {
            self.wakes.remove(&(at, request));
        }
        for (call, counter) in sweep.calls.iter().zip(sweep.first_call..) {
            if call.state != CallState::Asked {
                continue;
            }
            let PlannedCall { partner, transport, shadow, .. } = call.planned;
            let id = CallId { epoch: self.config.boot_epoch, counter };
            // Nobody is silent to a question that never left.
            if transport == Transport::Queued || !self.asking.take_back(partner, id) {
                self.ranking.canceled(counter, partner, call.first_asked_at, call.due());
            }
            self.free_place(partner);
            if let (Transport::Queued, Some(isbn), false) = (transport, isbn, shadow) {
                self.late.remember(counter, LateCall { request, partner, isbn });
            }
        }
    }
}
