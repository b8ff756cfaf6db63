//! A market of a hundred stores in virtual time: what a strategy costs in questions and in money.
//!
//! Prices differ by up to 15 % either way per store and book, independently of everything else;
//! answers take about 120 ms (log-normal), two in a hundred never come, one is an error.

use std::collections::BTreeMap;
use std::fmt;

use broker_core::engine::input::{Input, QuoteAnswer, QuoteOutcome};
use broker_core::engine::output::Fact;
use broker_core::engine::ranking::RankingStart;
use broker_core::engine::ranking::sampling::Stream;
use broker_core::partner::PartnerProfile;
use broker_core::quote::Quote;
use broker_core::receipt::search::Came;
use broker_core::receipt::{Receipt, Verdict};
use broker_core::request::Submission;
use schemas::purchase::Strategy;
use schemas::{Currency, DurationMs, Isbn13, Money, Timestamp};

use super::rig::Rig;
use crate::support::*;

const STORES: u64 = 100;
const LIST: u64 = 2_000;
/// From one request to the next.
const PAUSE_MS: u64 = 400;

/// Thousandths of the median time that n in 16 answers take at most: a log-normal with σ = 0.5.
const TIMES: [u64; 16] =
    [390, 464, 531, 590, 645, 707, 782, 860, 960, 1060, 1190, 1330, 1490, 1720, 2050, 2900];

struct Market {
    rig: Rig,
    chance: Stream,
    /// Answers on their way.
    coming: BTreeMap<(Timestamp, u64), (String, QuoteAnswer)>,
    sent: u64,
    requests: u64,
    /// How much dearer than list a store is with every book, thousandths; its speed likewise.
    levels: Vec<u64>,
    speeds: Vec<u64>,
}

/// What a strategy came to.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Curve {
    requests: u64,
    bought: u64,
    questions: u64,
    /// Of the questions to all stores, thousandths.
    pub(crate) asked_permille: u64,
    /// Paid above the true minimum over all stores, ten-thousandths.
    pub(crate) above_permyriad: u64,
    decided_ms: u64,
    hedges: u64,
}

impl fmt::Display for Curve {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} requests, {} bought, {}.{} % of all asked, paid {}.{:02} % above the minimum, \
             decided after {} ms, {} hedges",
            self.requests,
            self.bought,
            self.asked_permille / 10,
            self.asked_permille % 10,
            self.above_permyriad / 100,
            self.above_permyriad % 100,
            self.decided_ms,
            self.hedges
        )
    }
}

fn name(store: u64) -> String {
    format!("s{store:02}")
}

fn book(number: u64) -> Isbn13 {
    let mut digits = format!("978{:09}", number + 1);
    let sum: u32 =
        digits.bytes().zip([1, 3].into_iter().cycle()).map(|(d, w)| u32::from(d - b'0') * w).sum();
    digits.push(char::from_digit((10 - sum % 10) % 10, 10).unwrap());
    Isbn13::parse(&digits).unwrap()
}

impl Market {
    /// `levels_apart`: how far apart the general price levels of stores are, thousandths.
    fn new(levels_apart: u64, change: impl FnOnce(&mut broker_core::Policy)) -> Self {
        let profiles: Vec<PartnerProfile> = (0..STORES).map(|n| plain(&name(n))).collect();
        let mut chance = Stream(7);
        let levels = (0..STORES).map(|_| 1000 + chance.below(levels_apart + 1)).collect();
        let speeds = (0..STORES).map(|_| 70 + chance.below(100)).collect();
        let rig = Rig::with(profiles, |config| {
            config.ranking = RankingStart { seed: 42, snapshot: None };
            change(&mut config.policy);
        });
        Self { rig, chance, coming: BTreeMap::new(), sent: 0, requests: 0, levels, speeds }
    }

    /// What a store asks for a book; `None` if it has none. The same whenever it is asked.
    fn price(&self, store: u64, book: u64) -> Option<u64> {
        let mut fact = Stream(store << 32 | book);
        let in_stock = fact.below(100) < 80;
        let spread = 850 + fact.below(301);
        let price = LIST * self.levels[usize::try_from(store).unwrap()] / 1000 * spread / 1000;
        in_stock.then_some(price)
    }

