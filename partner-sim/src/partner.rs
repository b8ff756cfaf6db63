//! One bookstore, without IO: a message and `now` in, answers with their delivery instants out.
//!
//! A store remembers one record per key and decides by it before it looks at anything else, so
//! that a copy of a command gets the answer of the first one. What it remembers is the ledger:
//! everything a store needs to go on after a restart is in its records.

mod answer;
mod book;
mod holds;
mod orders;
mod place;
mod quote;

use std::collections::BTreeMap;

use schemas::id::Key;
use schemas::partner::{
    Cancel, Lookup, PartnerNotice, PartnerReply, Place, QuoteAnswers, QuoteRequests, Release,
    Reserve,
};
use schemas::{Isbn13, PartnerId, Timestamp};

use crate::delivery::Scheduled;
use crate::dice::{Dice, fnv1a, mix};
use crate::fault::Fault;
use crate::ledger::{LedgerEntry, OrderRecord, PartnerLedger, ReservationRecord};
use crate::price::{PriceList, ScriptedPrice};
use crate::profile::Profile;
use crate::stock::Stock;

/// What a store can be asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PartnerRequest {
    Quote(QuoteRequests),
    Reserve(Reserve),
    Release(Release),
    Place(Place),
    Cancel(Cancel),
    Lookup(Lookup),
}

/// What a store says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PartnerMessage {
    Quotes(QuoteAnswers),
    Reply(PartnerReply),
    Notice(PartnerNotice),
}

impl PartnerMessage {
    /// The body on the wire.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Quotes(answers) => schemas::json::encode(answers),
            Self::Reply(reply) => schemas::json::encode(reply),
            Self::Notice(notice) => schemas::json::encode(notice),
        }
    }
}

/// One message from a store and where it goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartnerAnswer {
    pub subject: String,
    /// `Nats-Msg-Id` of what travels through a stream; none for live quotes.
    pub message_id: Option<String>,
    pub message: PartnerMessage,
}

/// A simulated bookstore.
#[derive(Debug, Clone)]
pub struct Partner {
    id: PartnerId,
    profile: Profile,
    dice: Dice,
    /// Marks quote ids as written by this store.
    secret: u64,
    prices: PriceList,
    scripted_stock: BTreeMap<Isbn13, u32>,
    shelves: BTreeMap<Isbn13, Stock>,
    orders: BTreeMap<Key, OrderRecord>,
    reservations: BTreeMap<Key, ReservationRecord>,
    struck: BTreeMap<Fault, u64>,
    /// Keys whose record changed since the last [`Partner::take_changes`]; `None`: not tracked.
    changed: Option<Vec<Changed>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Changed {
    Order(Key),
    Reservation(Key),
}

impl Partner {
    /// `seed` is the world's: every store derives its own chance from it and its id.
    pub fn new(id: PartnerId, profile: Profile, seed: u64) -> Self {
        let dice = Dice::new(seed, id.as_str());
        let secret = mix(mix(seed, 0x5ec7e7), fnv1a(id.as_str().as_bytes()));
        let prices = PriceList::new(seed, id.as_str(), profile.pricing.clone());
        Self {
            id,
            profile,
            dice,
            secret,
            prices,
            scripted_stock: BTreeMap::new(),
            shelves: BTreeMap::new(),
            orders: BTreeMap::new(),
            reservations: BTreeMap::new(),
            struck: BTreeMap::new(),
            changed: None,
        }
    }

    pub fn id(&self) -> &PartnerId {
        &self.id
    }

    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// Sets the copies of one book. To be called before the first message.
    pub fn script_stock(&mut self, isbn: Isbn13, on_hand: u32) {
        self.scripted_stock.insert(isbn, on_hand);
    }

    /// Sets the price of one book.
    pub fn script_price(&mut self, isbn: Isbn13, price: ScriptedPrice) {
        self.prices.script(isbn, price);
    }

    /// Decides one message. Answers are in no particular order; each has its delivery instant,
    /// which is `now` for a store without latency. An empty list is an answer too: silence.
    pub fn handle(
        &mut self,
        request: PartnerRequest,
        now: Timestamp,
    ) -> Vec<Scheduled<PartnerAnswer>> {
        match request {
            PartnerRequest::Quote(questions) => self.quote(questions, now),
            PartnerRequest::Reserve(reserve) => self.reserve(&reserve, now),
            PartnerRequest::Release(release) => self.release(&release, now),
            PartnerRequest::Place(place) => self.place(&place, now),
            PartnerRequest::Cancel(cancel) => self.cancel(&cancel, now),
            PartnerRequest::Lookup(lookup) => self.lookup(&lookup, now),
        }
    }

    /// Copies of a book that could be held or sold now.
    pub fn available(&self, isbn: Isbn13, now: Timestamp) -> u32 {
        match self.shelves.get(&isbn) {
            Some(shelf) => shelf.available(now),
            None => self.first_on_hand(isbn),
        }
    }

    pub fn order(&self, key: &Key) -> Option<&OrderRecord> {
        self.orders.get(key)
    }

    pub fn reservation(&self, key: &Key) -> Option<&ReservationRecord> {
        self.reservations.get(key)
    }

    /// Everything this store did, in key order.
    pub fn ledger(&self) -> PartnerLedger {
        PartnerLedger {
            orders: self.orders.values().cloned().collect(),
            reservations: self.reservations.values().cloned().collect(),
        }
    }

    /// How often each fault struck in this life.
    pub fn faults_struck(&self) -> &BTreeMap<Fault, u64> {
        &self.struck
    }

    /// From now on remember which records change, for [`Partner::take_changes`].
    pub fn track_changes(&mut self) {
        self.changed.get_or_insert_default();
    }

    /// The records created or changed since the last call, as they are now.
    pub fn take_changes(&mut self) -> Vec<LedgerEntry> {
        let changed = self.changed.as_mut().map(std::mem::take).unwrap_or_default();
        let entry = |changed: &Changed| match changed {
            Changed::Order(key) => {
                self.orders.get(key).map(|o| LedgerEntry::Order(Box::new(o.clone())))
            }
            Changed::Reservation(key) => {
                self.reservations.get(key).map(|r| LedgerEntry::Reservation(Box::new(r.clone())))
            }
        };
        changed.iter().filter_map(entry).collect()
    }

    fn count(&mut self, faults: &[Fault]) {
        for fault in faults {
            *self.struck.entry(*fault).or_default() += 1;
        }
    }

    fn mark(&mut self, changed: Changed) {
        if let Some(list) = &mut self.changed
            && !list.contains(&changed)
        {
            list.push(changed);
        }
    }
}

/// Deterministic tests and restarts need the records back in the store.
impl Partner {
    /// Puts a record of an earlier life back; the last one of a key counts. Stock follows from
    /// the records: call [`Partner::restock`] after the last one.
    pub fn restore(&mut self, entry: LedgerEntry) {
        match entry {
            LedgerEntry::Order(order) => {
                self.orders.insert(order.placement_key.clone(), *order);
            }
            LedgerEntry::Reservation(reservation) => {
                self.reservations.insert(reservation.reservation_key.clone(), *reservation);
            }
            LedgerEntry::Payment(_) => {}
        }
    }
}
