//! One attempt at one bookstore that keeps the receiver contract: the key is looked up before
//! anything else, `not_after` is obeyed, a refusal of one copy is not a refusal of the key, and a
//! fencing cancel leaves a tombstone.

use broker_core::effect::PartnerCommand;
use broker_core::event::PartnerOutcome;
use broker_core::partner::PartnerProfile;
use schemas::directory::LookupKind;
use schemas::id::{OrderId, ReservationId};
use schemas::subject::PartnerOperation;
use schemas::text::Text;
use schemas::{Money, Timestamp};

use super::numbers::{REBATE, usd};

/// What a receiver does with something new.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Mood {
    Willing,
    /// Refuses this copy only.
    Busy,
    /// Says no for good.
    Unwilling,
    /// Of the payment provider: the customer must act.
    Demanding,
}

/// How a store treats a copy that comes too late for an order it has accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum LateCopy {
    /// As the contract says: the key is known, so it is confirmed again.
    Confirmed,
    /// What the contract forbids: the date is looked at first, and the refusal claims finality.
    RefusedForGood,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
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

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
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

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct Shop {
    pub(crate) order: Order,
    pub(crate) hold: Hold,
    /// It refused for good to give the order up.
    pub(crate) keeps_order: bool,
}

impl Shop {
    pub(crate) fn is_live(&self) -> bool {
        matches!(self.order, Order::Accepted { live: true, .. })
    }

    pub(crate) fn was_accepted(&self) -> bool {
        matches!(self.order, Order::Accepted { .. })
    }

    /// Whether the mood of the store makes a difference to this command.
    pub(crate) fn decides(&self, profile: &PartnerProfile, command: &PartnerCommand) -> bool {
        match command {
            PartnerCommand::Reserve { .. } => self.hold == Hold::Open,
            PartnerCommand::Place { .. } => self.order == Order::Open || !profile.key_first,
            PartnerCommand::Cancel => self.is_live() && !self.keeps_order,
            PartnerCommand::Release | PartnerCommand::Lookup => false,
        }
    }

    /// `now` is the shop's own clock.
    pub(crate) fn handle(
        &mut self,
        profile: &PartnerProfile,
        late_copy: LateCopy,
        command: &PartnerCommand,
        mood: Mood,
        now: Timestamp,
    ) -> (PartnerOperation, PartnerOutcome) {
        match command {
            PartnerCommand::Reserve { ttl, not_after, .. } => {
                let late = profile.honours_not_after && now > *not_after;
                let until = now.saturating_add(*ttl);
                (PartnerOperation::Reserve, self.reserve(mood, late, until))
            }
            PartnerCommand::Place { price_cap, reserved, not_after, .. } => {
                let late = profile.honours_not_after && now > *not_after;
                let hasty = late || mood == Mood::Busy;
                let outcome = match self.known_order() {
                    Some(_) if late && late_copy == LateCopy::RefusedForGood => refused(true),
                    // Without key first, a copy may be refused whatever is known.
                    Some(_) if hasty && !profile.key_first => refused(false),
                    Some(known) => known,
                    None if hasty => refused(false),
                    None => self.accept(profile, mood, (*price_cap, *reserved), now),
                };
                (PartnerOperation::Place, outcome)
            }
            PartnerCommand::Release => (PartnerOperation::Release, self.release(profile)),
            PartnerCommand::Cancel => (PartnerOperation::Cancel, self.cancel(profile, mood)),
            PartnerCommand::Lookup => (PartnerOperation::Lookup, self.look_up(profile, now)),
        }
    }

    fn reserve(&mut self, mood: Mood, late: bool, until: Timestamp) -> PartnerOutcome {
        match self.hold {
            Hold::Held { until } => held(until),
            Hold::Committed | Hold::Released | Hold::Refused => refused(true),
            Hold::Open if late || mood == Mood::Busy => refused(false),
            Hold::Open if mood == Mood::Unwilling => {
                self.hold = Hold::Refused;
                refused(true)
            }
            Hold::Open => {
                self.hold = Hold::Held { until };
                held(until)
            }
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
        let total = usd(cap.minor() - REBATE);
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

    fn cancel(&mut self, profile: &PartnerProfile, mood: Mood) -> PartnerOutcome {
        match &mut self.order {
            Order::Accepted { live: false, .. } => canceled(),
            Order::Accepted { .. } if self.keeps_order || mood == Mood::Unwilling => {
                self.keeps_order = true;
                refused(true)
            }
            Order::Accepted { .. } if mood == Mood::Busy => refused(false),
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

    /// The store takes its order back and says so unasked.
    pub(crate) fn take_back(&mut self) -> Option<PartnerOutcome> {
        let Order::Accepted { live: live @ true, .. } = &mut self.order else { return None };
        *live = false;
        Some(canceled())
    }
}

fn held(until: Timestamp) -> PartnerOutcome {
    PartnerOutcome::Reserved { id: ReservationId::parse("r-1").unwrap(), valid_until: until }
}

fn canceled() -> PartnerOutcome {
    PartnerOutcome::Canceled { order_id: Some(OrderId::parse("o-1").unwrap()) }
}

fn confirmed(total: Money) -> PartnerOutcome {
    PartnerOutcome::Confirmed { order_id: OrderId::parse("o-1").unwrap(), total }
}

fn refused(final_for_key: bool) -> PartnerOutcome {
    PartnerOutcome::Refused { reason: Text::parse("no").unwrap(), final_for_key }
}

fn not_found(final_for_key: bool) -> PartnerOutcome {
    PartnerOutcome::NotFound { final_for_key }
}
