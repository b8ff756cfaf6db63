use std::sync::atomic::{AtomicU64, Ordering};

use super::shown::GAIN_MAX_MS;
use super::*;

#[test]
fn time_goes_on_when_the_wall_clock_is_set_back() {
    let (clock, hands) = clock_at(1_000_000);
    hands.set(940_000, 2_000);
    assert_eq!(clock.now(), Timestamp::from_unix_ms(1_002_000));
    assert!(!clock.placement_allowed());
}

#[test]
fn no_order_is_placed_while_the_wall_clock_has_jumped_ahead() {
    let (clock, hands) = clock_at(1_000_000);
    hands.set(1_005_500, 5_000);
    assert!(clock.placement_allowed());
    hands.set(1_005_501, 5_000);
    assert!(!clock.placement_allowed());
    assert_eq!(clock.now(), Timestamp::from_unix_ms(1_005_501));
    hands.set(1_005_900, 6_000);
    assert!(clock.placement_allowed());
}

#[test]
fn a_broker_that_started_with_a_slow_clock_orders_again_once_it_has_been_set_right() {
    let (clock, hands) = clock_at(1_000_000);
    clock.not_before(Timestamp::from_unix_ms(4_000_000));
    assert!(matches!(clock.doubt(), Some(Doubt::InThePast(_))));
    // Set right after ten seconds, by an hour.
    let right = |passed_ms: u64| hands.set(4_600_000 + passed_ms, passed_ms);
    let mut given = clock.now();
    for passed_ms in (10_000..40_000).step_by(250) {
        right(passed_ms);
        assert!(matches!(clock.doubt(), Some(Doubt::Ahead(_))), "{passed_ms}");
        assert!(clock.server_time_wanted().is_none(), "{passed_ms}");
        assert!(clock.now() >= given);
        given = clock.now();
    }
    right(40_000);
    assert!(!clock.placement_allowed());
    let asked = clock.server_time_wanted().unwrap();
    let server = Timestamp::from_unix_ms(4_640_300);
    assert_eq!(clock.server_time(asked, server), Finding::Confirmed);
    assert!(clock.placement_allowed());
    assert_eq!(clock.now(), Timestamp::from_unix_ms(4_640_000));
    // From now on this is the time that goes on by itself.
    hands.set(1_000_000, 50_000);
    assert_eq!(clock.now(), Timestamp::from_unix_ms(4_650_000));
    assert!(!clock.placement_allowed());
}

#[test]
fn a_clock_that_the_server_contradicts_keeps_orders_back() {
    let (clock, hands) = clock_at(1_000_000);
    for passed_ms in (0..600_000).step_by(250) {
        hands.set(4_600_000 + passed_ms, passed_ms);
        assert_eq!(clock.now(), Timestamp::from_unix_ms(4_600_000 + passed_ms));
        assert!(!clock.placement_allowed());
        if let Some(asked) = clock.server_time_wanted() {
            let server = Timestamp::from_unix_ms(1_000_000 + passed_ms);
            let found = clock.server_time(asked, server);
            assert_eq!(found, Finding::Contradicted { apart: DurationMs(3_600_000) });
        }
    }
    // And back where it was, with the time given out far ahead.
    hands.set(1_600_000, 600_000);
    let past = DurationMs(3_599_750);
    assert_eq!(clock.doubt(), Some(Doubt::InThePast(past)));
    assert_eq!(clock.disagreement(), past);
}

#[test]
fn a_clock_that_was_set_back_is_not_followed_whatever_the_server_says() {
    let (clock, hands) = clock_at(5_000_000);
    for passed_ms in (0..600_000).step_by(250) {
        hands.set(1_000_000 + passed_ms, passed_ms);
        assert!(matches!(clock.doubt(), Some(Doubt::Behind(_))));
        assert!(clock.server_time_wanted().is_none());
        assert_eq!(clock.now(), Timestamp::from_unix_ms(5_000_000 + passed_ms));
    }
}

#[test]
fn an_instant_that_was_given_out_is_never_undercut() {
    let (clock, hands) = clock_at(1_000_000);
    hands.set(1_009_000, 0);
    let ahead = clock.now();
    hands.set(1_000_100, 100);
    assert_eq!(clock.now(), ahead);
}

