//! Updates in mid-sweep: the offers at hand are looked at first.

use broker_core::event::{Event, Update};
use schemas::purchase::{Mode, Strategy};

use super::rig::Rig;
use crate::support::*;

fn sweeping() -> Rig {
    let mut rig = Rig::new(vec![plain("a"), plain("b"), plain("c")]);
    rig.create(submission());
    rig
}

#[test]
fn raising_the_limit_in_mid_sweep_buys_a_collected_offer_with_no_new_question() {
    let mut rig = sweeping();
    rig.offers("a", 3100);
    let messages = rig.messages;
    rig.command(request_id(1), raise_to(4000));
    assert_eq!(rig.status(request_id(1)), "ordering");
    assert_eq!(rig.messages, messages);
    assert_eq!(rig.disk.receipts[0].max_total, usd(4000));
}

#[test]
fn raising_it_to_just_above_an_offer_gives_the_others_their_grace() {
    let mut rig = sweeping();
    rig.offers("a", 3100);
    rig.command(request_id(1), raise_to(3200));
    assert_eq!(rig.status(request_id(1)), "searching");
    rig.wait(199);
    assert_eq!(rig.status(request_id(1)), "searching");
    rig.wait(1);
    assert_eq!(rig.status(request_id(1)), "ordering");
}

#[test]
fn lowering_the_limit_in_mid_sweep_unmakes_an_affordable_offer() {
    let mut rig = sweeping();
    rig.offers("a", 2900);
    rig.command(request_id(1), raise_to(2000));
    rig.wait(300);
    assert_eq!(rig.status(request_id(1)), "searching");
    rig.has_none("b");
    rig.has_none("c");
    assert_eq!(rig.status(request_id(1)), "quoted 29.00 USD at a");
}

#[test]
fn being_in_a_hurry_suddenly_takes_what_is_there() {
    let mut rig = sweeping();
    rig.offers("a", 2999);
    let hurry = Update { strategy: Some(Strategy::Fast), ..update() };
    rig.command(request_id(1), Event::Update(hurry));
    assert_eq!(rig.status(request_id(1)), "ordering");
}

#[test]
fn a_conclusion_that_waits_for_a_commit_is_drawn_under_the_terms_of_that_commit() {
    let mut rig = sweeping();
    rig.hold_commits = true;
    rig.command(request_id(1), raise_to(2000));
    rig.offers("a", 2900);
    rig.has_none("b");
    rig.has_none("c");
    rig.hold_commits = false;
    rig.commit_held();
    assert_eq!(rig.status(request_id(1)), "quoted 29.00 USD at a");
    assert_eq!(rig.disk.receipts[0].max_total, usd(2000));
}

#[test]
fn a_longer_life_gives_the_sweep_more_time() {
    let mut rig = Rig::new(vec![plain("a")]);
    let mut wanted = submission();
    wanted.terms.expires_at = at(3_000);
    rig.create(wanted);
    rig.command(request_id(1), expire_at(at(600_000)));
    rig.wait(1_900);
    assert_eq!(rig.status(request_id(1)), "searching");
    rig.offers("a", 2500);
    assert_eq!(rig.status(request_id(1)), "ordering");
}

#[test]
fn the_token_of_an_unchanged_offer_stays_valid_from_sweep_to_sweep() {
    let mut rig = Rig::new(vec![plain("a")]);
    let mut wanted = submission();
    wanted.mode = Mode::Watch;
    rig.create(wanted);
    rig.offers("a", 3500);
    let token = rig.token().expect("the first price is told");
    rig.wait(60_000);
    rig.offers("a", 3500);
    assert_eq!(rig.status(request_id(1)), "quoted 35.00 USD at a");
    let accept = Event::AcceptQuote {
        command: command_id("accept-1"),
        token_digest: schemas::Digest::of(&token),
    };
    let origin = rig.command(request_id(1), accept);
    assert_eq!(rig.told(origin), "accepted");
    rig.play_along();
    assert_eq!(rig.status(request_id(1)), "ordered");
}

#[test]
fn tokens_differ_by_request_partner_and_price() {
    let token = |number: u64, name: &str, total: u64| {
        let mut rig = Rig::new(vec![plain(name)]);
        let mut wanted = submission();
        wanted.id = request_id(number);
        rig.create(wanted);
        rig.offers(name, total);
        rig.token().expect("a first price is told")
    };
    let tokens =
        [token(1, "a", 3500), token(2, "a", 3500), token(1, "b", 3500), token(1, "a", 3400)];
    for (index, one) in tokens.iter().enumerate() {
        assert!(tokens[index + 1..].iter().all(|other| other != one));
    }
}

impl Rig {
    /// The last accept token that was told.
    fn token(&self) -> Option<[u8; 16]> {
        self.disk.outbox.iter().rev().find_map(|row| match &row.effect {
            broker_core::Effect::Notify { token, .. } => token.map(|token| token.0),
            _ => None,
        })
    }
}
