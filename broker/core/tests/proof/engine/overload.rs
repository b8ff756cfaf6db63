//! The engine under more load than it should take.

use broker_core::engine::admission::{Class, WhenFull};
use broker_core::engine::input::QuoteOutcome;
use broker_core::engine::limits::board::Operation;
use broker_core::engine::limits::breaker::Switched;
use broker_core::engine::limits::gcra::Quota;
use broker_core::engine::limits::ladder::Rung;
use broker_core::engine::limits::load::Circuit;
use broker_core::engine::output::{Answer, Fact};
use broker_core::engine::ranking::Demotion;
use broker_core::partner::PartnerProfile;
use broker_core::policy::Overload;
use broker_core::quote::Quote;
use broker_core::receipt::search::{Degraded, SkipReason, Skipped, Source};
use broker_core::request::Submission;
use schemas::directory::BreakerMode;
use schemas::purchase::{Mode, Strategy};
use schemas::text::Text;
use schemas::{CustomerId, DurationMs, RejectReason};

use super::rig::Rig;
use crate::support::*;

fn of(customer: &str, number: u64) -> Submission {
    let customer = CustomerId::parse(customer).unwrap();
    Submission { id: request_id(number), customer, ..submission() }
}

fn retry_after(
    rig: &Rig,
    origin: broker_core::engine::input::Origin,
) -> (RejectReason, DurationMs) {
    match rig.answer(origin) {
        Some(Answer::Rejected { reason, retry_after: Some(after), .. }) => (*reason, *after),
        other => panic!("{other:?}"),
    }
}

/// Limits as shipped, with some numbers of their own.
fn limited(profiles: Vec<PartnerProfile>, change: impl FnOnce(&mut Overload)) -> Rig {
    Rig::with(profiles, |config| {
        config.policy.overload = Overload::standard();
        change(&mut config.policy.overload);
    })
}

#[test]
fn a_customer_over_its_rate_is_told_when_to_come_back_and_nothing_else_happens() {
    let mut rig = limited(vec![plain("a")], |_| {});
    for number in 1..=10 {
        let origin = rig.create(of("ann", number));
        assert_eq!(rig.told(origin), "accepted", "{number}");
    }
    rig.log.clear();
    let origin = rig.create(of("ann", 11));
    assert_eq!(retry_after(&rig, origin), (RejectReason::RateLimited, DurationMs(6000)));
    let outputs: Vec<_> = rig.log.iter().map(|line| line.split(['(', ' ', '{']).next()).collect();
    assert_eq!(outputs, ["Load", "Observe", "Done"].map(Some));
    assert!(!rig.disk.requests.contains_key(&request_id(11)));
    let other = rig.create(of("bob", 12));
    assert_eq!(rig.told(other), "accepted", "bob has a limit of his own");
    rig.wait(6000);
    let again = rig.create(of("ann", 11));
    assert_eq!(rig.told(again), "accepted");
}

#[test]
fn what_exists_is_answered_whatever_the_rate() {
    let mut rig = limited(vec![plain("a")], |overload| {
        overload.creates = Quota::new(1, DurationMs(60_000), 1);
    });
    rig.create(of("ann", 1));
    let copy = rig.create(of("ann", 1));
    assert_eq!(rig.told(copy), "replayed");
    let other = rig.create(of("ann", 2));
    assert_eq!(rig.told(other), "rate_limited");
}

#[test]
fn a_create_that_waited_in_its_stream_until_it_expired_is_not_lost() {
    let mut rig = limited(vec![plain("a")], |overload| {
        overload.creates = Quota::new(1, DurationMs(3_600_000), 1);
    });
    rig.create(of("ann", 1));
    let late = rig.create(of("ann", 2));
    assert_eq!(rig.told(late), "rate_limited");
    rig.wait(LIFE.as_ms());
    let late = rig.create(of("ann", 2));
    assert_eq!(
        (rig.told(late).as_str(), rig.status(request_id(2)).as_str()),
        ("accepted", "expired")
    );
}

/// One question may be open at a time.
fn narrow(change: impl FnOnce(&mut Overload)) -> Rig {
    limited(vec![plain("a")], |overload| {
        overload.calls_in_flight_max = 1;
        overload.creates = Overload::wide_open().creates;
        change(overload);
    })
}

