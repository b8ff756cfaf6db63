//! A fence around an order that nobody has seen: a cancel by its key, whose answer is final (C13).

use broker_core::effect::{Effect, PartnerCommand};
use broker_core::partner::PartnerProfile;
use broker_core::request::{Incident, Step, Unknown};
use broker_core::timer::TimerKind;
use broker_core::transition::Transition;
use schemas::directory::LookupKind;
use schemas::subject::PartnerOperation;

use crate::support::*;

#[test]
fn a_fence_is_put_up_when_a_look_up_cannot_prove_it() {
    let mut scene = Scene::unknown_past_window_at("fencing");
    assert_shows(
        &scene.shows(looked_up("fencing", not_found(false))),
        "
        rows:    -
        status:  v10 ordering, sweep 1
        attempt: 1 at fencing: unknown since +1.000s, asks 6, absent since +8.500s, fencing
        holds:   authorized 25.00 USD, intent of v4 cap 25.00 USD until +5.000s
        timers:  expiry +600.000s, step +24.500s, human +901.000s
        effect:  fencing cancel#1
        ",
    );
    assert_shows(
        &scene.shows(fenced("fencing", not_found(true))),
        "
        rows:    C13 C18
        status:  v11 ordering, sweep 1
        attempt: 1 at fencing: failed (partner_timeout)
        holds:   authorized 25.00 USD, intent of v4 cap 25.00 USD until +5.000s
        undo:    void#1 at fencing, sent 1 times, lapses +9.000s
        timers:  expiry +600.000s, undo +9.500s
        effect:  pay void#1
        ",
    );
}

#[test]
fn where_late_orders_are_taken_only_the_fence_proves_anything_however_often_nothing_is_found() {
    let mut scene =
        Scene::unknown_past_window_at("fencing").then(looked_up("fencing", not_found(false)));
    for _ in 0..10 {
        scene.fire(TimerKind::Step);
        let nothing = looked_up_at(&scene, "fencing", not_found(false));
        let shown = scene.shows(nothing);
        assert!(shown.starts_with("nothing to do: "), "{shown}");
    }
    let nothing = looked_up_at(&scene, "fencing", not_found(false));
    let said = "nothing to do: not found, which is no proof yet; asked again later\n";
    assert_eq!(scene.shows(nothing), said);
}

#[test]
fn an_order_that_the_fence_canceled_is_gone_too() {
    let mut scene =
        Scene::unknown_past_window_at("fencing").then(looked_up("fencing", not_found(false)));
    assert_eq!(rows(&scene.apply(fenced("fencing", canceled("o-1")))), "C13 C18");
}

#[test]
fn a_fence_that_is_refused_means_that_the_order_may_exist() {
    let mut scene =
        Scene::unknown_past_window_at("fencing").then(looked_up("fencing", not_found(false)));
    assert_shows(
        &scene.shows(fenced("fencing", refused(false))),
        "
        rows:    -
        status:  v11 ordering, sweep 1
        attempt: 1 at fencing: unknown since +1.000s, asks 6
        holds:   authorized 25.00 USD, intent of v4 cap 25.00 USD until +5.000s
        timers:  expiry +600.000s, step +24.500s, human +901.000s
        ",
    );
    assert_shows(
        &show(&scene.fire(TimerKind::Step)),
        "
        rows:    -
        status:  v12 ordering, sweep 1
        attempt: 1 at fencing: unknown since +1.000s, asks 7
        holds:   authorized 25.00 USD, intent of v4 cap 25.00 USD until +5.000s
        timers:  expiry +600.000s, step +54.500s, human +901.000s
        effect:  fencing lookup#1
        ",
    );
}

#[test]
fn a_confirmation_that_a_fence_has_overtaken_waits_for_its_answer() {
    let fencing = || {
        let order = says("fencing", 1, PartnerOperation::Place, confirmed("o-1", 2500));
        Scene::unknown_past_window_at("fencing")
            .then(looked_up("fencing", not_found(false)))
            .then(order)
    };
    assert_shows(
        &head(&fencing().request),
        "
        status:  v11 ordering, sweep 1
        attempt: 1 at fencing: unknown since +1.000s, asks 6, fencing
        holds:   authorized 25.00 USD, intent of v4 cap 25.00 USD until +5.000s, order o-1 25.00 USD
        timers:  expiry +600.000s, step +24.500s, human +901.000s
        ",
    );
    let again = says("fencing", 1, PartnerOperation::Place, confirmed("o-1", 2500));
    assert_shows(
        &fencing().shows(again),
        "
        nothing to do: confirmed before; the fence decides
        ",
    );
    assert_shows(
        &fencing().shows(fenced("fencing", canceled("o-1"))),
        "
        rows:    C13 C18
        status:  v12 ordering, sweep 1
        attempt: 1 at fencing: failed (partner_timeout)
        holds:   authorized 25.00 USD, intent of v4 cap 25.00 USD until +5.000s, order o-1 25.00 USD
        undo:    void#1 at fencing, sent 1 times, lapses +9.000s
        timers:  expiry +600.000s, undo +9.500s
        effect:  pay void#1
        ",
    );
    assert_shows(
        &fencing().shows(fenced("fencing", refused(false))),
        "
        rows:    C12 T15 C15
        status:  v12 ordered, sweep 1, notified 1
        attempt: 1 at fencing: capturing, tried 1 times
        holds:   authorized 25.00 USD, intent of v4 cap 25.00 USD until +5.000s, order o-1 25.00 USD
        timers:  step +10.500s
        effect:  event ordered
        effect:  notify 0 ordered
        effect:  pay capture#1 25.00 USD
        ",
    );
}

