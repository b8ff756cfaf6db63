//! Sweeps under way, as somebody who looks on sees them.

use broker_core::engine::input::Input;
use broker_core::engine::output::Answer;
use broker_core::engine::showing::{RunningOffer, RunningSweep};
use schemas::{Currency, RequestId};

use super::rig::{Rig, customer};
use crate::support::*;

fn shown(rig: &mut Rig, of: Option<RequestId>) -> Vec<RunningSweep> {
    let origin = rig.origin();
    rig.send(Input::ShowSweeps { origin, of });
    let Some(Answer::Sweeps(sweeps)) = rig.answer(origin) else { panic!("{:?}", rig.done) };
    sweeps.clone()
}

fn offer(name: &str, after_ms: u64, total: u64, affordable: bool) -> RunningOffer {
    let total = Some(usd(total));
    let at = at(after_ms);
    RunningOffer { partner: partner(name), at, currency: Currency::USD, total, affordable }
}

#[test]
fn a_sweep_under_way_shows_every_offer_as_it_lands_and_nothing_once_it_has_ended() {
    let mut rig = Rig::new(["a", "b", "c"].map(plain).to_vec());
    let wanted = submission();
    let (id, isbn) = (wanted.id, wanted.isbn);
    rig.create(wanted);
    rig.wait(40);
    rig.offers("b", 4000);
    rig.wait(20);
    rig.offers("a", 2900);
    let expected = RunningSweep {
        request: id,
        customer: customer(),
        isbn,
        number: 1,
        started: at(0),
        ends_by: at(3000),
        max_total: usd(3000),
        eligible: 3,
        answered: 2,
        called: 3,
        offers: vec![offer("b", 40, 4000, false), offer("a", 60, 2900, true)],
    };
    assert_eq!(shown(&mut rig, Some(id)), std::slice::from_ref(&expected));
    assert_eq!(shown(&mut rig, None), [expected]);
    assert_eq!(shown(&mut rig, Some(request_id(9))), []);
    rig.has_none("c");
    assert_eq!(shown(&mut rig, Some(id)), []);
    assert_eq!(shown(&mut rig, None), []);
}

#[test]
fn looking_on_changes_nothing() {
    let run = |looks: bool| {
        let mut rig = Rig::new(["a", "b"].map(plain).to_vec());
        rig.create(submission());
        for step in 0..3 {
            if looks {
                shown(&mut rig, None);
            }
            rig.wait(10);
            match step {
                0 => drop(rig.offers("a", 2900)),
                1 => rig.has_none("b"),
                _ => {}
            }
        }
        let requests = std::mem::take(&mut rig.disk.requests);
        requests.into_values().map(|stored| stored.request).collect::<Vec<_>>()
    };
    assert_eq!(run(true), run(false));
}
