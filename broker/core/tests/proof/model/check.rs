//! What must hold after every step, and once everything has come to rest.

use broker_core::effect::{Effect, Outcome, PartnerCommand, PaymentCommand};
use broker_core::event::Event;
use broker_core::partner::PartnerProfile;
use broker_core::request::{Incident, PurchaseRequest, Status, Step};
use broker_core::timer::TimerKind;
use broker_core::transition::{self, Transition};
use schemas::directory::LookupKind;

use super::bank::Payment;
use super::shop::{Order, Shop};
use super::world::{Command, World};
use crate::support::{effect_line, result};

impl World {
    #[track_caller]
    fn must(&self, holds: bool, what: &str) {
        assert!(holds, "{what}\n{}", self.story());
    }

    pub(crate) fn check_step(&mut self, event: &Event, step: &Transition) {
        let next = &step.next;
        self.must(next.version.0 == self.request.version.0 + 1, "the version grows by one");
        for effect in &step.effects {
            effect_line(effect, next);
            self.check_effect(effect, next);
        }
        let numbers: Vec<u16> = step.effects.iter().filter_map(number).collect();
        let dense: Vec<u16> = (self.request.notified..next.notified).collect();
        self.must(numbers == dense, "notifications are numbered without gaps");
        if let Event::Timer(kind) = event {
            let again = next.timers.get(*kind).is_some_and(|at| at <= self.now);
            self.must(!again, "a timer that fired is cleared or set to a later instant");
        }
        self.check_something_goes_on(next);
    }

    /// Nothing is left waiting for an instant that is not coming.
    fn check_something_goes_on(&self, next: &PurchaseRequest) {
        let set = |kind| next.timers.get(kind).is_some();
        let deadline = set(TimerKind::Expiry) || self.now >= next.terms.expires_at;
        let past_no_return = next.is_past_no_return();
        self.must(next.is_closed() || past_no_return || deadline, "an open request has a deadline");
        self.must(!next.is_closed() || !set(TimerKind::Expiry), "a closed one has none");
        self.must(!next.is_closed() || !set(TimerKind::Sweep), "a closed one does not search");
        self.must(next.undo.is_empty() != set(TimerKind::Undo), "compensations are repeated");
        let waits = next.checkout.as_ref().is_some_and(|checkout| match checkout.step {
            Step::Reserving { .. }
            | Step::Authorizing { .. }
            | Step::ActionRequired { .. }
            | Step::Placing
            | Step::PlacementUnknown(_) => true,
            Step::Capturing { tries } => tries > 0,
            Step::Completed | Step::Failed(_) => false,
        });
        self.must(waits == set(TimerKind::Step), "a step that waits has a time-out, others none");
        let stalled = next.status == Status::Ordering && !waits && next.undo.is_empty();
        self.must(!stalled, "an attempt goes on or is being undone");
    }

    fn check_effect(&mut self, effect: &Effect, next: &PurchaseRequest) {
        match effect {
            Effect::Partner {
                attempt, command: command @ PartnerCommand::Place { .. }, ..
            } => {
                self.check_order_leaves(*attempt, command, next);
            }
            Effect::Payment { attempt, command: command @ PaymentCommand::Authorize { .. } } => {
                self.must(!next.is_money_open(), "nothing is authorised beside open money");
                if self.honest {
                    self.check_earlier_attempts_are_gone(*attempt);
                }
                self.authorized.insert(*attempt, command.clone());
            }
            Effect::Payment { attempt, command: PaymentCommand::Void | PaymentCommand::Refund } => {
                let live = self.shops.get(attempt).is_some_and(Shop::is_live);
                self.must(!live || !self.honest, "money goes back only when the order is gone");
            }
            Effect::Partner { .. }
            | Effect::Payment { .. }
            | Effect::Event { .. }
            | Effect::Notify { .. } => {}
        }
    }

    /// P2 and P3.
    fn check_order_leaves(
        &mut self,
        attempt: u8,
        command: &PartnerCommand,
        next: &PurchaseRequest,
    ) {
        let PartnerCommand::Place { price_cap, not_after, .. } = command else { return };
        let expires_at = next.terms.expires_at;
        let budget = self.policy.place_budget;
        self.must(*not_after <= expires_at, "no order may be accepted after the deadline");
        let done = self.now.saturating_add(budget);
        self.must(done <= expires_at, "no order leaves whose budget would cross the deadline");
        let intent = next.checkout.as_ref().and_then(|checkout| checkout.intent);
        let intent = intent.expect("an order leaves with its intent");
        self.must(intent.price_cap == *price_cap, "the intent names the cap");
        let named = self.terms.get(&intent.version).unwrap_or(&next.terms);
        let within = price_cap.at_most(named.max_total).unwrap();
        self.must(within, "the cap is within the limit of the version that the intent names");
        let first = self.orders.entry(attempt).or_insert_with(|| command.clone());
        let same = first == command;
        self.must(same, "every copy of an order is the same");
    }