#[test]
fn with_every_place_taken_a_create_waits_and_is_let_in_when_one_is_free() {
    let mut rig = narrow(|_| {});
    let first = rig.create(of("ann", 1));
    let second = rig.create(of("bob", 2));
    assert_eq!((rig.told(first).as_str(), rig.told(second).as_str()), ("accepted", "nothing yet"));
    assert_eq!(rig.engine.waiting(), 1);
    rig.wait(100);
    rig.offers("a", 2500);
    assert_eq!(rig.told(second), "accepted");
    assert_eq!(rig.asked_names(), ["a"]);
    assert!(rig.facts.contains(&Fact::LetIn { class: Class::Free, waited_ms: 100 }));
}

#[test]
fn what_is_said_of_a_create_that_waits_waits_with_it() {
    let mut rig = narrow(|_| {});
    rig.create(of("bob", 1));
    rig.create(of("ann", 2));
    let cancel = rig.command(request_id(2), cancel());
    assert_eq!(rig.told(cancel), "nothing yet");
    rig.offers("a", 2500);
    assert_eq!(rig.told(cancel), "accepted");
    assert_eq!(rig.status(request_id(2)), "canceled");
}

#[test]
fn whose_patience_ends_is_told_to_come_back_and_its_other_commands_that_it_does_not_exist() {
    let mut rig = narrow(|_| {});
    rig.create(of("bob", 1));
    let waits = rig.create(of("ann", 2));
    let cancel = rig.command(request_id(2), cancel());
    rig.wait(999);
    rig.wait(1000);
    assert_eq!(rig.told(waits), "nothing yet");
    rig.wait(1);
    let (reason, after) = retry_after(&rig, waits);
    assert_eq!(reason, RejectReason::Overloaded);
    assert!((1000..=2000).contains(&after.as_ms()), "{after}");
    assert_eq!(rig.told(cancel), "not_found");
    assert_eq!(rig.engine.waiting(), 0);
}

#[test]
fn gold_goes_before_free_and_a_near_deadline_before_both() {
    let mut rig = narrow(|overload| {
        overload.classes.named.insert(CustomerId::parse("rich").unwrap(), Class::Gold);
    });
    rig.create(of("bob", 1));
    let free = rig.create(of("bob", 2));
    let gold = rig.create(of("rich", 3));
    let mut urgent = of("bob", 4);
    urgent.terms.expires_at = at(6_900);
    let urgent = rig.create(urgent);
    let mut order = Vec::new();
    for _ in 0..3 {
        rig.has_none("a");
        let told = [free, gold, urgent].map(|origin| rig.told(origin) == "accepted");
        order.push(told);
    }
    assert_eq!(order, [[false, false, true], [false, true, true], [true, true, true]]);
}

#[test]
fn a_full_queue_refuses_drops_or_delays_as_configured() {
    let told = |when_full| {
        let mut rig = narrow(|overload| {
            overload.admission.when_full = when_full;
            overload.admission.waiting_max = 1;
            let never = &mut overload.ladder;
            (never.tier_one_permille, never.cached_permille, never.refuse_permille) =
                (1001, 1001, 1001);
            overload.classes.named.insert(CustomerId::parse("rich").unwrap(), Class::Gold);
        });
        rig.create(of("bob", 1));
        let first = rig.create(of("bob", 2));
        let second = rig.create(of("rich", 3));
        [first, second].map(|origin| rig.told(origin))
    };
    assert_eq!(told(WhenFull::Retry), ["nothing yet", "overloaded"]);
    assert_eq!(told(WhenFull::Drop), ["overloaded", "nothing yet"]);
    assert_eq!(told(WhenFull::Delay), ["nothing yet", "nothing yet"]);
}

