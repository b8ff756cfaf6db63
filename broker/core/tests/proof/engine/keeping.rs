//! Whether a store keeps its offers: learned from what becomes of the attempts to take them up.

use broker_core::effect::{Effect, PartnerCommand};
use broker_core::engine::input::{Input, QuoteOutcome};
use broker_core::engine::output::{CallOutcome, Fact};
use broker_core::engine::ranking::{Demotion, Standing, View};
use broker_core::event::{PartnerAnswer, PartnerOutcome, PaymentAnswer, PaymentOutcome};
use schemas::purchase::Strategy;
use schemas::subject::{PartnerOperation, PaymentOperation};
use schemas::text::Text;

use super::rig::Rig;
use crate::support::*;

fn rig(profiles: Vec<broker_core::partner::PartnerProfile>, tier: u16) -> Rig {
    Rig::with(profiles, |config| {
        config.policy.tier_size = tier;
        config.policy.explore_permille = 0;
    })
}

fn ask(rig: &mut Rig, number: u64, strategy: Strategy) {
    let mut wanted = submission();
    wanted.id = request_id(number);
    wanted.created_at = rig.now;
    wanted.terms.strategy = strategy;
    wanted.terms.expires_at = rig.now.saturating_add(LIFE);
    rig.create(wanted);
}

fn view(rig: &Rig, name: &str) -> View {
    let index = rig.engine.policy().partners.index_of(&partner(name)).unwrap();
    rig.engine.ranking().view(index, rig.now)
}

/// `bait` refuses whatever it is told to do; everybody else is content.
fn play_with_bait(rig: &mut Rig) {
    while let Some(row) = rig.disk.outbox.get(rig.played).cloned() {
        let refused = match &row.effect {
            Effect::Partner { partner, attempt, command } if partner.as_str() == "bait" => {
                let operation = match command {
                    PartnerCommand::Reserve { .. } => PartnerOperation::Reserve,
                    PartnerCommand::Place { .. } => PartnerOperation::Place,
                    PartnerCommand::Release => PartnerOperation::Release,
                    PartnerCommand::Cancel => PartnerOperation::Cancel,
                    PartnerCommand::Lookup => PartnerOperation::Lookup,
                };
                Some((partner.clone(), *attempt, operation))
            }
            Effect::Partner { .. }
            | Effect::Payment { .. }
            | Effect::Event { .. }
            | Effect::Notify { .. } => None,
        };
        let Some((partner, attempt, operation)) = refused else {
            rig.play_next();
            continue;
        };
        rig.played += 1;
        let reason = Text::parse("just sold").unwrap();
        let outcome = PartnerOutcome::Refused { reason, final_for_key: true };
        let (operation, in_reply_to) = (Some(operation), Some(row.version));
        let answer = PartnerAnswer { partner, attempt, operation, in_reply_to, outcome };
        let origin = rig.origin();
        rig.send(Input::Partner { origin, source: None, request: row.request, answer });
    }
}

/// Everybody asked offers, `bait` by far the cheapest.
fn everybody_offers(rig: &mut Rig) {
    for name in rig.asked_names() {
        rig.offers(&name, if name == "bait" { 500 } else { 1500 });
    }
}

#[test]
fn a_store_that_refuses_what_it_offered_is_asked_last_however_cheap_it_seems() {
    for bait in [plain("bait"), ideal("bait")] {
        let mut rig = rig(vec![bait, plain("b"), plain("c"), plain("d")], 1);
        for number in 1..=40 {
            ask(&mut rig, number, Strategy::Cheapest);
            everybody_offers(&mut rig);
            play_with_bait(&mut rig);
            assert_eq!(rig.status(request_id(number)), "ordered", "elsewhere");
        }
        let bait = view(&rig, "bait");
        assert!(bait.near_permille > 900 && bait.kept_permille < 200, "{bait:?}");
        assert_eq!(bait.standing, Standing::Third);
        let let_down = |fact: &&Fact| matches!(fact, Fact::Demoted { why: Demotion::LetsDown, .. });
        assert_eq!(rig.facts.iter().filter(let_down).count(), 1);
        for number in 41..=60 {
            ask(&mut rig, number, Strategy::Balanced);
            assert_ne!(rig.asked_names(), ["bait"]);
            everybody_offers(&mut rig);
            play_with_bait(&mut rig);
        }
    }
}