    /// Without tombstones an authorisation that has not arrived is refused only by its `not_after`.
    fn may_still_be_authorized(&self, attempt: u8) -> bool {
        match self.authorized.get(&attempt) {
            Some(PaymentCommand::Authorize { not_after, .. }) => {
                self.tombstones || self.receivers_now() <= *not_after
            }
            Some(_) | None => false,
        }
    }

    /// Attempt k + 1 is authorised only after k's hold and order are proven gone.
    fn check_earlier_attempts_are_gone(&self, attempt: u8) {
        for earlier in 1..attempt {
            let payment = self.payments.get(&earlier).copied().unwrap_or_default();
            let may_come = payment == Payment::Open && self.may_still_be_authorized(earlier);
            self.must(!payment.is_open() && !may_come, "earlier money is proven gone");
            let shop = self.shops.get(&earlier).copied().unwrap_or_default();
            self.must(!shop.is_live(), "an earlier order is gone");
            if let Some(PartnerCommand::Place { not_after, .. }) = self.orders.get(&earlier) {
                let may_come = shop.order == Order::Open && self.now <= *not_after;
                self.must(!may_come, "an earlier order cannot come to be any more");
            }
        }
    }

    /// P1 and P2 where they count: at the stores.
    pub(crate) fn check_new_order(&self, profile: &PartnerProfile, attempt: u8) {
        if !self.honest {
            return;
        }
        let live = self.shops.values().filter(|shop| shop.is_live()).count();
        self.must(live <= 1, "at most one order stands");
        let Some(PartnerCommand::Place { price_cap, .. }) = self.orders.get(&attempt) else {
            panic!("an order that was never sent\n{}", self.story());
        };
        let Some(Order::Accepted { total, .. }) = self.shops.get(&attempt).map(|s| s.order) else {
            return;
        };
        self.must(total.at_most(*price_cap).unwrap(), "the total is within the cap");
        let in_time = self.now <= self.request.terms.expires_at;
        self.must(in_time || !profile.honours_not_after, "no order comes to be after the deadline");
    }

    pub(crate) fn check_money_move(&self, attempt: u8, before: Payment, after: Payment) {
        if before == after || !self.honest {
            return;
        }
        let shop = self.shops.get(&attempt).copied().unwrap_or_default();
        match after {
            Payment::Captured { .. } => {
                let placed = matches!(shop.order, Order::Accepted { .. });
                self.must(placed, "money is taken only for an order that was accepted");
            }
            Payment::Voided | Payment::Refunded => {
                self.must(!shop.is_live(), "no money goes back while its order stands");
            }
            Payment::Authorized { .. } | Payment::Waiting { .. } => {
                let others = self.payments.iter().filter(|(other, _)| **other != attempt);
                let open = others.filter(|(_, payment)| payment.is_open()).count();
                self.must(open == 0, "never two payments of one request at once");
            }
            Payment::Open | Payment::Tombstoned | Payment::Declined => {}
        }
    }

    /// The same input again changes nothing. Commands are left out: the engine answers a repeated
    /// command id from its record.
    pub(crate) fn check_applied_twice(&self, event: &Event) {
        if event.command().is_some() {
            return;
        }
        let again = transition::transition(&self.request, event.clone(), self.now, &self.policy);
        assert!(
            again.is_err(),
            "applied twice, it does something again:\n{}{}",
            result(&again),
            self.story()
        );
    }

    /// Every message is delivered, every store answers, every timer fires, nobody has the book
    /// any more.
    pub(crate) fn come_to_rest(&mut self) {
        const STEPS_MAX: usize = 3000;
        for _ in 0..STEPS_MAX {
            if !self.commands.is_empty() {
                let command: Command = self.commands.remove(0);
                self.arrive(&command, super::shop::Mood::Willing);
            } else if !self.answers.is_empty() {
                let answer = self.answers.remove(0);
                self.happen(answer);
            } else if self.is_sweeping() {
                let number = self.request.sweep;
                let nobody = broker_core::event::Finding::NoStock;
                self.happen(crate::support::sweep(number, nobody));
            } else if self.needs_a_human() && self.shops.values().any(Shop::is_live) {
                self.store_speaks(false);
            } else if self.is_stuck() || !self.fire_next_timer() {
                return;
            }
        }
        panic!("does not come to rest\n{}", self.story());
    }

