//! The character of a store: what it can do, how fast, and how it misbehaves.
//!
//! A named profile is a starting point; any field can be overridden in the configuration file.

mod named;

use schemas::destination::Country;
use schemas::directory::{BreakerMode, LookupKind, PartnerEntry, PaymentMode, Transport};
use schemas::{Currency, DurationMs, PartnerId};
use serde::{Deserialize, Serialize};

pub use named::ProfileName;

use crate::delivery::Delivery;
use crate::fault::Permille;
use crate::price::Pricing;

/// Everything that makes one store differ from another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Profile {
    /// How quote questions reach the store.
    pub transport: Transport,
    /// Whether stock can be held before ordering.
    pub reservation: bool,
    /// Whether a confirmed order can be canceled.
    pub cancel: bool,
    /// From then on it cannot be canceled any more, milliseconds after the order; never if unset.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ships_after_ms: Option<u64>,
    /// What a look-up is worth.
    pub lookup: LookupKind,
    /// With `lookup = "eventual"`: an accepted order becomes visible within this time, ms.
    pub settle_ms: u64,
    /// A look-up of an unknown key makes sure that no order can come to exist.
    pub fences_lookup: bool,
    /// A cancel (or release) of an unknown key does the same.
    pub fences_cancel: bool,
    /// Looks the key up before validating. `false` is the bad kind: a second copy of an accepted
    /// order can be answered with a refusal.
    pub key_first: bool,
    /// Forgets what it sold under a key, so that every copy of an order is a new order. The worst
    /// kind, against which the broker can do nothing: only an auditor sees it.
    pub forgets_keys: bool,
    /// Refuses commands whose `not_after` has passed.
    pub honours_not_after: bool,
    /// What the directory tells the broker to expect, milliseconds.
    pub response_ms: u64,
    /// Most quote questions outstanding, and how many to begin with, as the directory says.
    pub in_flight_max: u32,
    /// Any number of orders may name one of its quotes: its quote ids carry the quote.
    pub quotes_reusable: bool,
    /// An offer may be used again without asking with more copies than this, as the directory says.
    pub reuse_above: u32,
    pub in_flight_start: u32,
    /// Quote questions per second and at once, as the directory says.
    pub calls_per_s: u32,
    pub calls_burst: u32,
    /// Currencies it quotes in; empty means any.
    pub currencies: Vec<Currency>,
    /// Countries it ships to; empty means any.
    pub destinations: Vec<Country>,
    /// A quote is honoured for this long, milliseconds.
    pub quote_valid_ms: u64,
    /// Longest hold, milliseconds.
    pub hold_max_ms: u64,
    /// A first `place` is confirmed by a later notice instead of an answer.
    pub confirms_by_notice: bool,
    /// How quotes come back.
    pub quotes: Delivery,
    /// How answers to commands come back; `confirms_by_notice` uses it too.
    pub commands: Delivery,
    pub pricing: Pricing,
    pub components: Components,
    pub stock: StockRule,
    pub faults: Faults,
}

/// Which parts of the landed cost an offer states, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Components {
    pub shipping: Stated,
    pub tax: Stated,
    pub fee: Stated,
}

/// How one component is stated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stated {
    #[default]
    Exact,
    /// A bound a tenth above the real amount.
    AtMost,
    /// Left out although it will be charged.
    Missing,
}

/// Copies on the shelf of a book that no script mentions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StockRule {
    /// Share of all books that the store carries at all.
    pub carried_permille: Permille,
    /// Fewest and most copies of a carried book.
    pub on_hand_min: u32,
    pub on_hand_max: u32,
}

impl Default for StockRule {
    fn default() -> Self {
        Self { carried_permille: Permille::ALWAYS, on_hand_min: 5, on_hand_max: 50 }
    }
}

