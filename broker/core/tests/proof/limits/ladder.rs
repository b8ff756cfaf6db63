use broker_core::engine::limits::ladder::{Ladder, LadderPolicy, Rung};
use proptest::prelude::*;
use schemas::DurationMs;

use crate::support::at;

const POLICY: LadderPolicy = LadderPolicy {
    tier_one_permille: 500,
    cached_permille: 700,
    refuse_permille: 900,
    calm: DurationMs(2000),
};

#[test]
fn it_steps_up_at_once_and_down_one_rung_after_a_while_of_calm() {
    let mut ladder = Ladder::default();
    assert_eq!(ladder.feel(499, &POLICY, at(0)), None);
    assert_eq!(ladder.feel(950, &POLICY, at(1)), Some(Rung::Refusing));
    assert_eq!(ladder.feel(460, &POLICY, at(2)), None, "not below half of what made it step up");
    assert_eq!(ladder.feel(440, &POLICY, at(10)), None);
    assert_eq!(ladder.next_step(&POLICY), Some(at(2010)));
    assert_eq!(ladder.feel(440, &POLICY, at(2009)), None);
    assert_eq!(ladder.feel(440, &POLICY, at(2010)), Some(Rung::CachedOffers));
    assert_eq!(ladder.feel(340, &POLICY, at(4009)), None, "each step takes its time");
    assert_eq!(ladder.feel(340, &POLICY, at(4010)), Some(Rung::TierOneOnly));
    assert_eq!(ladder.feel(340, &POLICY, at(9000)), None, "too much for the last step");
    assert_eq!(ladder.feel(0, &POLICY, at(9001)), None);
    assert_eq!(ladder.feel(0, &POLICY, at(11_001)), Some(Rung::Normal));
    assert_eq!(ladder.next_step(&POLICY), None);
}

#[test]
fn a_new_burst_begins_the_calm_anew() {
    let mut ladder = Ladder::default();
    ladder.feel(600, &POLICY, at(0));
    ladder.feel(0, &POLICY, at(100));
    ladder.feel(300, &POLICY, at(2000));
    assert_eq!(ladder.feel(0, &POLICY, at(2101)), None);
    assert_eq!(ladder.feel(0, &POLICY, at(4101)), Some(Rung::Normal));
}

proptest! {
    #[test]
    fn it_goes_down_one_rung_at_a_time_and_never_twice_within_the_calm(
        steps in proptest::collection::vec((0_u16..1001, 0_u64..3000), 1..200),
    ) {
        let mut ladder = Ladder::default();
        let (mut now, mut rung, mut changed_at) = (0, Rung::Normal, None);
        for (pressure, passed) in steps {
            now += passed;
            let changed = ladder.feel(pressure, &POLICY, at(now));
            prop_assert_eq!(changed.is_some(), ladder.rung() != rung);
            if ladder.rung() < rung {
                prop_assert_eq!(rung as u8 - ladder.rung() as u8, 1);
                let since: Option<u64> = changed_at;
                prop_assert!(since.is_none_or(|at| now - at >= POLICY.calm.as_ms()));
            }
            if changed.is_some() {
                changed_at = Some(now);
            }
            rung = ladder.rung();
        }
        for _ in 0..4 {
            now += 2001;
            ladder.feel(0, &POLICY, at(now));
        }
        prop_assert_eq!(ladder.rung(), Rung::Normal);
    }
}
