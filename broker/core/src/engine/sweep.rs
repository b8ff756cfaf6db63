//! One sweep: the calls it made, the offers it has, and when it has seen enough.

use schemas::directory::Transport;
use schemas::purchase::Strategy;
use schemas::{DurationMs, PartnerId, Timestamp};

use super::planner::{Plan, PlannedCall};
use crate::partner::PartnerIndex;
use crate::policy::Policy;
use crate::quote::Quote;
use crate::request::{Submission, Terms};

/// Soft state: lost in a crash, then simply run again.
#[derive(Debug)]
pub(super) struct Sweep {
    pub(super) number: u32,
    /// Counter of the first call; call i has `first_call + i`.
    pub(super) first_call: u64,
    pub(super) started: Timestamp,
    pub(super) calls: Vec<Call>,
    pub(super) offers: Vec<Quote>,
    pub(super) hard_stop: Timestamp,
    /// Set by the first affordable offer and never moved.
    grace_until: Option<Timestamp>,
    /// Worst total of the best affordable offer under the terms last looked at, minor units.
    best_affordable: Option<u64>,
    /// Its offers are worth waiting for others: it has just refused or vanished.
    last_resort: Option<PartnerId>,
    /// Calls that are waited for and not settled.
    outstanding: usize,
    /// When this sweep wants to be looked at.
    pub(super) wake: Timestamp,
    /// When it will be: its entry in [`super::Engine::wakes`].
    pub(super) registered: Option<Timestamp>,
}

#[derive(Debug)]
pub(super) struct Call {
    pub(super) planned: PlannedCall,
    pub(super) state: CallState,
    pub(super) asked_at: Timestamp,
    copies: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CallState {
    /// Waits for a place in the partner's in-flight cap.
    Waiting,
    Asked,
    Answered,
    /// Refused, timed out or down: says nothing about stock.
    Silent,
}

impl Sweep {
    pub(super) fn new(
        number: u32,
        first_call: u64,
        plan: Plan,
        last_resort: Option<PartnerId>,
        now: Timestamp,
    ) -> Self {
        let calls: Vec<Call> = plan
            .calls
            .into_iter()
            .map(|planned| Call { planned, state: CallState::Waiting, asked_at: now, copies: 0 })
            .collect();
        let outstanding = calls.iter().filter(|call| call.planned.counts).count();
        Self {
            number,
            first_call,
            started: now,
            offers: Vec::with_capacity(calls.len()),
            calls,
            hard_stop: plan.hard_stop,
            grace_until: None,
            best_affordable: None,
            last_resort,
            outstanding,
            wake: plan.hard_stop,
            registered: None,
        }
    }

    /// Index of the call with this counter.
    pub(super) fn index_of(&self, counter: u64) -> Option<usize> {
        let index = usize::try_from(counter.checked_sub(self.first_call)?).ok()?;
        (index < self.calls.len()).then_some(index)
    }

    /// The call was sent (again).
    pub(super) fn asked(&mut self, index: usize, now: Timestamp) {
        let call = &mut self.calls[index];
        call.state = CallState::Asked;
        call.asked_at = now;
        call.copies += 1;
        if let Some(deadline) = call.deadline() {
            self.wake = self.wake.min(deadline);
        }
    }

    /// Ends a call; true if this is its first end.
    pub(super) fn settle(&mut self, index: usize, state: CallState) -> bool {
        let call = &mut self.calls[index];
        match call.state {
            CallState::Waiting | CallState::Asked => {}
            CallState::Answered | CallState::Silent => return false,
        }
        call.state = state;
        if call.planned.counts {
            self.outstanding -= 1;
        }
        true
    }

    /// Takes an offer in and starts the grace window with the first affordable one.
    pub(super) fn offer(
        &mut self,
        quote: Quote,
        terms: &Terms,
        wanted: &Submission,
        now: Timestamp,
        policy: &Policy,
    ) {
        if quote.in_stock >= u32::from(wanted.quantity)
            && quote.condition.satisfies(wanted.condition)
        {
            self.note_affordable(&quote, terms, now, policy);
            self.offers.push(quote);
        }
    }

