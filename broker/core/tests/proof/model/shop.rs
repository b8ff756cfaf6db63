//! One attempt at one bookstore that keeps the receiver contract (design.md 3): key first where it
//! says so, refusals of one copy apart from refusals of the key, tombstones where it fences.

use broker_core::effect::PartnerCommand;
use broker_core::event::PartnerOutcome;
use broker_core::partner::PartnerProfile;
use schemas::directory::LookupKind;
use schemas::subject::PartnerOperation;
use schemas::{Money, Timestamp};

use crate::support::{not_found, order_id, refused, reservation_id, usd};

/// What a receiver feels like doing with something new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mood {
    Willing,
    /// Answers this copy only.
    Busy,
    /// Says no for good.
    Unwilling,
    /// Of a payment provider: the customer must act.
    Demanding,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Order {
    #[default]
    Open,
    Accepted {
        total: Money,
        visible_at: Timestamp,
        live: bool,
    },
    Refused,
    Tombstoned,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Hold {
    #[default]
    Open,
    Held {
        until: Timestamp,
    },
    Committed,
    Released,
    Refused,
}

#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Shop {
    pub(crate) order: Order,
    pub(crate) hold: Hold,
}

impl Shop {
    pub(crate) fn is_live(&self) -> bool {
        matches!(self.order, Order::Accepted { live: true, .. })
    }

    /// `now` is the shop's own clock.
    pub(crate) fn handle(
        &mut self,
        profile: &PartnerProfile,
        command: &PartnerCommand,
        mood: Mood,
        now: Timestamp,
    ) -> (PartnerOperation, PartnerOutcome) {
        match command {
            PartnerCommand::Reserve { not_after, .. } | PartnerCommand::Place { not_after, .. } => {
                let late = profile.honours_not_after && now > *not_after;
                let hasty = mood == Mood::Busy || late;
                self.sell(profile, command, (mood, hasty), now)
            }
            PartnerCommand::Release => (PartnerOperation::Release, self.release(profile)),
            PartnerCommand::Cancel if mood == Mood::Busy => {
                (PartnerOperation::Cancel, refused(false))
            }
            PartnerCommand::Cancel => (PartnerOperation::Cancel, self.cancel(profile)),
            PartnerCommand::Lookup => (PartnerOperation::Lookup, self.look_up(profile, now)),
        }
    }

    fn sell(
        &mut self,
        profile: &PartnerProfile,
        command: &PartnerCommand,
        (mood, hasty): (Mood, bool),
        now: Timestamp,
    ) -> (PartnerOperation, PartnerOutcome) {
        let (operation, known) = match command {
            PartnerCommand::Reserve { .. } => (PartnerOperation::Reserve, self.known_hold()),
            _ => (PartnerOperation::Place, self.known_order()),
        };
        let outcome = match known {
            _ if hasty && !profile.key_first => refused(false),
            Some(known) => known,
            None if hasty => refused(false),
            None => match command {
                PartnerCommand::Reserve { ttl, .. } => self.reserve(mood, now.saturating_add(*ttl)),
                PartnerCommand::Place { price_cap, reserved, .. } => {
                    self.accept(profile, mood, (*price_cap, *reserved), now)
                }
                _ => unreachable!("only reserve and place sell"),
            },
        };
        (operation, outcome)
    }

    fn known_hold(&self) -> Option<PartnerOutcome> {
        match self.hold {
            Hold::Open => None,
            Hold::Held { until } => Some(held(until)),
            Hold::Committed | Hold::Released | Hold::Refused => Some(refused(true)),
        }
    }

    fn known_order(&self) -> Option<PartnerOutcome> {
        match self.order {
            Order::Open => None,
            Order::Accepted { total, live: true, .. } => Some(confirmed(total)),
            Order::Accepted { live: false, .. } => Some(canceled()),
            Order::Refused | Order::Tombstoned => Some(refused(true)),
        }
    }

    fn reserve(&mut self, mood: Mood, until: Timestamp) -> PartnerOutcome {
        if mood == Mood::Unwilling {
            self.hold = Hold::Refused;
            return refused(true);
        }
        self.hold = Hold::Held { until };
        held(until)
    }

    fn accept(
        &mut self,
        profile: &PartnerProfile,
        mood: Mood,
        (cap, reserved): (Money, bool),
        now: Timestamp,
    ) -> PartnerOutcome {
        let held = matches!(self.hold, Hold::Held { until } if now < until);
        if mood == Mood::Unwilling || (reserved && !held) {
            self.order = Order::Refused;
            return refused(true);
        }
        if reserved {
            self.hold = Hold::Committed;
        }
        let total = usd(cap.minor() - 1);
        let visible_at = match profile.lookup {
            LookupKind::Eventual => now.saturating_add(profile.settle),
            LookupKind::None | LookupKind::ReadYourWrites => now,
        };
        self.order = Order::Accepted { total, visible_at, live: true };
        confirmed(total)
    }

    fn release(&mut self, profile: &PartnerProfile) -> PartnerOutcome {
        match self.hold {
            Hold::Held { .. } | Hold::Released => {
                self.hold = Hold::Released;
                PartnerOutcome::Released
            }
            Hold::Committed => refused(false),
            Hold::Refused => not_found(true),
            Hold::Open if profile.fences_cancel => {
                self.hold = Hold::Released;
                not_found(true)
            }
            Hold::Open => not_found(false),
        }
    }

    fn cancel(&mut self, profile: &PartnerProfile) -> PartnerOutcome {
        match &mut self.order {
            Order::Accepted { live: false, .. } => canceled(),
            Order::Accepted { live, .. } if profile.cancel => {
                *live = false;
                canceled()
            }
            Order::Accepted { .. } => refused(false),
            Order::Refused | Order::Tombstoned => not_found(true),
            Order::Open if profile.fences_cancel => {
                self.order = Order::Tombstoned;
                not_found(true)
            }
            Order::Open => not_found(false),
        }
    }

    fn look_up(&self, profile: &PartnerProfile, now: Timestamp) -> PartnerOutcome {
        match self.order {
            _ if profile.lookup == LookupKind::None => refused(false),
            Order::Accepted { visible_at, .. } if now < visible_at => not_found(false),
            Order::Accepted { total, live: true, .. } => confirmed(total),
            Order::Accepted { live: false, .. } => canceled(),
            Order::Refused | Order::Tombstoned => not_found(true),
            Order::Open => not_found(false),
        }
    }
}

fn held(until: Timestamp) -> PartnerOutcome {
    PartnerOutcome::Reserved { id: reservation_id("r-1"), valid_until: until }
}

fn canceled() -> PartnerOutcome {
    PartnerOutcome::Canceled { order_id: Some(order_id("o-1")) }
}

fn confirmed(total: Money) -> PartnerOutcome {
    PartnerOutcome::Confirmed { order_id: order_id("o-1"), total }
}
