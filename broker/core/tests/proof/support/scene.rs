//! A request brought to a certain point by events, and what happens there.

use broker_core::event::{Event, Finding, PaymentOutcome, Ruling};
use broker_core::partner::PartnerProfile;
use broker_core::policy::Policy;
use broker_core::quote::Quote;
use broker_core::request::{PurchaseRequest, Submission};
use broker_core::row::Row;
use broker_core::timer::TimerKind;
use broker_core::transition::{self, Rejection, Transition};
use schemas::subject::{PartnerOperation, PaymentOperation};
use schemas::{DurationMs, Timestamp};

use super::{
    T0, affordable, authorized, cancel, captured, confirmed, pays, policy, quote, refused,
    reserved, result, says, submission, timer, too_dear,
};

/// One request and the clock it lives by.
#[derive(Clone)]
pub(crate) struct Scene {
    pub(crate) policy: Policy,
    /// The clock has just jumped.
    pub(crate) in_doubt: bool,
    pub(crate) request: PurchaseRequest,
    pub(crate) now: Timestamp,
    /// Rows taken so far.
    pub(crate) rows: Vec<Row>,
}

impl Scene {
    /// T1 with the given wishes, under a directory of every temper.
    pub(crate) fn created(change: impl FnOnce(&mut Submission)) -> Self {
        let mut wanted = submission();
        change(&mut wanted);
        let policy = policy();
        let created = transition::create(wanted, T0, &policy).expect("a valid submission");
        Self { policy, in_doubt: false, request: created.next, now: T0, rows: created.rows }
    }

    pub(crate) fn try_apply(&self, event: Event) -> Result<Transition, Rejection> {
        let transition =
            if self.in_doubt { transition::transition_in_doubt } else { transition::transition };
        transition(&self.request, event, self.now, &self.policy)
    }

    /// Applies an event that must not be rejected.
    pub(crate) fn apply(&mut self, event: Event) -> Transition {
        let transition = self.try_apply(event.clone()).unwrap_or_else(|rejection| {
            panic!("{event:?} was rejected: {rejection}");
        });
        self.request = transition.next.clone();
        self.rows.extend(&transition.rows);
        transition
    }

    #[must_use]
    pub(crate) fn then(mut self, event: Event) -> Self {
        self.apply(event);
        self
    }

    /// Applies the event and shows everything that came of it, or the rejection.
    pub(crate) fn shows(&mut self, event: Event) -> String {
        let outcome = self.try_apply(event);
        if let Ok(transition) = &outcome {
            self.request = transition.next.clone();
            self.rows.extend(&transition.rows);
        }
        result(&outcome)
    }

    #[must_use]
    pub(crate) fn after(mut self, ms: u64) -> Self {
        self.wait(ms);
        self
    }

    pub(crate) fn wait(&mut self, ms: u64) {
        self.now = self.now.saturating_add(DurationMs(ms));
    }

    /// Moves the clock to a timer, which must be set, and lets it fire.
    pub(crate) fn fire(&mut self, kind: TimerKind) -> Transition {
        self.go_to(kind);
        self.apply(timer(kind))
    }

    pub(crate) fn go_to(&mut self, kind: TimerKind) {
        let at = self.request.timers.get(kind).expect("the timer is set");
        self.now = self.now.max(at);
    }

    #[must_use]
    pub(crate) fn fired(mut self, kind: TimerKind) -> Self {
        self.fire(kind);
        self
    }
}

/// The stations of a request's life. `attempt` is the first one; prices are 25.00 of 30.00 USD.
impl Scene {
    pub(crate) fn pending() -> Self {
        Self::created(|_| {})
    }

    pub(crate) fn searching() -> Self {
        Self::pending().then(Event::Admitted)
    }

    pub(crate) fn searching_for(change: impl FnOnce(&mut Submission)) -> Self {
        Self::created(change).then(Event::Admitted)
    }

    /// Searching, with the next sweep put off.
    pub(crate) fn backing_off() -> Self {
        Self::searching().then(super::sweep(1, Finding::NoAnswer))
    }

    /// Told that the best price is 35.00 USD; token 7.
    pub(crate) fn quoted() -> Self {
        Self::searching().then(too_dear(1, quote("plain", 3500), 7))
    }

    pub(crate) fn out_of_stock() -> Self {
        Self::searching().then(super::sweep(1, Finding::NoStock))
    }

    /// The best quote is the named partner's, at 25.00 USD.
    pub(crate) fn ordering_at(name: &str) -> Self {
        Self::ordering(vec![quote(name, 2500)])
    }

    pub(crate) fn ordering(quotes: Vec<Quote>) -> Self {
        Self::searching().then(affordable(1, quotes))
    }

    pub(crate) fn reserving() -> Self {
        Self::ordering_at("ideal")
    }

    pub(crate) fn authorizing_reserved() -> Self {
        Self::reserving().then(says("ideal", 1, PartnerOperation::Reserve, reserved(120_000)))
    }

    pub(crate) fn authorizing() -> Self {
        Self::ordering_at("plain")
    }

    pub(crate) fn action_required() -> Self {
        Self::authorizing().then(pays(1, PaymentOperation::Authorize, super::action_required()))
    }

    /// The order is out, at the named partner without reservation.
    pub(crate) fn placing_at(name: &str) -> Self {
        Self::ordering_at(name).then(pays(1, PaymentOperation::Authorize, authorized(2500)))
    }

    pub(crate) fn placing() -> Self {
        Self::placing_at("plain")
    }

