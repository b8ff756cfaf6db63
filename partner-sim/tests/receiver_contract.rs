//! The receiver contract of the wire types, held by a store.
#![allow(clippy::unwrap_used)] // Fixtures of tests fail by panicking.

mod common;

use common::*;
use partner_sim::Partner;
use partner_sim::fault::Permille;
use partner_sim::ledger::OrderState;
use partner_sim::partner::PartnerRequest;
use partner_sim::price::ScriptedPrice;
use partner_sim::profile::{Components, Faults, Profile, ProfileName, Stated};
use schemas::partner::{Component, PartnerOutcome, Place, QuoteOutcome, Reserve};
use schemas::{Currency, DurationMs};

fn place_of(partner: &mut Partner, copy: &str, name: &str) -> Place {
    let offer = offer_of(partner, NOW);
    place(copy, name, offer.quote_id)
}

#[test]
fn a_copy_of_an_order_gets_the_answer_of_the_first_one() {
    let mut partner = store(perfect());
    let first = place_of(&mut partner, "1", "order");
    let second = Place { header: header("2", "place"), ..first.clone() };
    let answer = ask(&mut partner, PartnerRequest::Place(first), NOW);
    assert!(is_confirmed(&answer));
    // Long after the deadline and the quote have passed: the key is looked up before anything.
    let later = after(10_000_000);
    assert_eq!(ask(&mut partner, PartnerRequest::Place(second), later), answer);
    assert_eq!(partner.order(&key("order")).unwrap().copies, 2);
    assert_eq!(partner.ledger().orders.len(), 1);
}

#[test]
fn the_order_costs_what_the_offer_said() {
    let mut partner = store(perfect());
    let offer = offer_of(&mut partner, NOW);
    let order = place("1", "order", offer.quote_id.clone());
    let PartnerOutcome::Confirmed { total: charged, .. } =
        ask(&mut partner, PartnerRequest::Place(order), NOW)
    else {
        panic!("not confirmed");
    };
    assert_eq!(charged, usd(total(&offer)));
}

#[test]
fn a_late_place_is_refused_for_this_copy_only() {
    let mut partner = store(perfect());
    let order = place_of(&mut partner, "1", "order");
    let answer = ask(&mut partner, PartnerRequest::Place(order), after(2_001));
    assert!(is_refused(&answer, false), "{answer:?}");
    assert_eq!(partner.order(&key("order")).unwrap().state, OrderState::Open);
}

#[test]
fn a_place_at_its_very_deadline_is_accepted() {
    let mut partner = store(perfect());
    let order = place_of(&mut partner, "1", "order");
    assert!(is_confirmed(&ask(&mut partner, PartnerRequest::Place(order), after(2_000))));
}

#[test]
fn a_tombstoned_key_can_never_be_ordered() {
    for fence in [cancel, lookup] {
        let mut partner = store(perfect());
        let order = place_of(&mut partner, "1", "order");
        let answer = ask(&mut partner, fence("1", "order"), NOW);
        assert_eq!(answer, PartnerOutcome::NotFound { final_for_key: true });
        let answer = ask(&mut partner, PartnerRequest::Place(order), NOW);
        assert!(is_refused(&answer, true), "{answer:?}");
        assert!(!partner.order(&key("order")).unwrap().is_live(after(1)));
    }
}

#[test]
fn a_store_that_does_not_fence_never_says_final() {
    let profile = Profile { fences_cancel: false, fences_lookup: false, ..perfect() };
    let mut partner = store(profile);
    let order = place_of(&mut partner, "1", "order");
    for ask_about in [cancel("1", "order"), lookup("1", "order")] {
        let answer = ask(&mut partner, ask_about, NOW);
        assert_eq!(answer, PartnerOutcome::NotFound { final_for_key: false });
    }
    assert!(is_confirmed(&ask(&mut partner, PartnerRequest::Place(order), NOW)));
}

