//! One request, the bookstores and the provider it deals with, and the messages between them.
//! Every message may be lost, doubled, delayed and overtaken.

use std::collections::BTreeMap;

use broker_core::effect::{Effect, Outcome, PartnerCommand, PaymentCommand};
use broker_core::event::{Event, PartnerAnswer, PartnerOutcome, PaymentAnswer};
use broker_core::partner::PartnerProfile;
use broker_core::policy::Policy;
use broker_core::request::{PurchaseRequest, Submission, Terms, Version};
use broker_core::timer::TimerKind;
use broker_core::transition;
use schemas::subject::PaymentOperation;
use schemas::{DurationMs, PartnerId, Timestamp};

use super::bank::Payment;
use super::shop::{Mood, Shop};
use crate::support::{T0, event_line, policy_with, result, when};

/// A command on its way. Kept by the stream until it is taken.
#[derive(Debug, Clone)]
pub(crate) struct Command {
    /// The change that sent it.
    pub(crate) version: Version,
    pub(crate) attempt: u8,
    pub(crate) what: What,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum What {
    Partner(PartnerId, PartnerCommand),
    Payment(PaymentCommand),
}

pub(crate) struct World {
    pub(crate) policy: Policy,
    pub(crate) request: PurchaseRequest,
    pub(crate) now: Timestamp,
    /// Clocks of all receivers are ahead of ours by this, milliseconds.
    pub(crate) skew: i64,
    /// The provider makes sure that what it does not know of cannot come any more.
    pub(crate) tombstones: bool,
    pub(crate) commands: Vec<Command>,
    pub(crate) answers: Vec<Event>,
    pub(crate) shops: BTreeMap<u8, Shop>,
    pub(crate) payments: BTreeMap<u8, Payment>,
    /// Every order command that ever left, by attempt.
    pub(crate) orders: BTreeMap<u8, PartnerCommand>,
    pub(crate) authorized: BTreeMap<u8, PaymentCommand>,
    pub(crate) terms: BTreeMap<Version, Terms>,
    pub(crate) told: Vec<(u16, Outcome)>,
    /// Bookstores keep the contract; if not, only what holds against any message is checked.
    pub(crate) honest: bool,
    pub(crate) trace: Vec<String>,
}

impl World {
    pub(crate) fn new(wanted: Submission, profiles: Vec<PartnerProfile>, skew: i64) -> Self {
        let policy = policy_with(profiles);
        let created = transition::create(wanted, T0, &policy).expect("a valid submission");
        let mut world = Self {
            policy,
            request: created.next.clone(),
            now: T0,
            skew,
            tombstones: true,
            commands: Vec::new(),
            answers: Vec::new(),
            shops: BTreeMap::new(),
            payments: BTreeMap::new(),
            orders: BTreeMap::new(),
            authorized: BTreeMap::new(),
            terms: BTreeMap::from([(created.next.version, created.next.terms)]),
            told: Vec::new(),
            honest: true,
            trace: Vec::new(),
        };
        world.happen(Event::Admitted);
        world
    }

    pub(crate) fn receivers_now(&self) -> Timestamp {
        if self.skew < 0 {
            self.now.saturating_sub(DurationMs(self.skew.unsigned_abs()))
        } else {
            self.now.saturating_add(DurationMs(self.skew.unsigned_abs()))
        }
    }

    /// The broker takes an event in; everything that must hold after each step is checked.
    pub(crate) fn happen(&mut self, event: Event) -> bool {
        let outcome = transition::transition(&self.request, event.clone(), self.now, &self.policy);
        self.trace.push(format!("{} {}", when(self.now), event_line(&event)));
        self.trace.push(result(&outcome));
        let Ok(step) = outcome else { return false };
        self.check_step(&event, &step);
        self.terms.insert(step.next.version, step.next.terms);
        self.request = step.next;
        for effect in step.effects {
            self.leave(effect);
        }
        self.check_applied_twice(&event);
        true
    }

    fn leave(&mut self, effect: Effect) {
        let version = self.request.version;
        match effect {
            Effect::Partner { partner, attempt, command } => {
                let what = What::Partner(partner, command);
                self.commands.push(Command { version, attempt, what });
            }
            Effect::Payment { attempt, command } => {
                self.commands.push(Command { version, attempt, what: What::Payment(command) });
            }
            Effect::Notify { outcome, number, .. } => self.told.push((number, outcome)),
            Effect::Event { .. } => {}
        }
    }