    fn note_affordable(&mut self, quote: &Quote, terms: &Terms, now: Timestamp, policy: &Policy) {
        if quote.valid_until <= now || !quote.is_affordable(terms.max_total) {
            return;
        }
        if self.last_resort.as_ref() == Some(&quote.partner) {
            return;
        }
        let Some(total) = quote.worst_total() else { return };
        let better = self.best_affordable.is_none_or(|best| total.minor() < best);
        if better {
            self.best_affordable = Some(total.minor());
        }
        if self.grace_until.is_none() {
            let until = now.saturating_add(policy.grace);
            self.grace_until = Some(until);
            self.wake = self.wake.min(until);
        }
    }

    /// The terms changed: look at every offer again.
    pub(super) fn reconsider(&mut self, terms: &Terms, now: Timestamp, policy: &Policy) {
        self.best_affordable = None;
        let offers = std::mem::take(&mut self.offers);
        for quote in &offers {
            self.note_affordable(quote, terms, now, policy);
        }
        self.offers = offers;
        if self.best_affordable.is_none() {
            self.grace_until = None;
        }
        let latest = terms.expires_at.saturating_sub(policy.placement_budget);
        self.hard_stop = self.started.saturating_add(policy.sweep_hard_stop).min(latest);
        self.wake = self.wake.min(self.hard_stop);
    }

    /// Whether the strategy has seen enough.
    pub(super) fn is_over(&self, terms: &Terms, now: Timestamp, policy: &Policy) -> bool {
        if self.outstanding == 0 || now >= self.hard_stop {
            return true;
        }
        let Some(best) = self.best_affordable else { return false };
        match terms.strategy {
            Strategy::Cheapest => false,
            Strategy::Fast => true,
            Strategy::Balanced => {
                let margin = u64::from(policy.margin_permille);
                let clearly_below = best.saturating_mul(1000)
                    <= terms.max_total.minor().saturating_mul(1000 - margin);
                clearly_below || self.grace_until.is_some_and(|until| now >= until)
            }
        }
    }

    /// Partners whose answer was waited for.
    pub(super) fn eligible(&self) -> usize {
        self.calls.iter().filter(|call| call.planned.counts).count()
    }

    /// … and of those, the ones that said something about stock.
    pub(super) fn answered(&self) -> usize {
        self.calls
            .iter()
            .filter(|call| call.planned.counts && call.state == CallState::Answered)
            .count()
    }

    /// Calls whose time is up, with whether another copy is worth sending.
    pub(super) fn overdue(&self, now: Timestamp, policy: &Policy) -> Vec<(usize, bool)> {
        self.calls
            .iter()
            .enumerate()
            .filter(|(_, call)| call.deadline().is_some_and(|deadline| deadline <= now))
            .map(|(index, call)| {
                let in_time = now.saturating_add(call.planned.response) <= self.hard_stop;
                (index, call.copies <= policy.quote_retries && in_time)
            })
            .collect()
    }

    /// When to look again, after a look at `now`.
    pub(super) fn rearm(&mut self, now: Timestamp) {
        let deadlines = self.calls.iter().filter_map(Call::deadline);
        let grace = self.grace_until.filter(|until| *until > now);
        self.wake = deadlines
            .chain(grace)
            .filter(|at| *at > now)
            .min()
            .map_or(self.hard_stop, |at| at.min(self.hard_stop));
    }
}

impl Call {
    pub(super) fn partner(&self) -> PartnerIndex {
        self.planned.partner
    }

    /// Queued partners are not timed; the sweep's own end is their deadline.
    fn deadline(&self) -> Option<Timestamp> {
        let timed = self.state == CallState::Asked && self.planned.transport == Transport::Live;
        timed.then(|| self.asked_at.saturating_add(self.planned.response))
    }

    pub(super) fn took(&self, now: Timestamp) -> DurationMs {
        now.since(self.asked_at)
    }
}
