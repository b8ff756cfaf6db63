//! Questions shared between requests: one goes out, everybody who asks the same waits for its
//! answer, and each decides and buys for itself.

use broker_core::engine::input::QuoteOutcome;
use broker_core::engine::output::Fact;
use broker_core::receipt::search::{Came, Source};
use broker_core::request::Submission;
use schemas::destination::Country;
use schemas::text::Text;
use schemas::{Condition, Currency, Money};

use super::rig::Rig;
use crate::support::*;

fn wanted(number: u64) -> Submission {
    let mut wanted = submission();
    wanted.id = request_id(number);
    wanted
}

/// Where the answer of the only store came from, per receipt in the order of decisions.
fn sources(rig: &Rig) -> Vec<(Came, Source)> {
    let asked = rig.disk.receipts.iter().filter_map(|receipt| receipt.search.as_ref());
    let asked = asked.flat_map(|search| search.rounds.iter().flat_map(|round| &round.asked));
    asked.map(|asked| (asked.came, asked.source)).collect()
}

#[test]
fn three_who_want_the_same_book_share_one_question_and_each_orders_its_own_copy() {
    // t0: A asks Y. t1, t2: B and C want the same. t3: Y offers it for 28. t4: all three buy.
    let mut rig = Rig::new(vec![sharing("y")]);
    rig.create(wanted(1));
    rig.wait(20);
    rig.create(wanted(2));
    rig.wait(20);
    rig.create(wanted(3));
    assert_eq!(rig.asked.len(), 1, "one question");
    rig.wait(20);
    let mut offer = quote("y", 2800);
    offer.in_stock = 50;
    rig.offers_quote("y", offer);
    rig.wait(200);
    rig.play_along();
    for number in 1..=3 {
        let bought = rig.request(request_id(number));
        assert_eq!(status(bought), "ordered");
        let order = bought.checkout.as_ref().and_then(|c| c.order.as_ref()).unwrap();
        assert_eq!(order.total, usd(2800));
    }
    let places = rig.left().iter().filter(|effect| effect.as_str() == "y place#1").count();
    assert_eq!(places, 3, "one order each");
    assert_eq!(
        sources(&rig),
        [
            (Came::Offer, Source::Asked),
            (Came::Offer, Source::Shared),
            (Came::Offer, Source::Shared)
        ]
    );
}

#[test]
fn whoever_wants_something_else_asks_for_itself() {
    let changes: [fn(&mut Submission); 5] = [
        |s| s.destination.country = Country::parse("DE").unwrap(),
        |s| s.destination.postal_code = Text::parse("10001").unwrap(),
        |s| s.terms.max_total = Money::new(3000, Currency::EUR).unwrap(),
        |s| s.condition = Condition::Good,
        |s| s.quantity = 2,
    ];
    for change in changes {
        let mut rig = Rig::new(vec![sharing("y")]);
        rig.create(wanted(1));
        let mut other = wanted(2);
        change(&mut other);
        rig.create(other);
        assert_eq!(rig.asked.len(), 2);
    }
}

#[test]
fn a_store_whose_quotes_are_good_for_one_order_is_asked_by_everybody() {
    let mut rig = Rig::new(vec![plain("y")]);
    for number in 1..=3 {
        rig.create(wanted(number));
    }
    assert_eq!(rig.asked.len(), 3);
}

#[test]
fn limits_are_not_shared_and_no_bucket_of_prices_is() {
    let mut rig = Rig::new(vec![sharing("x"), sharing("y")]);
    let limits = [2999, 3001, 2500];
    for (number, limit) in (1..).zip(limits) {
        let mut wanted = wanted(number);
        wanted.terms.max_total = usd(limit);
        rig.create(wanted);
    }
    assert_eq!(rig.asked.len(), 2);
    rig.offers("x", 3000);
    assert_eq!(rig.status(request_id(1)), "searching");
    rig.wait(200);
    assert_eq!(rig.status(request_id(2)), "ordering", "29.99 and 30.01 are not the same");
    assert_eq!(rig.status(request_id(3)), "searching", "and 25 waits on when 30.01 has bought");
    let mut offer = quote("y", 2450);
    offer.in_stock = 50;
    rig.offers_quote("y", offer);
    assert_eq!(rig.status(request_id(3)), "ordering");
}

