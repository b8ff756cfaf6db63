//! Timers, recovery, and what stays in memory.

use broker_core::engine::input::{Input, TimerRow};
use broker_core::engine::output::Output;
use broker_core::engine::{Engine, LOADING_MAX, WakeReason};
use broker_core::timer::TimerKind;
use schemas::RequestId;
use schemas::purchase::Mode;

use super::rig::Rig;
use crate::support::*;

#[test]
fn a_request_that_rests_or_has_ended_leaves_memory_and_comes_back_when_asked_for() {
    let mut rig = Rig::new(vec![plain("a")]);
    rig.create(submission());
    assert_eq!(rig.engine.hot_requests(), 1);
    rig.offers("a", 3500);
    assert_eq!(rig.engine.hot_requests(), 0);
    rig.command(request_id(1), raise_to(3500));
    assert_eq!(rig.engine.hot_requests(), 1);
    rig.play_along();
    assert_eq!(rig.status(request_id(1)), "ordered");
    assert_eq!(rig.engine.hot_requests(), 0);
    assert!(rig.disk.active.is_empty());
}

#[test]
fn a_request_whose_money_is_not_back_stays_in_memory() {
    let mut rig = Rig::new(vec![plain("a")]);
    rig.create(submission());
    rig.offers("a", 2500);
    rig.command(request_id(1), cancel());
    assert_eq!((rig.status(request_id(1)).as_str(), rig.engine.hot_requests()), ("canceled", 1));
    rig.play_along();
    assert_eq!(rig.engine.hot_requests(), 0);
}

#[test]
fn timers_of_evicted_requests_fire() {
    let mut rig = Rig::new(vec![plain("a")]);
    let mut wanted = submission();
    wanted.mode = Mode::Watch;
    rig.create(wanted);
    rig.has_none("a");
    assert_eq!(rig.engine.hot_requests(), 0);
    rig.wait(60_000);
    assert_eq!(rig.status(request_id(1)), "searching");
    assert_eq!(rig.asked_names(), ["a"]);
}

#[test]
fn a_far_deadline_is_found_by_a_scan_and_fires_on_time() {
    let mut rig = Rig::new(vec![plain("a")]);
    rig.create(submission());
    rig.has_none("a");
    rig.wait(599_999);
    assert_eq!(rig.request(request_id(1)).closed_at, None);
    rig.wait(1);
    assert_eq!(rig.request(request_id(1)).closed_at, Some(at(600_000)));
    assert!(rig.disk.timers.is_empty());
}

#[test]
fn scans_look_a_minute_ahead_and_follow_each_other_in_good_time() {
    let mut rig = Rig::new(Vec::new());
    rig.wait(120_000);
    let scans: Vec<u64> = rig.scans.iter().map(|until| until.since(T0).as_ms()).collect();
    assert_eq!(scans, [60_000, 90_000, 120_000, 150_000, 180_000]);
}

#[test]
fn the_engine_says_why_it_wants_to_be_called() {
    let config = |profiles: Vec<_>| broker_core::engine::EngineConfig {
        policy: policy_with(profiles),
        boot_epoch: 1,
        token_key: [7; 32],
        hot_max: 10,
        ranking: broker_core::engine::ranking::RankingStart::default(),
    };
    let engine = Engine::new(config(Vec::new()), T0);
    assert_eq!(engine.poll_timeout().map(|(_, why)| why), Some(WakeReason::Scan));
    let mut rig = Rig::new(vec![plain("a")]);
    rig.create(submission());
    assert_eq!(rig.engine.poll_timeout(), Some((at(1_000), WakeReason::Sweep)));
    rig.offers("a", 2500);
    assert_eq!(rig.engine.poll_timeout(), Some((at(2_000), WakeReason::Timer(TimerKind::Step))));
}

#[test]
fn a_timer_row_of_the_past_does_nothing() {
    let mut rig = Rig::new(vec![plain("a")]);
    rig.create(submission());
    rig.offers("a", 2500);
    let version = rig.request(request_id(1)).version;
    for (kind, ms) in [(TimerKind::Step, 1_999), (TimerKind::Sweep, 5), (TimerKind::Expiry, 9)] {
        let row = TimerRow { at: at(ms), request: request_id(1), kind };
        rig.now = at(1_999);
        rig.send(Input::Timers { until: at(60_000), timers: vec![row] });
    }
    let unknown = TimerRow { at: T0, request: request_id(7), kind: TimerKind::Expiry };
    rig.send(Input::Timers { until: at(60_000), timers: vec![unknown] });
    assert_eq!(rig.request(request_id(1)).version, version);
    assert_eq!(rig.engine.hot_requests(), 1);
}