    fn answer_the_asked(&mut self, wanted: u64) {
        let asked: Vec<_> = self.rig.asked.drain(..).collect();
        for asked in asked {
            let store: u64 = asked.partner[1..].parse().unwrap();
            let speed = self.speeds[usize::try_from(store).unwrap()];
            let time = TIMES[usize::try_from(self.chance.below(16)).unwrap()];
            let takes = 120 * speed / 100 * time / 1000;
            let outcome = match self.chance.below(100) {
                0 | 1 => continue,
                2 => QuoteOutcome::Refused { retry_after: None },
                3.. => match self.price(store, wanted) {
                    None => QuoteOutcome::NoStock,
                    Some(price) => {
                        let mut quote: Quote = quote(&asked.partner, price);
                        quote.valid_until = Timestamp::MAX;
                        QuoteOutcome::Offer { isbn: asked.question.isbn, quote }
                    }
                },
            };
            self.sent += 1;
            let at = self.rig.now.saturating_add(DurationMs(takes));
            let answer = QuoteAnswer { call: asked.question.call, outcome };
            self.coming.insert((at, self.sent), (asked.partner, answer));
        }
    }

    /// Time passes until `until`, with the answers that come meanwhile.
    fn pass(&mut self, until: Timestamp, wanted: u64) {
        loop {
            self.answer_the_asked(wanted);
            let tick = self.rig.engine.poll_timeout().map_or(until, |(at, _)| at);
            let next = self.coming.first_key_value().map_or(until, |((at, _), _)| *at);
            let at = next.min(tick).min(until).max(self.rig.now);
            self.rig.now = at;
            match self.coming.first_entry().filter(|entry| entry.key().0 <= at) {
                Some(entry) => {
                    let (store, answer) = entry.remove();
                    let answers = vec![answer];
                    self.rig.send(Input::Quotes {
                        origin: None,
                        partner: partner(&store),
                        answers,
                    });
                }
                None if at >= until => return,
                None => self.rig.send(Input::Tick),
            }
            self.rig.play_along();
        }
    }

    /// One purchase; what the receipt of its last sweep says.
    fn buy(&mut self, strategy: Strategy) -> (u64, Receipt) {
        self.requests += 1;
        let wanted = self.chance.below(1_000_000);
        let max = LIST * (950 + self.chance.below(400)) / 1000;
        let mut request: Submission = submission();
        request.id = schemas::RequestId::from_parts(
            self.rig.now.as_unix_ms(),
            u128::from(self.requests) << 48,
        );
        request.isbn = book(wanted);
        request.created_at = self.rig.now;
        request.terms.max_total = Money::new(max, Currency::USD).unwrap();
        request.terms.strategy = strategy;
        request.terms.expires_at = self.rig.now.saturating_add(LIFE);
        let before = self.rig.disk.receipts.len();
        self.rig.create(request);
        while self.rig.disk.receipts.len() == before {
            let soon = self.rig.now.saturating_add(DurationMs(20));
            self.pass(soon, wanted);
        }
        let receipt = self.rig.disk.receipts.last().unwrap().clone();
        let rest = self.rig.now.saturating_add(DurationMs(PAUSE_MS));
        self.pass(rest, wanted);
        (wanted, receipt)
    }

