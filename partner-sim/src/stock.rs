//! The copies of one book in one store, and the holds on them.
//!
//! `available = on_hand − active unexpired − committed`. A hold is active until an instant; that
//! it has expired is read from the clock, not written by a sweeper, so no copy is ever lost to a
//! hold that nobody released. Every operation is idempotent by the hold's name: repeating it
//! returns what it returned before. Committed, released and expired are final.
//!
//! Clocks step back. An expiry that has been acted upon stays: the shelf remembers the latest
//! instant it was changed at, and never sees an earlier one.

use std::collections::BTreeMap;

use schemas::Timestamp;
use schemas::id::Key;

/// Names a hold. The two kinds of key never collide, whatever their text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum HoldKey {
    /// A reservation with a time to live.
    Reservation(Key),
    /// An order placed without a reservation.
    Order(Key),
}

/// The state of one hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HoldState {
    Active { until: Timestamp },
    Committed,
    Released,
    Expired,
}

/// Why copies could not be held or committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StockError {
    #[error("{wanted} copies wanted, {available} available")]
    OutOfStock { wanted: u32, available: u32 },
    #[error("the reservation expired before it was committed")]
    Expired,
    #[error("the reservation was released")]
    Released,
    #[error("there is no such reservation")]
    Unknown,
    #[error("the same key was used with another quantity")]
    Conflict,
}

#[derive(Debug, Clone, Copy)]
struct Hold {
    quantity: u32,
    state: HoldState,
}

/// One shelf. Quantities are copies.
#[derive(Debug, Clone)]
pub struct Stock {
    on_hand: u32,
    committed: u32,
    holds: BTreeMap<HoldKey, Hold>,
    /// Holds not known to have ended, by expiry, so that reading costs only the live ones.
    active: BTreeMap<(Timestamp, HoldKey), u32>,
    /// Latest instant of a change.
    clock: Timestamp,
}

impl Stock {
    pub fn new(on_hand: u32) -> Self {
        Self {
            on_hand,
            committed: 0,
            holds: BTreeMap::new(),
            active: BTreeMap::new(),
            clock: Timestamp::ZERO,
        }
    }

    /// Copies that may be held now.
    pub fn available(&self, now: Timestamp) -> u32 {
        self.on_hand - self.committed - self.held(now.max(self.clock))
    }

    pub const fn on_hand(&self) -> u32 {
        self.on_hand
    }

    pub const fn committed(&self) -> u32 {
        self.committed
    }

    /// Copies in holds that are active and not expired.
    pub fn active(&self, now: Timestamp) -> u32 {
        self.held(now.max(self.clock))
    }

    /// The hold as it stands at `now`.
    pub fn hold(&self, key: &HoldKey, now: Timestamp) -> Option<HoldState> {
        let state = self.holds.get(key)?.state;
        Some(match state {
            HoldState::Active { until } if until <= now.max(self.clock) => HoldState::Expired,
            other => other,
        })
    }

