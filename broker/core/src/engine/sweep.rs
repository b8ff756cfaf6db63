//! One sweep: the calls it made and the offers it has. What it does next is the planner's to say
//! ([`super::planner`]).

use std::sync::Arc;

use schemas::directory::Transport;
use schemas::{DurationMs, Money, PartnerId, Timestamp};

use super::offers::Wanted;
use super::offers::flights::FlightId;
use super::planner::{Plan, PlannedCall};
use super::ranking::snapshot::SnapshotNumber;
use crate::partner::PartnerIndex;
use crate::policy::Policy;
use crate::quote::Quote;
use crate::receipt::search::{Came, Degraded, Opening, SkipReason, Skipped, Source};
use crate::request::{Submission, Terms};

/// Soft state: lost in a crash, then simply run again.
#[derive(Debug)]
pub(super) struct Sweep {
    pub(super) number: u32,
    /// Counter of the first call; call i has `first_call + i`.
    pub(super) first_call: u64,
    pub(super) started: Timestamp,
    /// What is asked for.
    pub(super) wanted: Arc<Wanted>,
    /// Everybody who may be asked, best first.
    pub(super) calls: Vec<Call>,
    pub(super) rounds: Vec<Opened>,
    /// Partners that are not asked whatever happens.
    pub(super) skipped: Vec<Skipped>,
    /// Of those, the ones that might have had the book.
    withheld: usize,
    /// What was given up because there is too much to do.
    pub(super) degraded: Option<Degraded>,
    pub(super) ranking: SnapshotNumber,
    pub(super) offers: Vec<Quote>,
    pub(super) hard_stop: Timestamp,
    pub(super) second_after: DurationMs,
    /// A round that was opened for a better price is waited for so long.
    patience: DurationMs,
    /// Set by the first affordable offer and never moved by another; a round that is opened for a
    /// better price is given its time.
    pub(super) grace_until: Option<Timestamp>,
    /// The best affordable offer under the terms last looked at; it may have lapsed since.
    best: Option<Price>,
    /// Its offers are worth waiting for others: it has just refused or vanished.
    last_resort: Option<PartnerId>,
    /// Calls that are waited for and not settled.
    pub(super) outstanding: usize,
    /// Calls whose turn has not come, shadows aside.
    pub(super) unopened: usize,
    /// When it had seen enough and only waited for others to leave it a copy …
    pub(super) ready_since: Option<Timestamp>,
    /// … and how long it does.
    pub(super) slot_until: Option<Timestamp>,
    /// When this sweep wants to be looked at.
    pub(super) wake: Timestamp,
    /// When it will be: its entry in [`super::Engine::wakes`].
    pub(super) registered: Option<Timestamp>,
}

/// What an offer costs, and until when.
#[derive(Debug, Clone, Copy)]
pub(super) struct Price {
    /// Worst total, minor units.
    pub(super) total: u64,
    pub(super) valid_until: Timestamp,
}

/// A round that was opened.
#[derive(Debug, Clone, Copy)]
pub(super) struct Opened {
    pub(super) at: Timestamp,
    pub(super) why: Opening,
}

#[derive(Debug)]
pub(super) struct Call {
    pub(super) planned: PlannedCall,
    pub(super) state: CallState,
    /// Where its answer comes from.
    pub(super) source: Source,
    /// The question whose answer it waits for, or did.
    pub(super) flight: Option<FlightId>,
    /// The round it was opened in.
    pub(super) round: Option<u8>,
    /// When its first copy was sent; until then, when the sweep began.
    pub(super) first_asked_at: Timestamp,
    /// When its latest copy was sent, from which it is timed.
    asked_at: Timestamp,
    ended_at: Timestamp,
    /// Of its offer.
    pub(super) price: Option<Price>,
    copies: u8,
    /// A second copy may go out then.
    hedge_at: Option<Timestamp>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CallState {
    /// It is not its turn.
    Unopened,
    /// Waits for a place in the partner's in-flight cap.
    Waiting,
    Asked,
    Ended(Came),
    /// It is not asked in this sweep after all.
    LeftOut(SkipReason),
}

/// What is due for a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    /// It was overdue; another copy is worth sending.
    Retry,
    GiveUp,
    /// It is only slower than usual.
    Hedge,
}