    pub(crate) fn placing_reserved() -> Self {
        Self::authorizing_reserved().then(pays(1, PaymentOperation::Authorize, authorized(2500)))
    }

    /// No answer to the order within its time.
    pub(crate) fn unknown_at(name: &str) -> Self {
        Self::placing_at(name).fired(TimerKind::Step)
    }

    /// Unknown for so long that no copy of the order can be accepted any more.
    pub(crate) fn unknown_past_window_at(name: &str) -> Self {
        let mut scene = Self::unknown_at(name);
        while scene.now < super::at(6_000) {
            scene.fire(TimerKind::Step);
        }
        scene
    }

    /// Unknown at a store that cannot be asked, and a human was called.
    pub(crate) fn left_to_a_human() -> Self {
        Self::unknown_at("mute").fired(TimerKind::Human)
    }

    /// Brought back from a backup that may be out of date.
    #[must_use]
    pub(crate) fn frozen(self) -> Self {
        self.then(super::ruled(Ruling::Freeze))
    }

    pub(crate) fn capturing_at(name: &str) -> Self {
        Self::placing_at(name).then(says(name, 1, PartnerOperation::Place, confirmed("o-1", 2500)))
    }

    pub(crate) fn capturing() -> Self {
        Self::capturing_at("plain")
    }

    pub(crate) fn completed() -> Self {
        Self::capturing().then(pays(1, PaymentOperation::Capture, captured(2500)))
    }

    /// Cancel of a standing, paid order is on its way.
    pub(crate) fn canceling() -> Self {
        Self::completed().then(cancel())
    }

    /// The partner refused the order for good; the hold is being voided, another quote waits.
    pub(crate) fn unwinding() -> Self {
        Self::ordering(vec![quote("plain", 2500), quote("ideal", 2600)])
            .then(pays(1, PaymentOperation::Authorize, authorized(2500)))
            .then(says("plain", 1, PartnerOperation::Place, refused(true)))
    }

    pub(crate) fn declined() -> Self {
        Self::authorizing().then(pays(1, PaymentOperation::Authorize, PaymentOutcome::Declined))
    }

    pub(crate) fn canceled() -> Self {
        Self::searching().then(cancel())
    }

    pub(crate) fn expired() -> Self {
        Self::searching().fired(TimerKind::Expiry)
    }

    /// Ordered, and the money cannot be taken; the order is being given back.
    pub(crate) fn capture_failed() -> Self {
        Self::capturing().then(pays(1, PaymentOperation::Capture, PaymentOutcome::Declined))
    }

    /// The partner took the order at more than its cap.
    pub(crate) fn above_cap() -> Self {
        Self::placing().then(says("plain", 1, PartnerOperation::Place, confirmed("o-1", 2600)))
    }

    /// The partner took the order back and the customer wants another one.
    pub(crate) fn rebuying() -> Self {
        Self::rebuying_ordered().then(super::notice("plain", 1, super::canceled("o-1")))
    }

    /// … before the partner does so.
    pub(crate) fn rebuying_ordered() -> Self {
        Self::searching_for(|wanted| wanted.rebuy = true)
            .then(affordable(1, vec![quote("plain", 2500), quote("ideal", 2600)]))
            .then(pays(1, PaymentOperation::Authorize, authorized(2500)))
            .then(says("plain", 1, PartnerOperation::Place, confirmed("o-1", 2500)))
    }

    pub(crate) fn completed_for(change: impl FnOnce(&mut Submission)) -> Self {
        Self::searching_for(change)
            .then(affordable(1, vec![quote("plain", 2500), quote("ideal", 2600)]))
            .then(pays(1, PaymentOperation::Authorize, authorized(2500)))
            .then(says("plain", 1, PartnerOperation::Place, confirmed("o-1", 2500)))
            .then(pays(1, PaymentOperation::Capture, captured(2500)))
    }

    /// The partner of the first attempt refused for good, and then confirmed nevertheless.
    pub(crate) fn rogue_order_while_searching() -> Self {
        Self::placing()
            .then(says("plain", 1, PartnerOperation::Place, refused(true)))
            .then(pays(1, PaymentOperation::Void, PaymentOutcome::Voided))
            .then(says("plain", 1, PartnerOperation::Place, confirmed("o-1", 2500)))
    }

    /// … when the second attempt's order stands already.
    pub(crate) fn rogue_order_beside_a_standing_one() -> Self {
        Self::ordering(vec![quote("plain", 2500), quote("fencing", 2600)])
            .then(pays(1, PaymentOperation::Authorize, authorized(2500)))
            .then(says("plain", 1, PartnerOperation::Place, refused(true)))
            .then(pays(1, PaymentOperation::Void, PaymentOutcome::Voided))
            .then(pays(2, PaymentOperation::Authorize, authorized(2600)))
            .then(says("fencing", 2, PartnerOperation::Place, confirmed("o-2", 2600)))
            .then(says("plain", 1, PartnerOperation::Place, confirmed("o-1", 2500)))
    }

    /// Unknown at a partner of changed temper.
    pub(crate) fn unknown_with(name: &str, change: impl FnOnce(&mut PartnerProfile)) -> Self {
        let mut scene = Self::placing_at(name);
        let mut profile = scene.policy.partners.profile(&super::partner(name)).into_owned();
        change(&mut profile);
        scene.policy = super::policy_with(vec![profile]);
        scene.fired(TimerKind::Step)
    }
}
