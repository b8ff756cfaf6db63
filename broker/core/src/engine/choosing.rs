//! Which offer a sweep buys: the best one whose copies are not being bought by others already.

use schemas::purchase::Strategy;
use schemas::{DurationMs, PartnerId, RequestId};

use super::Engine;
use super::hot::Presence;
use super::offers::slots::{SlotKey, Supply};
use super::output::Fact;
use crate::quote::Quote;
use crate::request::{PurchaseRequest, Status, Step};

/// A store whose offers lapse sooner than this may have none left any moment.
const VOLATILE_BELOW: DurationMs = DurationMs::from_secs(5);

/// What may be bought now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Choice {
    /// Somebody is buying the copies; if they leave any, it is this request's turn.
    Wait,
    /// Everything but the offers of these stores: others are buying the last copies they have, or
    /// orders fail there just now and somebody else has the book.
    Go {
        passed_over: Vec<PartnerId>,
        /// Others are buying all the copies that were offered, or have just bought them.
        spoken_for: bool,
    },
}

impl Engine {
    /// Chooses for a sweep that has seen enough, and takes the slot of what it chooses.
    pub(super) fn choose(&mut self, request: RequestId) -> Choice {
        let nothing = Choice::Go { passed_over: Vec::new(), spoken_for: false };
        let Some(hot) = self.hot.get(&request) else { return nothing };
        let (Some(sweep), Presence::Present(record)) = (&hot.sweep, &hot.presence) else {
            return nothing;
        };
        let copies = record.submission.quantity;
        let (mut passed_over, mut busy, mut free) = (Vec::new(), None, None);
        let (mut hopeful, mut some_fail) = (false, false);
        let good = buyable(&sweep.offers, record, self.now);
        let with_slot = |quote| Some((quote, self.slot_of(record, quote)?));
        let good: Vec<(&Quote, SlotKey)> = good.into_iter().filter_map(with_slot).collect();
        let fails = |key: SlotKey| self.board.fails_orders(key.partner, self.now);
        let others_have_it = good.iter().any(|(_, key)| !fails(*key));
        for (quote, key) in good {
            if others_have_it && fails(key) {
                some_fail = true;
                passed_over.push(quote.partner.clone());
                continue;
            }
            let supply = self.supply(key, quote);
            if self.slots.is_free(request, key, copies, supply) {
                free = Some(key);
                break;
            }
            if u32::from(copies) <= supply.copies {
                hopeful |= self.slots.has_hope(request, key, supply);
                busy = busy.or(Some(key));
            }
            passed_over.push(quote.partner.clone());
        }
        let spoken_for = free.is_none() && !passed_over.is_empty() && !some_fail;
        let policy = &self.config.policy;
        let patience = match (free, record.terms.strategy) {
            // It has waited once; the stores have been asked again, and this is what they say.
            (None, _) if record.fruitless > 0 => DurationMs(0),
            (None, _) if hopeful => policy.slot_wait_max,
            (None, _) => policy.slot_wait,
            (Some(_), Strategy::Fast) => DurationMs(0),
            (Some(_), Strategy::Balanced | Strategy::Cheapest) => policy.slot_wait,
        };
        let since = sweep.ready_since.unwrap_or(self.now);
        let latest = record.terms.expires_at.saturating_sub(policy.placement_budget);
        let until = since.saturating_add(patience).min(latest);
        match busy {
            Some(key) if self.now < until => {
                if self.slots.wait(request, key) {
                    self.observe(Fact::WaitsForCopies { partner: key.partner });
                }
                self.look_again(request, until);
                Choice::Wait
            }
            Some(_) | None => {
                if let Some(key) = free {
                    self.slots.hold(request, key, copies);
                    self.board.chosen(key.partner, &self.config.policy.overload, self.now);
                }
                Choice::Go { passed_over, spoken_for }
            }
        }
    }

