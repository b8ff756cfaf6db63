//! Answers to questions: each settles every call that waits for it.

use schemas::id::CallId;
use schemas::{PartnerId, RequestId};

use super::Engine;
use super::hot::{Presence, Task};
use super::input::{Origin, QuoteAnswer, QuoteOutcome};
use super::offers::flights::FlightId;
use super::output::{Answer, CallOutcome, Fact, Output};
use super::ranking::Demotion;
use super::sweep::{Call, CallState};
use crate::event::Event;
use crate::partner::PartnerIndex;
use crate::receipt::search::Came;

impl Engine {
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
        let id = FlightId(answer.call.counter);
        let Some(flight) = self.flights.get(id) else {
            return match self.find_call(id.0).map(|(request, index)| self.asks(request, index)) {
                Some(Some(asked)) if asked == partner => self.observe(Fact::DuplicateQuote),
                Some(_) => self.observe(Fact::InvalidQuote { partner }),
                None => self.late_quote(partner, answer),
            };
        };
        if flight.partner != partner {
            return self.observe(Fact::InvalidQuote { partner });
        }
        let flight = self.flights.land(id).expect("just found");
        let took = self.now.since(flight.sent_at.unwrap_or(self.now));
        let waiting = self.waiting_for(&flight);
        let outcome = self.judge(partner, &waiting, &answer.outcome);
        self.heed(partner, &answer.outcome, took);
        if let Some(((request, index), others)) = waiting.split_last() {
            for (request, index) in others {
                self.settle(*request, *index, answer.outcome.clone(), outcome);
            }
            self.settle(*request, *index, answer.outcome, outcome);
        }
        if outcome == Judged::Invalid {
            self.observe(Fact::InvalidQuote { partner });
            self.demote(partner, Demotion::Integrity);
        }
        if flight.given_up {
            self.observe(Fact::LateQuote);
        } else {
            self.ended(partner, outcome.call_outcome(), took);
        }
        if flight.sent_at.is_some() {
            self.free_place(partner);
        }
        for (request, _) in waiting {
            self.go_on(request);
        }
    }

    fn asks(&self, request: RequestId, index: usize) -> Option<PartnerIndex> {
        Some(self.hot.get(&request)?.sweep.as_ref()?.calls[index].partner())
    }

    /// What the answer is worth, the same for everybody who waits for it. What is worth knowing is
    /// remembered for whoever asks next.
    fn judge(
        &mut self,
        partner: PartnerIndex,
        waiting: &[(RequestId, usize)],
        said: &QuoteOutcome,
    ) -> Judged {
        let wanted = waiting.first().and_then(|(request, _)| {
            Some(std::sync::Arc::clone(&self.hot.get(request)?.sweep.as_ref()?.wanted))
        });
        let (judged, offer) = match said {
            QuoteOutcome::Offer { isbn, quote } => {
                // Another book or another currency than asked for is no offer at all.
                let fits =
                    wanted.as_ref().is_none_or(|w| w.isbn == *isbn && w.currency == quote.currency);
                if !fits {
                    return Judged::Invalid;
                }
                (Judged::Offer, Some(quote))
            }
            QuoteOutcome::NoStock => (Judged::NoStock, None),
            QuoteOutcome::Refused { .. } => return Judged::Refused,
        };
        if let Some(wanted) = wanted {
            self.offers.heard(partner, &wanted, offer, self.now, &self.config.policy);
        }
        judged
    }

    fn settle(&mut self, request: RequestId, index: usize, said: QuoteOutcome, judged: Judged) {
        let Some(hot) = self.hot.get_mut(&request) else { return };
        let (Some(sweep), Presence::Present(record)) = (&mut hot.sweep, &hot.presence) else {
            return;
        };
        let wake_before = sweep.wake;
        let came = match (judged, said) {
            (Judged::Offer, QuoteOutcome::Offer { quote, .. }) => {
                let (terms, wanted) = (&record.terms, &record.submission);
                let policy = &self.config.policy;
                if sweep.offer(index, quote, terms, wanted, self.now, policy) {
                    Came::Offer
                } else {
                    Came::Unsuitable
                }
            }
            (Judged::Offer, _) => Came::Unsuitable,
            (Judged::Invalid, _) => Came::Invalid,
            (Judged::NoStock, _) => Came::NoStock,
            (Judged::Refused, _) => Came::Refused,
        };
        sweep.settle(index, came, self.now);
        if sweep.wake != wake_before {
            self.register_wake(request);
        }
    }

    /// An answer that no sweep waits for under this id. It is learned from; a queued partner's
    /// offer may still buy the book.
    fn late_quote(&mut self, partner: PartnerIndex, answer: QuoteAnswer) {
        let counter = answer.call.counter;
        let taken = match &answer.outcome {
            QuoteOutcome::Offer { isbn, .. } => {
                self.late.take(counter, partner).filter(|late| late.isbn == *isbn)
            }
            QuoteOutcome::NoStock | QuoteOutcome::Refused { .. } => None,
        };
        // A newer sweep has asked the same question: this is its answer, only sooner.
        if let Some(late) = taken
            && let Some(call) = self.open_call(late.request, partner)
        {
            self.ranking.answered_elsewhere(counter, partner);
            return self.quote(partner, QuoteAnswer { call, ..answer });
        }
        self.learn_late(counter, partner, &answer.outcome);
        match (taken, answer.outcome) {
            (Some(late), QuoteOutcome::Offer { quote, .. }) => {
                let task = Task::Sweep { event: Event::LateOffer(quote), receipt: None };
                self.enqueue(late.request, None, None, task);
            }
            (_, QuoteOutcome::Offer { .. })
            | (_, QuoteOutcome::NoStock | QuoteOutcome::Refused { .. }) => {
                self.observe(Fact::LateQuote);
            }
        }
    }

    /// The unanswered question of the request's running sweep to this partner.
    fn open_call(&self, request: RequestId, partner: PartnerIndex) -> Option<CallId> {
        let sweep = self.hot.get(&request)?.sweep.as_ref()?;
        let asked = |call: &&Call| call.partner() == partner && call.state == CallState::Asked;
        let counter = sweep.calls.iter().find(asked)?.flight?.0;
        Some(CallId { epoch: self.config.boot_epoch, counter })
    }

    /// Their time runs out like that of others, and they may be asked again; but it is not silence
    /// of their partners.
    pub(super) fn not_sent(&mut self, calls: &[CallId]) {
        let epoch = self.config.boot_epoch;
        for call in calls.iter().filter(|call| call.epoch == epoch) {
            if let Some(flight) = self.flights.get_mut(FlightId(call.counter)) {
                flight.give_up();
            }
        }
    }

    /// Nobody listens at the partner: its calls are over at once, without waiting for a time-out.
    pub(super) fn partner_down(&mut self, partner: &PartnerId, calls: &[CallId]) {
        let Some(partner) = self.config.policy.partners.index_of(partner) else { return };
        let epoch = self.config.boot_epoch;
        for call in calls.iter().filter(|call| call.epoch == epoch) {
            let id = FlightId(call.counter);
            if self.flights.get(id).is_none_or(|f| f.partner != partner || f.sent_at.is_none()) {
                continue;
            }
            let flight = self.flights.land(id).expect("just found");
            let waiting = self.waiting_for(&flight);
            for (request, index) in &waiting {
                if let Some(sweep) = self.hot.get_mut(request).and_then(|hot| hot.sweep.as_mut()) {
                    sweep.settle(*index, Came::Down, self.now);
                }
            }
            if !flight.given_up {
                let took = self.now.since(flight.sent_at.unwrap_or(self.now));
                self.ended(partner, CallOutcome::Down, took);
            }
            self.free_place(partner);
            for (request, _) in waiting {
                self.go_on(request);
            }
        }
    }
}

/// What an answer is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Judged {
    Offer,
    NoStock,
    Refused,
    /// It has broken a rule.
    Invalid,
}

impl Judged {
    const fn call_outcome(self) -> CallOutcome {
        match self {
            Self::Offer => CallOutcome::Offer,
            Self::NoStock => CallOutcome::NoStock,
            Self::Refused => CallOutcome::Refused,
            Self::Invalid => CallOutcome::Invalid,
        }
    }
}
