//! Twenty bookstores of mixed temper, and what is on their shelves for each request.

use broker::config::PolicyOverrides;
use broker_gateway::GatewayConfig;
use partner_sim::price::ScriptedPrice;
use partner_sim::profile::ProfileName;
use schemas::catalog::CatalogEntry;
use schemas::text::Text;
use schemas::{DurationMs, Isbn13};

use super::kind::Kind;
use super::options::{Breakage, Options};
use crate::harness::{Example, Scenario, book};

/// Name, temper, and price level against the cheapest (permille) of the stores that always have
/// the book when somebody has it.
const STORES: [(&str, ProfileName, u64); 16] = [
    ("alder", ProfileName::Calm, 1000),
    ("birch", ProfileName::Calm, 1030),
    ("cedar", ProfileName::Calm, 1060),
    ("dogwood", ProfileName::Calm, 1090),
    ("elm", ProfileName::Calm, 1120),
    ("fir", ProfileName::Calm, 1150),
    ("gale", ProfileName::Flaky, 1180),
    ("gust", ProfileName::Flaky, 1200),
    ("kiosk", ProfileName::NoReservation, 1220),
    ("bazaar", ProfileName::NoReservation, 1250),
    ("tortoise", ProfileName::Slow, 1280),
    ("sloth", ProfileName::Slow, 1300),
    ("cupboard", ProfileName::Stockout, 1310),
    ("larder", ProfileName::Stockout, 1320),
    ("postman", ProfileName::Callback, 1330),
    ("archive", ProfileName::Eventual, 1340),
];
/// Half of all stores speak only HTTP, each in the manner of one of the shipped examples.
const OVER_HTTP: [(&str, Example); 10] = [
    ("alder", Example::JSON),
    ("birch", Example::XML),
    ("cedar", Example::CALLBACK),
    ("dogwood", Example::POLL),
    ("elm", Example::CALLBACK),
    ("gust", Example::JSON),
    ("kiosk", Example::WALK_IN),
    ("bazaar", Example::WALK_IN),
    ("cupboard", Example::XML),
    ("larder", Example::POLL),
];
/// Stores with a part of their own; cheap where they play it, without the book elsewhere.
pub(super) const SILENT: &str = "sphinx";
pub(super) const LIAR: &str = "weasel";
pub(super) const MUTE: &str = "clam";
pub(super) const HOSTILE: &str = "pirate";
/// The calm stores take turns at being the cheapest.
const CALM: u64 = 6;
/// The one that is slow enough for a deadline to come first.
const SLOWEST: &str = "sloth";

/// The book that the n-th request is about.
pub(super) fn book_of(n: u32) -> Isbn13 {
    book(1000 + n)
}

pub(super) fn title_of(n: u32) -> CatalogEntry {
    let title = Text::parse(&format!("The Demo, Volume {}", n + 1)).expect("short text");
    CatalogEntry {
        isbn13: book_of(n),
        title,
        authors: Vec::new(),
        edition: None,
        other_ids: Vec::new(),
    }
}

/// Price of the cheapest copy, minor units, without shipping and tax.
fn base_price(seed: u64, n: u32) -> u64 {
    let spread = seed.wrapping_mul(0x9e37_79b9).wrapping_add(u64::from(n) * 7919) % 2_400;
    1_200 + spread
}

fn landed(item: u64, n: u32) -> ScriptedPrice {
    ScriptedPrice { item, shipping: 199 + u64::from(n % 4) * 100, tax: item / 12, fee: 0 }
}

/// A limit a tenth above the cheapest total, so that some stores keep it and some do not; or one
/// that nobody keeps.
pub(super) fn limit(seed: u64, n: u32, affordable: bool) -> u64 {
    let base = base_price(seed, n);
    if affordable { total(landed(base * 11 / 10, n)) } else { base / 2 }
}

const fn total(price: ScriptedPrice) -> u64 {
    price.item + price.shipping + price.tax + price.fee
}