    fn look_again(&mut self, request: RequestId, until: schemas::Timestamp) {
        let Some(sweep) = self.hot.get_mut(&request).and_then(|hot| hot.sweep.as_mut()) else {
            return;
        };
        sweep.ready_since.get_or_insert(self.now);
        sweep.slot_until = Some(until);
        if sweep.wake <= self.now || until < sweep.wake {
            sweep.wake = until;
        }
        self.register_wake(request);
    }

    fn slot_of(&self, record: &PurchaseRequest, quote: &Quote) -> Option<SlotKey> {
        let partner = self.config.policy.partners.index_of(&quote.partner)?;
        Some(SlotKey { partner, isbn: record.submission.isbn, condition: quote.condition })
    }

    /// What the store has said last, less what was taken since.
    fn supply(&self, key: SlotKey, quote: &Quote) -> Supply {
        let known = self.offers.in_stock(key.partner, key.isbn, key.condition);
        let profile = self.config.policy.partners.at(key.partner);
        let lapses_soon = quote.valid_until.since(self.now) < VOLATILE_BELOW;
        let eventual = profile.lookup == schemas::directory::LookupKind::Eventual;
        Supply { copies: known.unwrap_or(quote.in_stock), volatile: lapses_soon || eventual }
    }

    /// Holds what the request, as it now stands, is about to get from a store, and nothing else.
    pub(super) fn align_slot(&mut self, request: RequestId) {
        let Some(Presence::Present(record)) = self.hot.get(&request).map(|hot| &hot.presence)
        else {
            return;
        };
        let open = record.checkout.as_ref().filter(|_| record.status == Status::Ordering);
        let (copies, isbn) = (record.submission.quantity, record.submission.isbn);
        let undecided = open.filter(|checkout| match checkout.step {
            Step::Reserving { .. } => true,
            Step::Authorizing { .. } | Step::Placing => checkout.reservation.is_none(),
            // Nobody waits for minutes: of a customer, or of a store that does not answer.
            Step::ActionRequired { .. } | Step::PlacementUnknown(_) => false,
            Step::Capturing { .. } | Step::Completed | Step::Failed(_) => false,
        });
        if let Some(key) = undecided.and_then(|checkout| self.slot_of(record, &checkout.quote)) {
            return self.slots.hold(request, key, copies);
        }
        let got = |partner: &PartnerId| {
            record.checkout.as_ref().is_some_and(|checkout| {
                let held = checkout.reservation.is_some() || checkout.order.is_some();
                held && checkout.quote.partner == *partner
            })
        };
        let Some(held) = self.slots.holds(request) else { return };
        if got(&self.config.policy.partners.at(held.partner).id) {
            self.offers.taken(held.partner, isbn, held.condition, copies);
        } else {
            // Refused, or not even tried: what was known of this store's stock is in doubt.
            self.offers.forget(held.partner, isbn);
        }
        self.slots.release(request);
    }

    /// Slots were given back: whoever waited longest looks again.
    pub(super) fn offer_freed_slots(&mut self) {
        while let Some(key) = self.slots.pop_freed() {
            while let Some(request) = self.slots.waiting(key) {
                self.go_on(request);
                if self.slots.waiting(key) == Some(request) {
                    break;
                }
            }
        }
    }
}

/// It is good for the request.
pub(super) fn is_buyable(quote: &Quote, record: &PurchaseRequest, now: schemas::Timestamp) -> bool {
    quote.valid_until > now && quote.is_affordable(record.terms.max_total)
}

/// Offers that are good for the request, best first. Whoever has just let it down comes last.
fn buyable<'a>(
    offers: &'a [Quote],
    record: &PurchaseRequest,
    now: schemas::Timestamp,
) -> Vec<&'a Quote> {
    let mut good: Vec<&Quote> =
        offers.iter().filter(|quote| is_buyable(quote, record, now)).collect();
    let let_down = |quote: &Quote| record.let_down_by() == Some(&quote.partner);
    good.sort_by_cached_key(|quote| (let_down(quote), quote.rank()));
    good
}
