//! What was paid, what could have been paid, how many were asked for it, and what was sold.

use std::collections::BTreeMap;

use schemas::{Isbn13, PartnerId, Timestamp};
use tests::harness::book;

use crate::load::asked;
use crate::load::market::Taken;
use crate::load::mix::{STRATEGIES, label};
use crate::load::plan::{FLASH_COPIES, Plan, Profile};
use crate::load::quantiles::Values;
use crate::load::report::{Asked, Flash, Price};
use crate::load::stage::Played;

/// By strategy.
pub(super) fn prices(played: &Played) -> Vec<Price> {
    let taken = Taken::from_ledger(&played.evidence.partners);
    STRATEGIES
        .into_iter()
        .filter_map(|strategy| {
            let heads: Vec<_> = played
                .evidence
                .heads
                .values()
                .filter(|head| head.submission.terms.strategy == strategy)
                .collect();
            let above: Vec<f64> =
                heads.iter().filter_map(|head| above(played, &taken, head)).collect();
            let latency: Values = heads
                .iter()
                .filter_map(|head| played.wishes.get(&head.id())?.told)
                .map(|told| told.after.as_secs_f64() * 1e3)
                .collect();
            let calls: u64 = heads.iter().map(|head| asked_by(played, head.id())).sum();
            (!heads.is_empty()).then(|| Price {
                strategy: label(strategy).to_owned(),
                orders: above.len(),
                asked: calls as f64 / heads.len() as f64,
                at_minimum: above.iter().filter(|above| **above == 0.0).count(),
                above_percent: above.into_iter().collect::<Values>().quantiles(),
                latency_p50_ms: latency.at(500),
            })
        })
        .collect()
}

/// How much more than the minimum was paid, per cent; `None` if nothing was bought.
fn above(played: &Played, taken: &Taken, head: &broker_core::PurchaseRequest) -> Option<f64> {
    let checkout = head.checkout.as_ref()?;
    let paid = checkout.order.as_ref()?.total.minor();
    let receipts = played.evidence.receipts.get(&head.id())?;
    let decided_at = receipts.last()?.decided_at;
    // At the instant itself the copy that was bought still lay there.
    let minimum = played.market.cheapest(head.submission.isbn, decided_at, taken)?;
    Some((paid as f64 / minimum as f64 - 1.0).max(0.0) * 100.0)
}

fn asked_by(played: &Played, request: schemas::RequestId) -> u64 {
    let receipts = played.evidence.receipts.get(&request).map_or(&[][..], Vec::as_slice);
    receipts.iter().map(asked::asked).sum()
}

/// Requests by how many partners they asked.
pub(super) fn asked(played: &Played) -> Vec<Asked> {
    let mut requests: BTreeMap<u64, usize> = BTreeMap::new();
    for request in played.evidence.heads.keys() {
        *requests.entry(asked_by(played, *request)).or_default() += 1;
    }
    requests.into_iter().map(|(partners, requests)| Asked { partners, requests }).collect()
}

/// What the stores sold of the one book, by their own ledger.
pub(super) fn flash(plan: &Plan, played: &Played) -> Option<Flash> {
    if plan.profile != Profile::Flash {
        return None;
    }
    let isbn = book(0);
    let mut sold: BTreeMap<&PartnerId, u64> = BTreeMap::new();
    for order in played.evidence.partners.orders.iter().filter(|o| o.is_live(Timestamp::MAX)) {
        let copies = |of: Isbn13, quantity: u8| if of == isbn { u64::from(quantity) } else { 0 };
        let terms = order.terms.as_ref();
        let copies = terms.map_or(0, |terms| copies(terms.isbn, terms.quantity));
        *sold.entry(&order.partner).or_default() += copies;
    }
    let beyond = |(partner, sold): (&&PartnerId, &u64)| {
        let had = played.market.store(partner).map_or(0, |store| store.first_on_hand(isbn));
        sold.saturating_sub(u64::from(had))
    };
    Some(Flash {
        copies: FLASH_COPIES,
        sold: sold.values().sum(),
        oversold: sold.iter().map(beyond).sum(),
    })
}
