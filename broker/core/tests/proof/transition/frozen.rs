//! Requests brought back from a backup that may be out of date.

use broker_core::effect::{Effect, PartnerCommand, PaymentCommand};
use broker_core::event::{Event, Ruling};
use broker_core::request::Status;
use broker_core::timer::TimerKind;
use broker_core::transition::Transition;
use schemas::purchase::PurchaseStatus;
use schemas::subject::PartnerOperation;

use crate::golden::{events, stations};
use crate::support::*;

fn buys(step: &Transition) -> bool {
    step.effects.iter().any(|effect| {
        matches!(
            effect,
            Effect::Partner {
                command: PartnerCommand::Reserve { .. } | PartnerCommand::Place { .. },
                ..
            } | Effect::Payment { command: PaymentCommand::Authorize { .. }, .. }
        )
    })
}

fn with_a_runner_up() -> Scene {
    Scene::ordering(vec![quote("ideal", 2500), quote("plain", 2600)])
}

#[test]
fn whatever_happens_to_a_frozen_request_nothing_is_bought_and_no_end_is_told() {
    let (mut tried, mut held_back) = (0, 0);
    for (name, partner, scene) in stations() {
        if scene.request.is_closed() || scene.request.frozen_at.is_some() {
            continue;
        }
        let frozen = scene.clone().frozen();
        for (what, event) in events(&scene, partner) {
            if event == ruled(Ruling::Release) {
                continue;
            }
            let (mut free, mut frozen) = (scene.clone(), frozen.clone());
            if let Event::Timer(kind) = &event {
                let set = [&free, &frozen].map(|scene| scene.request.timers.get(*kind).is_some());
                if set != [true, true] {
                    continue;
                }
                free.go_to(*kind);
                frozen.go_to(*kind);
            }
            held_back += u32::from(free.try_apply(event.clone()).is_ok_and(|step| buys(&step)));
            let Ok(step) = frozen.try_apply(event) else { continue };
            tried += 1;
            assert!(!buys(&step), "{name}: {what} buys");
            let ended = step.next.is_closed() && step.next.status != Status::Ordered;
            assert!(!ended, "{name}: {what} ends it");
            assert!(step.next.is_active(), "{name}: {what} hides it");
        }
    }
    assert!(tried > 100 && held_back > 10, "{tried} applied, {held_back} would have bought");
}

#[test]
fn an_order_on_its_way_is_still_found_and_paid() {
    let mut scene = Scene::placing().frozen();
    scene.apply(says("plain", 1, PartnerOperation::Place, confirmed("o-1", 2500)));
    assert_eq!(scene.request.status.kind(), PurchaseStatus::Ordered);
    let mut scene = Scene::placing_at("trailing").frozen();
    scene.fire(TimerKind::Step);
    scene.apply(looked_up("trailing", confirmed("o-1", 2500)));
    assert_eq!(scene.request.status.kind(), PurchaseStatus::Ordered);
}

#[test]
fn a_step_that_must_wait_is_put_off_and_not_forgotten() {
    let mut scene = with_a_runner_up().frozen();
    let (version, before) = (scene.request.version, scene.request.checkout.clone());
    scene.fire(TimerKind::Step);
    assert_eq!(scene.request.checkout, before);
    assert!(scene.request.version > version, "it is in the audit log");
    let next = scene.request.timers.get(TimerKind::Step).unwrap();
    assert_eq!(next.since(scene.now).as_ms(), 60_000);
}

#[test]
fn the_customer_is_told_why_nothing_can_be_changed() {
    for command in [cancel(), raise_to(3600), accept(7)] {
        let refused = Scene::quoted().frozen().shows(command);
        assert!(refused.contains("frozen until an operator releases it"), "{refused}");
    }
}

#[test]
fn a_released_request_goes_on_where_it_was() {
    let mut scene = Scene::searching().frozen();
    assert_eq!(scene.request.timers.get(TimerKind::Expiry), None);
    scene.wait(1_000);
    scene.apply(ruled(Ruling::Release));
    assert_eq!(scene.request.frozen_at, None);
    let expiry = scene.request.timers.get(TimerKind::Expiry);
    assert_eq!(expiry, Some(scene.request.terms.expires_at));
    assert!(buys(&scene.apply(affordable(1, vec![quote("ideal", 2500)]))));

    let mut scene = with_a_runner_up().frozen();
    scene.fire(TimerKind::Step);
    scene.apply(ruled(Ruling::Release));
    assert_eq!(scene.request.timers.get(TimerKind::Step), Some(scene.now));
}

#[test]
fn only_an_open_request_is_frozen_and_only_a_frozen_one_released() {
    for closed in [Scene::canceled(), Scene::completed(), Scene::expired()] {
        let refused = closed.clone().shows(ruled(Ruling::Freeze));
        assert!(refused.contains("it is closed"), "{refused}");
    }
    let again = Scene::searching().frozen().shows(ruled(Ruling::Freeze));
    assert!(again.contains("frozen before"), "{again}");
    let free = Scene::searching().shows(ruled(Ruling::Release));
    assert!(free.contains("it is not frozen"), "{free}");
}

#[test]
fn what_a_human_ruled_out_is_not_bought_again_before_the_release() {
    let mut scene = Scene::left_to_a_human().frozen();
    let found = scene.clone().shows(ruled_found("o-1", 2500));
    assert!(found.contains("ordered"), "{found}");
    let refused = scene.shows(ruled_not_found());
    assert!(refused.contains("frozen until an operator releases it"), "{refused}");
}
