//! What our own limits keep from happening now happens later, or is told.

use broker_core::engine::input::{Input, Origin, QuoteOutcome};
use broker_core::engine::limits::ladder::Rung;
use broker_core::engine::output::{Answer, Fact};

use broker_core::partner::PartnerProfile;
use broker_core::policy::Overload;
use broker_core::request::Submission;
use schemas::purchase::Strategy;
use schemas::{CustomerId, DurationMs, RejectReason};

use super::rig::Rig;
use crate::support::*;

fn of(customer: &str, number: u64) -> Submission {
    let customer = CustomerId::parse(customer).unwrap();
    Submission { id: request_id(number), customer, ..submission() }
}

fn refusal(rig: &Rig, origin: Origin) -> (RejectReason, Option<DurationMs>) {
    match rig.answer(origin) {
        Some(Answer::Rejected { reason, retry_after, .. }) => (*reason, *retry_after),
        other => panic!("{other:?}"),
    }
}

/// Ann has created as much as she may at once.
fn used_up() -> Rig {
    let mut rig = Rig::with(vec![plain("a")], |config| {
        config.policy.overload.creates = Overload::standard().creates;
    });
    for number in 1..=10 {
        let origin = rig.create(of("ann", number));
        assert_eq!(rig.told(origin), "accepted", "{number}");
    }
    rig
}

#[test]
fn a_cancel_waits_for_the_create_that_its_stream_still_keeps() {
    let mut rig = used_up();
    let put_off = rig.create_from_stream(of("ann", 11), 11);
    let six = Some(DurationMs(6_000));
    assert_eq!(refusal(&rig, put_off), (RejectReason::RateLimited, six));
    let too_early = rig.command(request_id(11), cancel());
    let after = Some(DurationMs(6_100));
    assert_eq!(refusal(&rig, too_early), (RejectReason::Overloaded, after));
    rig.wait(6_000);
    let back = rig.create_from_stream(of("ann", 11), 11);
    assert_eq!(rig.told(back), "accepted");
    rig.wait(100);
    let again = rig.command(request_id(11), cancel());
    assert_eq!(rig.told(again), "accepted");
    assert_eq!(rig.status(request_id(11)), "canceled");
}

#[test]
fn a_create_that_does_not_come_back_is_forgotten() {
    let mut rig = used_up();
    rig.create_from_stream(of("ann", 11), 11);
    rig.wait(6_000 + 59_999);
    let early = rig.command(request_id(11), cancel());
    let second = Some(DurationMs(1_000));
    assert_eq!(refusal(&rig, early), (RejectReason::Overloaded, second));
    rig.wait(1);
    let cancel = rig.command(request_id(11), cancel());
    assert_eq!(refusal(&rig, cancel), (RejectReason::NotFound, None));
}

#[test]
fn the_creates_of_one_customer_come_back_one_by_one() {
    let mut rig = used_up();
    for (number, seconds) in [(11, 6), (12, 12), (13, 18)] {
        let origin = rig.create_from_stream(of("ann", number), number);
        let after = Some(DurationMs::from_secs(seconds));
        assert_eq!(refusal(&rig, origin), (RejectReason::RateLimited, after));
    }
    let asked_in_person = rig.create(of("ann", 14));
    let six = Some(DurationMs(6_000));
    assert_eq!(refusal(&rig, asked_in_person), (RejectReason::RateLimited, six));
}

#[test]
fn one_customer_cannot_fill_the_stream_of_all() {
    let mut rig = used_up();
    let most = u64::try_from(Overload::standard().creates_put_off_max).unwrap();
    for number in 100..100 + most {
        rig.create_from_stream(of("ann", number), number);
    }
    let one_more = rig.create_from_stream(of("ann", 99), 99);
    assert_eq!(refusal(&rig, one_more), (RejectReason::TooManyCreates, None));
    assert!(!RejectReason::TooManyCreates.is_transient());
    let bob = rig.create_from_stream(of("bob", 98), 98);
    assert_eq!(rig.told(bob), "accepted");
}

/// One question may be open at a time, and so many creates may wait.
fn narrow(waiting_max: usize) -> Rig {
    Rig::with(vec![plain("a")], |config| {
        let overload = &mut config.policy.overload;
        *overload = Overload::standard();
        overload.calls_in_flight_max = 1;
        overload.admission.waiting_max = waiting_max;
    })
}

#[test]
fn one_create_that_waits_long_keeps_nobody_else_out() {
    let mut rig = narrow(10);
    rig.create(of("bob", 1));
    rig.create(of("bob", 2));
    rig.wait(1_950);
    let other = rig.create(of("ann", 3));
    assert_eq!(rig.told(other), "nothing yet");
    assert!(!rig.facts.contains(&Fact::Rung(Rung::Refusing)));
}

