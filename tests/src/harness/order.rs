//! A purchase request with everything said that a test does not care about.

use std::time::Duration;

use schemas::catalog::CatalogEntry;
use schemas::destination::Country;
use schemas::id::PaymentToken;
use schemas::item::ItemIdentifier;
use schemas::purchase::{CreatePurchase, Mode, Strategy};
use schemas::text::Text;
use schemas::{Condition, Currency, Destination, DurationMs, Isbn13, Money, RequestId, Timestamp};

use super::now;

/// Long enough for any test, short enough to show in a log.
const EXPIRES_IN_DEFAULT: Duration = Duration::from_secs(60);
const LIMIT_DEFAULT_MINOR: u64 = 1_000_000;

/// Builder of [`CreatePurchase`]: one new copy, 10,000.00 USD, one minute, New York, a payment
/// token that authorises.
#[derive(Debug, Clone)]
pub struct Order(CreatePurchase);

impl Order {
    /// A request with a fresh id for one book.
    pub fn of(isbn: Isbn13) -> Self {
        let text = Text::parse(&isbn.to_string()).expect("an ISBN is short text");
        Self::item(ItemIdentifier::Isbn(text))
    }

    /// A request that names the book by its title in the scenario's catalog.
    pub fn titled(entry: &CatalogEntry) -> Self {
        Self::item(ItemIdentifier::Title(entry.title.clone()))
    }

    fn item(item: ItemIdentifier) -> Self {
        let country = Country::parse("US").expect("two upper-case letters");
        let postal_code = Text::parse("10001").expect("short text");
        Self(CreatePurchase {
            request_id: RequestId::from_parts(now().as_unix_ms(), rand::random()),
            item,
            quantity: 1,
            max_total: usd(LIMIT_DEFAULT_MINOR),
            expires_at: after(EXPIRES_IN_DEFAULT),
            destination: Destination { country, postal_code, address: None },
            payment_token: token("tok_ok"),
            condition: Condition::New,
            strategy: Strategy::default(),
            mode: Mode::default(),
            rebuy: false,
        })
    }

    /// The landed total in cents.
    #[must_use]
    pub fn max_total(mut self, minor: u64) -> Self {
        self.0.max_total = usd(minor);
        self
    }

    #[must_use]
    pub fn expires_in(mut self, after_now: Duration) -> Self {
        self.0.expires_at = after(after_now);
        self
    }

    #[must_use]
    pub fn quantity(mut self, copies: u8) -> Self {
        self.0.quantity = copies;
        self
    }

    #[must_use]
    pub fn strategy(mut self, strategy: Strategy) -> Self {
        self.0.strategy = strategy;
        self
    }

    #[must_use]
    pub fn watch(mut self) -> Self {
        self.0.mode = Mode::Watch;
        self
    }

    #[must_use]
    pub fn rebuy(mut self) -> Self {
        self.0.rebuy = true;
        self
    }

    #[must_use]
    pub fn condition(mut self, worst: Condition) -> Self {
        self.0.condition = worst;
        self
    }

    /// A token that scripts the payment provider, see `partner_sim::payment::magic`.
    #[must_use]
    pub fn payment_token(mut self, text: &str) -> Self {
        self.0.payment_token = token(text);
        self
    }

    /// The same request again, or another body under the same id.
    #[must_use]
    pub fn id(mut self, request: RequestId) -> Self {
        self.0.request_id = request;
        self
    }

    pub fn build(self) -> CreatePurchase {
        self.0
    }
}

fn usd(minor: u64) -> Money {
    Money::new(minor, Currency::USD).expect("a test stays below the largest amount")
}

fn after(duration: Duration) -> Timestamp {
    let ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    now().saturating_add(DurationMs(ms))
}

fn token(text: &str) -> PaymentToken {
    PaymentToken::parse(text).expect("a test uses valid payment tokens")
}