/// The whole world of the demo.
pub(super) fn scenario(options: &Options) -> Scenario {
    let mut scenario = Scenario::new(options.seed).policy(PolicyOverrides {
        watch_interval_ms: Some(DurationMs(1500)),
        ..PolicyOverrides::default()
    });
    scenario = scenario.gateway(GatewayConfig::default()).bridge_and_notifier();
    let own_parts = [
        (SILENT, ProfileName::Silent, ""),
        (LIAR, ProfileName::Liar, ""),
        (MUTE, ProfileName::Calm, "faults = { accepted_without_answer_permille = 1000 }"),
        (HOSTILE, ProfileName::Hostile, ""),
    ];
    let plain = STORES.map(|(name, temper, _)| (name, temper, ""));
    for (name, temper, overrides) in plain.into_iter().chain(own_parts) {
        let mut table: toml::Table = overrides.parse().expect("overrides are TOML");
        if options.breakage == Some(Breakage::DuplicateCheck) {
            table.insert("forgets_keys".to_owned(), true.into());
        }
        scenario = match OVER_HTTP.into_iter().find(|(over_http, _)| *over_http == name) {
            Some((_, like)) => scenario.http_partner(name, like, temper, table),
            None => scenario.partner_with(name, temper, table),
        };
    }
    let titles = (0..options.requests).map(title_of).collect();
    let dressed =
        (0..options.requests).fold(scenario, |scenario, n| shelves(scenario, options.seed, n));
    dressed.catalog(titles)
}

/// Who has the book of the n-th request, and at what price.
fn shelves(scenario: Scenario, seed: u64, n: u32) -> Scenario {
    let (isbn, base) = (book_of(n), base_price(seed, n));
    let (kind, turn) = (Kind::nth(n), Kind::turn(n));
    let mut scenario = scenario.stock_everywhere(isbn, 0);
    if kind == Kind::NoStock {
        return scenario;
    }
    if waits_for_the_slow(kind, turn) {
        let price = landed(base, n);
        return scenario.stock(SLOWEST, isbn, 3).price(SLOWEST, isbn, price);
    }
    for (place, (name, temper, level)) in (0u64..).zip(STORES) {
        let level = match temper {
            ProfileName::Calm => 1000 + (place + u64::from(n)) % CALM * 30,
            _ => level,
        };
        let price = landed(base * level / 1000, n);
        scenario = scenario.stock(name, isbn, 3).price(name, isbn, price);
    }
    let cheapest = match kind {
        Kind::TakenBack => LIAR,
        Kind::Unanswered => MUTE,
        _ => return scenario.stock(HOSTILE, isbn, 3).price(HOSTILE, isbn, landed(base, n)),
    };
    scenario.stock(cheapest, isbn, 3).price(cheapest, isbn, landed(base * 4 / 5, n))
}

/// Requests whose deadline or cancel must come before any answer.
pub(super) fn waits_for_the_slow(kind: Kind, turn: usize) -> bool {
    matches!(kind, Kind::Expiring | Kind::Canceled) && turn % 2 == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cast_has_twenty_stores_and_every_title_is_known() {
        let options =
            Options { requests: 30, seed: 7, keep: None, stay: false, plain: true, breakage: None };
        let scenario = scenario(&options);
        assert_eq!(scenario.sim.profiles().unwrap().len(), 20);
        assert_eq!(scenario.http_stores.len(), 10);
        assert_eq!(scenario.catalog.len(), 30);
    }

    #[test]
    fn a_limit_is_kept_by_some_stores_or_by_none() {
        for n in 0..60 {
            let priced = |permille| total(landed(base_price(7, n) * permille / 1000, n));
            let limit_of = |affordable| limit(7, n, affordable);
            assert!(priced(1000) < limit_of(true) && priced(1340) > limit_of(true), "request {n}");
            assert!(priced(800) > limit_of(false), "request {n}");
        }
    }
}
