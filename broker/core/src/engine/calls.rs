//! Calls: each gets its answer from memory, from a question that is on its way already, or from one
//! of its own, for which it may have to wait for a place at the store.

use std::sync::Arc;

use schemas::directory::Transport;
use schemas::id::CallId;
use schemas::purchase::Strategy;
use schemas::{RequestId, Timestamp};
use smallvec::SmallVec;

use super::Engine;
use super::hot::Presence;
use super::late::LateCall;
use super::offers::Wanted;
use super::offers::cache::Said;
use super::offers::flights::{Flight, FlightId};
use super::output::{CallOutcome, Fact, Question};
use super::planner::PlannedCall;
use super::sweep::{Call, CallState};
use crate::receipt::search::{Came, Degraded, Source};

impl Engine {
    /// It is the turn of this call.
    pub(super) fn ask_or_wait(&mut self, request: RequestId, index: usize) {
        let Some(sweep) = self.hot.get(&request).and_then(|hot| hot.sweep.as_ref()) else { return };
        let call = sweep.first_call + index as u64;
        let PlannedCall { partner, response, .. } = sweep.calls[index].planned;
        let profile = self.config.policy.partners.at(partner);
        let shared = profile.shares_quotes().then(|| Arc::clone(&sweep.wanted));
        if let Some(wanted) = &shared
            && (self.remember(request, index, wanted) || self.join(request, index, wanted))
        {
            return;
        }
        let id = self.flights.open(call, partner, shared, response);
        self.with_call(request, index, |call| call.flight = Some(id));
        self.queue(id);
    }

    /// The store has just said what this call would ask, and what it said still holds.
    fn remember(&mut self, request: RequestId, index: usize, wanted: &Wanted) -> bool {
        let Some(hot) = self.hot.get_mut(&request) else { return false };
        let (Some(sweep), Presence::Present(record)) = (&mut hot.sweep, &hot.presence) else {
            return false;
        };
        let partner = sweep.calls[index].partner();
        // Under load the store's own word is enough.
        let spare = sweep.degraded == Some(Degraded::CachedOffers);
        let Some((said, age)) = self.offers.said(partner, wanted, spare, self.now) else {
            return false;
        };
        let policy = &self.config.policy;
        let (came, quote) = match said {
            Said::NoStock => (Came::NoStock, None),
            Said::Offer(quote) => {
                let copies = self.offers.in_stock(partner, wanted.isbn, quote.condition);
                let plenty = copies.unwrap_or_default() > policy.partners.at(partner).reuse_above;
                let holds = quote.valid_until > self.now.saturating_add(policy.placement_budget);
                // `cheapest` promises the lowest price there is, not the lowest there was.
                let exact = record.terms.strategy == Strategy::Cheapest;
                let fit = spare || (plenty && !exact);
                if !fit || !holds || !quote.is_affordable(record.terms.max_total) {
                    return false;
                }
                (Came::Offer, Some(quote.clone()))
            }
        };
        sweep.calls[index].source = Source::Remembered { age };
        if let Some(quote) = quote {
            sweep.offer(index, quote, &record.terms, &record.submission, self.now, policy);
        }
        sweep.settle(index, came, self.now);
        self.observe(Fact::AnswerRemembered { partner });
        true
    }

    /// Another request has just asked the same.
    fn join(&mut self, request: RequestId, index: usize, wanted: &Arc<Wanted>) -> bool {
        let Some(sweep) = self.hot.get_mut(&request).and_then(|hot| hot.sweep.as_mut()) else {
            return false;
        };
        let partner = sweep.calls[index].partner();
        let call = sweep.first_call + index as u64;
        let Some((id, flight)) = self.flights.join(call, partner, wanted, self.now) else {
            return false;
        };
        sweep.calls[index].source = Source::Shared;
        sweep.calls[index].flight = Some(id);
        if flight.sent_at.is_some() {
            sweep.asked(index, None, self.now);
        }
        self.observe(Fact::QuestionShared { partner });
        true
    }

    /// Sends the question; whoever waits for its answer is asking now.
    pub(super) fn send_question(&mut self, id: FlightId) {
        let Some(flight) = self.flights.get_mut(id) else { return };
        flight.sent_at = Some(self.now);
        let partner = flight.partner;
        let waiters: SmallVec<[u64; 1]> = flight.waiters.iter().collect();
        let policy = &self.config.policy;
        self.asking.earn_hedge(partner, policy.hedge_budget_permille);
        // A second copy may be sent once most of this partner's answers would have come.
        let late = self.ranking.is_late_after(partner, u32::from(policy.latency_samples));
        let mut hedge_after = late.map(|late| late.max(policy.hedge_floor));
        let mut sent = false;
        for waiter in waiters {
            let Some((request, index)) = self.find_call(waiter) else { continue };
            self.timed_from_now(request, index, hedge_after.take());
            if !sent {
                self.send_copy(request, index);
                sent = true;
            }
        }
    }

    /// Another copy; this call's time counts anew.
    pub(super) fn ask_again(&mut self, request: RequestId, index: usize) {
        self.timed_from_now(request, index, None);
        let sweep = self.hot.get(&request).and_then(|hot| hot.sweep.as_ref());
        let flight = sweep.and_then(|sweep| sweep.calls[index].flight);
        if let Some(flight) = flight.and_then(|id| self.flights.get_mut(id)) {
            flight.asked_again_at = Some(self.now);
        }
        self.send_copy(request, index);
    }

