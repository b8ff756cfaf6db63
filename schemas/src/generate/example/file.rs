//! Files that an operator writes.

use super::{isbn, partner_id, text};
use crate::catalog::CatalogEntry;
use crate::destination::Country;
use crate::directory::{BreakerMode, Directory, LookupKind, PartnerEntry, PaymentMode, Transport};
use crate::{Currency, DurationMs};

pub fn catalog_entry() -> CatalogEntry {
    CatalogEntry {
        isbn13: isbn(),
        title: text("Principles of Neural Science"),
        authors: vec![text("Eric R. Kandel"), text("James H. Schwartz")],
        edition: Some(text("2nd edition, hardcover")),
        other_ids: vec![text("oclc:1234")],
    }
}

pub fn directory() -> Directory {
    Directory {
        partners: vec![PartnerEntry {
            id: partner_id("acme-books"),
            transport: Transport::Live,
            reservation: true,
            cancel: true,
            lookup: LookupKind::ReadYourWrites,
            settle_ms: DurationMs::from_secs(120),
            key_first: true,
            fences_cancel: true,
            honours_not_after: true,
            response_ms: DurationMs(400),
            currencies: vec![Currency::USD, Currency::EUR],
            destinations: vec![Country::parse("US").expect(super::VALID)],
            payment_mode: PaymentMode::BrokerOfRecord,
            in_flight_max: 500,
            quotes_reusable: true,
            reuse_above: 100,
            offer_ttl_ms: Some(DurationMs::from_secs(60)),
            in_flight_start: 16,
            calls_per_s: 2000,
            calls_burst: 100,
            breaker: BreakerMode::Active,
        }],
    }
}