#[test]
fn the_ladder_asks_only_the_best_then_refuses_and_comes_back_when_it_is_calm() {
    let names = ["a", "b", "c", "d", "e"];
    let mut rig = Rig::with(names.map(plain).to_vec(), |config| {
        config.policy.tier_size = 2;
        config.policy.overload.ladder = Overload::standard().ladder;
        config.policy.overload.calls_in_flight_max = 4;
        config.policy.overload.admission.waiting_max = 4;
    });
    for number in 1..=6 {
        rig.create(of("ann", number));
    }
    assert_eq!((rig.asked.len(), rig.engine.waiting()), (4, 4));
    let facts = |rig: &Rig| {
        let rung = |fact: &Fact| match fact {
            Fact::Rung(rung) => Some(*rung),
            _ => None,
        };
        rig.facts.iter().filter_map(rung).collect::<Vec<_>>()
    };
    assert_eq!(facts(&rig), [Rung::TierOneOnly, Rung::CachedOffers, Rung::Refusing]);
    let refused = rig.create(of("ann", 8));
    assert_eq!(retry_after(&rig, refused).0, RejectReason::Overloaded);
    rig.wait(20_000);
    let down = facts(&rig);
    assert_eq!(down[3..], [Rung::CachedOffers, Rung::TierOneOnly, Rung::Normal]);
    assert_eq!(rig.engine.rung(), Rung::Normal);
    let degraded = rig.disk.receipts.iter().filter_map(|receipt| receipt.search.as_ref());
    let degraded: Vec<_> = degraded.filter(|search| search.degraded.is_some()).collect();
    assert!(!degraded.is_empty(), "{:#?}", rig.disk.receipts);
    for search in degraded {
        let asked: usize = search.rounds.iter().map(|round| round.asked.len()).sum();
        let left: u16 = skipped(&search.skipped, SkipReason::Degraded);
        assert!(asked <= 2 && usize::from(left) == 3, "{search:?}");
    }
}

#[test]
fn under_load_the_word_of_a_store_is_enough_where_it_would_be_asked_again_otherwise() {
    for (cached_permille, asked_again) in [(750, false), (1001, true)] {
        let mut rig = Rig::with(vec![sharing("y")], |config| {
            let overload = &mut config.policy.overload;
            overload.ladder.tier_one_permille = 500;
            overload.ladder.cached_permille = cached_permille;
            overload.calls_in_flight_max = 1;
            overload.admission.waiting_max = 4;
        });
        rig.create(of("ann", 1));
        // Few copies: without load it would be asked again.
        let few = Quote { in_stock: 50, ..quote("y", 2000) };
        rig.offers_quote("y", few.clone());
        let mut elsewhere = of("ann", 2);
        elsewhere.destination.postal_code = Text::parse("10001").unwrap();
        rig.create(elsewhere);
        for number in 3..=5 {
            let mut exact = of("ann", number);
            exact.terms.strategy = Strategy::Cheapest;
            rig.create(exact);
        }
        let rung = if asked_again { Rung::TierOneOnly } else { Rung::CachedOffers };
        assert_eq!(rig.engine.rung(), rung);
        rig.offers_quote("y", few);
        assert_eq!(!rig.asked.is_empty(), asked_again);
        assert_eq!(rig.status(request_id(3)), if asked_again { "searching" } else { "ordering" });
        if !asked_again {
            let search = rig.disk.receipts.last().and_then(|receipt| receipt.search.clone());
            let search = search.unwrap();
            assert_eq!(search.degraded, Some(Degraded::CachedOffers));
            let source = search.rounds[0].asked[0].source;
            assert!(matches!(source, Source::Remembered { .. }), "{source:?}");
        }
    }
}

fn skipped(list: &[Skipped], why: SkipReason) -> u16 {
    list.iter().filter(|one| one.why == why).map(|one| one.count).sum()
}

/// A store that may be asked once per second.
fn slow_lane(name: &str) -> PartnerProfile {
    PartnerProfile { calls_per_s: 1, calls_burst: 1, ..plain(name) }
}

#[test]
fn a_partner_over_its_rate_is_left_out_and_the_receipt_says_so() {
    let mut rig = Rig::new(vec![slow_lane("a"), plain("b")]);
    rig.create(of("ann", 1));
    rig.create(of("ann", 2));
    assert_eq!(rig.asked_names(), ["a", "b", "b"], "a second is more than a fifth of three");
    rig.offers("b", 2500);
    rig.offers("b", 2500);
    rig.wait(5_000);
    let receipt = &rig.disk.receipts[1];
    let search = receipt.search.as_ref().unwrap();
    let left_out = Skipped { why: SkipReason::RateLimited, count: 1, named: vec![partner("a")] };
    assert_eq!(
        (search.skipped.clone(), receipt.eligible, receipt.answered),
        (vec![left_out], 2, 1)
    );
}

