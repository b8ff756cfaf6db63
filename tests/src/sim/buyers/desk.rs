//! Where customers make their plans: chance, ids, books, and the shelves they arrange.

use partner_sim::config::{PriceScript, StockScript};
use schemas::catalog::CatalogEntry;
use schemas::destination::Country;
use schemas::id::PaymentToken;
use schemas::item::ItemIdentifier;
use schemas::purchase::{CreatePurchase, Mode, Strategy};
use schemas::text::Text;
use schemas::{
    Condition, Currency, CustomerId, Destination, DurationMs, Isbn13, Money, PartnerId, RequestId,
    Timestamp,
};

use super::Shelves;
use super::plan::Plan;
use crate::auditor::Route;
use crate::harness::book;
use crate::sim::choices::{Choices, Lane};
use crate::sim::clock::START;
use crate::sim::options::Options;

/// Customers of a run.
const CUSTOMERS: u32 = 4;
/// One who has no request of its own.
pub(super) const STRANGER: u32 = CUSTOMERS;
/// Copies on a shelf that cannot run out, whatever is tried how often.
const PLENTY: u32 = 1_000;
/// The first of the books that plans are made about.
const FIRST_BOOK: u32 = 1_000;

pub(super) struct Desk<'a> {
    pub(super) choices: &'a mut Choices,
    pub(super) options: &'a Options,
    pub(super) partners: Vec<PartnerId>,
    pub(super) shelves: Shelves,
    pub(super) calm: bool,
    /// The book that several customers compete for, and its price.
    pub(super) hot: Option<(Isbn13, u64)>,
    books: u32,
    requests: u32,
}

/// A book on a shelf.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arranged {
    pub(super) isbn: Isbn13,
    /// What one copy costs where it is cheapest and where it is dearest, minor units.
    pub(super) cheapest: u64,
}

impl<'a> Desk<'a> {
    pub(super) fn new(options: &'a Options, choices: &'a mut Choices) -> Self {
        let groups = options.groups();
        Self {
            choices,
            options,
            partners: groups.into_iter().flat_map(|group| group.ids).collect(),
            shelves: Shelves::default(),
            calm: options.is_calm(),
            hot: None,
            books: FIRST_BOOK,
            requests: 0,
        }
    }

    pub(super) fn below(&mut self, bound: u32) -> u32 {
        self.choices.below(Lane::Plan, bound)
    }

    pub(super) fn within(&mut self, low: u32, high: u32) -> u64 {
        u64::from(self.choices.within(Lane::Plan, low, high))
    }

    pub(super) fn pick<T: Copy>(&mut self, items: &[T]) -> T {
        *self.choices.pick(Lane::Plan, items)
    }

    pub(super) fn strikes(&mut self, permille: u32) -> bool {
        self.choices.strikes(Lane::Plan, permille)
    }

    pub(super) fn route(&mut self) -> Route {
        self.pick(&[Route::Stream, Route::Service])
    }

    /// A new plan: customer, id and instant of the request.
    pub(super) fn plan(&mut self) -> Plan {
        let at = START.saturating_add(DurationMs(self.within(1, self.options.arrival_span_ms)));
        let customer = self.below(CUSTOMERS);
        let id = self.id(at);
        Plan::new(self::customer(customer), id, at)
    }

    /// A request id made at an instant. No two of a run are the same.
    pub(super) fn id(&mut self, made_at: Timestamp) -> RequestId {
        self.requests += 1;
        let random = u128::from(self.options.parties_seed) << 32 | u128::from(self.requests);
        // The id takes the upper eighty bits.
        RequestId::from_parts(made_at.as_unix_ms(), random << 48)
    }

    pub(super) fn new_book(&mut self) -> Isbn13 {
        self.books += 1;
        book(self.books)
    }

    /// A new book that every store has, cheapest at one of them.
    pub(super) fn stocked(&mut self) -> Arranged {
        let isbn = self.new_book();
        let cheapest = self.within(500, 3_000);
        let count = u32::try_from(self.partners.len()).expect("a few stores");
        let winner = self.below(count) as usize;
        self.shelve(None, isbn, PLENTY);
        for index in 0..self.partners.len() {
            let more = if index == winner { 0 } else { self.within(1, 900) };
            let partner = self.partners[index].clone();
            self.price(Some(partner), isbn, cheapest + more);
        }
        Arranged { isbn, cheapest }
    }