    /// A human was called about an order at a store that cannot be asked.
    fn needs_a_human(&self) -> bool {
        let Some(checkout) = &self.request.checkout else { return false };
        let profile = self.policy.partners.profile(&checkout.quote.partner);
        matches!(checkout.step, Step::PlacementUnknown(_))
            && profile.lookup == LookupKind::None
            && self.request.incident == Some(Incident::PlacementUnknown)
    }

    /// The one state that no machine can leave: nobody can be asked and nothing can be fenced.
    fn is_stuck(&self) -> bool {
        let current = self.request.checkout.as_ref();
        let partner = current.map(|checkout| self.policy.partners.profile(&checkout.quote.partner));
        self.needs_a_human() && partner.is_some_and(|profile| !profile.fences_cancel)
    }

    pub(crate) fn check_rest(&self) {
        if self.is_stuck() {
            let live = self.shops.values().any(Shop::is_live);
            self.must(!live, "an order that stands was told");
            return;
        }
        let request = &self.request;
        self.must(request.is_closed(), "every request closes");
        self.must(request.undo.is_empty(), "every compensation is proven");
        self.must(self.next_timer().is_none(), "no timer is left");
        self.must(!request.is_active(), "nothing is left to do");
        self.check_money_matches_orders();
        self.check_told();
    }

    /// P5.
    fn check_money_matches_orders(&self) {
        let live = self.shops.values().filter(|shop| shop.is_live()).count();
        self.must(live <= 1, "at most one order stands");
        let ordered = self.request.status == Status::Ordered;
        self.must((live == 1) == ordered, "ordered means that an order stands");
        for attempt in self.payments.keys() {
            let payment = self.payments[attempt];
            let shop = self.shops.get(attempt).copied().unwrap_or_default();
            let paid = match (shop.order, payment) {
                (Order::Accepted { live: true, total, .. }, Payment::Captured { amount }) => {
                    total == amount
                }
                (Order::Accepted { live: true, .. }, _) => {
                    self.request.incident == Some(Incident::CaptureFailed)
                }
                (_, payment) => !payment.is_open(),
            };
            self.must(paid, "money matches orders");
        }
        for (attempt, shop) in &self.shops {
            let held = matches!(shop.hold, super::shop::Hold::Held { until } if until > self.now);
            let partner = self.request.partner_of(*attempt).expect("a shop was asked");
            // A hold that came too late to be known ends by itself.
            let on_time = self.policy.partners.profile(partner).honours_not_after;
            self.must(!held || !on_time, "no stock is held");
        }
    }

    /// P4: one outcome, told; corrections only of an order that stood.
    fn check_told(&self) {
        let closing: Vec<Outcome> = self
            .told
            .iter()
            .map(|(_, outcome)| *outcome)
            .filter(|outcome| !matches!(outcome, Outcome::Incident | Outcome::ActionRequired))
            .collect();
        let numbers: Vec<u16> = self.told.iter().map(|(number, _)| *number).collect();
        self.must(numbers == (0..self.request.notified).collect::<Vec<_>>(), "numbers are dense");
        let last = closing.last().copied();
        let expected = match &self.request.status {
            Status::Ordered => Outcome::Ordered,
            Status::Expired => Outcome::Expired,
            Status::Failed(_) => Outcome::Failed,
            Status::Canceled => Outcome::Canceled,
            Status::Quoted(_) => Outcome::Quoted,
            Status::OutOfStock => Outcome::OutOfStock,
            Status::Pending | Status::Searching | Status::Ordering => {
                panic!("not closed\n{}", self.story())
            }
        };
        self.must(last == Some(expected) || self.rests_as_told(last), "the outcome was told");
        for pair in closing.windows(2) {
            let ended = matches!(pair[0], Outcome::Expired | Outcome::Failed | Outcome::Canceled);
            self.must(!ended, "what has ended is not told again");
            let corrected = pair[0] != Outcome::Ordered
                || !matches!(pair[1], Outcome::Quoted | Outcome::OutOfStock);
            self.must(corrected || self.request.submission.rebuy, "an order ends in its own words");
        }
    }

    /// A resting state is told once per improvement: it may rest again without a word.
    fn rests_as_told(&self, last: Option<Outcome>) -> bool {
        matches!(self.request.status, Status::Quoted(_) | Status::OutOfStock)
            && matches!(last, Some(Outcome::Quoted | Outcome::OutOfStock))
    }
}

fn number(effect: &Effect) -> Option<u16> {
    match effect {
        Effect::Notify { number, .. } => Some(*number),
        Effect::Partner { .. } | Effect::Payment { .. } | Effect::Event { .. } => None,
    }
}