#[test]
fn nobody_is_refused_while_there_is_nothing_to_do() {
    let mut rig = narrow(2);
    for number in 1..=4 {
        rig.create(of("bob", number));
    }
    assert!(rig.facts.contains(&Fact::Rung(Rung::Refusing)));
    for _ in 0..3 {
        rig.has_none("a");
    }
    let next = rig.create(of("bob", 5));
    assert_eq!(rig.told(next), "accepted");
}

#[test]
fn whoever_was_turned_away_has_not_used_its_rate_up() {
    let mut rig = narrow(2);
    for number in 1..=20 {
        rig.create(of("ann", number));
    }
    rig.wait(10_000);
    rig.asked.clear();
    let next = rig.create(of("ann", 30));
    assert_ne!(refusal_reason(&rig, next), Some(RejectReason::RateLimited));
}

fn refusal_reason(rig: &Rig, origin: Origin) -> Option<RejectReason> {
    match rig.answer(origin) {
        Some(Answer::Rejected { reason, .. }) => Some(*reason),
        _ => None,
    }
}

#[test]
fn questions_that_wait_for_one_store_are_room_taken() {
    let mut rig = Rig::with(vec![PartnerProfile { in_flight_max: 1, ..plain("a") }], |config| {
        config.policy.overload.calls_in_flight_max = 3;
    });
    let told: Vec<_> = (1..=4)
        .map(|number| {
            let origin = rig.create(of("ann", number));
            rig.told(origin)
        })
        .collect();
    assert_eq!(told, ["accepted", "accepted", "accepted", "nothing yet"]);
}

#[test]
fn questions_that_never_left_open_no_breaker() {
    let silent = |left: bool| {
        let mut rig = Rig::with(vec![plain("a")], |config| {
            config.policy.overload.breaker = Overload::standard().breaker;
            config.policy.quote_retries = 0;
        });
        for number in 1..=20 {
            rig.create(of("ann", number));
        }
        let calls = rig.asked.iter().map(|asked| asked.question.call).collect();
        if !left {
            rig.send(Input::NotSent { calls });
        }
        rig.wait(1_000);
        rig.facts.iter().any(|fact| matches!(fact, Fact::Breaker { .. }))
    };
    assert_eq!([silent(true), silent(false)], [true, false]);
}

/// The only store has asked to be left alone for so long.
fn pausing(ms: u64) -> Rig {
    let mut rig = Rig::new(vec![plain("a")]);
    rig.create(of("ann", 1));
    let call = rig.question("a").call;
    rig.say("a", call, QuoteOutcome::Refused { retry_after: Some(DurationMs(ms)) });
    rig
}

#[test]
fn a_search_that_our_limits_cut_short_is_tried_again() {
    let mut rig = pausing(4_000);
    rig.create(of("ann", 2));
    assert!(rig.facts.contains(&Fact::SearchPostponed { request: request_id(2) }));
    rig.wait(4_999);
    assert!(rig.asked.is_empty());
    rig.wait(1);
    rig.offers("a", 2500);
    assert_eq!(rig.status(request_id(2)), "ordering");
}

#[test]
fn a_search_is_not_postponed_for_ever() {
    let mut rig = pausing(120_000);
    rig.create(of("ann", 2));
    rig.wait(20_999);
    assert_eq!(rig.status(request_id(2)), "searching");
    rig.wait(2_000);
    assert_eq!(rig.status(request_id(2)), "failed (partner_unavailable)");
    let postponed = Fact::SearchPostponed { request: request_id(2) };
    assert_eq!(rig.facts.iter().filter(|fact| **fact == postponed).count(), 3);
}

#[test]
fn a_postponed_search_can_be_canceled_and_survives_a_crash() {
    let mut rig = pausing(4_000);
    rig.create(of("ann", 2));
    rig.create(of("ann", 3));
    let told = rig.command(request_id(2), cancel());
    assert_eq!(rig.told(told), "accepted");
    assert_eq!(rig.status(request_id(2)), "canceled");
    rig.crash(2);
    rig.offers("a", 2500);
    assert_eq!(rig.status(request_id(3)), "ordering");
    rig.wait(30_000);
    assert_eq!(rig.status(request_id(2)), "canceled");
}

#[test]
fn too_dear_is_not_said_while_somebody_was_left_out() {
    let mut rig = Rig::new(vec![plain("a"), plain("b")]);
    let mut first = of("ann", 1);
    first.terms.strategy = Strategy::Cheapest;
    rig.create(first.clone());
    let call = rig.question("a").call;
    rig.say("a", call, QuoteOutcome::Refused { retry_after: Some(DurationMs(900)) });
    rig.command(request_id(1), cancel());
    rig.asked.clear();
    rig.create(Submission { id: request_id(2), ..first });
    rig.offers("b", 9_000);
    assert_eq!(rig.status(request_id(2)), "searching");
    rig.wait(1_000);
    rig.offers("b", 9_000);
    rig.offers("a", 2_500);
    assert_eq!(rig.status(request_id(2)), "ordering");
}