/// How often each misbehaviour strikes. Delivery faults are in [`Delivery`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Faults {
    /// Quotes answered "no stock" although there is some.
    pub quote_no_stock_permille: Permille,
    /// Quotes refused as busy.
    pub quote_busy_permille: Permille,
    /// For so long it then says it wants no question, milliseconds; 0 says nothing.
    pub quote_busy_for_ms: u64,
    /// Offers for another book.
    pub quote_wrong_book_permille: Permille,
    /// Offers with amounts beyond any sum.
    pub quote_absurd_price_permille: Permille,
    /// Commands refused as busy, this copy only.
    pub busy_permille: Permille,
    /// Commands lost before the store acted on them.
    pub lost_permille: Permille,
    /// Reserve and place refused for want of stock, final.
    pub no_stock_permille: Permille,
    /// Orders confirmed and then canceled by the store.
    pub confirm_then_cancel_permille: Permille,
    /// How long after the confirmation, milliseconds.
    pub cancel_after_ms: u64,
    /// Orders of which a second one, under the same key, is confirmed as well.
    pub second_order_permille: Permille,
    /// Orders accepted without any answer.
    pub accepted_without_answer_permille: Permille,
    /// Orders charged above the cap.
    pub price_above_cap_permille: Permille,
    /// Orders whose price rose since the quote.
    pub price_raised_permille: Permille,
    /// By how much, permille of the quoted total.
    pub price_raise_permille: u32,
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            quote_no_stock_permille: Permille::NEVER,
            quote_busy_permille: Permille::NEVER,
            quote_busy_for_ms: 0,
            quote_wrong_book_permille: Permille::NEVER,
            quote_absurd_price_permille: Permille::NEVER,
            busy_permille: Permille::NEVER,
            lost_permille: Permille::NEVER,
            no_stock_permille: Permille::NEVER,
            confirm_then_cancel_permille: Permille::NEVER,
            cancel_after_ms: 500,
            second_order_permille: Permille::NEVER,
            accepted_without_answer_permille: Permille::NEVER,
            price_above_cap_permille: Permille::NEVER,
            price_raised_permille: Permille::NEVER,
            price_raise_permille: 100,
        }
    }
}

impl Default for Profile {
    /// A store that can do everything, answers at once and never misbehaves.
    fn default() -> Self {
        Self {
            transport: Transport::Live,
            reservation: true,
            cancel: true,
            ships_after_ms: None,
            lookup: LookupKind::ReadYourWrites,
            settle_ms: 2_000,
            fences_lookup: true,
            fences_cancel: true,
            key_first: true,
            forgets_keys: false,
            honours_not_after: true,
            response_ms: 1_000,
            in_flight_max: 1_000,
            quotes_reusable: true,
            reuse_above: 100,
            in_flight_start: 4,
            calls_per_s: 5_000,
            calls_burst: 500,
            currencies: Vec::new(),
            destinations: Vec::new(),
            quote_valid_ms: 120_000,
            hold_max_ms: 900_000,
            confirms_by_notice: false,
            quotes: Delivery::default(),
            commands: Delivery::default(),
            pricing: Pricing::default(),
            components: Components::default(),
            stock: StockRule::default(),
            faults: Faults::default(),
        }
    }
}

impl Profile {
    /// It keeps the whole contract, never misbehaves, and answers within what it announces: a
    /// broker that does not buy from it although it could has no excuse.
    pub fn is_reliable(&self) -> bool {
        let on_its_way = |way: &Delivery| {
            let slowest_ms = way.latency.at_quantile(1_000_000);
            way.silent_permille.is_never()
                && way.late_permille.is_never()
                && slowest_ms < self.response_ms
        };
        self.keeps_its_word()
            && self.key_first
            && self.honours_not_after
            && self.lookup == LookupKind::ReadYourWrites
            && self.faults == Faults::default()
            && on_its_way(&self.quotes)
            && on_its_way(&self.commands)
    }

    /// It never sells twice under one key and never charges above the cap. Refusing, keeping
    /// silent and taking orders back are no breach: the broker has an answer to each.
    pub fn keeps_its_word(&self) -> bool {
        !self.forgets_keys && self.faults.price_above_cap_permille.is_never()
    }

    /// What the broker's directory says about a store of this character.
    pub fn directory_entry(&self, id: PartnerId) -> PartnerEntry {
        PartnerEntry {
            id,
            transport: self.transport,
            reservation: self.reservation,
            cancel: self.cancel,
            lookup: self.lookup,
            settle_ms: DurationMs(self.settle_ms),
            key_first: self.key_first,
            fences_cancel: self.fences_cancel,
            honours_not_after: self.honours_not_after,
            response_ms: DurationMs(self.response_ms),
            currencies: self.currencies.clone(),
            destinations: self.destinations.clone(),
            payment_mode: PaymentMode::BrokerOfRecord,
            in_flight_max: self.in_flight_max,
            quotes_reusable: self.quotes_reusable,
            reuse_above: self.reuse_above,
            offer_ttl_ms: None,
            in_flight_start: self.in_flight_start,
            calls_per_s: self.calls_per_s,
            calls_burst: self.calls_burst,
            breaker: BreakerMode::Active,
        }
    }
}
