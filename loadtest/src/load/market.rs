//! What books cost at every store, and what was on the shelves: the stores' own price lists and
//! ledgers, not what the broker was told.

use std::collections::{BTreeMap, HashMap};

use anyhow::Context;
use partner_sim::ledger::{Asked, OrderRecord, ReservationRecord, ReservationState};
use partner_sim::{Partner, PartnerLedger, World};
use schemas::destination::Country;
use schemas::id::CallId;
use schemas::partner::QuoteQuestion;
use schemas::text::Text;
use schemas::{Condition, Currency, Destination, Isbn13, PartnerId, Timestamp};

/// Landed prices in cents, cheapest first, of one new copy delivered to where everybody lives.
type Prices = Vec<(u64, PartnerId)>;

/// The stores of a run and what they ask for each of its books.
pub(super) struct Market {
    world: World,
    prices: HashMap<Isbn13, Prices>,
}

impl Market {
    pub(super) fn new(world: World, books: &[Isbn13]) -> anyhow::Result<Self> {
        let prices = books.iter().map(|isbn| Ok((*isbn, prices(&world, *isbn)?)));
        let prices = prices.collect::<anyhow::Result<_>>()?;
        Ok(Self { world, prices })
    }

    pub(super) fn store(&self, partner: &PartnerId) -> Option<&Partner> {
        self.world.partners.get(partner)
    }

    /// Average price of a book over all stores.
    pub(super) fn average(&self, isbn: Isbn13) -> u64 {
        let prices = self.prices.get(&isbn).map_or(&[][..], Vec::as_slice);
        prices.iter().map(|(minor, _)| minor).sum::<u64>() / (prices.len() as u64).max(1)
    }

    /// The cheapest price at which some store had a copy at `at`.
    pub(super) fn cheapest(&self, isbn: Isbn13, at: Timestamp, taken: &Taken) -> Option<u64> {
        let has_it = |partner: &PartnerId| {
            let on_hand = self.store(partner).map_or(0, |store| store.available(isbn, at));
            taken.by(partner, isbn, at) < u64::from(on_hand)
        };
        let mut prices = self.prices.get(&isbn)?.iter();
        prices.find(|(_, partner)| has_it(partner)).map(|(minor, _)| *minor)
    }

    /// Standard deviation of a book's price over the stores as a share of its average, over all
    /// books.
    pub(super) fn dispersion(&self) -> f64 {
        let of_book = |prices: &Prices| {
            let count = prices.len() as f64;
            let mean = prices.iter().map(|(minor, _)| *minor as f64).sum::<f64>() / count;
            let variance =
                prices.iter().map(|(minor, _)| (*minor as f64 - mean).powi(2)).sum::<f64>() / count;
            variance.sqrt() / mean
        };
        self.prices.values().map(of_book).sum::<f64>() / (self.prices.len() as f64).max(1.0)
    }
}

/// Where everybody lives.
pub(super) fn destination() -> anyhow::Result<Destination> {
    let country = Country::parse("US").context("the country")?;
    Ok(Destination { country, postal_code: Text::parse("10001")?, address: None })
}

/// "One new copy of this, delivered there."
pub(super) fn question(isbn: Isbn13, call_id: CallId) -> anyhow::Result<QuoteQuestion> {
    Ok(QuoteQuestion {
        call_id,
        isbn,
        quantity: 1,
        condition: Condition::New,
        currency: Currency::USD,
        destination: destination()?.zone(),
        not_after: Timestamp::MAX,
    })
}

fn prices(world: &World, isbn: Isbn13) -> anyhow::Result<Prices> {
    let question = question(isbn, CallId { epoch: 0, counter: 0 })?;
    let price = |(id, store): (&PartnerId, &Partner)| {
        Some((store.list_price(&question, Timestamp::ZERO)?, id.clone()))
    };
    let mut prices: Prices = world.partners.iter().filter_map(price).collect();
    prices.sort();
    Ok(prices)
}

/// Copies that were not on the shelf any more, and from when until when.
#[derive(Debug, Default)]
pub(super) struct Taken(BTreeMap<(PartnerId, Isbn13), Vec<(Timestamp, Timestamp)>>);

impl Taken {
    pub(super) fn from_ledger(ledger: &PartnerLedger) -> Self {
        let mut taken = Self::default();
        for hold in &ledger.reservations {
            taken.note(&hold.partner, hold.isbn, held(hold));
        }
        for order in &ledger.orders {
            let terms = order.terms.as_ref();
            // What was reserved before is counted there.
            let unreserved = terms.filter(|terms| terms.reservation_key.is_none());
            taken.note(&order.partner, unreserved.map(|terms| terms.isbn), sold(order));
        }
        taken
    }

    fn note(
        &mut self,
        partner: &PartnerId,
        isbn: Option<Isbn13>,
        span: Option<(Timestamp, Timestamp)>,
    ) {
        if let (Some(isbn), Some(span)) = (isbn, span) {
            self.0.entry((partner.clone(), isbn)).or_default().push(span);
        }
    }

    fn by(&self, partner: &PartnerId, isbn: Isbn13, at: Timestamp) -> u64 {
        let spans = self.0.get(&(partner.clone(), isbn)).map_or(&[][..], Vec::as_slice);
        spans.iter().filter(|(from, until)| *from <= at && at < *until).count() as u64
    }
}

/// From the first copy of the question that was granted.
fn held(hold: &ReservationRecord) -> Option<(Timestamp, Timestamp)> {
    let from = hold.decisions.of(Asked::Reserve).next()?.received_at;
    let until = match &hold.state {
        ReservationState::Held { until, .. } => *until,
        ReservationState::Committed { .. } => Timestamp::MAX,
        ReservationState::Released { at } => *at,
        ReservationState::Open | ReservationState::Refused { .. } => return None,
    };
    Some((from, until))
}

fn sold(order: &OrderRecord) -> Option<(Timestamp, Timestamp)> {
    let from = order.accepted_at()?;
    Some((from, order.ended(Timestamp::MAX).map_or(Timestamp::MAX, |end| end.at)))
}