#[test]
fn an_eventual_lookup_sees_an_order_only_after_it_settled() {
    let mut partner = store(Profile {
        settle_ms: 2_000,
        fences_lookup: false,
        lookup: schemas::directory::LookupKind::Eventual,
        ..perfect()
    });
    let order = place_of(&mut partner, "1", "order");
    assert!(is_confirmed(&ask(&mut partner, PartnerRequest::Place(order), NOW)));
    let first = ask(&mut partner, lookup("1", "order"), NOW);
    assert_eq!(first, PartnerOutcome::NotFound { final_for_key: false });
    assert!(is_confirmed(&ask(&mut partner, lookup("2", "order"), after(2_000))));
}

#[test]
fn canceling_twice_says_the_same_and_puts_the_copy_back() {
    let mut partner = store(perfect());
    partner.script_stock(isbn(), 1);
    let order = place_of(&mut partner, "1", "order");
    ask(&mut partner, PartnerRequest::Place(order), NOW);
    assert_eq!(partner.available(isbn(), NOW), 0);
    let first = ask(&mut partner, cancel("1", "order"), after(1));
    assert!(matches!(first, PartnerOutcome::Canceled { .. }), "{first:?}");
    assert_eq!(ask(&mut partner, cancel("2", "order"), after(2)), first);
    assert_eq!(ask(&mut partner, lookup("1", "order"), after(2)), first);
    assert_eq!(partner.available(isbn(), after(2)), 1);
}

#[test]
fn a_reservation_keeps_the_last_copy_for_its_order() {
    let mut partner = store(perfect());
    partner.script_stock(isbn(), 1);
    let offer = offer_of(&mut partner, NOW);
    let hold = reserve("1", "hold", offer.quote_id.clone());
    let held = ask(&mut partner, PartnerRequest::Reserve(hold), NOW);
    assert!(matches!(held, PartnerOutcome::Reserved { .. }), "{held:?}");
    let rival = place("1", "rival", offer.quote_id.clone());
    let answer = ask(&mut partner, PartnerRequest::Place(rival), NOW);
    assert!(is_refused(&answer, true), "{answer:?}");
    let mine = Place { reservation_key: Some(key("hold")), ..place("1", "mine", offer.quote_id) };
    assert!(is_confirmed(&ask(&mut partner, PartnerRequest::Place(mine), NOW)));
}

#[test]
fn an_expired_reservation_cannot_be_ordered() {
    let mut partner = store(perfect());
    let offer = offer_of(&mut partner, NOW);
    let hold = Reserve { ttl_ms: DurationMs(100), ..reserve("1", "hold", offer.quote_id.clone()) };
    ask(&mut partner, PartnerRequest::Reserve(hold), NOW);
    let order = Place { reservation_key: Some(key("hold")), ..place("1", "order", offer.quote_id) };
    let answer = ask(&mut partner, PartnerRequest::Place(order), after(100));
    assert!(is_refused(&answer, true), "{answer:?}");
}

#[test]
fn a_released_key_never_holds_again() {
    let mut partner = store(perfect());
    let offer = offer_of(&mut partner, NOW);
    let unknown = ask(&mut partner, release("1", "hold"), NOW);
    assert_eq!(unknown, PartnerOutcome::NotFound { final_for_key: true });
    let late = reserve("1", "hold", offer.quote_id);
    let answer = ask(&mut partner, PartnerRequest::Reserve(late), NOW);
    assert!(is_refused(&answer, true), "{answer:?}");
    assert_eq!(ask(&mut partner, release("2", "hold"), NOW), PartnerOutcome::Released);
}

#[test]
fn releasing_an_order_made_of_a_hold_is_refused_until_the_order_is_canceled() {
    let mut partner = store(perfect());
    let offer = offer_of(&mut partner, NOW);
    let hold = reserve("1", "hold", offer.quote_id.clone());
    ask(&mut partner, PartnerRequest::Reserve(hold), NOW);
    let order = Place { reservation_key: Some(key("hold")), ..place("1", "order", offer.quote_id) };
    ask(&mut partner, PartnerRequest::Place(order), NOW);
    assert!(is_refused(&ask(&mut partner, release("1", "hold"), NOW), false));
    ask(&mut partner, cancel("1", "order"), NOW);
    assert_eq!(ask(&mut partner, release("2", "hold"), NOW), PartnerOutcome::Released);
}

