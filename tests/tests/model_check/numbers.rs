//! The small world in numbers: every wait is a few milliseconds long, so that few instants matter,
//! but their order is that of the real policy.

use broker_core::Policy;
use broker_core::partner::{PartnerProfile, Partners};
use broker_core::quote::{Cost, Quote};
use broker_core::request::{Submission, Terms};
use schemas::destination::{Country, Destination};
use schemas::directory::{BreakerMode, LookupKind, Transport};
use schemas::id::{PaymentToken, QuoteId};
use schemas::purchase::{Mode, Strategy};
use schemas::text::Text;
use schemas::{
    Condition, Currency, CustomerId, Digest, DurationMs, Isbn13, Money, PartnerId, RequestId,
    Timestamp,
};

/// When every story begins.
pub(crate) const T0: Timestamp = Timestamp::from_unix_ms(1_790_000_000_000);
/// Attempts, stores and payments there can be: one store per attempt.
pub(crate) const ATTEMPTS_MAX: usize = 2;
pub(crate) const STORES: [&str; ATTEMPTS_MAX] = ["ann", "bob"];
const MAX_TOTAL: u64 = 3000;
/// What the stores ask; the confirmed total is `REBATE` less.
const PRICES: [u64; ATTEMPTS_MAX] = [2500, 2600];
pub(crate) const REBATE: u64 = 100;

const LOOKUP_LADDER: &[DurationMs] = &[DurationMs(2), DurationMs(6), DurationMs(12)];
const UNDO_LADDER: &[DurationMs] = &[DurationMs(4), DurationMs(10)];

pub(crate) fn at(ms: u64) -> Timestamp {
    T0.saturating_add(DurationMs(ms))
}

pub(crate) fn usd(minor: u64) -> Money {
    Money::new(minor, Currency::USD).unwrap()
}

pub(crate) fn store(index: usize) -> PartnerId {
    PartnerId::parse(STORES[index]).unwrap()
}

pub(crate) fn policy(stores: Vec<PartnerProfile>) -> Policy {
    Policy {
        placement_budget: DurationMs(6),
        place_budget: DurationMs(2),
        clock_margin: DurationMs(2),
        sweep_retries: 1,
        sweep_retry_delay: DurationMs(3),
        attempts_max: u8::try_from(ATTEMPTS_MAX).unwrap(),
        reserve_timeout: DurationMs(4),
        reservation_ttl: DurationMs(40),
        authorize_timeout: DurationMs(4),
        authorize_asks: 1,
        action_window: DurationMs(10),
        place_timeout: DurationMs(3),
        place_window: DurationMs(8),
        lookup_ladder: LOOKUP_LADDER,
        absence_span: DurationMs(5),
        human_after: DurationMs(30),
        capture_timeout: DurationMs(4),
        capture_tries: 2,
        undo_ladder: UNDO_LADDER,
        undo_incident_after: 3,
        ..Policy::standard(Partners::new(stores, Digest::of(b"directory")))
    }
}

/// A store that can do everything and keeps every promise.
pub(crate) fn ideal(index: usize) -> PartnerProfile {
    PartnerProfile {
        id: store(index),
        transport: Transport::Live,
        reservation: true,
        cancel: true,
        lookup: LookupKind::ReadYourWrites,
        settle: DurationMs(3),
        key_first: true,
        fences_cancel: true,
        honours_not_after: true,
        response: DurationMs(1),
        currencies: Vec::new(),
        destinations: Vec::new(),
        in_flight_max: 1000,
        quotes_reusable: false,
        reuse_above: 100,
        offer_ttl: None,
        in_flight_start: 1000,
        calls_per_s: 1_000_000,
        calls_burst: 1_000_000,
        breaker: BreakerMode::Active,
    }
}

/// Orders at once, without a hold on stock before.
pub(crate) fn plain(index: usize) -> PartnerProfile {
    PartnerProfile { reservation: false, ..ideal(index) }
}

/// Its look-up trails behind, and nothing can be fenced or canceled.
pub(crate) fn trailing(index: usize) -> PartnerProfile {
    PartnerProfile {
        cancel: false,
        lookup: LookupKind::Eventual,
        key_first: false,
        fences_cancel: false,
        ..plain(index)
    }
}

/// It fences, but its look-up trails behind and late copies are accepted.
pub(crate) fn fencing(index: usize) -> PartnerProfile {
    PartnerProfile {
        lookup: LookupKind::Eventual,
        key_first: false,
        honours_not_after: false,
        ..plain(index)
    }
}

/// One new copy for at most 30.00 USD within `life`.
pub(crate) fn submission(life: u64, rebuy: bool) -> Submission {
    Submission {
        id: RequestId::from_parts(T0.as_unix_ms(), 1 << 48),
        customer: CustomerId::parse("carol").unwrap(),
        digest: Digest::of(b"body"),
        isbn: Isbn13::parse("9780306406157").unwrap(),
        quantity: 1,
        destination: Destination {
            country: Country::parse("US").unwrap(),
            postal_code: Text::parse("94107").unwrap(),
            address: None,
        },
        payment_token: PaymentToken::parse("tok_1").unwrap(),
        condition: Condition::New,
        mode: Mode::OneShot,
        rebuy,
        created_at: T0,
        trace: None,
        terms: Terms {
            max_total: usd(MAX_TOTAL),
            expires_at: at(life),
            strategy: Strategy::Balanced,
        },
    }
}

/// The offer of one store; valid longer than any story lasts.
pub(crate) fn quote(index: usize) -> Quote {
    Quote {
        partner: store(index),
        quote_id: QuoteId::parse(&format!("q-{}", STORES[index])).unwrap(),
        currency: Currency::USD,
        item: PRICES[index],
        shipping: Cost::Exact(0),
        tax: Cost::Exact(0),
        fee: Cost::Exact(0),
        condition: Condition::New,
        in_stock: 5,
        valid_until: at(1_000_000),
    }
}
