//! One small configuration: the stores, the times, and how much may go wrong.

use broker_core::Policy;
use broker_core::event::Event;
use broker_core::partner::PartnerProfile;
use broker_core::request::PurchaseRequest;
use broker_core::transition::{self, Rejection, Transition};
use schemas::Timestamp;
use schemas::purchase::PurchaseStatus;

use super::bank::Unheard;
use super::numbers;
use super::shop::LateCopy;

/// The function under test, or a spoiled one that must be found out.
pub(crate) type Decide =
    fn(&PurchaseRequest, Event, Timestamp, &Policy) -> Result<Transition, Rejection>;

/// How often each thing may still happen. Spending is part of the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct Budget {
    /// A command or answer is set aside and arrives whenever it likes.
    pub(crate) late: u8,
    /// A command or answer arrives, and a copy of it is set aside.
    pub(crate) twice: u8,
    pub(crate) lost_commands: u8,
    pub(crate) lost_answers: u8,
    /// A receiver refuses one copy …
    pub(crate) busy: u8,
    /// … or for good.
    pub(crate) refusals: u8,
    /// The provider wants the customer to act.
    pub(crate) demands: u8,
    pub(crate) cancels: u8,
    pub(crate) updates: u8,
    /// The customer accepts an offer above the limit.
    pub(crate) accepts: u8,
    /// A store takes back an order that stands.
    pub(crate) take_backs: u8,
    /// A sweep finds nobody who has the book, or nobody who answers.
    pub(crate) poor_sweeps: u8,
    /// The broker loses everything that is not durable.
    pub(crate) crashes: u8,
    /// A second owner opens the store …
    pub(crate) takeovers: u8,
    /// … and whoever holds an old version decides from it.
    pub(crate) stale_decisions: u8,
}

impl Budget {
    /// The same troubles, each so many times more.
    pub(crate) fn deeper(mut self, more: u8) -> Self {
        let Self {
            late,
            twice,
            lost_commands,
            lost_answers,
            busy,
            refusals,
            demands,
            cancels,
            updates,
            accepts,
            take_backs,
            poor_sweeps,
            crashes,
            takeovers,
            stale_decisions,
        } = &mut self;
        let all = [
            late,
            twice,
            lost_commands,
            lost_answers,
            busy,
            refusals,
            demands,
            cancels,
            updates,
            accepts,
            take_backs,
            poor_sweeps,
            crashes,
            takeovers,
            stale_decisions,
        ];
        for budget in all {
            *budget += if *budget > 0 { more } else { 0 };
        }
        self
    }
}

/// What the customer may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Change {
    /// The limit, minor units.
    Limit(u64),
    /// The deadline, milliseconds after the beginning.
    Deadline(u64),
}

#[derive(Clone)]
pub(crate) struct Setting {
    pub(crate) name: &'static str,
    pub(crate) policy: Policy,
    /// Clocks of all receivers are ahead of the broker's by this, milliseconds.
    pub(crate) skew: i64,
    /// Deadline, milliseconds after the beginning.
    pub(crate) life: u64,
    pub(crate) rebuy: bool,
    pub(crate) budget: Budget,
    pub(crate) changes: Vec<Change>,
    /// How long a sweep may take, milliseconds.
    pub(crate) sweeps_take: Vec<u64>,
    pub(crate) late_copy: LateCopy,
    pub(crate) unheard: Unheard,
    pub(crate) decide: Decide,
    /// Closing states that must be reached, or the configuration shows less than it says.
    pub(crate) reaches: Vec<PurchaseStatus>,
}

impl Setting {
    /// No faults at all, at an ideal store and a plain one.
    pub(crate) fn named(name: &'static str) -> Self {
        Self {
            name,
            policy: numbers::policy(vec![numbers::ideal(0), numbers::plain(1)]),
            skew: 0,
            life: 60,
            rebuy: false,
            budget: Budget::default(),
            changes: Vec::new(),
            sweeps_take: vec![1],
            late_copy: LateCopy::Confirmed,
            unheard: Unheard::Tombstone,
            decide: transition::transition,
            reaches: vec![PurchaseStatus::Ordered],
        }
    }

    pub(crate) fn stores(self, stores: [PartnerProfile; numbers::ATTEMPTS_MAX]) -> Self {
        Self { policy: numbers::policy(stores.to_vec()), ..self }
    }
}