    /// Holds copies until an instant. Repeated: returns the expiry of the first time, even if it
    /// has passed since.
    pub fn reserve(
        &mut self,
        key: HoldKey,
        quantity: u32,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<HoldState, StockError> {
        self.advance(now);
        if let Some(hold) = self.holds.get(&key) {
            return match hold.state {
                HoldState::Released => Err(StockError::Released),
                _ if hold.quantity != quantity => Err(StockError::Conflict),
                state => Ok(state),
            };
        }
        self.ensure_available(quantity)?;
        let state = HoldState::Active { until };
        self.active.insert((until, key.clone()), quantity);
        self.holds.insert(key, Hold { quantity, state });
        self.advance(now);
        self.check();
        Ok(state)
    }

    /// Turns a hold into a sale. Refused once the hold has expired or was released.
    pub fn commit(&mut self, key: &HoldKey, now: Timestamp) -> Result<(), StockError> {
        self.advance(now);
        let hold = self.holds.get_mut(key).ok_or(StockError::Unknown)?;
        match hold.state {
            HoldState::Committed => Ok(()),
            HoldState::Expired => Err(StockError::Expired),
            HoldState::Released => Err(StockError::Released),
            HoldState::Active { until } => {
                hold.state = HoldState::Committed;
                self.committed += hold.quantity;
                self.active.remove(&(until, key.clone()));
                self.check();
                Ok(())
            }
        }
    }

    /// Sells copies that were not held before. Repeated: no second sale.
    pub fn take(&mut self, key: HoldKey, quantity: u32, now: Timestamp) -> Result<(), StockError> {
        self.advance(now);
        if let Some(hold) = self.holds.get(&key) {
            return match hold.state {
                HoldState::Committed if hold.quantity == quantity => Ok(()),
                HoldState::Committed => Err(StockError::Conflict),
                _ => Err(StockError::Released),
            };
        }
        self.ensure_available(quantity)?;
        self.committed += quantity;
        self.holds.insert(key, Hold { quantity, state: HoldState::Committed });
        self.check();
        Ok(())
    }

    /// Ends a hold, or takes a sale back; the copies can be sold again. An unknown key is
    /// remembered, so that it can never hold anything later.
    pub fn release(&mut self, key: HoldKey, now: Timestamp) {
        self.advance(now);
        let hold = self
            .holds
            .entry(key.clone())
            .or_insert(Hold { quantity: 0, state: HoldState::Released });
        match hold.state {
            HoldState::Committed => self.committed -= hold.quantity,
            HoldState::Active { until } => {
                self.active.remove(&(until, key));
            }
            HoldState::Released | HoldState::Expired => return,
        }
        hold.state = HoldState::Released;
        self.check();
    }

    /// Puts back a hold that was recorded in an earlier life. The record is the truth: if the
    /// shelf was configured smaller meanwhile, it grows to what was sold.
    pub(crate) fn restore(&mut self, key: HoldKey, quantity: u32, state: HoldState) {
        match state {
            HoldState::Active { until } => {
                self.active.insert((until, key.clone()), quantity);
            }
            HoldState::Committed => self.committed += quantity,
            HoldState::Released | HoldState::Expired => {}
        }
        self.holds.insert(key, Hold { quantity, state });
        let promised = self.committed + self.active.values().sum::<u32>();
        self.on_hand = self.on_hand.max(promised);
    }

    fn held(&self, now: Timestamp) -> u32 {
        // Newest expiries last: everything that ends after `now` is still held.
        self.active.iter().rev().take_while(|((until, _), _)| *until > now).map(|(_, n)| n).sum()
    }

    fn ensure_available(&self, wanted: u32) -> Result<(), StockError> {
        let available = self.available(self.clock);
        if wanted > available {
            return Err(StockError::OutOfStock { wanted, available });
        }
        Ok(())
    }

    /// Moves the clock and makes passed expiries final.
    fn advance(&mut self, now: Timestamp) {
        self.clock = self.clock.max(now);
        while let Some(((until, _), _)) = self.active.first_key_value() {
            if *until > self.clock {
                break;
            }
            let Some(((_, key), _)) = self.active.pop_first() else { break };
            if let Some(hold) = self.holds.get_mut(&key) {
                hold.state = HoldState::Expired;
            }
        }
    }

    fn check(&self) {
        let promised = u64::from(self.committed) + u64::from(self.held(self.clock));
        assert!(
            promised <= u64::from(self.on_hand),
            "oversold: {promised} promised of {} on hand",
            self.on_hand
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> HoldKey {
        HoldKey::Reservation(Key::parse(name).unwrap())
    }

    fn at(ms: u64) -> Timestamp {
        Timestamp::from_unix_ms(ms)
    }

    #[test]
    fn an_expired_hold_frees_its_copies_without_anybody_acting() {
        let mut stock = Stock::new(1);
        stock.reserve(key("a"), 1, at(100), at(0)).unwrap();
        assert_eq!(stock.available(at(99)), 0);
        assert_eq!(stock.available(at(100)), 1);
    }

    #[test]
    fn an_expired_hold_cannot_be_committed() {
        let mut stock = Stock::new(1);
        stock.reserve(key("a"), 1, at(100), at(0)).unwrap();
        assert_eq!(stock.commit(&key("a"), at(100)), Err(StockError::Expired));
        assert_eq!(stock.available(at(100)), 1);
    }

    #[test]
    fn a_clock_that_steps_back_does_not_revive_an_expired_hold() {
        let mut stock = Stock::new(1);
        stock.reserve(key("a"), 1, at(100), at(0)).unwrap();
        stock.reserve(key("b"), 1, at(300), at(200)).unwrap();
        assert_eq!(stock.commit(&key("a"), at(50)), Err(StockError::Expired));
        assert_eq!(stock.available(at(50)), 0);
        // Nor does it make a new hold out of an instant that the shelf has already passed.
        let mut stock = Stock::new(2);
        stock.take(key("sold"), 1, at(200)).unwrap();
        stock.reserve(key("c"), 1, at(150), at(50)).unwrap();
        assert_eq!(stock.hold(&key("c"), at(50)), Some(HoldState::Expired));
    }

    #[test]
    fn every_operation_repeated_changes_nothing() {
        let mut stock = Stock::new(3);
        for _ in 0..2 {
            stock.reserve(key("a"), 1, at(100), at(0)).unwrap();
            assert_eq!(stock.available(at(0)), 2);
        }
        for _ in 0..2 {
            stock.commit(&key("a"), at(1)).unwrap();
            assert_eq!((stock.committed(), stock.available(at(1))), (1, 2));
        }
        for _ in 0..2 {
            stock.release(key("a"), at(2));
            assert_eq!((stock.committed(), stock.available(at(2))), (0, 3));
        }
    }

    #[test]
    fn a_released_key_never_holds_again() {
        let mut stock = Stock::new(1);
        stock.release(key("a"), at(0));
        assert_eq!(stock.reserve(key("a"), 1, at(100), at(1)), Err(StockError::Released));
        assert_eq!(stock.available(at(1)), 1);
    }

    #[test]
    fn a_hold_that_ends_before_it_begins_holds_nothing() {
        let mut stock = Stock::new(1);
        stock.reserve(key("a"), 1, at(5), at(10)).unwrap();
        assert_eq!(stock.hold(&key("a"), at(10)), Some(HoldState::Expired));
        assert_eq!(stock.available(at(10)), 1);
    }
}