#[test]
fn a_fence_that_answers_without_proof_is_not_asked_again_at_once() {
    let mut scene =
        Scene::unknown_past_window_at("fencing").then(looked_up("fencing", not_found(false)));
    assert_shows(
        &scene.shows(fenced("fencing", not_found(false))),
        "
        nothing to do: asked while an order could still appear
        ",
    );
    assert_shows(
        &scene.shows(looked_up("fencing", not_found(false))),
        "
        nothing to do: asked while an order could still appear
        ",
    );
}

#[test]
fn a_partner_without_look_up_is_fenced_as_soon_as_the_window_has_closed() {
    let mut scene = Scene::unknown_with("plain", |profile| {
        profile.lookup = LookupKind::None;
    });
    while scene.now < at(5_500) {
        scene.fire(TimerKind::Step);
    }
    assert!(head(&scene.request).contains("fencing"), "{}", head(&scene.request));
}

/// It fences, and that is all that can be asked of it.
fn only_fences(profile: &mut PartnerProfile) {
    profile.lookup = LookupKind::None;
    profile.key_first = false;
    profile.honours_not_after = false;
}

fn unknown(scene: &Scene) -> Unknown {
    match scene.request.checkout.as_ref().unwrap().step {
        Step::PlacementUnknown(unknown) => unknown,
        ref other => panic!("not unknown but {other:?}"),
    }
}

fn asks_to_cancel(transition: &Transition) -> bool {
    let cancel =
        |effect: &Effect| matches!(effect, Effect::Partner { command: PartnerCommand::Cancel, .. });
    transition.effects.iter().any(cancel)
}

/// Lets the step timer fire until the order can no longer be accepted; says when a cancel left.
fn cancels_of(scene: &mut Scene) -> Vec<bool> {
    let closed = at(5_500);
    let mut cancels = Vec::new();
    while cancels.is_empty() || scene.now < closed {
        cancels.push(asks_to_cancel(&scene.fire(TimerKind::Step)));
    }
    cancels
}

#[test]
fn no_fence_is_put_up_while_the_order_may_still_be_accepted() {
    let mut scene = Scene::unknown_with("plain", only_fences);
    let cancels = cancels_of(&mut scene);
    let (last, before) = cancels.split_last().unwrap();
    assert!(*last && before.iter().all(|cancel| !cancel), "{cancels:?}");
}

#[test]
fn no_fence_is_put_up_at_a_store_that_cannot_fence() {
    let mut scene = Scene::unknown_with("plain", |profile| {
        only_fences(profile);
        profile.fences_cancel = false;
    });
    assert!(cancels_of(&mut scene).iter().all(|cancel| !cancel));
}

#[test]
fn a_refused_fence_of_a_store_without_look_up_is_tried_again_later() {
    let mut scene = Scene::unknown_with("plain", only_fences);
    cancels_of(&mut scene);
    assert!(unknown(&scene).fencing);
    scene.apply(fenced("plain", refused(false)));
    assert!(!unknown(&scene).fencing);
    assert!(asks_to_cancel(&scene.fire(TimerKind::Step)));
}

#[test]
fn a_fence_that_cannot_say_does_not_keep_two_late_look_ups_from_proving_absence() {
    let mut scene = Scene::unknown_with("fencing", |profile| profile.honours_not_after = true);
    let nothing = || looked_up("fencing", not_found(false));
    while scene.now < at(130_000) {
        scene.fire(TimerKind::Step);
    }
    scene.apply(nothing());
    assert!(unknown(&scene).fencing && unknown(&scene).absent_since.is_some());
    scene.wait(30_000);
    assert!(scene.try_apply(nothing()).is_err(), "nobody has asked again yet");
    scene.fire(TimerKind::Step);
    let next = scene.apply(nothing()).next;
    assert!(next.open_checkout().is_none(), "proven absent");
}

#[test]
fn proof_of_absence_ends_the_call_for_a_human_about_it_and_no_other() {
    let mut scene = Scene::unknown_at("plain");
    scene.request.incident = Some(Incident::PlacementUnknown);
    let gone = fenced("plain", canceled("o-1"));
    assert_eq!(scene.clone().apply(gone.clone()).next.incident, None);
    scene.request.incident = Some(Incident::LateOrder);
    assert_eq!(scene.apply(gone).next.incident, Some(Incident::LateOrder));
}
