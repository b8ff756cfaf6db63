//! A placement without an answer: copy, look-up, fence, human (C11–C14, T18; domain.md 4.13).

use broker_core::event::PartnerOutcome;
use broker_core::partner::PartnerProfile;
use broker_core::request::Version;
use broker_core::timer::TimerKind;
use schemas::DurationMs;
use schemas::subject::PartnerOperation;

use crate::support::*;

#[test]
fn silence_freezes_the_request_and_sends_the_same_order_again_where_that_is_safe() {
    assert_shows(
        &show(&Scene::placing().fire(TimerKind::Step)),
        "
        rows:    C11 T18
        status:  v5 ordering, sweep 1
        attempt: 1 at plain: unknown since +1.000s, asks 1
        holds:   authorized 25.00 USD, intent of v4 cap 25.00 USD until +5.000s
        timers:  expiry +600.000s, step +1.500s, human +901.000s
        effect:  plain place#1 1 of q-plain-2500 cap 25.00 USD, by +5.000s
        ",
    );
}

#[test]
fn a_partner_that_is_not_key_first_never_gets_a_second_copy() {
    assert_shows(
        &show(&Scene::placing_at("trailing").fire(TimerKind::Step)),
        "
        rows:    C11 T18
        status:  v5 ordering, sweep 1
        attempt: 1 at trailing: unknown since +1.000s, asks 1
        holds:   authorized 25.00 USD, intent of v4 cap 25.00 USD until +5.000s
        timers:  expiry +600.000s, step +1.500s, human +901.000s
        effect:  trailing lookup#1
        ",
    );
}

#[test]
fn a_refusal_of_one_copy_leaves_the_outcome_unknown() {
    let refusal = says("plain", 1, PartnerOperation::Place, refused(false));
    assert_shows(
        &Scene::placing().shows(refusal),
        "
        rows:    C11 T18
        status:  v5 ordering, sweep 1
        attempt: 1 at plain: unknown since +0.000s, asks 1
        holds:   authorized 25.00 USD, intent of v4 cap 25.00 USD until +5.000s
        timers:  expiry +600.000s, step +0.500s, human +900.000s
        effect:  plain place#1 1 of q-plain-2500 cap 25.00 USD, by +5.000s
        ",
    );
}

#[test]
fn a_copy_is_not_sent_when_it_could_no_longer_be_accepted() {
    let mut scene = Scene::placing().after(4_401);
    let refusal = says("plain", 1, PartnerOperation::Place, refused(false));
    assert_shows(
        &scene.shows(refusal),
        "
        rows:    C11 T18
        status:  v5 ordering, sweep 1
        attempt: 1 at plain: unknown since +4.401s, asks 1
        holds:   authorized 25.00 USD, intent of v4 cap 25.00 USD until +5.000s
        timers:  expiry +600.000s, step +4.901s, human +904.401s
        effect:  plain lookup#1
        ",
    );
}

