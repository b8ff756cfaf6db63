//! Ids, money, partners, policies, submissions and quotes with plain defaults.

use broker_core::Policy;
use broker_core::partner::{PartnerProfile, Partners};
use broker_core::policy::Overload;
use broker_core::quote::{Cost, Quote};
use broker_core::request::{Submission, Terms};
use schemas::destination::{Country, Destination};
use schemas::directory::{BreakerMode, LookupKind, Transport};
use schemas::id::{CommandId, OrderId, PaymentToken, QuoteId, ReservationId};
use schemas::purchase::{Mode, Strategy};
use schemas::text::Text;
use schemas::{
    Condition, Currency, CustomerId, Digest, DurationMs, Isbn13, Money, PartnerId, RequestId,
    Timestamp,
};

/// When every story begins.
pub(crate) const T0: Timestamp = Timestamp::from_unix_ms(1_790_000_000_000);
/// Life of a request unless a test says otherwise.
pub(crate) const LIFE: DurationMs = DurationMs(600_000);

pub(crate) fn at(ms: u64) -> Timestamp {
    T0.saturating_add(DurationMs(ms))
}

pub(crate) fn usd(minor: u64) -> Money {
    Money::new(minor, Currency::USD).unwrap()
}

pub(crate) fn partner(name: &str) -> PartnerId {
    PartnerId::parse(name).unwrap()
}

pub(crate) fn command_id(name: &str) -> CommandId {
    CommandId::parse(name).unwrap()
}

pub(crate) fn order_id(name: &str) -> OrderId {
    OrderId::parse(name).unwrap()
}

pub(crate) fn reservation_id(name: &str) -> ReservationId {
    ReservationId::parse(name).unwrap()
}

pub(crate) fn isbn() -> Isbn13 {
    Isbn13::parse("9780306406157").unwrap()
}

/// A partner that can do everything and keeps every promise.
pub(crate) fn ideal(name: &str) -> PartnerProfile {
    PartnerProfile {
        id: partner(name),
        transport: Transport::Live,
        reservation: true,
        cancel: true,
        lookup: LookupKind::ReadYourWrites,
        settle: DurationMs::from_secs(120),
        key_first: true,
        fences_cancel: true,
        honours_not_after: true,
        response: DurationMs(1000),
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
pub(crate) fn plain(name: &str) -> PartnerProfile {
    PartnerProfile { reservation: false, ..ideal(name) }
}

/// Its quotes are good for several orders.
pub(crate) fn sharing(name: &str) -> PartnerProfile {
    PartnerProfile { quotes_reusable: true, ..plain(name) }
}

/// Its look-up trails behind, and nothing can be fenced or canceled.
pub(crate) fn trailing(name: &str) -> PartnerProfile {
    PartnerProfile {
        reservation: false,
        cancel: false,
        lookup: LookupKind::Eventual,
        key_first: false,
        fences_cancel: false,
        ..ideal(name)
    }
}

/// It fences, but its look-up trails behind and late copies are accepted.
pub(crate) fn fencing(name: &str) -> PartnerProfile {
    PartnerProfile {
        reservation: false,
        lookup: LookupKind::Eventual,
        key_first: false,
        honours_not_after: false,
        ..ideal(name)
    }
}

/// Nothing can be asked of it.
pub(crate) fn mute(name: &str) -> PartnerProfile {
    PartnerProfile::cautious(partner(name))
}

/// Answers questions when it fetches them.
pub(crate) fn queued(name: &str) -> PartnerProfile {
    PartnerProfile { transport: Transport::Queued, response: DurationMs(3_600_000), ..plain(name) }
}

pub(crate) fn policy_with(profiles: Vec<PartnerProfile>) -> Policy {
    let standard = Policy::standard(Partners::new(profiles, Digest::of(b"directory")));
    Policy { overload: Overload::wide_open(), ..standard }
}

/// One partner of every temper.
pub(crate) fn policy() -> Policy {
    policy_with(vec![
        ideal("ideal"),
        plain("plain"),
        trailing("trailing"),
        fencing("fencing"),
        mute("mute"),
        queued("queued"),
    ])
}

pub(crate) fn request_id(number: u64) -> RequestId {
    RequestId::from_parts(T0.as_unix_ms(), u128::from(number) << 48)
}

/// One new copy for at most 30.00 USD within ten minutes.
pub(crate) fn submission() -> Submission {
    Submission {
        id: request_id(1),
        customer: CustomerId::parse("ann").unwrap(),
        digest: Digest::of(b"body"),
        isbn: isbn(),
        quantity: 1,
        destination: Destination {
            country: Country::parse("US").unwrap(),
            postal_code: Text::parse("94107").unwrap(),
            address: None,
        },
        payment_token: PaymentToken::parse("tok_1").unwrap(),
        condition: Condition::New,
        mode: Mode::OneShot,
        rebuy: false,
        created_at: T0,
        trace: None,
        terms: Terms {
            max_total: usd(3000),
            expires_at: T0.saturating_add(LIFE),
            strategy: Strategy::Balanced,
        },
    }
}

/// An exact price, valid as long as the request lives.
pub(crate) fn quote(name: &str, total: u64) -> Quote {
    Quote {
        partner: partner(name),
        quote_id: QuoteId::parse(&format!("q-{name}-{total}")).unwrap(),
        currency: Currency::USD,
        item: total,
        shipping: Cost::Exact(0),
        tax: Cost::Exact(0),
        fee: Cost::Exact(0),
        condition: Condition::New,
        in_stock: 5,
        valid_until: T0.saturating_add(LIFE),
    }
}
