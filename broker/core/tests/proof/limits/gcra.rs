use broker_core::engine::limits::gcra::{Gcra, Keyed, Quota, take_all};
use proptest::prelude::*;
use schemas::DurationMs;

use crate::support::at;

const SECOND: DurationMs = DurationMs(1000);

fn let_through(quota: Quota, times_ms: &[u64]) -> Vec<u64> {
    let mut limit = Gcra::default();
    let mut went = Vec::new();
    for ms in times_ms {
        if limit.wait(quota, at(*ms)) == DurationMs::ZERO {
            limit.take(quota, at(*ms));
            went.push(*ms);
        }
    }
    went
}

#[test]
fn a_burst_goes_at_once_and_the_rest_at_the_rate() {
    let quota = Quota::new(10, DurationMs(60_000), 10);
    let mut limit = Gcra::default();
    for _ in 0..10 {
        assert_eq!(limit.wait(quota, at(0)), DurationMs::ZERO);
        limit.take(quota, at(0));
    }
    assert_eq!(limit.wait(quota, at(0)), DurationMs(6000));
    assert_eq!(limit.wait(quota, at(5999)), DurationMs(1));
    assert_eq!(limit.wait(quota, at(6000)), DurationMs::ZERO);
}

#[test]
fn a_trusted_customer_is_refilled_faster_with_the_same_burst() {
    let quota = Quota::new(10, DurationMs(60_000), 10).refilled_at(2000);
    let went = let_through(quota, &[0; 50]);
    assert_eq!(went.len(), 10);
    let each_second: Vec<u64> = (0..60).map(|second| second * 1000).collect();
    assert_eq!(let_through(quota, &each_second).len(), 10 + 19);
}

#[test]
fn a_limit_that_is_used_up_takes_nothing_from_the_others() {
    let (wide, narrow) = (Quota::new(100, SECOND, 10), Quota::new(1, SECOND, 1));
    let (mut partner, mut region) = (Gcra::default(), Gcra::default());
    assert_eq!(take_all(&mut [(&mut partner, wide), (&mut region, narrow)], at(0)), Ok(()));
    let before = partner;
    let wait = take_all(&mut [(&mut partner, wide), (&mut region, narrow)], at(400));
    assert_eq!((wait, partner), (Err(DurationMs(600)), before));
}

#[test]
fn keys_that_are_fresh_again_are_forgotten() {
    let quota = Quota::new(10, SECOND, 1);
    let mut keyed = Keyed::default();
    for key in 0..100_000_u64 {
        let now = at(key);
        assert_eq!(keyed.wait(&key, quota, now), DurationMs::ZERO);
        keyed.at(&key, now).take(quota, now);
    }
    assert!(keyed.len() <= 2048, "{} are remembered", keyed.len());
}

proptest! {
    #[test]
    fn no_window_holds_more_than_its_rate_and_one_burst(
        count in 1_u32..200, period in 1_u64..5_000, burst in 1_u32..50, trust in 1000_u16..2001,
        steps in proptest::collection::vec(0_u64..40, 1..400),
    ) {
        let quota = Quota::new(count, DurationMs(period), burst).refilled_at(trust);
        let times: Vec<u64> = steps
            .iter()
            .scan(0, |now, step| { *now += step; Some(*now) })
            .collect();
        let went = let_through(quota, &times);
        for (first, from) in went.iter().enumerate() {
            for (last, to) in went.iter().enumerate().skip(first) {
                let allowed = u64::from(burst)
                    + (to - from) * u64::from(count) * u64::from(trust) / (period * 1000);
                prop_assert!((last - first + 1) as u64 <= allowed, "{from} to {to}");
            }
        }
    }

    #[test]
    fn who_waits_as_long_as_told_may_go(
        count in 1_u32..1000, burst in 1_u32..50, taken in 1_usize..200, later in 0_u64..3000,
    ) {
        let quota = Quota::new(count, SECOND, burst);
        let mut limit = Gcra::default();
        (0..taken).for_each(|_| limit.take(quota, at(0)));
        let wait = limit.wait(quota, at(later));
        prop_assert_eq!(limit.wait(quota, at(later + wait.as_ms())), DurationMs::ZERO);
        if wait > DurationMs::ZERO {
            prop_assert!(limit.wait(quota, at(later + wait.as_ms() - 1)) > DurationMs::ZERO);
        }
    }
}
