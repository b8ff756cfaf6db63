//! What stores have said lately, per book and store, in two layers: of the item itself (its price
//! and how many there are) and of the item delivered to a zone (the offer that can be bought).
//!
//! An offer is reused without asking again only while the store itself keeps its word (its
//! `valid_until`), for 30 to 90 seconds at most, and only if the store has plenty. Whatever is
//! bought by it is checked once more by the store when it reserves or places, with the price as a
//! cap.

use std::collections::{BTreeMap, HashMap, VecDeque};

use schemas::{Condition, Currency, DurationMs, Isbn13, Timestamp};

use super::Wanted;
use super::freshness::Freshness;
use crate::partner::PartnerIndex;
use crate::policy::Policy;
use crate::quote::Quote;

/// Answers kept; the oldest are forgotten first. Forgetting one costs a question.
pub(in crate::engine) const ANSWERS_MAX: usize = 50_000;
/// "I have none" is believed between so long …
const NONE_TTL_MIN: DurationMs = DurationMs::from_secs(10);
/// … and so long.
const NONE_TTL_MAX: DurationMs = DurationMs::from_secs(15);

#[derive(Debug)]
pub(in crate::engine) struct OfferCache {
    /// Looked up by book, never iterated: order must not depend on a hasher.
    books: HashMap<Isbn13, BTreeMap<PartnerIndex, Shelf>>,
    /// In the order in which they were heard.
    heard: VecDeque<(Isbn13, PartnerIndex, Timestamp)>,
    freshness: Vec<Freshness>,
}

/// What one store has said about one book.
#[derive(Debug, Default)]
struct Shelf {
    items: Vec<Item>,
    answers: Vec<Answer>,
}

/// The item layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Item {
    condition: Condition,
    currency: Currency,
    /// Of one copy, minor units, rounded up.
    each: u64,
    in_stock: u32,
    checked_at: Timestamp,
}

/// The zone layer.
#[derive(Debug)]
struct Answer {
    wanted: Wanted,
    said: Said,
    checked_at: Timestamp,
    fresh_until: Timestamp,
}

/// What a store said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::engine) enum Said {
    Offer(Quote),
    NoStock,
}

impl OfferCache {
    pub(in crate::engine) fn new(partners: usize) -> Self {
        Self {
            books: HashMap::new(),
            heard: VecDeque::new(),
            freshness: vec![Freshness::default(); partners],
        }
    }

    /// A store has answered: with an offer, or that it has none. Of a store whose answers are good
    /// for one request only the item layer is kept.
    pub(in crate::engine) fn heard(
        &mut self,
        partner: PartnerIndex,
        wanted: &Wanted,
        offer: Option<&Quote>,
        now: Timestamp,
        policy: &Policy,
    ) {
        let profile = policy.partners.at(partner);
        let shares = profile.shares_quotes();
        if offer.is_none() && !shares {
            return;
        }
        let shelf = self.books.entry(wanted.isbn).or_default().entry(partner).or_default();
        let freshness = &mut self.freshness[usize::from(partner.0)];
        if let Some(quote) = offer {
            shelf.note_item(quote, wanted.quantity, freshness, now);
        }
        if shares {
            let ttl = profile.offer_ttl.unwrap_or_else(|| freshness.ttl());
            let (said, fresh_until) = dated(offer, ttl, (wanted.isbn, partner, now));
            shelf.answers.retain(|answer| answer.is_kept(now) && answer.wanted != *wanted);
            let answer = Answer { wanted: wanted.clone(), said, checked_at: now, fresh_until };
            shelf.answers.push(answer);
        }
        self.heard.push_back((wanted.isbn, partner, now));
        self.forget_the_oldest(now);
    }

    /// What the store has said to this very question, and how long ago, if that is still believed.
    /// With `spare` an offer is, as long as the store keeps its word.
    pub(in crate::engine) fn said(
        &self,
        partner: PartnerIndex,
        wanted: &Wanted,
        spare: bool,
        now: Timestamp,
    ) -> Option<(&Said, DurationMs)> {
        let shelf = self.books.get(&wanted.isbn)?.get(&partner)?;
        let answer = shelf.answers.iter().find(|answer| answer.wanted == *wanted)?;
        let until = match &answer.said {
            Said::Offer(quote) if spare => quote.valid_until,
            Said::Offer(_) | Said::NoStock => answer.fresh_until,
        };
        (until > now).then_some((&answer.said, now.since(answer.checked_at)))
    }