    /// A new book that no store has.
    pub(super) fn missing(&mut self) -> Isbn13 {
        let isbn = self.new_book();
        self.shelve(None, isbn, 0);
        isbn
    }

    /// A book of which there are fewer copies than customers: at one store, or one at each.
    pub(super) fn hot(&mut self) -> (Isbn13, u64) {
        if let Some(hot) = self.hot
            && !self.strikes(150)
        {
            return hot;
        }
        let (isbn, price) = (self.new_book(), self.within(500, 3_000));
        self.price(None, isbn, price);
        let copies = self.within(1, 3);
        let copies = u32::try_from(copies).expect("at most three");
        if self.strikes(300) {
            self.shelve(None, isbn, copies);
        } else {
            self.shelve(None, isbn, 0);
            let partner = self.partners.first().cloned();
            self.shelve(partner, isbn, copies);
        }
        self.hot = Some((isbn, price));
        (isbn, price)
    }

    fn shelve(&mut self, partner: Option<PartnerId>, isbn: Isbn13, on_hand: u32) {
        self.shelves.stock.push(StockScript { partner, isbn, on_hand });
    }

    fn price(&mut self, partner: Option<PartnerId>, isbn: Isbn13, total: u64) {
        // A part of the price is shipping, tax and fee: only the landed total counts.
        let part = if self.strikes(300) { total / 10 } else { 0 };
        let (shipping, tax, fee) = (part, part, part);
        let item = total - 3 * part;
        self.shelves.price.push(PriceScript { partner, isbn, item, shipping, tax, fee });
    }

    /// The book under a name of the catalog.
    pub(super) fn named(&mut self, isbn: Isbn13) -> ItemIdentifier {
        let title = text(&format!("The Book of {isbn}"));
        let other = text(&format!("shelf:{isbn}"));
        self.shelves.catalog.push(CatalogEntry {
            isbn13: isbn,
            title: title.clone(),
            authors: Vec::new(),
            edition: None,
            other_ids: vec![other.clone()],
        });
        match self.below(2) {
            0 => ItemIdentifier::Title(title),
            _ => ItemIdentifier::Other(other),
        }
    }

    /// A request of a plan: what it does not care about is drawn.
    pub(super) fn create(
        &mut self,
        plan: &Plan,
        item: ItemIdentifier,
        limit: u64,
    ) -> CreatePurchase {
        let country = self.pick(&["US", "DE", "JP"]);
        let currency = self.pick(&[Currency::USD, Currency::EUR, Currency::JPY]);
        let life_ms = self.pick(&[60_000, 600_000, 3_600_000]);
        let life_ms = if self.calm { life_ms } else { self.pick(&[life_ms, 5_000, 15_000]) };
        CreatePurchase {
            request_id: plan.request,
            item,
            quantity: 1,
            max_total: money(limit, currency),
            expires_at: plan.at.saturating_add(DurationMs(life_ms)),
            destination: Destination {
                country: Country::parse(country).expect("two upper-case letters"),
                postal_code: text("10001"),
                address: None,
            },
            payment_token: token("tok_ok"),
            condition: Condition::New,
            strategy: self.pick(&[Strategy::Cheapest, Strategy::Balanced, Strategy::Fast]),
            mode: Mode::OneShot,
            rebuy: self.strikes(250),
        }
    }
}

pub(super) fn customer(number: u32) -> CustomerId {
    CustomerId::parse(&format!("c{number}")).expect("a letter and a digit")
}

pub(super) fn by_isbn(isbn: Isbn13) -> ItemIdentifier {
    ItemIdentifier::Isbn(text(&isbn.to_string()))
}

pub(super) fn text<const MAX: usize>(text: &str) -> Text<MAX> {
    Text::parse(text).expect("plans use short texts")
}

pub(super) fn token(text: &str) -> PaymentToken {
    PaymentToken::parse(text).expect("plans use proper payment tokens")
}

pub(super) fn money(minor: u64, currency: Currency) -> Money {
    Money::new(minor, currency).expect("plans stay below the largest amount")
}