#[test]
fn what_becomes_of_one_request_is_nothing_to_another() {
    let mut rig = Rig::new(vec![sharing("y")]);
    rig.create(wanted(1));
    rig.create(wanted(2));
    rig.command(request_id(1), cancel());
    assert_eq!(rig.status(request_id(1)), "canceled");
    let mut offer = quote("y", 2000);
    offer.in_stock = 50;
    rig.offers_quote("y", offer);
    assert_eq!(rig.status(request_id(2)), "ordering", "its question was not taken back");
    assert_eq!(rig.status(request_id(1)), "canceled");
}

#[test]
fn a_question_is_over_when_the_last_who_waits_for_it_has_gone() {
    let mut narrow = sharing("y");
    narrow.in_flight_max = 1;
    let mut rig = Rig::new(vec![narrow]);
    rig.create(wanted(1));
    rig.create(wanted(2));
    let mut other = wanted(3);
    other.quantity = 2;
    rig.create(other);
    rig.command(request_id(1), cancel());
    assert_eq!(rig.asked.len(), 1, "the place is still taken");
    rig.command(request_id(2), cancel());
    assert_eq!(rig.asked.len(), 2, "and now it is free");
}

#[test]
fn a_crash_of_the_one_who_asked_first_strands_nobody() {
    let mut rig = Rig::new(vec![sharing("y")]);
    rig.create(wanted(1));
    rig.create(wanted(2));
    let before = rig.question("y").call;
    rig.crash(2);
    assert_eq!(rig.asked.len(), 1);
    rig.say("y", before, QuoteOutcome::NoStock);
    assert_eq!(rig.facts.last(), Some(&Fact::LateQuote));
    let mut offer = quote("y", 2000);
    offer.in_stock = 50;
    rig.offers_quote("y", offer);
    for number in 1..=2 {
        assert_eq!(rig.status(request_id(number)), "ordering");
    }
}

#[test]
fn whoever_joins_late_is_given_its_own_time_and_asks_again_itself() {
    let mut rig = Rig::new(vec![sharing("y")]);
    rig.create(wanted(1));
    rig.question("y");
    rig.wait(600);
    rig.create(wanted(2));
    assert!(rig.asked.is_empty());
    rig.wait(1_399);
    assert_eq!(rig.asked.len(), 1, "one further copy is for both");
    rig.wait(1);
    assert_eq!(rig.status(request_id(1)), "searching", "it is given up and tried once more later");
    let timed_out = |fact: &&Fact| matches!(fact, Fact::Quote { .. });
    assert_eq!(rig.facts.iter().filter(timed_out).count(), 1, "one silence, not two");
    rig.offers("y", 2000);
    assert_eq!(rig.status(request_id(2)), "ordering");
}

#[test]
fn nobody_joins_a_question_that_is_overdue() {
    let mut rig = Rig::new(vec![sharing("y")]);
    rig.create(wanted(1));
    rig.wait(1_999);
    rig.asked.clear();
    rig.wait(1);
    rig.create(wanted(2));
    assert_eq!(rig.asked_names(), ["y"]);
}

#[test]
fn a_store_that_nobody_listens_at_is_down_for_all_who_wait() {
    let mut rig = Rig::new(vec![sharing("x"), sharing("y")]);
    rig.create(wanted(1));
    rig.create(wanted(2));
    let call = rig.question("x").call;
    let down =
        broker_core::engine::input::Input::PartnerDown { partner: partner("x"), calls: vec![call] };
    rig.send(down);
    let down = |fact: &&Fact| matches!(fact, Fact::Quote { .. });
    assert_eq!(rig.facts.iter().filter(down).count(), 1);
    let mut offer = quote("y", 2900);
    offer.in_stock = 50;
    rig.offers_quote("y", offer);
    for number in 1..=2 {
        assert_eq!(rig.status(request_id(number)), "ordering", "nobody is left to wait for");
    }
}
