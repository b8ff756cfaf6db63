//! What a useful broker could have bought: asked of the stores themselves, not of the broker.

use std::collections::BTreeMap;

use broker_core::{Policy, PurchaseRequest};
use partner_sim::{Partner, World};
use schemas::directory::Transport;
use schemas::id::CallId;
use schemas::partner::QuoteQuestion;
use schemas::{Isbn13, Money, PartnerId, RequestId, Timestamp};

use super::Standing;

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