#[test]
fn half_of_its_offers_kept_is_a_share_and_no_reason_to_lose_a_tier() {
    let mut rig = rig(vec![plain("bait"), plain("b")], 10);
    for number in 1..=4 {
        ask(&mut rig, number, Strategy::Cheapest);
        everybody_offers(&mut rig);
        if number % 2 == 0 { play_with_bait(&mut rig) } else { rig.play_along() }
    }
    let bait = view(&rig, "bait");
    assert_eq!((bait.kept_permille, bait.standing), (750, Standing::First), "six of eight");
    assert_eq!(view(&rig, "b").kept_permille, 1000);
}

#[test]
fn a_store_that_keeps_its_offers_loses_nothing() {
    let mut rig = rig(vec![plain("a"), ideal("b")], 10);
    for number in 1..=20 {
        ask(&mut rig, number, Strategy::Balanced);
        everybody_offers(&mut rig);
        rig.play_along();
        assert_eq!(rig.status(request_id(number)), "ordered");
    }
    for name in ["a", "b"] {
        assert_eq!(
            (view(&rig, name).kept_permille, view(&rig, name).standing),
            (1000, Standing::First)
        );
    }
}

#[test]
fn a_store_is_not_to_blame_for_a_card_that_is_declined() {
    let mut rig = rig(vec![ideal("a")], 10);
    ask(&mut rig, 1, Strategy::Balanced);
    rig.offers("a", 1500);
    rig.play_next();
    while rig.left().last().is_none_or(|left| left != "pay authorize#1") {
        assert!(rig.play_next());
    }
    let answer = PaymentAnswer {
        attempt: 1,
        operation: PaymentOperation::Authorize,
        in_reply_to: Some(rig.request(request_id(1)).version),
        outcome: PaymentOutcome::Declined,
    };
    let origin = rig.origin();
    rig.send(Input::Payment { origin, source: None, request: request_id(1), answer });
    assert_eq!(rig.status(request_id(1)), "failed (payment_declined)");
    assert_eq!(view(&rig, "a").kept_permille, 1000);
}

#[test]
fn silence_to_a_reservation_is_an_offer_not_kept() {
    let mut rig = rig(vec![ideal("a")], 10);
    ask(&mut rig, 1, Strategy::Balanced);
    rig.offers("a", 1500);
    rig.wait(30_000);
    assert_eq!(view(&rig, "a").kept_permille, 800, "one of five");
}

#[test]
fn an_order_that_its_store_takes_back_is_an_offer_not_kept() {
    let mut rig = rig(vec![plain("a")], 10);
    ask(&mut rig, 1, Strategy::Balanced);
    rig.offers("a", 1500);
    rig.play_along();
    assert_eq!(rig.status(request_id(1)), "ordered");
    let (origin, outcome) = (rig.origin(), canceled("o-1"));
    let answer = PartnerAnswer {
        partner: partner("a"),
        attempt: 1,
        operation: None,
        in_reply_to: None,
        outcome,
    };
    rig.send(Input::Partner { origin, source: None, request: request_id(1), answer });
    // Kept at first: five of six.
    assert_eq!(view(&rig, "a").kept_permille, 833);
}

#[test]
fn an_honest_no_is_an_answer_in_time_and_costs_no_tier() {
    let mut rig = rig(vec![plain("a"), plain("b")], 10);
    for number in 1..=30 {
        ask(&mut rig, number, Strategy::Balanced);
        let call = rig.question("a").call;
        rig.say("a", call, QuoteOutcome::Refused { retry_after: None });
        rig.has_none("b");
        rig.asked.clear();
    }
    let a = view(&rig, "a");
    assert_eq!((a.standing, a.answers), (Standing::First, 30));
    assert!(a.in_time_permille > 950 && a.in_stock_permille < 50, "{a:?}");
    let refused = |fact: &&Fact| matches!(fact, Fact::Quote { outcome: CallOutcome::Refused, .. });
    assert_eq!(rig.facts.iter().filter(refused).count(), 30);
}
