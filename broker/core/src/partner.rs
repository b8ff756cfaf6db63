//! What the core may assume about each partner: the directory in domain terms.

use std::collections::BTreeMap;

use schemas::destination::Country;
use schemas::directory::{BreakerMode, LookupKind, Transport};
use schemas::{Currency, Digest, DurationMs, PartnerId, RejectReason};

/// Index of a partner in the directory in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PartnerIndex(pub u16);

/// One bookstore. See `schemas::directory::PartnerEntry` for the meaning of each field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartnerProfile {
    pub id: PartnerId,
    pub transport: Transport,
    pub reservation: bool,
    pub cancel: bool,
    pub lookup: LookupKind,
    pub settle: DurationMs,
    pub key_first: bool,
    pub fences_cancel: bool,
    pub honours_not_after: bool,
    pub response: DurationMs,
    pub currencies: Vec<Currency>,
    pub destinations: Vec<Country>,
    /// Most questions open at once, and how many it begins with.
    pub in_flight_max: u32,
    /// Several orders may name one quote, each for itself.
    pub quotes_reusable: bool,
    /// An offer is reused without asking again only with more copies than this in stock.
    pub reuse_above: u32,
    /// How long an offer is taken for true; without it, as long as its prices usually hold.
    pub offer_ttl: Option<DurationMs>,
    pub in_flight_start: u32,
    /// Questions per second, and how many of them at once after a quiet while.
    pub calls_per_s: u32,
    pub calls_burst: u32,
    pub breaker: BreakerMode,
}

impl PartnerProfile {
    /// A look-up after the window of an order is proof by itself.
    pub fn sees_everything(&self) -> bool {
        self.honours_not_after && self.lookup == LookupKind::ReadYourWrites
    }

    /// The most cautious assumptions: for a partner that left the directory while an attempt with
    /// it was open.
    pub fn cautious(id: PartnerId) -> Self {
        Self {
            id,
            transport: Transport::Live,
            reservation: false,
            cancel: false,
            lookup: LookupKind::None,
            settle: DurationMs::from_secs(120),
            key_first: false,
            fences_cancel: false,
            honours_not_after: false,
            response: DurationMs(1000),
            currencies: Vec::new(),
            destinations: Vec::new(),
            in_flight_max: 1,
            quotes_reusable: false,
            reuse_above: u32::MAX,
            offer_ttl: None,
            in_flight_start: 1,
            calls_per_s: 500,
            calls_burst: 50,
            breaker: BreakerMode::Active,
        }
    }

    /// What it answers one request may serve others. A call-back store's answer may come to buy the
    /// book later: it is about one request.
    pub fn shares_quotes(&self) -> bool {
        self.quotes_reusable && self.transport == Transport::Live
    }

    /// Whether asking it can lead to a purchase.
    pub fn serves(&self, currency: Currency, country: Country) -> bool {
        (self.currencies.is_empty() || self.currencies.contains(&currency))
            && self.delivers_to(country)
    }

    fn delivers_to(&self, country: Country) -> bool {
        self.destinations.is_empty() || self.destinations.contains(&country)
    }
}

/// The partners in force, in the order of the file.
#[derive(Debug, Clone, Default)]
pub struct Partners {
    profiles: Vec<PartnerProfile>,
    by_id: BTreeMap<PartnerId, PartnerIndex>,
    version: Option<Digest>,
}

impl Partners {
    /// At most `schemas::directory::PARTNERS_MAX` profiles, ids unique (checked at the edge).
    pub fn new(profiles: Vec<PartnerProfile>, version: Digest) -> Self {
        let by_id = profiles
            .iter()
            .zip(0u16..)
            .map(|(profile, index)| (profile.id.clone(), PartnerIndex(index)))
            .collect();
        Self { profiles, by_id, version: Some(version) }
    }

    pub fn version(&self) -> Digest {
        self.version.unwrap_or_else(|| Digest::of(b""))
    }

    pub fn len(&self) -> usize {
        self.profiles.len()
    }

    pub fn is_empty(&self) -> bool {
        self.profiles.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = (PartnerIndex, &PartnerProfile)> {
        (0u16..).map(PartnerIndex).zip(&self.profiles)
    }

    /// Why nobody of the directory can serve a request, however often they are asked. An empty
    /// directory says nothing about the request.
    pub fn unserved(&self, currency: Currency, country: Country) -> Option<RejectReason> {
        let anybody = |can: &dyn Fn(&PartnerProfile) -> bool| self.profiles.iter().any(can);
        if self.is_empty() || anybody(&|profile| profile.serves(currency, country)) {
            None
        } else if anybody(&|profile| profile.delivers_to(country)) {
            Some(RejectReason::CurrencyUnsupported)
        } else {
            Some(RejectReason::DestinationUnserviceable)
        }
    }

    pub fn at(&self, index: PartnerIndex) -> &PartnerProfile {
        &self.profiles[usize::from(index.0)]
    }

    pub fn index_of(&self, id: &PartnerId) -> Option<PartnerIndex> {
        self.by_id.get(id).copied()
    }

    /// Its profile, or the most cautious one.
    pub fn profile(&self, id: &PartnerId) -> std::borrow::Cow<'_, PartnerProfile> {
        match self.index_of(id) {
            Some(index) => std::borrow::Cow::Borrowed(self.at(index)),
            None => std::borrow::Cow::Owned(PartnerProfile::cautious(id.clone())),
        }
    }
}
