use super::*;

const START_MS: u64 = 1_700_000_000_000;
const HOUR_MS: u64 = 3_600_000;
const SETTLED_MS: u64 = SETTLED_AFTER_MS.as_ms();

#[test]
fn clocks_that_differ_by_half_a_second_agree_and_by_more_do_not() {
    let mut agreement = agreed();
    assert_eq!(look(&mut agreement, START_MS + 5500, 5000), Ok(()));
    assert_eq!(look(&mut agreement, START_MS + 4500, 5000), Ok(()));
    let ahead = Err(Doubt::Ahead(DurationMs(501)));
    assert_eq!(look(&mut agreement, START_MS + 5501, 5000), ahead);
    let behind = Err(Doubt::Behind(DurationMs(501)));
    assert_eq!(look(&mut agreement, START_MS + 4499, 5000), behind);
}

#[test]
fn a_wall_clock_that_comes_back_is_trusted_at_once() {
    let mut agreement = agreed();
    for wall_ms in [START_MS + HOUR_MS, START_MS - HOUR_MS] {
        assert!(look(&mut agreement, wall_ms, 1000).is_err());
        assert_eq!(look(&mut agreement, START_MS + 2000, 2000), Ok(()));
    }
}

#[test]
fn a_wall_clock_that_is_ahead_is_trusted_once_it_has_settled_and_the_server_confirms() {
    let mut agreement = agreed();
    for second in 0..SETTLED_MS / 1000 {
        assert!(look(&mut agreement, ahead(second * 1000), second * 1000).is_err());
        assert!(!agreement.has_settled(reading(ahead(second * 1000), second * 1000)));
    }
    let asked = reading(ahead(SETTLED_MS), SETTLED_MS);
    assert!(look(&mut agreement, asked.wall_ms, asked.monotonic_ms).is_err());
    assert!(agreement.has_settled(asked));
    let answered = reading(asked.wall_ms + 20, asked.monotonic_ms + 20);
    let found = agreement.hear(asked.wall_ms + 500, asked, answered);
    assert_eq!(found, Finding::Confirmed);
    assert_eq!(look(&mut agreement, ahead(40_000), 40_000), Ok(()));
    // What was trusted before is in the past now, which nobody goes back to.
    let behind = Err(Doubt::Behind(DurationMs(HOUR_MS)));
    assert_eq!(look(&mut agreement, START_MS + 50_000, 50_000), behind);
}

#[test]
fn a_wall_clock_that_the_server_contradicts_has_to_settle_anew() {
    for server_ms in [ahead(SETTLED_MS) - 501, ahead(SETTLED_MS) + 501, START_MS, 0] {
        let mut agreement = settled();
        let asked = reading(ahead(SETTLED_MS), SETTLED_MS);
        let found = agreement.hear(server_ms, asked, asked);
        assert!(matches!(found, Finding::Contradicted { .. }), "{found:?}");
        let later = SETTLED_MS + 1000;
        assert!(look(&mut agreement, ahead(later), later).is_err());
        assert!(!agreement.has_settled(reading(ahead(later), later)));
        assert_eq!(agreement.hear(ahead(later), asked, asked), Finding::Nothing);
    }
}

#[test]
fn an_answer_that_took_long_or_came_while_the_clock_was_set_says_nothing() {
    let mut agreement = settled();
    let asked = reading(ahead(SETTLED_MS), SETTLED_MS);
    let slow = reading(ahead(SETTLED_MS + 501), SETTLED_MS + 501);
    assert_eq!(agreement.hear(asked.wall_ms, asked, slow), Finding::Nothing);
    let set = reading(ahead(SETTLED_MS + 10) + 1500, SETTLED_MS + 10);
    assert_eq!(agreement.hear(asked.wall_ms, asked, set), Finding::Nothing);
    let in_time = reading(ahead(SETTLED_MS + 500), SETTLED_MS + 500);
    let found = agreement.hear(asked.wall_ms, asked, in_time);
    assert_eq!(found, Finding::Confirmed);
}

#[test]
fn every_further_step_starts_the_settling_again() {
    let mut agreement = agreed();
    assert!(look(&mut agreement, ahead(0), 0).is_err());
    assert!(look(&mut agreement, ahead(20_000) + 501, 20_000).is_err());
    assert!(!agreement.has_settled(reading(ahead(SETTLED_MS) + 501, SETTLED_MS)));
    let settled = 20_000 + SETTLED_MS;
    assert!(agreement.has_settled(reading(ahead(settled) + 501, settled)));
    // Back and ahead again: also a step.
    assert_eq!(look(&mut agreement, START_MS + settled, settled), Ok(()));
    assert!(look(&mut agreement, ahead(settled), settled).is_err());
    assert!(!agreement.has_settled(reading(ahead(settled), settled)));
}

#[test]
fn a_wall_clock_that_creeps_away_never_settles() {
    let mut agreement = agreed();
    for second in 0..600 {
        let wall_ms = ahead(second * 1000) + second * 50;
        assert!(look(&mut agreement, wall_ms, second * 1000).is_err());
        assert!(!agreement.has_settled(reading(wall_ms, second * 1000)), "{second}");
    }
}