#[test]
fn a_timer_that_is_moved_fires_only_at_its_new_instant() {
    let mut rig = Rig::new(vec![plain("a")]);
    rig.create(submission());
    rig.has_none("a");
    rig.command(request_id(1), expire_at(at(20_000)));
    rig.wait(20_000);
    assert_eq!(rig.request(request_id(1)).closed_at, Some(at(20_000)));
}

#[test]
fn after_a_crash_in_mid_sweep_it_is_swept_again_with_new_call_ids() {
    let mut rig = Rig::new(vec![plain("a"), plain("b")]);
    rig.create(submission());
    rig.offers("a", 2999);
    let old = rig.question("b").call;
    rig.crash(2);
    assert_eq!(rig.asked_names(), ["a", "b"]);
    let new = rig.asked[1].question.call;
    assert_eq!((old.epoch, new.epoch), (1, 2));
    rig.say("b", old, broker_core::engine::input::QuoteOutcome::NoStock);
    assert_eq!(rig.status(request_id(1)), "searching");
    rig.offers("a", 2500);
    rig.has_none("b");
    rig.play_along();
    assert_eq!(rig.status(request_id(1)), "ordered");
}

#[test]
fn after_a_crash_the_saga_goes_on_where_it_is_durable() {
    let mut rig = Rig::new(vec![ideal("a")]);
    rig.create(submission());
    rig.offers("a", 2500);
    for _ in 0..40 {
        rig.crash(2);
        if !rig.play_next() {
            break;
        }
    }
    assert_eq!(rig.status(request_id(1)), "ordered");
    let orders = rig.left().into_iter().filter(|line| line.contains(" place#")).count();
    assert_eq!(orders, 1);
}

#[test]
fn a_commit_that_was_lost_in_the_crash_was_never_told() {
    let mut rig = Rig::new(vec![plain("a")]);
    rig.hold_commits = true;
    let origin = rig.create(submission());
    rig.crash(2);
    rig.hold_commits = false;
    assert_eq!(rig.told(origin), "nothing yet");
    let again = rig.create(submission());
    assert_eq!(rig.told(again), "accepted");
}

#[test]
fn overdue_timers_fire_after_an_outage() {
    let mut rig = Rig::new(vec![plain("a")]);
    rig.create(submission());
    rig.offers("a", 2500);
    rig.now = at(6 * 3_600_000);
    rig.crash(2);
    rig.wait(0);
    assert_eq!(rig.status(request_id(1)), "expired");
    rig.play_along();
    rig.wait(1_000_000);
    assert!(rig.disk.timers.is_empty() && rig.disk.active.is_empty());
    assert!(!rig.left().iter().any(|line| line.contains(" place#")));
}

#[test]
fn time_never_runs_backwards() {
    let mut rig = Rig::new(vec![plain("a")]);
    rig.now = at(10_000);
    rig.create(submission());
    rig.now = T0;
    rig.wait(500);
    rig.offers("a", 2500);
    let request = rig.request(request_id(1));
    assert_eq!(request.timers.get(TimerKind::Step), Some(at(12_000)));
}

#[test]
fn the_same_inputs_give_the_same_outputs() {
    let story = || {
        let mut rig = Rig::new(vec![ideal("a"), plain("b"), queued("q")]);
        for number in 1..=20 {
            let mut wanted = submission();
            wanted.id = request_id(number);
            rig.create(wanted);
        }
        for _ in 0..20 {
            rig.offers("a", 2500);
            rig.has_none("b");
        }
        rig.wait(700);
        rig.play_along();
        rig.wait(5_000);
        rig.log
    };
    assert_eq!(story(), story());
}

#[test]
fn of_a_million_timers_due_together_only_so_many_requests_are_read_at_once() {
    let mut rig = Rig::new(vec![plain("a")]);
    let due = u64::try_from(LOADING_MAX).unwrap() + 10;
    let row = |number| TimerRow { at: T0, request: request_id(number), kind: TimerKind::Expiry };
    let timers = (1..=due).map(row).collect();
    let engine = &mut rig.engine;
    engine.handle(Input::Timers { until: at(60_000), timers }, at(1));
    let mut reading = loads(engine);
    assert_eq!(reading.len(), LOADING_MAX);
    assert!(engine.poll_timeout().is_none_or(|(wake, _)| wake > at(1)), "it does not spin");
    for read in 1..=10 {
        let request = reading.pop().unwrap();
        engine.handle(Input::Loaded { request, stored: None }, at(1));
        assert_eq!(loads(engine).len(), 1, "{read}");
    }
    let request = reading.pop().unwrap();
    engine.handle(Input::Loaded { request, stored: None }, at(1));
    assert_eq!(loads(engine).len(), 0);
}

fn loads(engine: &mut Engine) -> Vec<RequestId> {
    let outputs = std::iter::from_fn(|| engine.poll_output());
    let load = |output| match output {
        Output::Load(request) => Some(request),
        _ => None,
    };
    outputs.filter_map(load).collect()
}