impl Sweep {
    /// A sweep in which nobody is asked yet.
    pub(super) fn new(
        number: u32,
        first_call: u64,
        plan: Plan,
        wanted: Arc<Wanted>,
        last_resort: Option<PartnerId>,
        ranking: SnapshotNumber,
        now: Timestamp,
    ) -> Self {
        let calls: Vec<Call> =
            plan.calls.into_iter().map(|planned| Call::new(planned, now)).collect();
        Self {
            number,
            first_call,
            started: now,
            wanted,
            offers: Vec::with_capacity(plan.first),
            unopened: calls.iter().filter(|call| !call.planned.shadow).count(),
            calls,
            rounds: Vec::new(),
            skipped: plan.skipped,
            withheld: plan.withheld,
            degraded: plan.degraded,
            ranking,
            hard_stop: plan.hard_stop,
            second_after: plan.second_after,
            patience: plan.patience,
            grace_until: None,
            best: None,
            last_resort,
            outstanding: 0,
            ready_since: None,
            slot_until: None,
            wake: plan.hard_stop,
            registered: None,
        }
    }

    /// Index of the call with this counter.
    pub(super) fn index_of(&self, counter: u64) -> Option<usize> {
        let index = usize::try_from(counter.checked_sub(self.first_call)?).ok()?;
        (index < self.calls.len()).then_some(index)
    }

    /// It is the turn of these calls.
    pub(super) fn open(&mut self, why: Opening, calls: &[usize], now: Timestamp, policy: &Policy) {
        let round = u8::try_from(self.rounds.len()).unwrap_or(u8::MAX);
        self.rounds.push(Opened { at: now, why });
        for index in calls {
            let call = &mut self.calls[*index];
            call.state = CallState::Waiting;
            call.round = Some(round);
            self.unopened -= usize::from(!call.planned.shadow);
            self.outstanding += usize::from(call.planned.counts);
        }
        if why == Opening::BetterLikely {
            self.grace_until = Some(now.saturating_add(self.patience));
        }
        // What is overdue stays due: the round may have been opened before it was looked at.
        let times = self.grace_until.into_iter().chain(self.next_round_at(policy));
        self.wake = times.filter(|at| *at > now).fold(self.wake, Timestamp::min);
    }

    /// The call was sent (again).
    pub(super) fn asked(&mut self, index: usize, hedge_after: Option<DurationMs>, now: Timestamp) {
        let call = &mut self.calls[index];
        call.state = CallState::Asked;
        if call.copies == 0 {
            call.first_asked_at = now;
        }
        call.asked_at = now;
        call.hedge_at = hedge_after
            .filter(|after| call.copies == 0 && *after < call.planned.response)
            .filter(|_| call.planned.transport == Transport::Live)
            .map(|after| now.saturating_add(after));
        call.copies += 1;
        for at in [call.deadline(), call.hedge_at].into_iter().flatten() {
            self.wake = self.wake.min(at);
        }
    }

    /// Ends a call; true if this is its first end.
    pub(super) fn settle(&mut self, index: usize, came: Came, now: Timestamp) -> bool {
        let call = &mut self.calls[index];
        match call.state {
            CallState::Waiting | CallState::Asked => {}
            CallState::Unopened | CallState::Ended(_) | CallState::LeftOut(_) => return false,
        }
        call.state = CallState::Ended(came);
        call.ended_at = now;
        if call.planned.counts {
            self.outstanding -= 1;
        }
        true
    }