#[test]
fn a_wall_clock_that_is_behind_is_never_trusted_however_even_it_runs_and_whoever_confirms() {
    let mut agreement = agreed();
    for second in 0..600 {
        let wall_ms = START_MS - 2000 + second * 1000;
        let behind = Err(Doubt::Behind(DurationMs(2000)));
        assert_eq!(look(&mut agreement, wall_ms, second * 1000), behind);
        let asked = reading(wall_ms, second * 1000);
        assert!(!agreement.has_settled(asked));
        assert_eq!(agreement.hear(wall_ms, asked, asked), Finding::Nothing);
    }
}

#[test]
fn nothing_is_ordered_before_the_wall_clock_has_reached_what_was_given_out() {
    let mut agreement = agreed();
    let given_ms = START_MS + HOUR_MS;
    let now = |passed_ms| reading(START_MS + passed_ms, passed_ms);
    let past = Err(Doubt::InThePast(DurationMs(501)));
    assert_eq!(agreement.look(now(HOUR_MS - 501), given_ms), past);
    assert_eq!(agreement.look(now(HOUR_MS - 500), given_ms), Ok(()));
}

#[test]
fn a_start_behind_what_the_store_remembers_is_trusted_only_with_the_servers_word() {
    let start = reading(START_MS, 0);
    let mut agreement = Agreement::new(start);
    let nothing = Err(Doubt::Unconfirmed(DurationMs::ZERO));
    agreement.remember(START_MS + 500, start);
    assert_eq!(look(&mut agreement, START_MS, 0), nothing, "within what clocks may differ");
    agreement.remember(START_MS + 5000, start);
    let now = |passed_ms| reading(START_MS + passed_ms, passed_ms);
    let mut asked = 0;
    for passed_ms in (0..600_000).step_by(500) {
        let at = now(passed_ms);
        let doubt = agreement.look(at, START_MS + 5000).unwrap_err();
        let past = passed_ms < 4500;
        assert_eq!(doubt.label(), if past { "in_the_past" } else { "unconfirmed" });
        if agreement.has_settled(at) {
            asked += 1;
            let late_ms = at.wall_ms + 5000;
            let found = agreement.hear(late_ms, at, at);
            assert_eq!(found, Finding::Contradicted { apart: DurationMs(5000) });
        }
    }
    // At once, and then again and again.
    assert_eq!(asked, 1 + 600_000 / (SETTLED_MS + 500));
    assert!(agreement.look(now(640_000), 0).is_err());
    let found = agreement.hear(now(640_000).wall_ms, now(640_000), now(640_000));
    assert_eq!(found, Finding::Confirmed);
    assert_eq!(agreement.look(now(640_001), 0), Ok(()));
}

#[test]
fn a_start_behind_what_the_store_remembers_is_trusted_once_the_clock_is_set_right() {
    let start = reading(START_MS, 0);
    let mut agreement = Agreement::new(start);
    agreement.remember(START_MS + 5000, start);
    let right = |passed_ms| reading(START_MS + HOUR_MS + passed_ms, passed_ms);
    assert!(agreement.look(right(0), 0).is_err());
    assert!(agreement.look(right(SETTLED_MS), 0).is_err());
    let asked = right(SETTLED_MS);
    let found = agreement.hear(asked.wall_ms, asked, asked);
    assert_eq!(found, Finding::Confirmed);
    assert_eq!(agreement.look(right(SETTLED_MS), 0), Ok(()));
}

#[test]
fn a_doubt_says_how_far_apart_the_clocks_are_and_what_to_do() {
    let table = [
        (Doubt::Ahead(DurationMs(2000)), "ahead", "server"),
        (Doubt::Behind(DurationMs(2000)), "behind", "restart"),
        (Doubt::InThePast(DurationMs(2000)), "in_the_past", "backup"),
        (Doubt::Unconfirmed(DurationMs(2000)), "unconfirmed", "server"),
    ];
    for (doubt, label, advice) in table {
        assert_eq!(doubt.label(), label);
        assert!(Doubt::LABELS.contains(&label));
        assert_eq!(doubt.apart(), DurationMs(2000));
        let said = doubt.to_string();
        assert!(said.contains(advice) && said.contains(&DurationMs(2000).to_string()), "{said}");
    }
}

fn agreed() -> Agreement {
    let start = reading(START_MS, 0);
    let mut agreement = Agreement::new(start);
    assert_eq!(agreement.look(start, 0), Err(Doubt::Unconfirmed(DurationMs::ZERO)));
    assert_eq!(agreement.hear(START_MS, start, start), Finding::Confirmed);
    agreement
}

/// Ahead by an hour, for long enough to ask.
fn settled() -> Agreement {
    let mut agreement = agreed();
    assert!(look(&mut agreement, ahead(0), 0).is_err());
    assert!(look(&mut agreement, ahead(SETTLED_MS), SETTLED_MS).is_err());
    agreement
}

/// What a wall clock shows that was set an hour ahead at the start.
const fn ahead(passed_ms: u64) -> u64 {
    START_MS + HOUR_MS + passed_ms
}

const fn reading(wall_ms: u64, monotonic_ms: u64) -> Reading {
    Reading { wall_ms, monotonic_ms }
}

/// As if nothing had been given out that the wall clock does not show.
fn look(agreement: &mut Agreement, wall_ms: u64, monotonic_ms: u64) -> Result<(), Doubt> {
    agreement.look(reading(wall_ms, monotonic_ms), 0)
}
