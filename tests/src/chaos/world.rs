//! The world of a chaos run: which stores there are, what the books cost, and which waits of the
//! broker are cut short so that a run of minutes sees their ends.

use broker::config::PolicyOverrides;
use partner_sim::price::ScriptedPrice;
use partner_sim::profile::ProfileName::{Callback, Calm, Eventual, Flaky, NoReservation};
use schemas::{DurationMs, Isbn13};

use crate::harness::{Scenario, book};

/// What every honest store asks for the affordable book.
pub(super) const PRICE: u64 = 1_500;
/// More copies than any run buys.
const PLENTY: u32 = 100_000_000;
/// A flood of hundreds of requests asks all stores at the same time; chaos is not about waiting.
const AT_ONCE: u32 = 10_000;

pub(super) fn affordable() -> Isbn13 {
    book(9_001)
}

pub(super) fn too_dear() -> Isbn13 {
    book(9_002)
}

pub(super) fn sold_out() -> Isbn13 {
    book(9_003)
}

/// Mostly honest stores of every capability, and one that drops and doubles its answers.
pub(super) fn scenario(seed: u64) -> Scenario {
    let mut scenario = Scenario::new(seed)
        .policy(quick())
        .partners(Calm, 4)
        .partner("walk-in", NoReservation)
        .partner("call-back", Callback)
        .partner("eventual", Eventual)
        .partner("flaky", Flaky)
        .price_everywhere(affordable(), flat(PRICE))
        .stock_everywhere(affordable(), PLENTY)
        .price_everywhere(too_dear(), flat(5 * PRICE))
        .stock_everywhere(too_dear(), PLENTY)
        .stock_everywhere(sold_out(), 0);
    scenario.proxied = true;
    scenario.overload.calls_in_flight_max = AT_ONCE;
    scenario
}

/// A price without shipping, tax or fee.
fn flat(minor: u64) -> ScriptedPrice {
    ScriptedPrice { item: minor, ..ScriptedPrice::default() }
}

/// Short at first and long at last: thousands of requests that ask every second for what nobody can
/// answer keep a server busy that has just come back, and nothing is ever answered again.
fn quick() -> PolicyOverrides {
    PolicyOverrides {
        watch_interval_ms: Some(DurationMs(1_000)),
        absence_span_ms: Some(DurationMs(500)),
        capture_timeout_ms: Some(DurationMs(800)),
        place_window_ms: Some(DurationMs(2_000)),
        lookup_ladder_ms: Some([200, 500, 2_000, 6_000, 15_000].map(DurationMs).to_vec()),
        undo_ladder_ms: Some([300, 1_000, 4_000, 10_000, 20_000].map(DurationMs).to_vec()),
        ..PolicyOverrides::default()
    }
}
