//! Reserve and release: holds on stock with a time to live.

use schemas::id::{Key, ReservationId};
use schemas::partner::{CommandHeader, PartnerOutcome, Release, Reserve};
use schemas::{DurationMs, Timestamp};

use super::answer::{Copy, Verdict, refused};
use super::{Changed, Partner, PartnerAnswer};
use crate::delivery::Scheduled;
use crate::dice::Lane;
use crate::fault::Fault;
use crate::ledger::{Asked, Decisions, ReservationRecord, ReservationState};
use crate::stock::HoldKey;

impl Partner {
    pub(super) fn reserve(
        &mut self,
        reserve: &Reserve,
        now: Timestamp,
    ) -> Vec<Scheduled<PartnerAnswer>> {
        let key = &reserve.reservation_key;
        let mut record = self.take_reservation(key, &reserve.header);
        record.copies += 1;
        let decisions = &record.decisions;
        let not_after = Some(reserve.not_after);
        let copy = Copy::new(&reserve.header, Asked::Reserve, key.as_str(), decisions, not_after);
        let verdict = match self.lost(&copy) {
            Some(lost) => lost,
            None if self.profile.key_first => known_hold(&record)
                .map(Verdict::new)
                .unwrap_or_else(|| self.decide_hold(reserve, &copy, &mut record, now)),
            None => match self.busy(&copy).or_else(|| self.late(&copy, now)) {
                Some(hasty) => hasty,
                None => known_hold(&record)
                    .map(Verdict::new)
                    .unwrap_or_else(|| self.decide_hold(reserve, &copy, &mut record, now)),
            },
        };
        self.close_hold(&copy, verdict, record, now)
    }

    pub(super) fn release(
        &mut self,
        release: &Release,
        now: Timestamp,
    ) -> Vec<Scheduled<PartnerAnswer>> {
        let key = &release.reservation_key;
        let mut record = self.take_reservation(key, &release.header);
        let copy =
            Copy::new(&release.header, Asked::Release, key.as_str(), &record.decisions, None);
        let hindered = self.lost(&copy).or_else(|| self.busy(&copy));
        let verdict =
            hindered.unwrap_or_else(|| Verdict::new(self.decide_release(key, &mut record, now)));
        self.close_hold(&copy, verdict, record, now)
    }

    fn decide_hold(
        &mut self,
        reserve: &Reserve,
        copy: &Copy<'_>,
        record: &mut ReservationRecord,
        now: Timestamp,
    ) -> Verdict {
        if let Some(hindered) = self.busy(copy).or_else(|| self.late(copy, now)) {
            return hindered;
        }
        record.isbn = Some(reserve.isbn);
        record.quantity = reserve.quantity;
        let chance = self.profile.faults.no_stock_permille;
        if self.dice.strikes(Lane::Command, Fault::NoStock, copy.roll, chance) {
            let verdict = refuse_hold(record, "sold out in the meantime", now);
            return Verdict { faults: vec![Fault::NoStock], ..verdict };
        }
        if !self.profile.reservation {
            return refuse_hold(record, "this store holds no stock", now);
        }
        if let Err(why) = self.own_quote(&reserve.quote_id, reserve.isbn, reserve.quantity) {
            return refuse_hold(record, why, now);
        }
        let ttl = DurationMs(reserve.ttl_ms.as_ms().min(self.profile.hold_max_ms));
        let until = now.saturating_add(ttl);
        let hold = HoldKey::Reservation(reserve.reservation_key.clone());
        let quantity = u32::from(reserve.quantity);
        if self.shelf(reserve.isbn).reserve(hold, quantity, until, now).is_err() {
            return refuse_hold(record, "not enough copies in stock", now);
        }
        let id = format!("rsv-{}", reserve.reservation_key);
        let reservation_id = ReservationId::parse(&id).expect("a key with a prefix fits");
        record.state = ReservationState::Held {
            reservation_id: reservation_id.clone(),
            reserved_at: now,
            until,
        };
        Verdict::new(PartnerOutcome::Reserved { reservation_id, valid_until: until })
    }

    fn decide_release(
        &mut self,
        key: &Key,
        record: &mut ReservationRecord,
        now: Timestamp,
    ) -> PartnerOutcome {
        match &record.state {
            ReservationState::Held { .. } => {
                if let Some(isbn) = record.isbn {
                    self.shelf(isbn).release(HoldKey::Reservation(key.clone()), now);
                }
                record.state = ReservationState::Released { at: now };
                PartnerOutcome::Released
            }
            ReservationState::Released { .. } => PartnerOutcome::Released,
            ReservationState::Committed { .. } => {
                refused("the hold became an order; cancel the order", false)
            }
            ReservationState::Refused { .. } => PartnerOutcome::NotFound { final_for_key: true },
            ReservationState::Open if self.profile.fences_cancel => {
                record.state = ReservationState::Released { at: now };
                PartnerOutcome::NotFound { final_for_key: true }
            }
            ReservationState::Open => PartnerOutcome::NotFound { final_for_key: false },
        }
    }

    fn take_reservation(&mut self, key: &Key, header: &CommandHeader) -> ReservationRecord {
        self.reservations.remove(key).unwrap_or_else(|| ReservationRecord {
            partner: self.id.clone(),
            reservation_key: key.clone(),
            request_id: header.request_id,
            attempt: header.attempt,
            isbn: None,
            quantity: 0,
            state: ReservationState::Open,
            copies: 0,
            decisions: Decisions::default(),
        })
    }

    fn close_hold(
        &mut self,
        copy: &Copy<'_>,
        verdict: Verdict,
        mut record: ReservationRecord,
        now: Timestamp,
    ) -> Vec<Scheduled<PartnerAnswer>> {
        let answers = self.tell(copy, verdict, &mut record.decisions, now);
        let key = record.reservation_key.clone();
        self.reservations.insert(key.clone(), record);
        self.mark(Changed::Reservation(key));
        answers
    }
}

/// The answer that the key already has. A hold that expired keeps its answer: `valid_until` says
/// that it is over.
fn known_hold(record: &ReservationRecord) -> Option<PartnerOutcome> {
    match &record.state {
        ReservationState::Open => None,
        ReservationState::Refused { reason, .. } => Some(refused(reason, true)),
        ReservationState::Held { reservation_id, until, .. }
        | ReservationState::Committed { reservation_id, until, .. } => {
            Some(PartnerOutcome::Reserved {
                reservation_id: reservation_id.clone(),
                valid_until: *until,
            })
        }
        ReservationState::Released { .. } => Some(refused("this key was released", true)),
    }
}

fn refuse_hold(record: &mut ReservationRecord, reason: &str, now: Timestamp) -> Verdict {
    record.state = ReservationState::Refused { reason: reason.to_owned(), at: now };
    Verdict::new(refused(reason, true))
}