    fn trade(&mut self, strategy: Strategy, requests: u64) -> Curve {
        let mut curve = Curve::default();
        let (mut paid, mut minimum, mut took) = (0, 0, 0);
        for _ in 0..requests {
            self.rig.facts.clear();
            self.rig.log.clear();
            let started = self.rig.now;
            let (wanted, receipt) = self.buy(strategy);
            assert_accounted(&receipt);
            let search = receipt.search.as_ref().unwrap();
            let asked = search.rounds.iter().flat_map(|round| &round.asked);
            curve.questions += asked.filter(|asked| asked.came != Came::NotSent).count() as u64;
            curve.requests += 1;
            let hedged = |fact: &&Fact| matches!(fact, Fact::Hedged { .. });
            curve.hedges += self.rig.facts.iter().filter(hedged).count() as u64;
            took += receipt.decided_at.since(started).as_ms();
            if receipt.verdict == Verdict::Buy {
                curve.bought += 1;
                paid += receipt.quotes[0].item;
                minimum += (0..STORES).filter_map(|store| self.price(store, wanted)).min().unwrap();
            }
        }
        curve.asked_permille = curve.questions * 1000 / (requests * STORES);
        curve.above_permyriad = (paid - minimum) * 10_000 / minimum.max(1);
        curve.decided_ms = took / requests;
        curve
    }
}

/// Everybody is either asked or not, and what the receipt counts is what it lists.
fn assert_accounted(receipt: &Receipt) {
    let search = receipt.search.as_ref().expect("a sweep has an account");
    let asked: Vec<_> = search.rounds.iter().flat_map(|round| &round.asked).collect();
    let skipped: u64 = search.skipped.iter().map(|skipped| u64::from(skipped.count)).sum();
    assert_eq!(asked.len() as u64 + skipped, STORES, "{search:?}");
    let came = |wanted: &[Came]| asked.iter().filter(|one| wanted.contains(&one.came)).count();
    assert_eq!(came(&[Came::Offer, Came::NoStock]), usize::from(receipt.answered));
    assert_eq!(came(&[Came::Offer]), receipt.quotes.len());
    for quote in &receipt.quotes {
        assert!(asked.iter().any(|one| one.partner == quote.partner), "{quote:?}");
    }
}

/// A run of so many requests after as many that nothing is counted of.
fn curve(
    strategy: Strategy,
    levels_apart: u64,
    change: impl FnOnce(&mut broker_core::Policy),
) -> Curve {
    let mut market = Market::new(levels_apart, change);
    market.trade(strategy, 100);
    let curve = market.trade(strategy, 300);
    println!("{strategy:?}, levels {levels_apart} ‰ apart: {curve}");
    curve
}

#[test]
fn cheapest_finds_the_exact_minimum_of_all_that_answer_by_asking_everybody() {
    let curve = curve(Strategy::Cheapest, 0, |_| {});
    assert_eq!(curve.asked_permille, 1000);
    // Two in a hundred answers never come, and one is an error.
    assert!(curve.above_permyriad <= 5, "{curve}");
}

#[test]
fn balanced_asks_less_than_half_and_pays_less_than_a_hundredth_more() {
    let curve = curve(Strategy::Balanced, 0, |_| {});
    assert!(curve.asked_permille <= 500, "{curve}");
    assert!(curve.above_permyriad <= 100, "{curve}");
}

#[test]
fn balanced_learns_who_is_cheap() {
    let curve = curve(Strategy::Balanced, 200, |_| {});
    assert!(curve.asked_permille <= 400, "{curve}");
    assert!(curve.above_permyriad <= 100, "{curve}");
}

/// What a question may cost decides between asking and paying; printed as a curve.
#[test]
fn dearer_questions_are_asked_less_and_paid_for_in_price() {
    let curves = [1, 5, 20, 80]
        .map(|cost| curve(Strategy::Balanced, 0, |policy| policy.call_cost_permyriad = cost));
    assert!(curves.is_sorted_by(|one, other| one.asked_permille >= other.asked_permille));
    assert!(curves.is_sorted_by(|one, other| one.above_permyriad <= other.above_permyriad));
}

/// Second copies stay within their budget.
#[test]
fn hedges_are_at_most_two_in_a_hundred_questions() {
    let curve = curve(Strategy::Cheapest, 0, |_| {});
    assert!(curve.hedges > 0 && curve.hedges * 50 <= curve.questions, "{curve}");
}

#[test]
fn fast_asks_a_few_and_takes_what_fits() {
    let curve = curve(Strategy::Fast, 0, |_| {});
    assert!(curve.asked_permille <= 120, "{curve}");
}
