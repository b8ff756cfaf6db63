//! A change under construction: the next head, the rows taken and the effects collected so far.

use schemas::id::OrderId;
use schemas::{DurationMs, RejectReason, Timestamp};

use super::Transition;
use crate::effect::{AcceptToken, Effect, EventKind, Outcome, PartnerCommand, PaymentCommand};
use crate::partner::PartnerProfile;
use crate::policy::Policy;
use crate::request::{
    Checkout, Incident, KNOWN_ORDERS_MAX, KnownOrder, PurchaseRequest, Status, Version,
};
use crate::row::Row;
use crate::timer::TimerKind;

pub(super) struct Draft<'a> {
    pub(super) next: PurchaseRequest,
    pub(super) now: Timestamp,
    pub(super) policy: &'a Policy,
    /// The clock has jumped: that an instant has passed does not mean that anybody has waited.
    pub(super) in_doubt: bool,
    rows: Vec<Row>,
    effects: Vec<Pending>,
}

/// Events and notifications show the request as it is when the whole change is done, so their
/// snapshots are taken in [`Draft::finish`].
enum Pending {
    Ready(Box<Effect>),
    Event(EventKind),
    Notify { outcome: Outcome, number: u16, token: Option<AcceptToken> },
}

impl<'a> Draft<'a> {
    pub(super) fn of(request: &PurchaseRequest, now: Timestamp, policy: &'a Policy) -> Self {
        let mut next = request.clone();
        next.version = Version(request.version.0 + 1);
        Self::fresh(next, now, policy)
    }

    pub(super) fn fresh(next: PurchaseRequest, now: Timestamp, policy: &'a Policy) -> Self {
        Self { next, now, policy, in_doubt: false, rows: Vec::new(), effects: Vec::new() }
    }

    pub(super) fn row(&mut self, row: Row) {
        self.rows.push(row);
    }

    pub(super) fn event(&mut self, kind: EventKind) {
        self.effects.push(Pending::Event(kind));
    }

    pub(super) fn notify(&mut self, outcome: Outcome, token: Option<AcceptToken>) {
        let number = self.next.notified;
        self.next.notified = number.saturating_add(1);
        self.effects.push(Pending::Notify { outcome, number, token });
    }

    /// A command to the partner of `attempt`.
    pub(super) fn partner(&mut self, attempt: u8, command: PartnerCommand) {
        let partner = self.next.partner_of(attempt).expect("commands go to begun attempts").clone();
        let effect = Effect::Partner { partner, attempt, command };
        self.effects.push(Pending::Ready(Box::new(effect)));
    }

    pub(super) fn payment(&mut self, attempt: u8, command: PaymentCommand) {
        self.effects.push(Pending::Ready(Box::new(Effect::Payment { attempt, command })));
    }

    pub(super) fn wake(&mut self, kind: TimerKind, after: DurationMs) {
        self.next.timers.set(kind, self.now.saturating_add(after));
    }

    pub(super) fn sleep(&mut self, kind: TimerKind) {
        self.next.timers.clear(kind);
    }

    /// What may be assumed about the partner of the current attempt.
    pub(super) fn profile(&self) -> PartnerProfile {
        let id = &self.checkout().quote.partner;
        self.policy.partners.profile(id).into_owned()
    }

    pub(super) fn checkout(&self) -> &Checkout {
        self.next.checkout.as_ref().expect("an ordering request has a checkout")
    }

    pub(super) fn checkout_mut(&mut self) -> &mut Checkout {
        self.next.checkout.as_mut().expect("an ordering request has a checkout")
    }

    /// Whether a whole purchase still fits before the deadline.
    pub(super) fn has_time_to_buy(&self) -> bool {
        self.now.saturating_add(self.policy.placement_budget) <= self.next.terms.expires_at
    }

    pub(super) fn is_expired(&self) -> bool {
        self.now >= self.next.terms.expires_at
    }

    /// Another confirmation of this order will be no news.
    /// False if there is no room for another one.
    pub(super) fn remember_order(&mut self, attempt: u8, order_id: OrderId) -> bool {
        let has_room = self.next.known_orders.len() < KNOWN_ORDERS_MAX;
        if has_room {
            self.next.known_orders.push(KnownOrder { attempt, order_id });
        }
        has_room
    }

    /// Opens an incident once per kind; tells operator and customer.
    pub(super) fn incident(&mut self, incident: Incident) {
        if self.next.incident == Some(incident) {
            return;
        }
        self.next.incident = Some(incident);
        self.event(EventKind::Incident);
    }

    /// The request ends (or ends differently than told before). Nothing wakes it for searching or
    /// expiry any more; checkout and compensation timers stay.
    pub(super) fn close(&mut self, status: Status) {
        let (kind, outcome) = match &status {
            Status::Ordered => (EventKind::Ordered, Outcome::Ordered),
            Status::Expired => (EventKind::Expired, Outcome::Expired),
            Status::Failed(_) => (EventKind::Failed, Outcome::Failed),
            Status::Canceled => (EventKind::Canceled, Outcome::Canceled),
            Status::Quoted(_)
            | Status::OutOfStock
            | Status::Pending
            | Status::Searching
            | Status::Ordering => unreachable!("only closing states close a request"),
        };
        self.next.status = status;
        self.sleep(TimerKind::Expiry);
        self.sleep(TimerKind::Sweep);
        self.event(kind);
        self.notify(outcome, None);
    }

    pub(super) fn fail(&mut self, reason: RejectReason) {
        self.close(Status::Failed(reason));
    }

    pub(super) fn finish(self) -> Transition {
        let next = self.next;
        let snapshot = || Box::new(next.clone());
        let effects = self
            .effects
            .into_iter()
            .map(|pending| match pending {
                Pending::Ready(effect) => *effect,
                Pending::Event(kind) => Effect::Event { kind, snapshot: snapshot() },
                Pending::Notify { outcome, number, token } => {
                    Effect::Notify { outcome, number, token, snapshot: snapshot() }
                }
            })
            .collect();
        Transition { rows: self.rows, effects, next }
    }
}
