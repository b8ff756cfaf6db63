//! Placing an order: key first, then this copy's deadline, then the terms, stock last.

use schemas::directory::LookupKind;
use schemas::id::{Key, OrderId};
use schemas::money::AMOUNT_MAX_MINOR;
use schemas::partner::{PartnerNews, PartnerOutcome, Place};
use schemas::text::Text;
use schemas::{DurationMs, Isbn13, Money, Timestamp};

use super::answer::{Copy, Told, Verdict, notice_subject, refused, same_owner};
use super::{Changed, Partner, PartnerAnswer};
use crate::delivery::Scheduled;
use crate::dice::{Lane, Salt};
use crate::fault::{Fault, Permille};
use crate::ledger::{
    Asked, OrderEnd, OrderEndedBy, OrderRecord, OrderState, OrderTerms, ReservationState,
};
use crate::quote_token::QuoteTerms;
use crate::stock::{HoldKey, StockError};

impl Partner {
    pub(super) fn place(&mut self, place: &Place, now: Timestamp) -> Vec<Scheduled<PartnerAnswer>> {
        if self.profile.forgets_keys && self.forget(&place.placement_key) {
            // What was held for it went into the forgotten order.
            return self.place_copy(&Place { reservation_key: None, ..place.clone() }, now);
        }
        self.place_copy(place, now)
    }

    fn place_copy(&mut self, place: &Place, now: Timestamp) -> Vec<Scheduled<PartnerAnswer>> {
        let key = &place.placement_key;
        let mut record = self.take_order(key, &place.header);
        record.copies += 1;
        if !note_terms(&mut record, place) {
            record.conflicting_copies += 1;
        }
        let not_after = Some(place.not_after);
        let copy =
            Copy::new(&place.header, Asked::Place, key.as_str(), &record.decisions, not_after);
        let fresh = matches!(record.state, OrderState::Open);
        let verdict = match self.lost(&copy) {
            Some(lost) => lost,
            None => self.place_verdict(place, &copy, &mut record, now),
        };
        let mut answers = self.tell(&copy, verdict, &mut record.decisions, now);
        if fresh {
            self.announce(place, &copy, &record, &mut answers, now);
        }
        self.orders.insert(key.clone(), record);
        self.mark(Changed::Order(key.clone()));
        answers
    }

    /// Files the accepted order of a key away under another one; whether there was one.
    fn forget(&mut self, key: &Key) -> bool {
        let sold = |o: &OrderRecord| matches!(o.state, OrderState::Accepted { .. });
        let Some(mut record) = self.orders.get(key).filter(|o| sold(o)).cloned() else {
            return false;
        };
        let named =
            |n: u32| Key::parse(&format!("{key}-{n}")).expect("keys leave room for a number");
        let unused = (1..).map(named).find(|name| !self.orders.contains_key(name));
        let filed = unused.expect("numbers do not run out");
        record.placement_key = filed.clone();
        self.orders.remove(key);
        self.orders.insert(filed.clone(), record);
        self.mark(Changed::Order(filed));
        true
    }

    /// Key first, unless this is the bad kind of store, which may refuse a copy of what it has
    /// already accepted. It never sells twice, though: it looks the key up in the end.
    fn place_verdict(
        &mut self,
        place: &Place,
        copy: &Copy<'_>,
        record: &mut OrderRecord,
        now: Timestamp,
    ) -> Verdict {
        if !self.profile.key_first
            && let Some(hasty) = self.hasty_refusal(place, copy, now)
        {
            return hasty;
        }
        match known_order(record, now) {
            Some(known) => Verdict::new(known),
            None => self.decide_place(place, copy, record, now),
        }
    }

    fn hasty_refusal(&self, place: &Place, copy: &Copy<'_>, now: Timestamp) -> Option<Verdict> {
        if let Some(hindered) = self.busy(copy) {
            return Some(hindered);
        }
        if copy.is_late(now) && self.profile.honours_not_after {
            return Some(Verdict::new(refused("arrived after its not_after", false)));
        }
        let short = place.reservation_key.is_none()
            && self.available(place.isbn, now) < u32::from(place.quantity);
        short.then(|| Verdict::new(refused("not enough copies in stock", false)))
    }

    fn decide_place(
        &mut self,
        place: &Place,
        copy: &Copy<'_>,
        record: &mut OrderRecord,
        now: Timestamp,
    ) -> Verdict {
        if let Some(hindered) = self.busy(copy).or_else(|| self.late(copy, now)) {
            return hindered;
        }
        let mut faults = Vec::new();
        let decided = self
            .price(place, copy, &mut faults, now)
            .and_then(|total| self.sell(place, copy, &mut faults, now).map(|()| total));
        let mut verdict = match decided {
            Ok(total) => self.accept(place, copy, record, (total, &mut faults), now),
            Err(reason) => {
                record.state = OrderState::Refused { reason: reason.to_owned(), at: now };
                Verdict::new(refused(reason, true))
            }
        };
        verdict.faults = faults;
        verdict
    }

