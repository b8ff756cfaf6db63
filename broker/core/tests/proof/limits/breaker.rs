use broker_core::engine::limits::breaker::{Breaker, BreakerPolicy, State, Switched, Verdict};
use broker_core::policy::Overload;
use proptest::prelude::*;
use schemas::Timestamp;

use crate::support::at;

fn policy() -> BreakerPolicy {
    Overload::standard().breaker
}

fn record(breaker: &mut Breaker, verdict: Verdict, times: u32, ms: u64) -> Option<Switched> {
    (0..times).filter_map(|_| breaker.record(verdict, &policy(), at(ms))).last()
}

fn opened_until(breaker: &Breaker) -> u64 {
    match breaker.state() {
        State::Open { until } => until.since(at(0)).as_ms(),
        other @ (State::Closed | State::HalfOpen { .. }) => panic!("{other:?}"),
    }
}

#[test]
fn half_of_at_least_twenty_calls_must_fail() {
    let mut breaker = Breaker::new(1);
    assert_eq!(record(&mut breaker, Verdict::Failed, 19, 0), None);
    assert_eq!(record(&mut breaker, Verdict::Good, 1, 0), Some(Switched::Opened));
    let mut breaker = Breaker::new(1);
    assert_eq!(record(&mut breaker, Verdict::Good, 100, 0), None);
    assert_eq!(record(&mut breaker, Verdict::Failed, 99, 1000), None);
    assert_eq!(record(&mut breaker, Verdict::Failed, 1, 2000), Some(Switched::Opened));
}

#[test]
fn what_is_older_than_the_window_is_forgotten() {
    let mut breaker = Breaker::new(1);
    record(&mut breaker, Verdict::Failed, 19, 0);
    assert_eq!(record(&mut breaker, Verdict::Failed, 1, 31_000), None);
    assert!(!breaker.blocks(at(31_000)));
}

#[test]
fn most_answers_being_slow_opens_it_too_and_an_unknown_order_weighs_three() {
    let mut breaker = Breaker::new(1);
    record(&mut breaker, Verdict::Good, 4, 0);
    assert_eq!(record(&mut breaker, Verdict::Slow, 16, 0), Some(Switched::Opened));
    let mut breaker = Breaker::new(1);
    record(&mut breaker, Verdict::Good, 11, 0);
    assert_eq!(record(&mut breaker, Verdict::Unknown, 3, 0), None);
    assert_eq!(record(&mut breaker, Verdict::Unknown, 1, 0), Some(Switched::Opened));
}

#[test]
fn after_its_pause_calls_are_tried_one_at_a_time_and_three_good_ones_close_it() {
    let mut breaker = Breaker::new(1);
    record(&mut breaker, Verdict::Failed, 20, 0);
    let until = opened_until(&breaker);
    assert!((12_000..=18_000).contains(&until), "{until}");
    assert!(breaker.blocks(at(until - 1)));
    for trial in 0..3 {
        assert!(breaker.admit(&policy(), at(until + trial)));
        assert!(!breaker.admit(&policy(), at(until + trial)), "one at a time");
        let switched = record(&mut breaker, Verdict::Good, 1, until + trial);
        assert_eq!(switched, (trial == 2).then_some(Switched::Closed));
    }
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn a_trial_that_fails_opens_it_for_twice_as_long_up_to_five_minutes() {
    let mut breaker = Breaker::new(1);
    record(&mut breaker, Verdict::Failed, 20, 0);
    let mut now = 0;
    for pause in [15_000, 30_000, 60_000, 120_000, 240_000, 300_000, 300_000] {
        let until = opened_until(&breaker);
        let took = until - now;
        assert!((pause * 8 / 10..=pause * 12 / 10).contains(&took), "{took} of {pause}");
        now = until;
        assert!(breaker.admit(&policy(), at(now)));
        assert_eq!(record(&mut breaker, Verdict::Slow, 1, now), Some(Switched::Opened));
    }
}

#[test]
fn a_trial_of_which_nobody_hears_again_is_followed_by_another() {
    let mut breaker = Breaker::new(1);
    record(&mut breaker, Verdict::Failed, 20, 0);
    let until = opened_until(&breaker);
    assert!(breaker.admit(&policy(), at(until)));
    let again = until + policy().trial_timeout.as_ms();
    assert!(!breaker.admit(&policy(), at(again - 1)));
    assert!(breaker.admit(&policy(), at(again)));
}

#[test]
fn pauses_of_two_breakers_are_not_alike() {
    let pauses = (0..20).map(|salt| {
        let mut breaker = Breaker::new(salt);
        record(&mut breaker, Verdict::Failed, 20, 0);
        opened_until(&breaker)
    });
    let all: std::collections::BTreeSet<u64> = pauses.collect();
    assert!(all.len() > 15, "{all:?}");
}

fn verdict() -> impl Strategy<Value = Verdict> {
    prop_oneof![
        3 => Just(Verdict::Good),
        1 => Just(Verdict::Slow),
        3 => Just(Verdict::Failed),
        1 => Just(Verdict::Unknown),
    ]
}

proptest! {
    /// The automaton against its description.
    #[test]
    fn it_opens_only_for_a_reason_and_lets_through_what_it_should(
        salt in any::<u64>(),
        steps in proptest::collection::vec((verdict(), any::<bool>(), 0_u64..6000), 1..300),
    ) {
        let policy = policy();
        let mut breaker = Breaker::new(salt);
        let mut now = 0;
        for (verdict, ask, passed) in steps {
            now += passed;
            let before = breaker.state();
            let may = match before {
                State::Closed => true,
                State::Open { until } => at(now) >= until,
                State::HalfOpen { trial_until, .. } => {
                    trial_until.is_none_or(|until: Timestamp| at(now) >= until)
                }
            };
            prop_assert_eq!(!breaker.blocks(at(now)), may);
            if ask {
                prop_assert_eq!(breaker.admit(&policy, at(now)), may);
                prop_assert!(before == State::Closed || breaker.blocks(at(now)));
                continue;
            }
            let switched = breaker.record(verdict, &policy, at(now));
            match (before, breaker.state()) {
                (State::Closed, State::Open { until }) => {
                    prop_assert_eq!(switched, Some(Switched::Opened));
                    let pause = until.since(at(now)).as_ms();
                    prop_assert!((12_000..=18_000).contains(&pause));
                }
                (State::HalfOpen { .. }, State::Open { .. }) => {
                    prop_assert!(verdict != Verdict::Good);
                    prop_assert_eq!(switched, Some(Switched::Opened));
                }
                (State::HalfOpen { good, .. }, State::Closed) => {
                    prop_assert_eq!((good, verdict), (2, Verdict::Good));
                    prop_assert_eq!(switched, Some(Switched::Closed));
                }
                (State::HalfOpen { good, .. }, State::HalfOpen { good: after, .. }) => {
                    prop_assert_eq!((good + 1, verdict, switched), (after, Verdict::Good, None));
                }
                (State::Closed, State::Closed) | (State::Open { .. }, State::Open { .. }) => {
                    prop_assert_eq!(switched, None);
                }
                other => prop_assert!(false, "{:?}", other),
            }
        }
    }
}
