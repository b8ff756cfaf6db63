//! What customers ask for: popular books more often than others, at limits around the usual price.

use std::time::Duration;

use anyhow::Context;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Zipf};
use schemas::purchase::CreatePurchase;
use schemas::{CustomerId, Isbn13};
use tests::harness::Order;

use super::market::Market;
use super::mix::Mix;
use super::plan::{Plan, Profile};

/// The n-th book is asked for n times less often than the first.
const ZIPF_EXPONENT: f64 = 1.0;
/// Longer than anything takes, so that nothing ends by its deadline.
const EXPIRES_IN: Duration = Duration::from_secs(60);
/// So many that nobody comes more than now and then.
const CUSTOMERS: u32 = 20_000;

/// Makes one request after the other; the same ones for the same seed, but for ids and instants.
pub(super) struct Shop {
    dice: ChaCha8Rng,
    popularity: Zipf<f64>,
    /// Most popular first, with the usual price.
    books: Vec<(Isbn13, u64)>,
    mix: Mix,
    /// Limits as thousandths of the usual price, from and to.
    limit_permille: (u64, u64),
}

impl Shop {
    pub(super) fn new(plan: &Plan, market: &Market) -> anyhow::Result<Self> {
        let books: Vec<(Isbn13, u64)> =
            plan.books().into_iter().map(|isbn| (isbn, market.average(isbn))).collect();
        let popularity = Zipf::new(books.len() as f64, ZIPF_EXPONENT).context("popularity")?;
        let mut dice = ChaCha8Rng::seed_from_u64(plan.seed);
        dice.set_stream(2);
        let limit_permille = match plan.profile {
            Profile::Peak | Profile::Soak => (1_000, 1_300),
            // Whoever has a copy may sell it.
            Profile::Flash | Profile::Ceiling => (3_000, 3_000),
        };
        Ok(Self { dice, popularity, books, mix: plan.mix, limit_permille })
    }

    /// The next request and who makes it.
    pub(super) fn next(&mut self) -> anyhow::Result<(CustomerId, CreatePurchase)> {
        let rank = self.popularity.sample(&mut self.dice) as usize;
        let (isbn, usual) = self.books[rank.clamp(1, self.books.len()) - 1];
        let (from, to) = self.limit_permille;
        let limit = usual * self.dice.random_range(from..=to) / 1000;
        let strategy = self.mix.draw(&mut self.dice);
        let number = self.dice.random_range(0..CUSTOMERS);
        let customer = CustomerId::parse(&format!("customer-{number}"))?;
        let order = Order::of(isbn).max_total(limit).strategy(strategy).expires_in(EXPIRES_IN);
        Ok((customer, order.build()))
    }
}