#[test]
fn questions_get_rarer() {
    let mut scene = Scene::unknown_at("trailing");
    let mut waits = Vec::new();
    for _ in 0..9 {
        let at = scene.request.timers.get(TimerKind::Step).unwrap();
        waits.push(at.since(scene.now).as_ms());
        scene.fire(TimerKind::Step);
    }
    assert_eq!(waits, [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
}

#[test]
fn an_order_that_is_found_stands() {
    let mut scene = Scene::unknown_at("plain");
    assert_shows(
        &scene.shows(looked_up("plain", confirmed("o-1", 2500))),
        "
        rows:    C12 T15 C15
        status:  v6 ordered, sweep 1, notified 1
        attempt: 1 at plain: capturing, tried 1 times
        holds:   authorized 25.00 USD, intent of v4 cap 25.00 USD until +5.000s, order o-1 25.00 USD
        timers:  step +3.000s
        effect:  event ordered
        effect:  notify 0 ordered
        effect:  pay capture#1 25.00 USD
        ",
    );
}

#[test]
fn a_late_confirmation_is_as_good_as_a_prompt_one() {
    let mut scene = Scene::unknown_past_window_at("trailing");
    let late = says("trailing", 1, PartnerOperation::Place, confirmed("o-1", 2500));
    assert_eq!(rows(&scene.apply(late)), "C12 T15 C15");
}

#[test]
fn not_found_before_the_window_closed_proves_nothing() {
    let mut scene = Scene::unknown_at("plain");
    assert_shows(
        &scene.shows(looked_up("plain", not_found(false))),
        "
        nothing to do: asked while an order could still appear
        ",
    );
}

#[test]
fn not_found_asked_for_before_the_window_closed_proves_nothing_however_late_it_comes() {
    let mut scene = Scene::unknown_past_window_at("plain");
    let asked_early = broker_core::Event::Partner(broker_core::event::PartnerAnswer {
        partner: partner("plain"),
        attempt: 1,
        operation: Some(PartnerOperation::Lookup),
        in_reply_to: Some(Version(5)),
        outcome: not_found(false),
    });
    assert_shows(
        &scene.shows(asked_early),
        "
        nothing to do: asked while an order could still appear
        ",
    );
}

#[test]
fn not_found_after_the_window_is_proof_from_a_look_up_that_reads_its_writes() {
    let mut scene = Scene::unknown_past_window_at("plain");
    assert_shows(
        &scene.shows(looked_up("plain", not_found(false))),
        "
        rows:    C13 C18
        status:  v10 ordering, sweep 1
        attempt: 1 at plain: failed (partner_timeout)
        holds:   authorized 25.00 USD, intent of v4 cap 25.00 USD until +5.000s
        undo:    void#1 at plain, sent 1 times, lapses +9.000s
        timers:  expiry +600.000s, undo +9.500s
        effect:  pay void#1
        ",
    );
}

#[test]
fn a_clock_that_jumped_over_the_window_proves_nothing() {
    let mut scene = Scene::unknown_at("plain").after(60_000);
    scene.in_doubt = true;
    scene.fire(TimerKind::Step);
    let while_it_may_be_open = looked_up_at(&scene, "plain", not_found(false));
    scene.in_doubt = false;
    scene.fire(TimerKind::Step);
    assert_eq!(
        scene.shows(while_it_may_be_open),
        "nothing to do: asked while an order could still appear\n"
    );
    let closed_for_sure = looked_up_at(&scene, "plain", not_found(false));
    assert_eq!(rows(&scene.apply(closed_for_sure)), "C13 C18");
}

#[test]
fn a_clock_that_jumped_between_two_words_makes_no_second_one_of_the_next() {
    let mut scene = Scene::unknown_at("trailing");
    while scene.now < at(5_000 + 120_000 + 500) {
        scene.fire(TimerKind::Step);
    }
    scene.apply(looked_up_at(&scene, "trailing", not_found(false)));
    scene.wait(60_000);
    scene.in_doubt = true;
    scene.fire(TimerKind::Step);
    let too_soon = looked_up_at(&scene, "trailing", not_found(false));
    assert_eq!(scene.shows(too_soon), "nothing to do: asked while an order could still appear\n");
}

#[test]
fn after_a_jump_of_the_clock_a_store_is_doubted_until_it_would_show_the_order() {
    let policy = policy();
    let settling = PartnerProfile { settle: DurationMs::from_secs(120), ..trailing("slow") };
    assert!(!settling.sees_everything());
    let prompt = ideal("prompt");
    assert!(prompt.sees_everything());
    let doubt = |store: Option<&PartnerProfile>| policy.doubt_after_jump(store);
    let (window, margin) = (policy.place_window.as_ms(), policy.clock_margin.as_ms());
    assert_eq!(doubt(Some(&settling)), DurationMs(window + 120_000 + margin));
    assert_eq!(doubt(Some(&prompt)), DurationMs(window + margin));
    assert_eq!(doubt(None), DurationMs(policy.authorize_timeout.as_ms() + margin));
    assert!(policy.authorize_timeout <= policy.place_window, "the longest window counts");
}

#[test]
fn a_trailing_look_up_proves_absence_only_twice_and_only_asked_after_it_has_settled() {
    let mut scene = Scene::unknown_past_window_at("trailing");
    let asked_early = looked_up_at(&scene, "trailing", not_found(false));
    assert_shows(
        &scene.shows(asked_early.clone()),
        "
        nothing to do: asked while an order could still appear
        ",
    );
    while scene.now < at(5_000 + 120_000 + 500) {
        scene.fire(TimerKind::Step);
    }
    assert_shows(
        &scene.shows(asked_early.clone()),
        "
        nothing to do: asked while an order could still appear
        ",
    );
    let asked_late = looked_up_at(&scene, "trailing", not_found(false));
    assert_shows(
        &scene.shows(asked_late.clone()),
        "
        rows:    -
        status:  v16 ordering, sweep 1
        attempt: 1 at trailing: unknown since +1.000s, asks 11, absent since +152.500s
        holds:   authorized 25.00 USD, intent of v4 cap 25.00 USD until +5.000s
        timers:  expiry +600.000s, step +182.500s, human +901.000s
        ",
    );
    // Copies of the two answers, long after.
    scene.fire(TimerKind::Step);
    for copy in [asked_early, asked_late] {
        assert_shows(
            &scene.shows(copy),
            "
            nothing to do: asked while an order could still appear
            ",
        );
    }
    let asked_again = looked_up_at(&scene, "trailing", not_found(false));
    assert_shows(
        &scene.shows(asked_again),
        "
        rows:    C13 C18
        status:  v18 ordering, sweep 1
        attempt: 1 at trailing: failed (partner_timeout)
        holds:   authorized 25.00 USD, intent of v4 cap 25.00 USD until +5.000s
        undo:    void#1 at trailing, sent 1 times, lapses +183.000s
        timers:  expiry +600.000s, undo +183.500s
        effect:  pay void#1
        ",
    );
}

#[test]
fn final_words_about_the_order_are_proof() {
    for event in [
        looked_up("plain", not_found(true)),
        looked_up("plain", canceled("o-1")),
        says("plain", 1, PartnerOperation::Place, refused(true)),
        notice("plain", 1, refused(true)),
    ] {
        assert_eq!(rows(&Scene::unknown_at("plain").apply(event)), "C13 C18");
    }
}

#[test]
fn a_refusal_to_look_up_or_to_cancel_is_none_of_the_order() {
    for refusal in [looked_up("plain", refused(true)), fenced("plain", refused(true))] {
        for scene in [Scene::placing(), Scene::unknown_at("plain")] {
            let outcome = scene.try_apply(refusal.clone());
            assert!(outcome.is_err(), "{}", result(&outcome));
        }
    }
}

#[test]
fn words_without_meaning_for_the_order_prove_nothing() {
    for outcome in [refused(false), PartnerOutcome::Released, reserved(1)] {
        let shown = Scene::unknown_at("plain").shows(looked_up("plain", outcome));
        assert_eq!(shown, "nothing to do: proves nothing about the order\n");
    }
}

#[test]
fn a_partner_that_cannot_be_asked_is_waited_for_and_a_human_is_called() {
    let mut scene = Scene::placing_at("mute");
    assert_shows(
        &show(&scene.fire(TimerKind::Step)),
        "
        rows:    C11 T18
        status:  v5 ordering, sweep 1
        attempt: 1 at mute: unknown since +1.000s, asks 1
        holds:   authorized 25.00 USD, intent of v4 cap 25.00 USD until +5.000s
        timers:  expiry +600.000s, step +1.500s, human +901.000s
        ",
    );
    assert_shows(
        &show(&scene.fire(TimerKind::Step)),
        "
        rows:    -
        status:  v6 ordering, sweep 1
        attempt: 1 at mute: unknown since +1.000s, asks 2
        holds:   authorized 25.00 USD, intent of v4 cap 25.00 USD until +5.000s
        timers:  expiry +600.000s, step +2.500s, human +901.000s
        ",
    );
    assert_shows(
        &show(&scene.fire(TimerKind::Human)),
        "
        rows:    C14
        status:  v7 ordering, sweep 1, notified 1, incident PlacementUnknown
        attempt: 1 at mute: unknown since +1.000s, asks 2
        holds:   authorized 25.00 USD, intent of v4 cap 25.00 USD until +5.000s
        timers:  expiry +600.000s, step +2.500s
        effect:  event incident
        effect:  notify 0 incident
        ",
    );
    assert_shows(
        &scene.shows(notice("mute", 1, confirmed("o-1", 2500))),
        "
        rows:    C12 T15 C15
        status:  v8 ordered, sweep 1, notified 2
        attempt: 1 at mute: capturing, tried 1 times
        holds:   authorized 25.00 USD, intent of v4 cap 25.00 USD until +5.000s, order o-1 25.00 USD
        timers:  step +903.000s
        effect:  event ordered
        effect:  notify 1 ordered
        effect:  pay capture#1 25.00 USD
        ",
    );
}

#[test]
fn a_deadline_does_not_end_the_search_for_the_truth() {
    let mut scene = Scene::unknown_at("trailing");
    assert_shows(
        &show(&scene.fire(TimerKind::Expiry)),
        "
        rows:    T14
        status:  v6 ordering, sweep 1
        attempt: 1 at trailing: unknown since +1.000s, asks 1
        holds:   authorized 25.00 USD, intent of v4 cap 25.00 USD until +5.000s
        timers:  step +1.500s, human +901.000s
        ",
    );
}