#[test]
fn an_order_above_its_cap_is_refused_for_good() {
    let mut partner = store(perfect());
    let offer = offer_of(&mut partner, NOW);
    let cap = usd(total(&offer) - 1);
    let order = Place { price_cap: cap, ..place("1", "order", offer.quote_id) };
    let answer = ask(&mut partner, PartnerRequest::Place(order), NOW);
    assert!(is_refused(&answer, true), "{answer:?}");
}

#[test]
fn a_cap_in_another_currency_is_refused() {
    let mut partner = store(perfect());
    let mut order = place_of(&mut partner, "1", "order");
    order.price_cap = schemas::Money::new(1_000_000, Currency::JPY).unwrap();
    assert!(is_refused(&ask(&mut partner, PartnerRequest::Place(order), NOW), true));
}

#[test]
fn an_expired_quote_is_refused_and_a_forged_one_too() {
    let mut partner = store(Profile { quote_valid_ms: 1_000, ..perfect() });
    let expired = place_of(&mut partner, "1", "expired");
    assert!(is_refused(&ask(&mut partner, PartnerRequest::Place(expired), after(1_001)), true));
    let forged = place("1", "forged", schemas::id::QuoteId::parse("cheap").unwrap());
    assert!(is_refused(&ask(&mut partner, PartnerRequest::Place(forged), NOW), true));
}

#[test]
fn a_refusal_for_good_stays_one() {
    let mut partner = store(perfect());
    partner.script_stock(isbn(), 1);
    let offer = offer_of(&mut partner, NOW);
    let winner = place("1", "winner", offer.quote_id.clone());
    let loser = place("1", "loser", offer.quote_id);
    ask(&mut partner, PartnerRequest::Place(winner), NOW);
    let first = ask(&mut partner, PartnerRequest::Place(loser.clone()), NOW);
    assert!(is_refused(&first, true), "{first:?}");
    ask(&mut partner, cancel("1", "winner"), NOW);
    // There is stock again, but the answer for this key has been given.
    let again = Place { header: header("2", "place"), ..loser };
    assert_eq!(ask(&mut partner, PartnerRequest::Place(again), NOW), first);
}

#[test]
fn the_bad_kind_refuses_a_late_copy_of_what_it_accepted() {
    let mut partner = store(Profile { key_first: false, ..perfect() });
    let first = place_of(&mut partner, "1", "order");
    let second = Place { header: header("2", "place"), ..first.clone() };
    assert!(is_confirmed(&ask(&mut partner, PartnerRequest::Place(first), NOW)));
    let answer = ask(&mut partner, PartnerRequest::Place(second), after(2_001));
    assert!(is_refused(&answer, false), "{answer:?}");
    assert!(partner.order(&key("order")).unwrap().is_live(after(2_001)));
}

#[test]
fn the_forgetful_kind_sells_again_for_every_copy_and_its_ledger_shows_it() {
    let mut partner = store(Profile { forgets_keys: true, ..perfect() });
    let first = place_of(&mut partner, "1", "order");
    let second = Place { header: header("2", "place"), ..first.clone() };
    let request = first.header.request_id;
    assert!(is_confirmed(&ask(&mut partner, PartnerRequest::Place(first), NOW)));
    assert!(is_confirmed(&ask(&mut partner, PartnerRequest::Place(second), NOW)));
    assert_eq!(partner.ledger().live_orders(request, NOW).len(), 2);
}

