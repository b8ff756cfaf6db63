use broker_core::engine::limits::concurrency::{Bounds, Concurrency};
use proptest::prelude::*;
use schemas::DurationMs;

use crate::support::at;

const BOUNDS: Bounds = Bounds { start: 4, max: 50 };

#[test]
fn it_begins_small_and_grows_by_one_for_each_answer_while_it_is_used() {
    let mut limit = Concurrency::new(BOUNDS);
    assert_eq!(limit.limit(), 4);
    limit.answered(2, BOUNDS, at(0));
    assert_eq!(limit.limit(), 5);
    limit.answered(2, BOUNDS, at(0));
    assert_eq!(limit.limit(), 5, "two of five is less than half");
}

#[test]
fn silence_takes_a_tenth_once_for_all_that_was_on_its_way() {
    let bounds = Bounds { start: 40, max: 50 };
    let mut limit = Concurrency::new(bounds);
    for _ in 0..40 {
        limit.silent(at(0), at(1000));
    }
    assert_eq!(limit.limit(), 36);
    limit.silent(at(1000), at(2000));
    assert_eq!(limit.limit(), 32);
}

#[test]
fn too_much_takes_half_and_nothing_is_asked_for_as_long_as_it_said() {
    let bounds = Bounds { start: 40, max: 50 };
    let mut limit = Concurrency::new(bounds);
    limit.refused(at(0), DurationMs(700), at(100));
    assert_eq!((limit.limit(), limit.is_held(at(799)), limit.is_held(at(800))), (20, true, false));
    limit.answered(20, bounds, at(500));
    assert_eq!(limit.limit(), 20, "it does not grow while it is held");
    limit.answered(20, bounds, at(800));
    assert_eq!(limit.limit(), 21);
}

#[derive(Debug, Clone)]
enum Step {
    Answered(u32),
    Silent,
    Refused(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0_u32..200).prop_map(Step::Answered),
        Just(Step::Silent),
        (0_u64..500).prop_map(Step::Refused),
    ]
}

proptest! {
    #[test]
    fn it_stays_within_its_bounds_and_comes_back(
        start in 0_u32..100, max in 0_u32..100,
        steps in proptest::collection::vec((step(), 0_u64..300), 0..300),
    ) {
        let bounds = Bounds { start, max };
        let mut limit = Concurrency::new(bounds);
        let mut now = 0;
        for (step, passed) in steps {
            let asked_at = at(now);
            now += passed;
            let before = limit.limit();
            match step {
                Step::Answered(in_flight) => {
                    limit.answered(in_flight, bounds, at(now));
                    prop_assert!(limit.limit() <= before + 1);
                }
                Step::Silent => limit.silent(asked_at, at(now)),
                Step::Refused(ms) => limit.refused(asked_at, DurationMs(ms), at(now)),
            }
            prop_assert!((1..=max.max(1)).contains(&limit.limit()), "{}", limit.limit());
        }
        for answer in 0..u64::from(max.max(1)) {
            limit.answered(limit.limit(), bounds, at(now + 1000 + answer));
        }
        prop_assert_eq!(limit.limit(), max.max(1), "answers bring it back");
    }
}