#[test]
fn a_question_that_waits_less_than_a_fifth_of_the_time_leaves_when_the_rate_lets_it() {
    let slow = PartnerProfile { calls_per_s: 2, calls_burst: 1, ..plain("a") };
    let mut rig = Rig::new(vec![slow]);
    rig.create(of("ann", 1));
    rig.create(of("ann", 2));
    rig.create(of("ann", 3));
    assert_eq!(rig.asked_names(), ["a"]);
    rig.wait(499);
    assert_eq!(rig.asked.len(), 1);
    rig.wait(1);
    assert_eq!(rig.asked.len(), 2, "the third would have waited for a second");
}

#[test]
fn a_country_over_its_rate_holds_questions_back_at_all_partners() {
    let mut rig = limited(vec![plain("a"), plain("b")], |overload| {
        overload.region = Quota::new(4, DurationMs(1000), 1);
    });
    rig.create(of("ann", 1));
    assert_eq!(rig.asked_names(), ["a"]);
    rig.wait(250);
    assert_eq!(rig.asked_names(), ["a", "b"]);
}

#[test]
fn a_partner_begins_with_a_few_questions_and_gets_more_as_it_answers() {
    let shy = PartnerProfile { in_flight_start: 2, in_flight_max: 3, ..plain("a") };
    let mut rig = Rig::new(vec![shy]);
    for number in 1..=6 {
        rig.create(of("ann", number));
    }
    assert_eq!(rig.asked.len(), 2);
    rig.has_none("a");
    assert_eq!(rig.asked.len(), 3, "one came back, and there is room for one more");
    rig.has_none("a");
    assert_eq!(rig.asked.len(), 3, "the most");
}

#[test]
fn who_says_that_it_is_too_much_is_left_alone_for_so_long() {
    let mut rig = Rig::new(vec![plain("a")]);
    rig.create(of("ann", 1));
    let call = rig.question("a").call;
    let retry_after = Some(DurationMs(300));
    rig.say("a", call, QuoteOutcome::Refused { retry_after });
    rig.create(of("ann", 2));
    assert!(rig.asked.is_empty());
    rig.wait(299);
    assert!(rig.asked.is_empty());
    rig.wait(1);
    assert_eq!(rig.asked.len(), 1);
}

/// It looks again anyhow, so that nothing is postponed.
fn watching(number: u64) -> Submission {
    Submission { mode: Mode::Watch, ..of("ann", number) }
}

fn shaky(rig: &mut Rig, from: u64, count: u64) {
    for number in from..from + count {
        rig.create(watching(number));
    }
    rig.wait(3_000);
    rig.asked.clear();
}

#[test]
fn a_partner_that_does_not_answer_is_left_alone_then_tried_one_question_at_a_time() {
    let mut rig = Rig::with(vec![plain("a")], |config| {
        config.policy.overload.breaker = Overload::standard().breaker;
        config.policy.quote_retries = 0;
        config.policy.sweep_retries = 0;
    });
    shaky(&mut rig, 1, 20);
    let a = rig.engine.policy().partners.index_of(&partner("a")).unwrap();
    let opened = Fact::Breaker { partner: a, operation: Operation::Quote, to: Switched::Opened };
    assert!(rig.facts.contains(&opened));
    let demoted = |fact: &Fact| matches!(fact, Fact::Demoted { .. });
    assert!(rig.facts.iter().any(demoted), "the ranking was told");
    rig.create(watching(50));
    assert!(rig.asked.is_empty());
    let receipt = rig.disk.receipts.last().unwrap();
    let search = receipt.search.as_ref().unwrap();
    assert_eq!(skipped(&search.skipped, SkipReason::BreakerOpen), 1);
    assert_eq!((receipt.eligible, receipt.answered), (1, 0), "it might have had the book");
    rig.wait(18_000);
    for trial in 0..3 {
        rig.create(watching(60 + 2 * trial));
        rig.create(watching(61 + 2 * trial));
        assert_eq!(rig.asked.len(), 1, "one at a time");
        rig.has_none("a");
    }
    let closed = Fact::Breaker { partner: a, operation: Operation::Quote, to: Switched::Closed };
    assert!(rig.facts.contains(&closed));
    assert_eq!(rig.engine.load(rig.now).partners[0].circuit, Circuit::Closed);
}