#[test]
fn copies_that_differ_are_counted_as_conflicts() {
    let mut partner = store(perfect());
    let first = place_of(&mut partner, "1", "order");
    let other = Place { price_cap: usd(1), header: header("2", "place"), ..first.clone() };
    ask(&mut partner, PartnerRequest::Place(first), NOW);
    assert!(is_confirmed(&ask(&mut partner, PartnerRequest::Place(other), NOW)));
    assert_eq!(partner.order(&key("order")).unwrap().conflicting_copies, 1);
}

#[test]
fn scripts_decide_who_has_a_book_and_at_what_price() {
    let mut partner = store(perfect());
    partner.script_price(isbn(), ScriptedPrice { item: 999, shipping: 1, tax: 0, fee: 0 });
    assert_eq!(total(&offer_of(&mut partner, NOW)), 1_000);
    partner.script_stock(isbn(), 0);
    let answers = partner.handle(quotes(vec![question(2)]), NOW);
    assert_eq!(quote_outcomes(&answers), [QuoteOutcome::NoStock]);
}

#[test]
fn components_are_stated_as_the_profile_says() {
    let components =
        Components { shipping: Stated::Missing, tax: Stated::AtMost, fee: Stated::Exact };
    let mut partner = store(Profile { components, ..perfect() });
    partner.script_price(isbn(), ScriptedPrice { item: 1000, shipping: 300, tax: 100, fee: 5 });
    let offer = offer_of(&mut partner, NOW);
    assert_eq!(offer.shipping, None);
    assert_eq!(offer.tax, Some(Component::AtMost(110)));
    assert_eq!(offer.fee, Some(Component::Exact(5)));
    // What was left out is charged all the same.
    let order = place("1", "order", offer.quote_id);
    let answer = ask(&mut partner, PartnerRequest::Place(order), NOW);
    assert!(matches!(answer, PartnerOutcome::Confirmed { total, .. } if total == usd(1405)));
}

#[test]
fn a_price_above_the_cap_is_charged_only_by_the_fault() {
    let faults = Faults { price_above_cap_permille: Permille::ALWAYS, ..Faults::default() };
    let mut partner = store(Profile { faults, ..perfect() });
    let order = place_of(&mut partner, "1", "order");
    let cap = order.price_cap.minor();
    let answer = ask(&mut partner, PartnerRequest::Place(order), NOW);
    assert!(
        matches!(&answer, PartnerOutcome::Confirmed { total, .. } if total.minor() > cap),
        "{answer:?}"
    );
}

#[test]
fn a_liar_cancels_what_it_confirmed_and_says_so_afterwards() {
    let mut partner = store(ProfileName::Liar.profile());
    let order = {
        let answers = partner.handle(quotes(vec![question(1)]), NOW);
        let [QuoteOutcome::Offer(offer)] = &quote_outcomes(&answers)[..] else { panic!() };
        place("1", "order", offer.quote_id.clone())
    };
    let answers = partner.handle(PartnerRequest::Place(order), NOW);
    assert!(is_confirmed(&outcomes(&answers)[0]));
    let notice = answers.iter().find(|a| a.value.subject.ends_with(".notice")).unwrap();
    assert!(notice.at >= after(500));
    let record = partner.order(&key("order")).unwrap();
    assert!(record.is_live(after(499)) && !record.is_live(after(500)));
    let late = partner.handle(lookup("1", "order"), after(500));
    assert!(matches!(outcomes(&late)[0], PartnerOutcome::Canceled { .. }));
}

#[test]
fn a_call_back_store_confirms_by_notice() {
    let mut partner = store(ProfileName::Callback.profile());
    let order = {
        let answers = partner.handle(quotes(vec![question(1)]), NOW);
        let [QuoteOutcome::Offer(offer)] = &quote_outcomes(&answers)[..] else { panic!() };
        place("1", "order", offer.quote_id.clone())
    };
    let answers = partner.handle(PartnerRequest::Place(order), NOW);
    assert!(outcomes(&answers).is_empty());
    assert_eq!(answers.len(), 1);
    assert_eq!(answers[0].value.subject, "partner.alpha.reply.0.notice");
    assert!(partner.order(&key("order")).unwrap().is_live(NOW));
}
