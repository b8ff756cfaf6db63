//! A human's word about an order that machines could not find out about.

use broker_core::event::{PaymentOutcome, Ruling};
use broker_core::request::Incident;
use broker_core::timer::TimerKind;
use schemas::purchase::PurchaseStatus;
use schemas::{Currency, Money};

use crate::support::*;

#[test]
fn an_order_that_a_human_found_stands_and_is_paid() {
    let mut scene = Scene::left_to_a_human();
    assert_eq!(scene.request.incident, Some(Incident::PlacementUnknown));
    let step = scene.apply(ruled_found("o-1", 2400));
    assert_eq!(rows(&step), "C12 T15 C15");
    assert_eq!(scene.request.status.kind(), PurchaseStatus::Ordered);
    assert_eq!(scene.request.incident, None);
    let order = scene.request.checkout.unwrap().order.unwrap();
    assert_eq!((order.order_id, order.total), (order_id("o-1"), usd(2400)));
}

#[test]
fn what_a_human_found_above_the_cap_is_undone_like_any_order_above_its_cap() {
    let mut scene = Scene::left_to_a_human();
    scene.apply(ruled_found("o-1", 2501));
    assert_eq!(scene.request.status.kind(), PurchaseStatus::Failed);
    assert_eq!(scene.request.incident, Some(Incident::PriceAboveCap));
}

#[test]
fn an_order_that_a_human_rules_out_gives_the_money_back_and_the_search_goes_on() {
    let mut scene = Scene::left_to_a_human();
    scene.request.terms.expires_at = at(24 * 3600 * 1000);
    let step = scene.apply(ruled_not_found());
    assert!(rows(&step).starts_with("C13"), "{}", rows(&step));
    assert_eq!(scene.request.incident, None);
    assert!(scene.request.is_money_open(), "nothing new while the hold is open");
    scene.apply(void(PaymentOutcome::Voided));
    assert_eq!(scene.request.status.kind(), PurchaseStatus::Searching);
}

#[test]
fn an_order_that_turns_up_after_a_human_ruled_it_out_is_an_incident_and_taken_back() {
    let mut scene = Scene::left_to_a_human().then(ruled_not_found());
    let late = notice("mute", 1, confirmed("o-1", 2500));
    assert_eq!(rows(&scene.apply(late)), "T20");
    assert_eq!(scene.request.incident, Some(Incident::LateOrder));
}

#[test]
fn a_human_is_heard_only_when_machines_have_had_their_time() {
    for word in [ruled_found("o-1", 2500), ruled_not_found()] {
        let early = Scene::unknown_at("mute").shows(word.clone());
        assert!(early.contains("transition_not_allowed: the store is being asked"), "{early}");
        for scene in [Scene::searching(), Scene::placing(), Scene::completed()] {
            let refused = scene.clone().shows(word.clone());
            assert!(refused.contains("nothing is unknown about attempt 1"), "{refused}");
        }
    }
}

#[test]
fn a_word_about_another_attempt_or_in_another_currency_is_refused() {
    let mut scene = Scene::left_to_a_human();
    let other = scene.shows(ruled(Ruling::NotFound { attempt: 2 }));
    assert!(other.contains("nothing is unknown about attempt 2"), "{other}");
    let total = Money::new(2500, Currency::EUR).unwrap();
    let foreign = Ruling::Found { attempt: 1, order_id: order_id("o-1"), total };
    let foreign = scene.shows(ruled(foreign));
    assert!(foreign.contains("currency_unsupported"), "{foreign}");
}

#[test]
fn nothing_is_ruled_out_while_the_store_may_still_accept_the_order() {
    let mut scene = Scene::left_to_a_human();
    let intent = scene.request.checkout.as_mut().unwrap().intent.as_mut().unwrap();
    intent.not_after = scene.now;
    let refused = scene.shows(ruled_not_found());
    assert!(refused.contains("may accept the order until"), "{refused}");
    scene.wait(scene.policy.clock_margin.as_ms());
    scene.apply(ruled_not_found());
    assert_eq!(scene.request.timers.get(TimerKind::Human), None);
}
