//! What a useful broker could have bought: asked of the stores themselves, not of the broker.

use std::collections::BTreeMap;

use broker::store::{AuditBody, AuditRecord};
use broker_core::event::Finding;
use broker_core::{Event, Policy, PurchaseRequest, Quote};
use partner_sim::{Partner, World};
use schemas::directory::Transport;
use schemas::id::CallId;
use schemas::partner::QuoteQuestion;
use schemas::{DurationMs, Isbn13, Money, PartnerId, RequestId, Timestamp};

use super::{Standing, Vouched};

/// The offers that stood all along: of stores that are reliable, are asked live, and had more
/// copies than everybody together could want in all attempts.
pub fn standing(
    world: &World,
    heads: &BTreeMap<RequestId, PurchaseRequest>,
    policy: &Policy,
) -> Vec<Standing> {
    let mut wanted: BTreeMap<Isbn13, u32> = BTreeMap::new();
    for head in heads.values() {
        let submission = &head.submission;
        let copies = u32::from(submission.quantity) * u32::from(policy.attempts_max);
        *wanted.entry(submission.isbn).or_default() += copies;
    }
    let honest: Vec<&Partner> = world
        .partners
        .values()
        .filter(|store| store.profile().transport == Transport::Live)
        .filter(|store| store.profile().is_reliable())
        .collect();
    let mut standing = Vec::new();
    for head in heads.values() {
        let question = question(head);
        for store in &honest {
            let isbn = question.isbn;
            let plenty = store.first_on_hand(isbn) >= wanted.get(&isbn).copied().unwrap_or(0);
            let total = plenty
                .then(|| store.list_price(&question, head.submission.created_at))
                .flatten()
                .and_then(|minor| Money::new(minor, question.currency).ok());
            if let Some(total) = total {
                standing.push(Standing { request: head.id(), partner: store.id().clone(), total });
            }
        }
    }
    standing
}

/// What each store says of the quotes in its name that were decided on. A quote id carries the quote
/// and a check that only its store can make, so that this is as good as having heard the offer.
pub fn vouched(world: &World, log: &[AuditRecord]) -> Vec<Vouched> {
    let rows = log.iter().filter_map(|record| match &record.body {
        AuditBody::Request { rows, .. } => Some(rows),
        AuditBody::DeadLetter { .. } | AuditBody::Steered(_) | AuditBody::Dropped(_) => None,
    });
    let mut vouched = Vec::new();
    for event in rows.flatten().filter_map(|row| row.change.event()) {
        let Event::SweepClosed(closed) = event else { continue };
        let quotes = match &closed.finding {
            Finding::Affordable(quotes) => quotes.as_slice(),
            Finding::TooDear { best, .. } => std::slice::from_ref(best),
            Finding::NoStock | Finding::NoAnswer => &[],
        };
        let known = |quote: &Quote| {
            let store = world.partners.get(&quote.partner)?;
            let terms = store.read_quote(&quote.quote_id)?;
            let valid = DurationMs(store.profile().quote_valid_ms);
            Some(Vouched {
                partner: quote.partner.clone(),
                quote_id: quote.quote_id.clone(),
                isbn: terms.isbn,
                total: terms.total,
                at: terms.valid_until.saturating_sub(valid),
            })
        };
        vouched.extend(quotes.iter().filter_map(known));
    }
    vouched
}

/// Stores that break the contract they announce.
pub fn liars(world: &World) -> impl Iterator<Item = PartnerId> {
    let liars = world.partners.values().filter(|store| !store.profile().keeps_its_word());
    liars.map(|store| store.id().clone())
}

fn question(head: &PurchaseRequest) -> QuoteQuestion {
    let submission = &head.submission;
    QuoteQuestion {
        call_id: CallId { epoch: 0, counter: 0 },
        isbn: submission.isbn,
        quantity: submission.quantity,
        condition: submission.condition,
        currency: submission.terms.max_total.currency(),
        destination: submission.destination.zone(),
        not_after: Timestamp::MAX,
    }
}
