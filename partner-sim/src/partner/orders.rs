//! Cancel and look-up: the two ways to find out, and to make sure.

use schemas::directory::LookupKind;
use schemas::id::Key;
use schemas::partner::{Cancel, CommandHeader, Lookup, PartnerOutcome};
use schemas::{DurationMs, Timestamp};

use super::answer::{Copy, Verdict, refused};
use super::{Changed, Partner, PartnerAnswer};
use crate::delivery::Scheduled;
use crate::ledger::{
    Asked, Decisions, OrderEnd, OrderEndedBy, OrderRecord, OrderState, ReservationState,
};
use crate::stock::HoldKey;

impl Partner {
    pub(super) fn cancel(
        &mut self,
        cancel: &Cancel,
        now: Timestamp,
    ) -> Vec<Scheduled<PartnerAnswer>> {
        self.ask(&cancel.placement_key, &cancel.header, Asked::Cancel, now)
    }

    pub(super) fn lookup(
        &mut self,
        lookup: &Lookup,
        now: Timestamp,
    ) -> Vec<Scheduled<PartnerAnswer>> {
        self.ask(&lookup.placement_key, &lookup.header, Asked::Lookup, now)
    }

    fn ask(
        &mut self,
        key: &Key,
        header: &CommandHeader,
        asked: Asked,
        now: Timestamp,
    ) -> Vec<Scheduled<PartnerAnswer>> {
        let mut record = self.take_order(key, header);
        let copy = Copy::new(header, asked, key.as_str(), &record.decisions, None);
        let verdict = match self.lost(&copy).or_else(|| self.busy(&copy)) {
            Some(hindered) => hindered,
            None if asked == Asked::Cancel => Verdict::new(self.decide_cancel(&mut record, now)),
            None => Verdict::new(self.decide_lookup(&mut record, now)),
        };
        let answers = self.tell(&copy, verdict, &mut record.decisions, now);
        self.orders.insert(key.clone(), record);
        self.mark(Changed::Order(key.clone()));
        answers
    }

    fn decide_cancel(&mut self, record: &mut OrderRecord, now: Timestamp) -> PartnerOutcome {
        let ended = record.ended(now).is_some();
        match &mut record.state {
            OrderState::Accepted { order_id, .. } if ended => {
                PartnerOutcome::Canceled { order_id: order_id.clone() }
            }
            OrderState::Accepted { order_id, accepted_at, end, .. } => {
                if !self.profile.cancel {
                    return refused("orders cannot be canceled here", false);
                }
                let ships_after = self.profile.ships_after_ms.map(DurationMs);
                if ships_after.is_some_and(|after| accepted_at.saturating_add(after) <= now) {
                    return refused("it is on its way", true);
                }
                *end = Some(OrderEnd { at: now, by: OrderEndedBy::Broker });
                let order_id = order_id.clone();
                self.give_back(record, now);
                PartnerOutcome::Canceled { order_id }
            }
            OrderState::Refused { .. } | OrderState::Tombstoned { .. } => {
                PartnerOutcome::NotFound { final_for_key: true }
            }
            OrderState::Open => not_found(record, self.profile.fences_cancel, Asked::Cancel, now),
        }
    }

    fn decide_lookup(&self, record: &mut OrderRecord, now: Timestamp) -> PartnerOutcome {
        if self.profile.lookup == LookupKind::None {
            return refused("orders cannot be looked up here", false);
        }
        let ended = record.ended(now).is_some();
        match &record.state {
            // Not there yet for whoever reads the replica.
            OrderState::Accepted { visible_at, .. } if now < *visible_at => {
                PartnerOutcome::NotFound { final_for_key: false }
            }
            OrderState::Accepted { order_id, .. } if ended => {
                PartnerOutcome::Canceled { order_id: order_id.clone() }
            }
            OrderState::Accepted { order_id, total, .. } => {
                PartnerOutcome::Confirmed { order_id: order_id.clone(), total: *total }
            }
            OrderState::Refused { .. } | OrderState::Tombstoned { .. } => {
                PartnerOutcome::NotFound { final_for_key: true }
            }
            OrderState::Open => not_found(record, self.profile.fences_lookup, Asked::Lookup, now),
        }
    }

    /// Puts the copies of a canceled order back on the shelf.
    fn give_back(&mut self, record: &OrderRecord, now: Timestamp) {
        let Some(terms) = &record.terms else { return };
        let hold = match &terms.reservation_key {
            Some(reservation) => {
                if let Some(hold) = self.reservations.get_mut(reservation) {
                    hold.state = ReservationState::Released { at: now };
                }
                self.mark(Changed::Reservation(reservation.clone()));
                HoldKey::Reservation(reservation.clone())
            }
            None => HoldKey::Order(record.placement_key.clone()),
        };
        self.shelf(terms.isbn).release(hold, now);
    }

    pub(super) fn take_order(&mut self, key: &Key, header: &CommandHeader) -> OrderRecord {
        self.orders.remove(key).unwrap_or_else(|| OrderRecord {
            partner: self.id.clone(),
            placement_key: key.clone(),
            request_id: header.request_id,
            attempt: header.attempt,
            terms: None,
            state: OrderState::Open,
            copies: 0,
            conflicting_copies: 0,
            decisions: Decisions::default(),
        })
    }
}

/// "No such order": final only if the key is tombstoned in the same step.
fn not_found(record: &mut OrderRecord, fences: bool, by: Asked, now: Timestamp) -> PartnerOutcome {
    if fences {
        record.state = OrderState::Tombstoned { by, at: now };
    }
    PartnerOutcome::NotFound { final_for_key: fences }
}
