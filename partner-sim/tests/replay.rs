//! Same seed, same behaviour; and a store that is rebuilt from its records goes on as if nothing
//! had happened. Both over random conversations with every kind of store.
#![allow(clippy::unwrap_used)] // Fixtures of tests fail by panicking.

mod common;

use common::*;
use partner_sim::ledger::LedgerEntry;
use partner_sim::partner::PartnerRequest;
use partner_sim::profile::{Profile, ProfileName};
use partner_sim::{Partner, PartnerAnswer, Scheduled};
use proptest::prelude::*;
use schemas::Timestamp;
use schemas::partner::{Place, QuoteOutcome};

#[derive(Debug, Clone)]
enum Step {
    Reserve { key: u8 },
    Release { key: u8 },
    Place { key: u8, with_hold: bool },
    Cancel { key: u8 },
    Lookup { key: u8 },
}

fn steps() -> impl Strategy<Value = Vec<(Step, u64)>> {
    let step = (0u8..5, 0u8..4, any::<bool>()).prop_map(|(kind, key, with_hold)| match kind {
        0 => Step::Reserve { key },
        1 => Step::Release { key },
        2 => Step::Place { key, with_hold },
        3 => Step::Cancel { key },
        _ => Step::Lookup { key },
    });
    prop::collection::vec((step, 0u64..4_000), 1..40)
}

fn profiles() -> impl Strategy<Value = Profile> {
    prop::sample::select(ProfileName::ALL.to_vec()).prop_map(ProfileName::profile)
}

/// An offer of this store; stores that answer rarely are asked until they do.
fn quote_id(partner: &mut Partner) -> Option<schemas::id::QuoteId> {
    let offers = |partner: &mut Partner, n| {
        let answers = partner.handle(quotes(vec![question(n)]), NOW);
        quote_outcomes(&answers).into_iter().find_map(|outcome| match outcome {
            QuoteOutcome::Offer(offer) if offer.isbn == isbn() => Some(offer.quote_id),
            _ => None,
        })
    };
    (0..50).find_map(|n| offers(partner, n))
}

fn request(step: &Step, n: usize, quote: &schemas::id::QuoteId) -> PartnerRequest {
    let copy = n.to_string();
    let hold = |key: &u8| format!("hold-{key}");
    let order = |key: &u8| format!("order-{key}");
    match step {
        Step::Reserve { key } => PartnerRequest::Reserve(reserve(&copy, &hold(key), quote.clone())),
        Step::Release { key } => release(&copy, &hold(key)),
        Step::Place { key, with_hold } => {
            let place = place(&copy, &order(key), quote.clone());
            let reservation_key = with_hold.then(|| common::key(&hold(key)));
            PartnerRequest::Place(Place { reservation_key, ..place })
        }
        Step::Cancel { key } => cancel(&copy, &order(key)),
        Step::Lookup { key } => lookup(&copy, &order(key)),
    }
}

/// Runs the conversation; with `crash`, the store is thrown away and rebuilt from the lines it
/// wrote before every step.
fn converse(
    profile: &Profile,
    steps: &[(Step, u64)],
    crash: bool,
) -> (Vec<Vec<Scheduled<PartnerAnswer>>>, partner_sim::PartnerLedger) {
    let fresh = || {
        let mut partner = store(profile.clone());
        partner.script_stock(isbn(), 2);
        partner.track_changes();
        partner
    };
    let mut partner = fresh();
    let quote =
        quote_id(&mut partner).unwrap_or_else(|| schemas::id::QuoteId::parse("none").unwrap());
    let mut file: Vec<LedgerEntry> = Vec::new();
    let mut answers = Vec::new();
    let mut now = NOW;
    for (n, (step, pause)) in steps.iter().enumerate() {
        now = Timestamp::from_unix_ms(now.as_unix_ms() + pause);
        if crash {
            partner = fresh();
            file.iter().cloned().for_each(|entry| partner.restore(entry));
            partner.restock();
        }
        answers.push(partner.handle(request(step, n, &quote), now));
        let changes = partner.take_changes();
        // Through the text of the file, as the shell does it.
        let text = serde_json::to_string(&changes).unwrap();
        file.extend(serde_json::from_str::<Vec<LedgerEntry>>(&text).unwrap());
    }
    (answers, partner.ledger())
}

proptest! {
    #[test]
    fn the_same_conversation_goes_the_same_way_twice(profile in profiles(), steps in steps()) {
        prop_assert_eq!(converse(&profile, &steps, false), converse(&profile, &steps, false));
    }

    #[test]
    fn a_store_rebuilt_from_its_records_goes_on_unchanged(
        profile in profiles(),
        steps in steps(),
    ) {
        prop_assert_eq!(converse(&profile, &steps, false), converse(&profile, &steps, true));
    }

    #[test]
    fn no_conversation_sells_more_than_there_is_or_revives_a_key(
        profile in profiles(),
        steps in steps(),
    ) {
        let (_, ledger) = converse(&profile, &steps, false);
        let end = after(40 * 4_000);
        let sold = ledger.orders.iter().filter(|o| o.is_live(end)).count();
        prop_assert!(sold <= 2, "{sold} orders of 2 copies");
        for order in &ledger.orders {
            let mut final_negative = false;
            for decision in &order.decisions.kept {
                let accepted = decision.outcome.as_ref().is_some_and(is_confirmed);
                prop_assert!(!(final_negative && accepted), "accepted after a final no: {order:?}");
                final_negative |= decision.outcome.as_ref().is_some_and(|outcome| {
                    is_refused(outcome, true)
                        || matches!(
                            outcome,
                            schemas::partner::PartnerOutcome::NotFound { final_for_key: true }
                        )
                });
            }
        }
    }
}

#[test]
fn another_seed_is_another_store() {
    let profile = ProfileName::Calm.profile();
    let price = |seed| {
        let id = schemas::PartnerId::parse("alpha").unwrap();
        let mut partner = Partner::new(id, profile.clone(), seed);
        match &quote_outcomes(&partner.handle(quotes(vec![question(1)]), NOW))[..] {
            [QuoteOutcome::Offer(offer)] => offer.item,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(price(1), price(1));
    assert!((2..6).any(|seed| price(seed) != price(1)));
}