#[test]
fn a_store_from_the_future_holds_the_clock_at_its_last_instant() {
    let (clock, hands) = clock_at(1_000_000);
    clock.not_before(Timestamp::from_unix_ms(2_000_000));
    assert_eq!(clock.now(), Timestamp::from_unix_ms(2_000_000));
    assert_eq!(clock.disagreement(), DurationMs(1_000_000));
    assert!(!clock.placement_allowed());
    hands.set(1_999_500, 999_500);
    assert!(matches!(clock.doubt(), Some(Doubt::Unconfirmed(_))));
}

#[test]
fn a_jump_ahead_is_remembered_as_time_that_nobody_has_waited() {
    let (clock, hands) = clock_at(1_000_000);
    hands.set(1_005_000, 5_000);
    clock.now();
    assert_eq!(clock.steady_since(), Timestamp::from_unix_ms(1_000_000));
    hands.set(1_012_000, 6_000);
    clock.now();
    assert_eq!(clock.steady_since(), Timestamp::from_unix_ms(1_012_000));
    // Set right: time stands still. The next jump is one again.
    hands.set(1_007_000, 7_000);
    clock.now();
    assert_eq!(clock.steady_since(), Timestamp::from_unix_ms(1_012_000));
    hands.set(1_014_000, 8_000);
    clock.now();
    assert_eq!(clock.steady_since(), Timestamp::from_unix_ms(1_014_000));
}

#[test]
fn while_the_clock_is_in_doubt_nobody_has_waited() {
    let (clock, hands) = clock_at(1_000_000);
    hands.set(1_005_000, 5_000);
    clock.now();
    hands.set(1_004_000, 6_000);
    let now = clock.now();
    assert_eq!(clock.steady_since(), now, "behind");
    hands.set(1_007_000, 7_000);
    clock.now();
    assert_eq!(clock.steady_since(), Timestamp::from_unix_ms(1_000_000), "came back");
    hands.set(1_500_000, 8_000);
    clock.now();
    hands.set(1_550_000, 58_000);
    let now = clock.now();
    assert_eq!(now, Timestamp::from_unix_ms(1_550_000));
    assert_eq!(clock.steady_since(), now, "ahead, and not confirmed");
}

#[test]
fn at_the_start_the_server_has_to_confirm_the_hour() {
    let hands = Hands(Arc::new((AtomicU64::new(1_000_000), AtomicU64::new(0))));
    let clock = Clock::new(hands);
    assert_eq!(clock.doubt(), Some(Doubt::Unconfirmed(DurationMs::ZERO)));
    let asked = clock.server_time_wanted().unwrap();
    let server = Timestamp::from_unix_ms(1_091_000);
    assert_eq!(
        clock.server_time(asked, server),
        Finding::Contradicted { apart: DurationMs(91_000) }
    );
    assert!(!clock.placement_allowed());
    assert_eq!(clock.steady_since(), clock.now());
}

#[test]
fn many_small_steps_are_a_jump_too() {
    let (clock, hands) = clock_at(1_000_000);
    for step in 1..=GAIN_MAX_MS + 1 {
        hands.set(1_000_000 + 2 * step, step);
        clock.now();
    }
    let jumped = 1_000_000 + 2 * (GAIN_MAX_MS + 1);
    assert_eq!(clock.steady_since(), Timestamp::from_unix_ms(jumped));
}

#[test]
fn the_system_clock_agrees_with_itself() {
    let clock = Clock::system();
    confirm(&clock);
    assert!(clock.placement_allowed());
    assert!(clock.now() > Timestamp::from_unix_ms(1_600_000_000_000));
}

#[derive(Clone)]
struct Hands(Arc<(AtomicU64, AtomicU64)>);

impl Hands {
    fn set(&self, wall_ms: u64, monotonic_ms: u64) {
        self.0.0.store(wall_ms, Ordering::Relaxed);
        self.0.1.store(monotonic_ms, Ordering::Relaxed);
    }
}

impl TimeSource for Hands {
    fn wall_ms(&self) -> u64 {
        self.0.0.load(Ordering::Relaxed)
    }

    fn monotonic_ms(&self) -> u64 {
        self.0.1.load(Ordering::Relaxed)
    }
}

fn clock_at(wall_ms: u64) -> (Clock, Hands) {
    let hands = Hands(Arc::new((AtomicU64::new(wall_ms), AtomicU64::new(0))));
    let clock = Clock::new(hands.clone());
    confirm(&clock);
    (clock, hands)
}

/// The server says the same.
fn confirm(clock: &Clock) {
    assert!(matches!(clock.doubt(), Some(Doubt::Unconfirmed(_))));
    let asked = clock.server_time_wanted().unwrap();
    assert_eq!(clock.server_time(asked, clock.now()), Finding::Confirmed);
}
