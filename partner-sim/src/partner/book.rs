//! The shelves: how many copies there were at first, and which holds the records imply.

use schemas::Isbn13;

use super::Partner;
use crate::dice::Salt;
use crate::fault::Permille;
use crate::ledger::{OrderEndedBy, OrderState, ReservationState};
use crate::stock::{HoldKey, HoldState, Stock};

impl Partner {
    /// Copies of a book on the first day: scripted, or by the profile's rule.
    pub fn first_on_hand(&self, isbn: Isbn13) -> u32 {
        if let Some(on_hand) = self.scripted_stock.get(&isbn) {
            return *on_hand;
        }
        let rule = self.profile.stock;
        let book = isbn.as_number();
        if rule.carried_permille != Permille::ALWAYS
            && self.dice.fact(Salt::Carried, book) % 1000 >= u64::from(rule.carried_permille.get())
        {
            return 0;
        }
        let span = u64::from(rule.on_hand_max.saturating_sub(rule.on_hand_min)) + 1;
        let more = self.dice.fact(Salt::OnHand, book) % span;
        rule.on_hand_min.saturating_add(u32::try_from(more).unwrap_or(u32::MAX))
    }

    pub(super) fn shelf(&mut self, isbn: Isbn13) -> &mut Stock {
        let on_hand = self.first_on_hand(isbn);
        self.shelves.entry(isbn).or_insert_with(|| Stock::new(on_hand))
    }

    /// Rebuilds the shelves from the records, after [`Partner::restore`].
    pub fn restock(&mut self) {
        self.shelves.clear();
        let mut holds = Vec::new();
        for (key, reservation) in &self.reservations {
            let Some(isbn) = reservation.isbn else { continue };
            let state = match &reservation.state {
                ReservationState::Held { until, .. } => HoldState::Active { until: *until },
                ReservationState::Committed { .. } => HoldState::Committed,
                ReservationState::Released { .. } => HoldState::Released,
                ReservationState::Open | ReservationState::Refused { .. } => continue,
            };
            holds.push((isbn, HoldKey::Reservation(key.clone()), reservation.quantity, state));
        }
        for (key, order) in &self.orders {
            let (Some(terms), OrderState::Accepted { end, .. }) = (&order.terms, &order.state)
            else {
                continue;
            };
            if terms.reservation_key.is_some() {
                continue;
            }
            let given_back = end.is_some_and(|end| end.by == OrderEndedBy::Broker);
            let state = if given_back { HoldState::Released } else { HoldState::Committed };
            holds.push((terms.isbn, HoldKey::Order(key.clone()), terms.quantity, state));
        }
        for (isbn, key, quantity, state) in holds {
            self.shelf(isbn).restore(key, u32::from(quantity), state);
        }
    }
}
