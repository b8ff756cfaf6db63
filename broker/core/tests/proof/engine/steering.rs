//! What operators say about partners: it counts at once, ends by itself, and is kept.

use broker_core::engine::STEERED_MAX;
use broker_core::engine::input::Input;
use broker_core::engine::output::{Answer, Output};
use broker_core::engine::ranking::{Steer, Steering, Word};
use broker_core::receipt::search::SkipReason;
use schemas::text::Text;
use schemas::{RejectReason, Timestamp};

use super::learning::{ask, only_has_it, rig, view};
use super::rig::Rig;
use crate::support::*;

pub(super) fn steering(steer: Steer, until: Timestamp) -> Steering {
    let text = "a reason";
    let (by, why) = (Text::parse("ann").unwrap(), Text::parse(text).unwrap());
    Steering { steer, until, said_at: T0, by, why }
}

fn word(name: &str, said: Option<Steering>) -> Box<Word> {
    let partner = partner(name);
    let steer = said.as_ref().map(|said| said.steer);
    let Steering { until, said_at, by, why, .. } =
        said.unwrap_or_else(|| steering(Steer::Pin, Timestamp::ZERO));
    Box::new(Word { partner, steer, until, said_at, by, why })
}

pub(super) fn steer(rig: &mut Rig, name: &str, said: Option<Steering>) {
    let origin = rig.origin();
    rig.send(Input::Steer { origin, word: word(name, said) });
    assert_eq!(rig.told(origin), "taken");
}

#[test]
fn a_banned_partner_is_not_asked_until_the_ban_expires() {
    let mut rig = rig(&["a", "b"], 10);
    steer(&mut rig, "a", Some(steering(Steer::Ban, at(5_000))));
    ask(&mut rig, 1);
    assert_eq!(rig.asked_names(), ["b"]);
    rig.has_none("b");
    let search = rig.disk.receipts[0].search.clone().unwrap();
    assert_eq!((search.skipped[0].why, search.skipped[0].named.len()), (SkipReason::Banned, 1));
    rig.wait(5_000);
    ask(&mut rig, 2);
    assert_eq!(rig.asked_names(), ["a", "b"]);
}

#[test]
fn a_pinned_partner_is_asked_first_and_a_word_can_be_taken_back() {
    let names = ["a", "b", "c", "d", "e", "f", "g", "h"];
    let mut rig = rig(&names, 1);
    steer(&mut rig, "g", Some(steering(Steer::Pin, at(60_000))));
    for number in 1..=5 {
        ask(&mut rig, number);
        assert_eq!(rig.asked_names(), ["g"]);
        rig.offers("g", 1500);
        rig.play_along();
    }
    steer(&mut rig, "g", Some(steering(Steer::Ban, at(60_000))));
    ask(&mut rig, 6);
    assert!(!rig.asked_names().contains(&"g".to_owned()));
    steer(&mut rig, "g", None);
    assert_eq!(view(&rig, "g").steering, None);
}

#[test]
fn a_pinned_partner_keeps_its_place_also_when_others_are_tried() {
    let names = ["a", "b", "c", "d"];
    let mut rig = Rig::with(names.map(plain).to_vec(), |config| {
        config.policy.tier_size = 1;
        config.policy.explore_permille = 1000;
    });
    steer(&mut rig, "c", Some(steering(Steer::Pin, at(60_000))));
    ask(&mut rig, 1);
    assert_eq!(rig.asked_names(), ["c"]);
}

#[test]
fn an_operators_word_is_confirmed_once_it_is_kept() {
    let mut rig = rig(&["a"], 10);
    let origin = rig.origin();
    let said = Some(steering(Steer::Ban, at(5_000)));
    rig.engine.handle(Input::Steer { origin, word: word("a", said.clone()) }, rig.now);
    let outputs: Vec<Output> = std::iter::from_fn(|| rig.engine.poll_output()).collect();
    let [Output::SaveRanking(snapshot), ..] = outputs.as_slice() else { panic!("{outputs:?}") };
    assert!(!outputs.iter().any(|output| matches!(output, Output::Done { .. })));
    assert_eq!(snapshot.words, [*word("a", said)]);
    rig.engine.handle(Input::RankingKept(snapshot.number), rig.now);
    let told = rig.engine.poll_output();
    assert_eq!(told, Some(Output::Done { origin, answer: Answer::Taken }));
    let origin = rig.origin();
    rig.send(Input::Steer { origin, word: word("nobody", None) });
    assert_eq!(rig.told(origin), "not_found");
}

#[test]
fn every_word_is_kept_once_also_those_that_are_overtaken() {
    let mut rig = rig(&["a"], 10);
    let mut kept = Vec::new();
    for said in [Some(steering(Steer::Ban, at(5_000))), Some(steering(Steer::Pin, at(6_000))), None]
    {
        steer(&mut rig, "a", said.clone());
        kept.extend(rig.disk.ranking.as_ref().unwrap().words.clone());
        assert_eq!(kept.last(), Some(&*word("a", said)));
    }
    assert_eq!(kept.len(), 3);
}

#[test]
fn more_words_than_can_wait_are_turned_away() {
    let mut rig = rig(&["a"], 10);
    for _ in 0..=STEERED_MAX {
        let origin = rig.origin();
        rig.engine.handle(Input::Steer { origin, word: word("a", None) }, rig.now);
    }
    let outputs: Vec<Output> = std::iter::from_fn(|| rig.engine.poll_output()).collect();
    let refused = |output: &&Output| {
        matches!(output, Output::Done { answer: Answer::Rejected { reason, .. }, .. }
            if *reason == RejectReason::Overloaded)
    };
    assert_eq!(outputs.iter().filter(refused).count(), 1);
}

#[test]
fn an_operator_sees_the_numbers_behind_each_partners_place() {
    let mut rig = rig(&["a", "b"], 10);
    ask(&mut rig, 1);
    only_has_it(&mut rig, "a");
    let origin = rig.origin();
    rig.send(Input::ShowRanking { origin });
    let Some(Answer::Ranking(shown)) = rig.answer(origin) else { panic!("{:?}", rig.done) };
    let names: Vec<&str> = shown.iter().map(|(id, ..)| id.as_str()).collect();
    assert_eq!(names, ["a", "b"]);
    assert_eq!(shown[0].1, view(&rig, "a"));
    assert!(shown[0].1.score_permille > shown[1].1.score_permille);
}