    /// What the order will be charged, or why the terms are refused for good.
    fn price(
        &self,
        place: &Place,
        copy: &Copy<'_>,
        faults: &mut Vec<Fault>,
        now: Timestamp,
    ) -> Result<Money, &'static str> {
        let quote = self.own_quote(&place.quote_id, place.isbn, place.quantity)?;
        if !quote.condition.satisfies(place.condition) {
            return Err("the quote was for a copy in worse condition");
        }
        if quote.country != place.destination.country {
            return Err("the quote was for another country");
        }
        // A hold keeps its price: that is what it is for.
        if place.reservation_key.is_none() && now > quote.valid_until {
            return Err("the quote has expired");
        }
        if place.price_cap.currency() != quote.currency {
            return Err("the price cap is in another currency than the quote");
        }
        let cap = place.price_cap.minor();
        let mut total = quote.total;
        let rules = self.profile.faults;
        if self.order_fault(copy, Fault::PriceRaised, rules.price_raised_permille, faults) {
            let raise = u64::from(rules.price_raise_permille);
            total = total.saturating_add((total / 1000).max(1).saturating_mul(raise));
        }
        if self.order_fault(copy, Fault::PriceAboveCap, rules.price_above_cap_permille, faults) {
            total = cap.saturating_add(1).saturating_add(cap / 10);
        } else if total > cap {
            return Err("the price is above the cap");
        }
        Ok(Money::new(total.min(AMOUNT_MAX_MINOR), quote.currency)
            .expect("an amount cut at the largest one is valid"))
    }

    /// Takes the copies off the shelf, or says for good why not.
    fn sell(
        &mut self,
        place: &Place,
        copy: &Copy<'_>,
        faults: &mut Vec<Fault>,
        now: Timestamp,
    ) -> Result<(), &'static str> {
        let chance = self.profile.faults.no_stock_permille;
        if self.order_fault(copy, Fault::NoStock, chance, faults) {
            return Err("sold out in the meantime");
        }
        match &place.reservation_key {
            Some(reservation) => self.commit_hold(place, reservation, now),
            None => {
                let hold = HoldKey::Order(place.placement_key.clone());
                let sold = self.shelf(place.isbn).take(hold, u32::from(place.quantity), now);
                sold.map_err(|_| "not enough copies in stock")
            }
        }
    }

    fn commit_hold(
        &mut self,
        place: &Place,
        reservation: &Key,
        now: Timestamp,
    ) -> Result<(), &'static str> {
        let record = self.reservations.get(reservation).ok_or("there is no such reservation")?;
        if record.isbn != Some(place.isbn)
            || record.quantity != place.quantity
            || !same_owner(&place.header, record.request_id, record.attempt)
        {
            return Err("the reservation was made for something else");
        }
        let (reservation_id, until) = match &record.state {
            ReservationState::Held { reservation_id, until, .. } => {
                (reservation_id.clone(), *until)
            }
            ReservationState::Committed { .. } => return Err("the reservation is used up"),
            ReservationState::Released { .. } => return Err("the reservation was released"),
            ReservationState::Open | ReservationState::Refused { .. } => {
                return Err("there is no such reservation");
            }
        };
        let hold = HoldKey::Reservation(reservation.clone());
        self.shelf(place.isbn).commit(&hold, now).map_err(|why| match why {
            StockError::Expired => "the reservation has expired",
            _ => "the reservation is gone",
        })?;
        if let Some(record) = self.reservations.get_mut(reservation) {
            let placement_key = place.placement_key.clone();
            record.state =
                ReservationState::Committed { reservation_id, placement_key, until, at: now };
        }
        self.mark(Changed::Reservation(reservation.clone()));
        Ok(())
    }

    fn accept(
        &mut self,
        place: &Place,
        copy: &Copy<'_>,
        record: &mut OrderRecord,
        (total, faults): (Money, &mut Vec<Fault>),
        now: Timestamp,
    ) -> Verdict {
        let rules = self.profile.faults;
        let lies = self.order_fault(
            copy,
            Fault::ConfirmThenCancel,
            rules.confirm_then_cancel_permille,
            faults,
        );
        let end = lies.then(|| OrderEnd {
            at: now.saturating_add(DurationMs(rules.cancel_after_ms)),
            by: OrderEndedBy::Partner,
        });
        let order_id = OrderId::parse(&format!("ord-{}", place.placement_key))
            .expect("a key with a prefix fits");
        let visible_at = match self.profile.lookup {
            LookupKind::Eventual => {
                let settle = self.profile.settle_ms;
                let delay = self.dice.below(Lane::Command, Salt::Visible, copy.roll, settle);
                now.saturating_add(DurationMs(delay))
            }
            LookupKind::None | LookupKind::ReadYourWrites => now,
        };
        record.state = OrderState::Accepted {
            order_id: order_id.clone(),
            total,
            accepted_at: now,
            visible_at,
            end,
        };
        self.order_fault(copy, Fault::SecondOrder, rules.second_order_permille, faults);
        let chance = rules.accepted_without_answer_permille;
        let mute = self.order_fault(copy, Fault::AcceptedWithoutAnswer, chance, faults);
        let told = if mute || self.profile.confirms_by_notice { Told::Not } else { Told::ByReply };
        Verdict { told, ..Verdict::new(PartnerOutcome::Confirmed { order_id, total }) }
    }

    /// What the store says unasked about an order it has just accepted.
    fn announce(
        &mut self,
        place: &Place,
        copy: &Copy<'_>,
        record: &OrderRecord,
        answers: &mut Vec<Scheduled<PartnerAnswer>>,
        now: Timestamp,
    ) {
        let OrderState::Accepted { order_id, total, end, .. } = &record.state else { return };
        let subject = notice_subject(&place.header.reply_to);
        let latency = self.command_latency(copy.roll);
        let mute = record.decisions.struck_by(Fault::AcceptedWithoutAnswer);
        if self.profile.confirms_by_notice && !mute {
            let news = PartnerNews::OrderConfirmed { order_id: order_id.clone(), total: *total };
            let when = (copy.roll, now.saturating_add(latency));
            let to = (&place.header, subject.clone());
            self.notice(to, &place.placement_key, news, when, answers);
        }
        if let Some(order_id) = record.second_order_id() {
            let news = PartnerNews::OrderConfirmed { order_id, total: *total };
            let when = (copy.roll, now.saturating_add(latency));
            let to = (&place.header, subject.clone());
            self.notice(to, &place.placement_key, news, when, answers);
        }
        if let Some(end) = end {
            let reason = Text::parse("the store cannot deliver after all")
                .expect("reasons are short, printable and not empty");
            let news = PartnerNews::OrderCanceled { order_id: order_id.clone(), reason };
            let when = (copy.roll, end.at.saturating_add(latency));
            self.notice((&place.header, subject), &place.placement_key, news, when, answers);
        }
    }

    fn order_fault(
        &self,
        copy: &Copy<'_>,
        fault: Fault,
        chance: Permille,
        faults: &mut Vec<Fault>,
    ) -> bool {
        let struck = self.dice.strikes(Lane::Command, fault, copy.roll, chance);
        if struck {
            faults.push(fault);
        }
        struck
    }

    /// The quote behind an id, if this store wrote it for that book and number of copies.
    pub(super) fn own_quote(
        &self,
        id: &schemas::id::QuoteId,
        isbn: Isbn13,
        quantity: u8,
    ) -> Result<QuoteTerms, &'static str> {
        let quote = QuoteTerms::from_id(id, self.secret).ok_or("this quote is not ours")?;
        if quote.isbn != isbn {
            return Err("the quote was for another book");
        }
        if quote.quantity != quantity {
            return Err("the quote was for another number of copies");
        }
        Ok(quote)
    }
}

/// The answer that the key already has.
fn known_order(record: &OrderRecord, now: Timestamp) -> Option<PartnerOutcome> {
    match &record.state {
        OrderState::Open => None,
        OrderState::Refused { reason, .. } => Some(refused(reason, true)),
        OrderState::Tombstoned { .. } => {
            Some(refused("this key was canceled before the order came", true))
        }
        OrderState::Accepted { .. } if record.ended(now).is_some() => {
            Some(refused("the order of this key was canceled", true))
        }
        OrderState::Accepted { order_id, total, .. } => {
            Some(PartnerOutcome::Confirmed { order_id: order_id.clone(), total: *total })
        }
    }
}

/// Keeps the terms of the first copy; `false` if this copy's differ.
fn note_terms(record: &mut OrderRecord, place: &Place) -> bool {
    let terms = OrderTerms {
        quote_id: place.quote_id.clone(),
        reservation_key: place.reservation_key.clone(),
        isbn: place.isbn,
        quantity: place.quantity,
        condition: place.condition,
        price_cap: place.price_cap,
        not_after: place.not_after,
        notice_to: notice_subject(&place.header.reply_to),
    };
    *record.terms.get_or_insert_with(|| terms.clone()) == terms
}
