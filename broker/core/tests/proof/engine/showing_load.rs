//! What operators see of the limits.

use broker_core::engine::input::Input;
use broker_core::engine::limits::ladder::Rung;
use broker_core::engine::limits::load::{Circuit, Load, PartnerLoad};
use broker_core::engine::output::Answer;
use broker_core::partner::PartnerProfile;
use broker_core::policy::Overload;
use broker_core::request::Submission;
use schemas::directory::BreakerMode;

use super::rig::Rig;
use crate::support::*;

fn limited(profiles: Vec<PartnerProfile>, calls_in_flight_max: u32) -> Rig {
    Rig::with(profiles, |config| {
        let overload = &mut config.policy.overload;
        overload.breaker = Overload::standard().breaker;
        overload.calls_in_flight_max = calls_in_flight_max;
        (config.policy.quote_retries, config.policy.sweep_retries) = (0, 0);
    })
}

fn create(rig: &mut Rig, number: u64) {
    rig.create(Submission { id: request_id(number), ..submission() });
}

fn circuit(rig: &Rig) -> Circuit {
    rig.engine.load(rig.now).partners[0].circuit
}

#[test]
fn the_load_shows_who_waits_what_is_asked_and_the_limits_of_each_partner() {
    let forced = PartnerProfile { breaker: BreakerMode::ForcedOpen, ..plain("b") };
    let mut rig = limited(vec![PartnerProfile { in_flight_start: 7, ..plain("a") }, forced], 2);
    for number in 1..=5 {
        create(&mut rig, number);
    }
    let expected = Load {
        creates_waiting: 3,
        questions_in_flight: 2,
        rung: Rung::Normal,
        partners: vec![
            PartnerLoad { limit: 7, circuit: Circuit::Closed },
            PartnerLoad { limit: 1000, circuit: Circuit::ForcedOpen },
        ],
    };
    assert_eq!(rig.engine.load(rig.now), expected);
    let origin = rig.origin();
    rig.send(Input::ShowRanking { origin });
    let Some(Answer::Ranking(shown)) = rig.answer(origin) else { panic!("{:?}", rig.done) };
    let loads: Vec<PartnerLoad> = shown.iter().map(|(_, _, load)| *load).collect();
    assert_eq!(loads, expected.partners);
}

#[test]
fn a_circuit_is_open_while_its_partner_is_left_alone_and_half_open_until_trials_went_well() {
    let mut rig = limited(vec![plain("a")], 1000);
    assert_eq!(circuit(&rig), Circuit::Closed);
    // Nobody answers: sweep after sweep ends without.
    let mut number = 0;
    while circuit(&rig) == Circuit::Closed {
        number += 1;
        assert!(number < 100, "the breaker stays closed");
        create(&mut rig, number);
        rig.wait(500);
    }
    assert_eq!(circuit(&rig), Circuit::Open);
    rig.wait(18_000);
    assert_eq!(circuit(&rig), Circuit::HalfOpen);
    rig.asked.clear();
    for trial in 0..3 {
        create(&mut rig, 1000 + trial);
        rig.has_none("a");
    }
    assert_eq!(circuit(&rig), Circuit::Closed);
}