    /// It would have had to wait too long, or its partner is to be left alone. It counts as one that
    /// has not answered.
    pub(super) fn leave_out(&mut self, index: usize, why: SkipReason) {
        let call = &mut self.calls[index];
        if call.state == CallState::Waiting {
            call.state = CallState::LeftOut(why);
            self.outstanding -= usize::from(call.planned.counts);
        }
    }

    /// Takes an offer in, if it is for enough copies in a good enough condition, and starts the
    /// grace window with the first affordable one. A shadow's offer is only remembered.
    pub(super) fn offer(
        &mut self,
        index: usize,
        quote: Quote,
        terms: &Terms,
        wanted: &Submission,
        now: Timestamp,
        policy: &Policy,
    ) -> bool {
        if quote.in_stock < u32::from(wanted.quantity)
            || !quote.condition.satisfies(wanted.condition)
        {
            return false;
        }
        let call = &mut self.calls[index];
        let valid_until = quote.valid_until;
        let price = |total: Money| Price { total: total.minor(), valid_until };
        call.price = quote.worst_total().map(price);
        if !call.planned.shadow {
            self.note_affordable(&quote, terms, now, policy);
            self.offers.push(quote);
        }
        true
    }

    fn note_affordable(&mut self, quote: &Quote, terms: &Terms, now: Timestamp, policy: &Policy) {
        if !self.is_good(quote, terms, now) {
            return;
        }
        let Some(total) = quote.worst_total() else { return };
        let better = self.best.is_none_or(|best| total.minor() < best.total);
        if better {
            self.best = Some(Price { total: total.minor(), valid_until: quote.valid_until });
        }
        if self.grace_until.is_none() {
            let until = now.saturating_add(policy.grace);
            self.grace_until = Some(until);
            self.wake = self.wake.min(until);
        }
    }

    /// It can be bought now, and not only for want of another.
    fn is_good(&self, quote: &Quote, terms: &Terms, now: Timestamp) -> bool {
        quote.valid_until > now
            && quote.is_affordable(terms.max_total)
            && self.last_resort.as_ref() != Some(&quote.partner)
    }

    /// Worst total of the best affordable offer, minor units. One that has lapsed is none: it must
    /// not keep others from being asked before the book is called too dear.
    pub(super) fn best_affordable(&self, terms: &Terms, now: Timestamp) -> Option<u64> {
        let best = self.best?;
        if best.valid_until > now {
            return Some(best.total);
        }
        let good = self.offers.iter().filter(|quote| self.is_good(quote, terms, now));
        good.filter_map(|quote| quote.worst_total().map(|total| total.minor())).min()
    }

    /// The terms changed: look at every offer again.
    pub(super) fn reconsider(&mut self, terms: &Terms, now: Timestamp, policy: &Policy) {
        self.best = None;
        let offers = std::mem::take(&mut self.offers);
        for quote in &offers {
            self.note_affordable(quote, terms, now, policy);
        }
        self.offers = offers;
        if self.best.is_none() {
            self.grace_until = None;
        }
        let latest = terms.expires_at.saturating_sub(policy.placement_budget);
        self.hard_stop = self.started.saturating_add(policy.sweep_hard_stop).min(latest);
        self.wake = self.wake.min(self.hard_stop);
        if let Some(at) = self.next_round_at(policy) {
            self.wake = self.wake.min(at);
        }
    }

    /// Partners whose answer counts, whether or not it was their turn.
    pub(super) fn eligible(&self) -> usize {
        self.calls.iter().filter(|call| call.planned.counts).count() + self.withheld
    }

    /// … and of those, the ones that said something about stock.
    pub(super) fn answered(&self) -> usize {
        self.calls.iter().filter(|call| call.planned.counts && call.answered()).count()
    }

    /// When the partner's offer came.
    pub(super) fn offered_at(&self, partner: PartnerIndex) -> Option<Timestamp> {
        let call = self.calls.iter().find(|call| call.partner() == partner)?;
        matches!(call.state, CallState::Ended(Came::Offer)).then_some(call.ended_at)
    }