#[test]
fn in_dry_run_a_breaker_only_says_what_it_would_do_and_forced_open_it_needs_no_reason() {
    let with = |breaker| {
        let mut rig = Rig::with(vec![PartnerProfile { breaker, ..plain("a") }], |config| {
            config.policy.overload.breaker = Overload::standard().breaker;
            config.policy.quote_retries = 0;
            config.policy.sweep_retries = 0;
        });
        shaky(&mut rig, 1, 20);
        rig.create(of("ann", 50));
        let opened = rig.facts.iter().any(|fact| matches!(fact, Fact::Breaker { .. }));
        let why = Demotion::Breaker;
        let demoted =
            rig.facts.iter().any(|f| matches!(f, Fact::Demoted { why: w, .. } if *w == why));
        (rig.asked.len(), opened, demoted)
    };
    assert_eq!(with(BreakerMode::DryRun), (1, true, false));
    assert_eq!(with(BreakerMode::ForcedOpen), (0, false, false));
}

#[test]
fn orders_without_an_answer_open_the_breaker_of_orders_and_look_ups_go_on() {
    let mut rig = Rig::with(vec![plain("a")], |config| {
        config.policy.overload.breaker = Overload::standard().breaker;
    });
    let plenty = Quote { in_stock: 100, ..quote("a", 2500) };
    for number in 1..=7 {
        rig.create(of("ann", number));
        rig.offers_quote("a", plenty.clone());
    }
    // The provider authorises; the store says nothing to any order.
    while let Some(row) = rig.disk.outbox.get(rig.played) {
        if matches!(row.effect, broker_core::Effect::Partner { .. }) {
            rig.played += 1;
        } else {
            rig.play_next();
        }
    }
    rig.wait(5_000);
    let a = rig.engine.policy().partners.index_of(&partner("a")).unwrap();
    let opened = Fact::Breaker { partner: a, operation: Operation::Place, to: Switched::Opened };
    assert!(rig.facts.contains(&opened), "{:?}", rig.facts);
    let lookups = rig.left().iter().filter(|line| line.contains("lookup")).count();
    assert!(lookups >= 7, "{lookups}");
    rig.create(of("ann", 50));
    assert!(rig.asked.is_empty(), "where orders fail nobody needs to be asked for prices");
}

#[test]
fn questions_are_asked_again_only_as_often_as_the_budget_lets() {
    let mut rig = Rig::with(vec![plain("a")], |config| {
        config.policy.overload.quote_retries = Overload::standard().quote_retries;
        config.policy.sweep_retries = 0;
    });
    for number in 1..=40 {
        rig.create(of("ann", number));
    }
    assert_eq!(rig.asked.len(), 40);
    rig.wait(1_000);
    // Ten at first, a tenth of forty is not saved beyond them, and one for the second.
    assert_eq!(rig.asked.len(), 40 + 10);
    let denied = rig.facts.iter().filter(|fact| matches!(fact, Fact::RetryDenied { .. })).count();
    assert_eq!(denied, 30);
}

#[test]
fn with_every_place_of_all_taken_lanes_take_turns() {
    let mut rig = limited(vec![plain("a"), plain("b")], |overload| {
        overload.calls_in_flight_max = 1;
        overload.creates = Overload::wide_open().creates;
    });
    let mut wanted = of("ann", 1);
    wanted.terms.strategy = Strategy::Cheapest;
    rig.create(wanted);
    assert_eq!(rig.asked_names(), ["a"]);
    rig.has_none("a");
    assert_eq!(rig.asked_names(), ["b"]);
    rig.offers("b", 2500);
    assert_eq!(rig.status(request_id(1)), "ordering");
}