    /// A command reaches its receiver, whose answer is on its way then.
    pub(crate) fn arrive(&mut self, command: &Command, mood: Mood) {
        let now = self.receivers_now();
        let attempt = command.attempt;
        match &command.what {
            What::Partner(partner, partner_command) => {
                let profile = self.policy.partners.profile(partner).into_owned();
                if self.never_delivered(&profile, partner_command) {
                    return;
                }
                let shop = self.shops.entry(attempt).or_default();
                let was_live = shop.is_live();
                let (operation, outcome) = shop.handle(&profile, partner_command, mood, now);
                let became_live = !was_live && shop.is_live();
                self.trace.push(format!("    {partner} {operation:?}#{attempt}: {outcome:?}"));
                if became_live {
                    self.check_new_order(&profile, attempt);
                }
                self.answers.push(Event::Partner(PartnerAnswer {
                    partner: partner.clone(),
                    attempt,
                    operation: Some(operation),
                    in_reply_to: Some(command.version),
                    outcome,
                }));
            }
            What::Payment(payment_command) => {
                let tombstones = self.tombstones;
                let payment = self.payments.entry(attempt).or_default();
                let before = *payment;
                let (operation, outcome) = payment.handle(payment_command, mood, tombstones, now);
                let after = *payment;
                self.trace.push(format!("    pay {operation:?}#{attempt}: {outcome:?}"));
                self.check_money_move(attempt, before, after);
                let in_reply_to = Some(command.version);
                let answer = PaymentAnswer { attempt, operation, in_reply_to, outcome };
                self.answers.push(Event::Payment(answer));
            }
        }
    }

    /// A store that takes orders at any time and cannot be fenced is dealt with only where the
    /// network keeps `not_after` for it.
    fn never_delivered(&self, profile: &PartnerProfile, command: &PartnerCommand) -> bool {
        let not_after = match command {
            PartnerCommand::Place { not_after, .. } | PartnerCommand::Reserve { not_after, .. } => {
                not_after
            }
            PartnerCommand::Release | PartnerCommand::Cancel | PartnerCommand::Lookup => {
                return false;
            }
        };
        !profile.honours_not_after && !profile.fences_cancel && self.now > *not_after
    }

    /// The customer does at the provider what was demanded.
    pub(crate) fn customer_acts(&mut self, success: bool) {
        let now = self.receivers_now();
        let resolved = self.payments.iter_mut().find_map(|(attempt, payment)| {
            payment.act(success, now).map(|outcome| (*attempt, outcome))
        });
        if let Some((attempt, outcome)) = resolved {
            let operation = PaymentOperation::Authorize;
            let in_reply_to = Some(Version(1));
            let answer = PaymentAnswer { attempt, operation, in_reply_to, outcome };
            self.answers.push(Event::Payment(answer));
        }
    }

    /// The store says unasked what it knows about its order: confirmed, or taken back now.
    pub(crate) fn store_speaks(&mut self, takes_back: bool) {
        let Some((&attempt, shop)) = self.shops.iter_mut().find(|(_, shop)| shop.is_live()) else {
            return;
        };
        let super::shop::Order::Accepted { total, live, .. } = &mut shop.order else { return };
        let outcome = if takes_back {
            *live = false;
            crate::support::canceled("o-1")
        } else {
            PartnerOutcome::Confirmed { order_id: crate::support::order_id("o-1"), total: *total }
        };
        let partner = self.request.partner_of(attempt).expect("a shop was asked").clone();
        self.answers.push(crate::support::notice(partner.as_str(), attempt, outcome));
    }

    /// The timer that fires next, if any.
    pub(crate) fn next_timer(&self) -> Option<(Timestamp, TimerKind)> {
        TimerKind::ALL
            .into_iter()
            .filter_map(|kind| self.request.timers.get(kind).map(|at| (at, kind)))
            .min()
    }

    pub(crate) fn fire_next_timer(&mut self) -> bool {
        let Some((at, kind)) = self.next_timer() else { return false };
        self.now = self.now.max(at);
        assert!(self.happen(Event::Timer(kind)), "a due timer does something\n{}", self.story());
        true
    }

    /// Whether the engine would be running a sweep.
    pub(crate) fn is_sweeping(&self) -> bool {
        self.request.status == broker_core::request::Status::Searching
            && self.request.timers.get(TimerKind::Sweep).is_none()
    }

    pub(crate) fn story(&self) -> String {
        self.trace.join("\n")
    }
}
