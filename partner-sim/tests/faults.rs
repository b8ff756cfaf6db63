//! Every deliberate misbehaviour of a store can be reached, and does what its name says.
#![allow(clippy::unwrap_used)] // Fixtures of tests fail by panicking.

mod common;

use common::*;
use partner_sim::Partner;
use partner_sim::delivery::Delivery;
use partner_sim::fault::{Fault, Permille};
use partner_sim::latency::Latency;
use partner_sim::partner::PartnerRequest;
use partner_sim::profile::{Faults, Profile, ProfileName};
use schemas::partner::{PartnerOutcome, Place, QuoteOutcome, QuoteQuestion};

fn always(set: impl FnOnce(&mut Faults)) -> Partner {
    let mut faults = Faults::default();
    set(&mut faults);
    store(Profile { faults, ..perfect() })
}

fn delivering(way: Delivery) -> Partner {
    store(Profile { quotes: way.clone(), commands: way, ..perfect() })
}

fn place_of(partner: &mut Partner) -> PartnerRequest {
    let mut honest = store(perfect());
    // Ids are signed by the store's seed and name, so an honest twin can write them.
    let offer = offer_of(&mut honest, NOW);
    assert!(partner.available(isbn(), NOW) > 0);
    PartnerRequest::Place(place("1", "order", offer.quote_id))
}

#[test]
fn a_silent_store_decides_but_says_nothing() {
    let mut partner =
        delivering(Delivery { silent_permille: Permille::ALWAYS, ..Delivery::default() });
    assert!(partner.handle(quotes(vec![question(1)]), NOW).is_empty());
    let order = place_of(&mut partner);
    assert!(partner.handle(order, NOW).is_empty());
    assert!(partner.order(&key("order")).unwrap().is_live(NOW));
}

#[test]
fn a_duplicate_has_the_same_words_and_another_id() {
    let mut partner = delivering(Delivery {
        duplicate_permille: Permille::ALWAYS,
        duplicate_within_ms: 50,
        ..Delivery::default()
    });
    let order = place_of(&mut partner);
    let answers = partner.handle(order, NOW);
    assert_eq!(answers.len(), 2);
    assert_eq!(answers[0].value.message, answers[1].value.message);
    assert_ne!(answers[0].value.message_id, answers[1].value.message_id);
}

#[test]
fn a_late_answer_comes_after_the_deadline_of_what_it_answers() {
    let mut partner = delivering(Delivery {
        late_permille: Permille::ALWAYS,
        late_by_ms: 200,
        ..Delivery::default()
    });
    let quote = partner.handle(quotes(vec![question(1)]), NOW);
    assert_eq!(quote[0].at, after(1_200));
    let order = place_of(&mut partner);
    assert_eq!(partner.handle(order, NOW)[0].at, after(2_200));
}

#[test]
fn reordered_answers_overtake_each_other() {
    let mut partner = delivering(Delivery {
        reorder_permille: Permille::new(500),
        reorder_within_ms: 100,
        ..Delivery::default()
    });
    let questions: Vec<QuoteQuestion> = (0..20).map(question).collect();
    let answers = partner.handle(quotes(questions), NOW);
    assert!(answers.len() > 2, "one message would have no order");
    assert_eq!(quote_outcomes(&answers).len(), 20);
}

#[test]
fn latency_follows_the_profile() {
    let way = Delivery { latency: Latency::new(40, 400), ..Delivery::default() };
    let mut partner = delivering(way);
    let mut delays: Vec<u64> = (0..1000)
        .map(|n| partner.handle(quotes(vec![question(n)]), NOW)[0].at.since(NOW).as_ms())
        .collect();
    delays.sort_unstable();
    assert!((30..50).contains(&delays[500]), "median {} ms", delays[500]);
    assert!((200..500).contains(&delays[985]), "p98.5 {} ms", delays[985]);
}

#[test]
fn a_busy_store_refuses_the_copy_and_not_the_key() {
    let mut partner = always(|f| f.busy_permille = Permille::ALWAYS);
    let order = place_of(&mut partner);
    assert!(is_refused(&ask(&mut partner, order, NOW), false));
    assert!(is_refused(&ask(&mut partner, lookup("1", "order"), NOW), false));
}

#[test]
fn a_lost_copy_leaves_the_key_open() {
    let mut partner = always(|f| f.lost_permille = Permille::ALWAYS);
    let order = place_of(&mut partner);
    assert!(partner.handle(order, NOW).is_empty());
    let record = partner.order(&key("order")).unwrap();
    assert!(!record.is_live(NOW) && !record.is_final_negative());
    assert!(record.decisions.struck_by(Fault::Lost));
}