    /// Questions it sent; those of others that it waited for aside.
    pub(super) fn called(&self) -> usize {
        let sent = |call: &&Call| call.copies > 0 && call.source == Source::Asked;
        self.calls.iter().filter(sent).count()
    }

    /// Calls whose time is up, and those that are slower than usual.
    pub(super) fn due(&self, now: Timestamp, policy: &Policy) -> Vec<(usize, Due)> {
        self.calls
            .iter()
            .enumerate()
            .filter_map(|(index, call)| {
                if call.deadline().is_some_and(|deadline| deadline <= now) {
                    let in_time = now.saturating_add(call.planned.response) <= self.hard_stop;
                    let again = call.copies <= policy.quote_retries && in_time;
                    return Some((index, if again { Due::Retry } else { Due::GiveUp }));
                }
                call.hedge_at().is_some_and(|at| at <= now).then_some((index, Due::Hedge))
            })
            .collect()
    }

    /// A second copy was sent, or there is no budget for one.
    pub(super) fn hedged(&mut self, index: usize) {
        self.calls[index].hedge_at = None;
    }

    /// When to look again, after a look at `now`.
    pub(super) fn rearm(&mut self, now: Timestamp, policy: &Policy) {
        let deadlines = self.calls.iter().filter_map(Call::deadline);
        let hedges = self.calls.iter().filter_map(Call::hedge_at);
        let next_round = self.next_round_at(policy);
        let next = deadlines
            .chain(hedges)
            .chain(self.grace_until)
            .chain(next_round)
            .chain([self.hard_stop])
            .chain(self.slot_until)
            .filter(|at| *at > now)
            .min();
        self.wake = next.unwrap_or(self.hard_stop);
    }
}

impl Call {
    fn new(planned: PlannedCall, now: Timestamp) -> Self {
        Self {
            planned,
            state: CallState::Unopened,
            source: Source::Asked,
            flight: None,
            round: None,
            first_asked_at: now,
            asked_at: now,
            ended_at: now,
            price: None,
            copies: 0,
            hedge_at: None,
        }
    }

    pub(super) fn partner(&self) -> PartnerIndex {
        self.planned.partner
    }

    /// It said something about stock.
    fn answered(&self) -> bool {
        match self.state {
            CallState::Ended(came) => match came {
                Came::Offer | Came::NoStock | Came::Unsuitable | Came::Shadow => true,
                Came::Invalid
                | Came::Refused
                | Came::TimedOut
                | Came::Down
                | Came::Canceled
                | Came::NotSent => false,
            },
            CallState::Unopened | CallState::Waiting | CallState::Asked | CallState::LeftOut(_) => {
                false
            }
        }
    }

    /// Queued partners are not timed; the sweep's own end is their deadline.
    fn deadline(&self) -> Option<Timestamp> {
        let timed = self.state == CallState::Asked && self.planned.transport == Transport::Live;
        timed.then(|| self.due())
    }

    /// When its latest copy was sent.
    pub(super) fn asked_at(&self) -> Timestamp {
        self.asked_at
    }

    /// By then the latest copy is usually answered.
    pub(super) fn due(&self) -> Timestamp {
        self.asked_at.saturating_add(self.planned.response)
    }

    fn hedge_at(&self) -> Option<Timestamp> {
        self.hedge_at.filter(|_| self.state == CallState::Asked)
    }

    /// From its first copy: which one an answer belongs to cannot be told, and a slow partner must
    /// not look quick for having been asked twice.
    pub(super) fn took(&self, now: Timestamp) -> DurationMs {
        now.since(self.first_asked_at)
    }

    /// From the question to its end, or to now.
    pub(super) fn lasted(&self, now: Timestamp) -> DurationMs {
        match self.state {
            CallState::Ended(_) => self.took(self.ended_at),
            CallState::Asked => self.took(now),
            CallState::Unopened | CallState::Waiting | CallState::LeftOut(_) => DurationMs(0),
        }
    }
}