    /// Somebody else who waits for the same answer has sent another copy since this call asked:
    /// that one is waited for.
    pub(super) fn waits_for_a_copy_of_others(&mut self, request: RequestId, index: usize) -> bool {
        let Some(sweep) = self.hot.get(&request).and_then(|hot| hot.sweep.as_ref()) else {
            return false;
        };
        let call = &sweep.calls[index];
        let flight = call.flight.and_then(|id| self.flights.get(id));
        let copied_since = flight.and_then(|flight| flight.asked_again_at) > Some(call.asked_at());
        if copied_since {
            self.timed_from_now(request, index, None);
        }
        copied_since
    }

    fn timed_from_now(
        &mut self,
        request: RequestId,
        index: usize,
        hedge_after: Option<schemas::DurationMs>,
    ) {
        let Some(sweep) = self.hot.get_mut(&request).and_then(|hot| hot.sweep.as_mut()) else {
            return;
        };
        sweep.asked(index, hedge_after, self.now);
        // A question that had to wait for a place is timed from now on.
        if sweep.registered != Some(sweep.wake) {
            self.register_wake(request);
        }
    }

    pub(super) fn send_copy(&mut self, request: RequestId, index: usize) {
        let Some(hot) = self.hot.get(&request) else { return };
        let (Some(record), Some(sweep)) = (hot.request(), hot.sweep.as_ref()) else { return };
        let Some(id) = sweep.calls[index].flight else { return };
        let Some(flight) = self.flights.get(id) else { return };
        let last = flight.waiters.last();
        let wanted = &sweep.wanted;
        let question = Question {
            call: CallId { epoch: self.config.boot_epoch, counter: id.0 },
            isbn: wanted.isbn,
            quantity: wanted.quantity,
            condition: wanted.condition,
            currency: wanted.currency,
            destination: wanted.zone.clone(),
            not_after: sweep.hard_stop.max(self.waits_until(last)),
            trace: record.submission.purchase_trace(),
        };
        self.asking.push(sweep.calls[index].partner(), question);
    }

    /// Whoever joined last may have more time than who asked.
    fn waits_until(&self, waiter: Option<u64>) -> Timestamp {
        let found = waiter.and_then(|waiter| self.find_call(waiter));
        let sweep = found.and_then(|(request, _)| self.hot.get(&request)?.sweep.as_ref());
        sweep.map_or(Timestamp::ZERO, |sweep| sweep.hard_stop)
    }

    /// The running sweep and call behind a call counter.
    pub(super) fn find_call(&self, counter: u64) -> Option<(RequestId, usize)> {
        let (_, request) = self.sweeps.range(..=counter).next_back()?;
        let sweep = self.hot.get(request)?.sweep.as_ref()?;
        Some((*request, sweep.index_of(counter)?))
    }

    /// The calls that wait for the answer to this question, first come first.
    pub(super) fn waiting_for(&self, flight: &Flight) -> SmallVec<[(RequestId, usize); 1]> {
        flight.waiters.iter().filter_map(|waiter| self.find_call(waiter)).collect()
    }

    fn with_call(&mut self, request: RequestId, index: usize, change: impl FnOnce(&mut Call)) {
        if let Some(sweep) = self.hot.get_mut(&request).and_then(|hot| hot.sweep.as_mut()) {
            change(&mut sweep.calls[index]);
        }
    }

    /// No answer came in time: this call is not waited for any more. Others may wait longer.
    pub(super) fn give_up_call(&mut self, request: RequestId, index: usize) {
        let Some(sweep) = self.hot.get_mut(&request).and_then(|hot| hot.sweep.as_mut()) else {
            return;
        };
        let (counter, call) = (sweep.first_call + index as u64, &sweep.calls[index]);
        let (partner, Some(id)) = (call.partner(), call.flight) else { return };
        if call.state != CallState::Asked {
            return;
        }
        let took = call.took(self.now);
        sweep.settle(index, Came::TimedOut, self.now);
        // One question is judged once, however many wait for its answer.
        let first = self.flights.get_mut(id).is_some_and(Flight::give_up);
        if first {
            self.ended(partner, CallOutcome::TimedOut, took);
        }
        if self.flights.leave(id, counter).is_some() {
            self.free_place(partner);
        }
    }

    /// A dropped sweep waits for nothing any more. A question that has not left is taken back. A
    /// live one is no longer counted as in flight; a queued one may still bring an offer, except
    /// that of a shadow, from which nothing is bought.
    pub(super) fn stop_waiting(&mut self, request: RequestId, counter: u64, call: &Call) {
        let Some(id) = call.flight else { return };
        let Some(flight) = self.flights.leave(id, counter) else { return };
        let PlannedCall { partner, transport, shadow, response, .. } = call.planned;
        let Some(sent_at) = flight.sent_at else { return self.asking.unqueue(partner, id.0) };
        let asked = CallId { epoch: self.config.boot_epoch, counter: id.0 };
        // Nobody is silent to a question that never left.
        let left = transport == Transport::Queued || !self.asking.take_back(partner, asked);
        if left && !flight.given_up {
            let due = call.due().max(sent_at.saturating_add(response));
            self.ranking.canceled(id.0, partner, sent_at, due);
        }
        self.free_place(partner);
        let isbn = self.hot.get(&request).and_then(|hot| Some(hot.request()?.submission.isbn));
        if let (Transport::Queued, Some(isbn), false) = (transport, isbn, shadow) {
            self.late.remember(id.0, LateCall { request, partner, isbn });
        }
    }
}