    /// Copies the store was last known to have.
    pub(in crate::engine) fn in_stock(
        &self,
        partner: PartnerIndex,
        isbn: Isbn13,
        condition: Condition,
    ) -> Option<u32> {
        let shelf = self.books.get(&isbn)?.get(&partner)?;
        let items = shelf.items.iter().filter(|item| item.condition == condition);
        items.max_by_key(|item| item.checked_at).map(|item| item.in_stock)
    }

    /// Copies were held or sold there: what it said before counts them still.
    pub(in crate::engine) fn taken(
        &mut self,
        partner: PartnerIndex,
        isbn: Isbn13,
        condition: Condition,
        copies: u8,
    ) {
        let Some(shelf) = self.books.get_mut(&isbn).and_then(|stores| stores.get_mut(&partner))
        else {
            return;
        };
        for item in shelf.items.iter_mut().filter(|item| item.condition == condition) {
            item.in_stock = item.in_stock.saturating_sub(copies.into());
        }
    }

    /// It did not keep its word about this book: nothing it has said of it counts any more.
    pub(in crate::engine) fn forget(&mut self, partner: PartnerIndex, isbn: Isbn13) {
        if let Some(stores) = self.books.get_mut(&isbn) {
            stores.remove(&partner);
            if stores.is_empty() {
                self.books.remove(&isbn);
            }
        }
    }

    fn forget_the_oldest(&mut self, now: Timestamp) {
        while let Some((isbn, partner, at)) = self.heard.front().copied() {
            let old = at.saturating_add(DurationMs::from_secs(120)) <= now;
            if !old && self.heard.len() <= ANSWERS_MAX {
                return;
            }
            self.heard.pop_front();
            let Some(stores) = self.books.get_mut(&isbn) else { continue };
            let Some(shelf) = stores.get_mut(&partner) else { continue };
            shelf.answers.retain(|answer| answer.checked_at > at);
            shelf.items.retain(|item| item.checked_at > at);
            if shelf.answers.is_empty() && shelf.items.is_empty() {
                self.forget(partner, isbn);
            }
        }
    }
}

impl Answer {
    /// It may serve somebody yet, if only under load.
    fn is_kept(&self, now: Timestamp) -> bool {
        match &self.said {
            Said::Offer(quote) => quote.valid_until > now,
            Said::NoStock => self.fresh_until > now,
        }
    }
}

impl Shelf {
    fn note_item(
        &mut self,
        quote: &Quote,
        quantity: u8,
        freshness: &mut Freshness,
        now: Timestamp,
    ) {
        let item = Item {
            condition: quote.condition,
            currency: quote.currency,
            each: quote.item.div_ceil(u64::from(quantity.max(1))),
            in_stock: quote.in_stock,
            checked_at: now,
        };
        let same = |known: &&mut Item| {
            known.condition == item.condition && known.currency == item.currency
        };
        match self.items.iter_mut().find(same) {
            Some(known) => {
                freshness.looked_again(now.since(known.checked_at), known.each != item.each);
                *known = item;
            }
            None => self.items.push(item),
        }
    }
}

/// An answer and until when it is believed; an offer for `ttl`.
fn dated(
    offer: Option<&Quote>,
    ttl: DurationMs,
    heard: (Isbn13, PartnerIndex, Timestamp),
) -> (Said, Timestamp) {
    let (isbn, partner, now) = heard;
    match offer {
        Some(quote) => {
            let until = now.saturating_add(jittered(ttl, isbn, partner, now));
            (Said::Offer(quote.clone()), until.min(quote.valid_until))
        }
        None => {
            let spread = NONE_TTL_MAX.0 - NONE_TTL_MIN.0 + 1;
            let ttl = NONE_TTL_MIN.0 + spice(isbn, partner, now) % spread;
            (Said::NoStock, now.saturating_add(DurationMs(ttl)))
        }
    }
}

/// Ten per cent more or less, so that what was asked together is not asked again together.
fn jittered(ttl: DurationMs, isbn: Isbn13, partner: PartnerIndex, now: Timestamp) -> DurationMs {
    let share = 900 + spice(isbn, partner, now) % 201;
    DurationMs(ttl.0.saturating_mul(share) / 1000)
}

/// The same for the same answer, else as good as random.
fn spice(isbn: Isbn13, partner: PartnerIndex, now: Timestamp) -> u64 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&isbn.as_number().to_be_bytes());
    hasher.update(&partner.0.to_be_bytes());
    hasher.update(&now.as_unix_ms().to_be_bytes());
    let mut first = [0; 8];
    first.copy_from_slice(&hasher.finalize().as_bytes()[..8]);
    u64::from_be_bytes(first)
}