#[test]
fn an_order_accepted_without_an_answer_is_found_by_the_lookup() {
    let mut partner = always(|f| f.accepted_without_answer_permille = Permille::ALWAYS);
    let order = place_of(&mut partner);
    assert!(partner.handle(order.clone(), NOW).is_empty());
    assert!(is_confirmed(&ask(&mut partner, lookup("1", "order"), NOW)));
    // A second copy finds its key and is answered.
    assert!(is_confirmed(&ask(&mut partner, order, NOW)));
}

#[test]
fn a_store_can_sell_out_between_quote_and_order() {
    let mut partner = always(|f| f.no_stock_permille = Permille::ALWAYS);
    let order = place_of(&mut partner);
    assert!(is_refused(&ask(&mut partner, order, NOW), true));
}

#[test]
fn a_raised_price_is_charged_within_the_cap_and_refused_above_it() {
    let mut partner = always(|f| f.price_raised_permille = Permille::ALWAYS);
    let quoted = total(&offer_of(&mut partner, NOW));
    let PartnerRequest::Place(order) = place_of(&mut partner) else { unreachable!() };
    let tight = Place { price_cap: usd(quoted), placement_key: key("tight"), ..order.clone() };
    let answer = ask(&mut partner, PartnerRequest::Place(order), NOW);
    assert!(
        matches!(&answer, PartnerOutcome::Confirmed { total, .. } if total.minor() > quoted),
        "{answer:?}"
    );
    assert!(is_refused(&ask(&mut partner, PartnerRequest::Place(tight), NOW), true));
}

#[test]
fn quotes_can_be_busy_empty_wrong_or_absurd() {
    let outcome = |mut partner: Partner| {
        quote_outcomes(&partner.handle(quotes(vec![question(1)]), NOW)).remove(0)
    };
    let busy = outcome(always(|f| f.quote_busy_permille = Permille::ALWAYS));
    assert!(matches!(busy, QuoteOutcome::Refused { .. }), "{busy:?}");
    let empty = outcome(always(|f| f.quote_no_stock_permille = Permille::ALWAYS));
    assert_eq!(empty, QuoteOutcome::NoStock);
    let wrong = outcome(always(|f| f.quote_wrong_book_permille = Permille::ALWAYS));
    assert!(matches!(wrong, QuoteOutcome::Offer(offer) if offer.isbn != isbn()));
    let absurd = outcome(always(|f| f.quote_absurd_price_permille = Permille::ALWAYS));
    assert!(matches!(absurd, QuoteOutcome::Offer(offer) if offer.item == u64::MAX));
}

#[test]
fn the_same_call_asked_twice_is_answered_alike() {
    let mut partner = store(ProfileName::Calm.profile());
    let once = quote_outcomes(&partner.handle(quotes(vec![question(1)]), NOW));
    let again = quote_outcomes(&partner.handle(quotes(vec![question(1)]), NOW));
    assert_eq!(once, again);
}

#[test]
fn a_batch_is_answered_in_one_message_by_an_instant_store() {
    let mut partner = store(ProfileName::Instant.profile());
    let answers = partner.handle(quotes((0..256).map(question).collect()), NOW);
    assert_eq!(answers.len(), 1);
    assert_eq!(answers[0].at, NOW);
    assert_eq!(answers[0].value.message_id, None);
    assert_eq!(quote_outcomes(&answers).len(), 256);
}

#[test]
fn a_question_past_its_deadline_is_not_answered() {
    let mut partner = store(perfect());
    assert!(partner.handle(quotes(vec![question(1)]), after(1_001)).is_empty());
}

#[test]
fn every_fault_of_a_store_strikes_in_some_named_profile() {
    let mut struck = std::collections::BTreeSet::new();
    for name in ProfileName::ALL {
        let mut partner = store(name.profile());
        partner.script_stock(isbn(), 1_000);
        for n in 0..300u64 {
            partner.handle(quotes(vec![question(n)]), NOW);
            let offer = offer_of(&mut store(name_without_faults(name)), NOW);
            let key = format!("order-{n}");
            partner.handle(PartnerRequest::Place(place("1", &key, offer.quote_id)), NOW);
        }
        struck.extend(partner.faults_struck().keys().copied());
    }
    let of_stores =
        |fault: &Fault| !matches!(fault, Fault::Declined | Fault::ActionRequired | Fault::Failed);
    let missing: Vec<Fault> =
        Fault::ALL.into_iter().filter(of_stores).filter(|f| !struck.contains(f)).collect();
    assert_eq!(missing, [], "faults that no named profile shows");
}

/// The same prices, and nothing that could keep an offer from being made.
fn name_without_faults(name: ProfileName) -> Profile {
    Profile { pricing: name.profile().pricing, ..perfect() }
}
