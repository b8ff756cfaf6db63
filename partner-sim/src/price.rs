//! What a book costs at one store: the same for the same seed, different from store to store.
//!
//! Amounts are minor units of whatever currency is asked (a book of 2499 cents costs 2499 yen):
//! simulated stores need no exchange rates. Scripted prices replace the computed ones.

use std::collections::BTreeMap;

use schemas::destination::Country;
use schemas::money::AMOUNT_MAX_MINOR;
use schemas::{Condition, Isbn13, Timestamp};
use serde::{Deserialize, Serialize};

use crate::dice::{fnv1a, mix};

/// Cheapest and dearest list price of a new book, minor units.
const LIST_MIN_MINOR: u64 = 600;
const LIST_SPAN_MINOR: u64 = 5_400;

/// How a store's prices differ from the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Pricing {
    /// The store's general level, permille of list: 1000 is list price.
    pub level_permille: u32,
    /// Each book differs from that level by up to this much, permille, either way.
    pub spread_permille: u32,
    /// Each book's price moves by up to this much, permille, either way.
    pub drift_permille: u32,
    /// How often it moves, milliseconds.
    pub drift_every_ms: u64,
    /// Dearest shipping of the first copy, minor units; each further copy adds a fifth.
    pub shipping_max_minor: u64,
    /// Sales tax on the copies, permille, up to this much by country.
    pub tax_max_permille: u32,
    /// Handling fee per order, minor units.
    pub fee_minor: u64,
}

impl Default for Pricing {
    fn default() -> Self {
        Self {
            level_permille: 1000,
            spread_permille: 150,
            drift_permille: 0,
            drift_every_ms: 60_000,
            shipping_max_minor: 600,
            tax_max_permille: 200,
            fee_minor: 0,
        }
    }
}

/// A price set by hand, minor units for one copy. What is left out is zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScriptedPrice {
    pub item: u64,
    #[serde(default)]
    pub shipping: u64,
    #[serde(default)]
    pub tax: u64,
    #[serde(default)]
    pub fee: u64,
}

/// What an order costs, minor units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Landed {
    pub item: u64,
    pub shipping: u64,
    pub tax: u64,
    pub fee: u64,
}

impl Landed {
    /// Never above the largest amount there is.
    pub fn total(self) -> u64 {
        let sum = u128::from(self.item)
            + u128::from(self.shipping)
            + u128::from(self.tax)
            + u128::from(self.fee);
        u64::try_from(sum).unwrap_or(u64::MAX).min(AMOUNT_MAX_MINOR)
    }
}

/// What is being priced.
#[derive(Debug, Clone, Copy)]
pub struct Asked {
    pub isbn: Isbn13,
    pub quantity: u8,
    pub condition: Condition,
    pub country: Country,
}

/// The prices of one store.
#[derive(Debug, Clone)]
pub struct PriceList {
    world: u64,
    store: u64,
    pricing: Pricing,
    scripted: BTreeMap<Isbn13, ScriptedPrice>,
}

impl PriceList {
    pub fn new(seed: u64, store: &str, pricing: Pricing) -> Self {
        let store = mix(seed, fnv1a(store.as_bytes()));
        Self { world: seed, store, pricing, scripted: BTreeMap::new() }
    }

    pub fn script(&mut self, isbn: Isbn13, price: ScriptedPrice) {
        self.scripted.insert(isbn, price);
    }

    pub fn is_scripted(&self, isbn: Isbn13) -> bool {
        self.scripted.contains_key(&isbn)
    }

    pub fn landed(&self, asked: Asked, now: Timestamp) -> Landed {
        let copies = u64::from(asked.quantity);
        if let Some(price) = self.scripted.get(&asked.isbn) {
            let times = |minor: u64| minor.saturating_mul(copies).min(AMOUNT_MAX_MINOR);
            return Landed {
                item: times(price.item),
                shipping: times(price.shipping),
                tax: times(price.tax),
                fee: times(price.fee),
            };
        }
        let item = self.unit(asked, now) * copies;
        let country = fnv1a(asked.country.code().as_bytes());
        let first = mix(self.store, country) % (self.pricing.shipping_max_minor + 1);
        let tax_permille =
            mix(self.world, country) % (u64::from(self.pricing.tax_max_permille) + 1);
        Landed {
            item,
            shipping: first + first / 5 * (copies - copies.min(1)),
            tax: item * tax_permille / 1000,
            fee: self.pricing.fee_minor,
        }
    }

    fn unit(&self, asked: Asked, now: Timestamp) -> u64 {
        let book = asked.isbn.as_number();
        let list = LIST_MIN_MINOR + mix(self.world, book) % LIST_SPAN_MINOR;
        let of_condition = match asked.condition {
            Condition::New => 1000,
            Condition::LikeNew => 900,
            Condition::VeryGood => 800,
            Condition::Good => 700,
            Condition::Acceptable => 600,
        };
        let spread = around_1000(mix(self.store, book), self.pricing.spread_permille);
        let drift = if self.pricing.drift_permille == 0 {
            1000
        } else {
            let period = now.as_unix_ms() / self.pricing.drift_every_ms.max(1);
            around_1000(mix(self.store ^ book, period), self.pricing.drift_permille)
        };
        let level = u64::from(self.pricing.level_permille);
        (list * level / 1000 * of_condition / 1000 * spread / 1000 * drift / 1000).max(1)
    }
}

/// A factor in permille, within `width` of 1000 either way.
fn around_1000(random: u64, width: u32) -> u64 {
    let width = u64::from(width.min(900));
    1000 - width + random % (2 * width + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(condition: Condition) -> Asked {
        let isbn = Isbn13::parse("9780306406157").unwrap();
        Asked { isbn, quantity: 1, condition, country: Country::parse("US").unwrap() }
    }

    #[test]
    fn a_book_has_one_price_per_store_and_differs_between_stores() {
        let price = |store: &str| {
            PriceList::new(7, store, Pricing::default())
                .landed(asked(Condition::New), Timestamp::ZERO)
        };
        assert_eq!(price("alpha"), price("alpha"));
        assert_ne!(price("alpha").item, price("beta").item);
    }

    #[test]
    fn a_worn_copy_is_cheaper() {
        let list = PriceList::new(7, "alpha", Pricing::default());
        let new = list.landed(asked(Condition::New), Timestamp::ZERO);
        let worn = list.landed(asked(Condition::Acceptable), Timestamp::ZERO);
        assert!(worn.item < new.item);
    }

    #[test]
    fn prices_drift_only_when_asked_to() {
        let drifting = Pricing { drift_permille: 100, ..Pricing::default() };
        let at = |pricing: &Pricing, minutes: u64| {
            PriceList::new(7, "alpha", pricing.clone())
                .landed(asked(Condition::New), Timestamp::from_unix_ms(minutes * 60_000))
                .item
        };
        assert!((0..5).any(|m| at(&drifting, m) != at(&drifting, m + 1)));
        assert!((0..5).all(|m| at(&Pricing::default(), m) == at(&Pricing::default(), m + 1)));
    }

    #[test]
    fn a_scripted_price_is_exact() {
        let mut list = PriceList::new(7, "alpha", Pricing::default());
        let asked = Asked { quantity: 2, ..asked(Condition::New) };
        list.script(asked.isbn, ScriptedPrice { item: 1000, shipping: 50, tax: 0, fee: 0 });
        assert_eq!(list.landed(asked, Timestamp::ZERO).total(), 2100);
    }
}
