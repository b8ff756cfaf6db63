//! Several requests at once, any interleaving of answers, commits, conflicts of time and crashes:
//! every request closes, nothing is left over, and the audit log folds to what is stored.

use broker_core::batch::Change;
use broker_core::effect::{Effect, PartnerCommand};
use broker_core::engine::input::QuoteOutcome;
use broker_core::partner::PartnerProfile;
use broker_core::receipt::search::{Came, SkipReason};
use broker_core::receipt::{Receipt, Verdict};
use broker_core::transition;
use proptest::prelude::*;
use schemas::purchase::Mode;

use super::rig::Rig;
use crate::support::*;

#[derive(Debug, Clone)]
enum Act {
    Create {
        number: u64,
        watch: bool,
    },
    /// A question is answered, with this total or with "no stock"; or lost.
    Quote {
        index: usize,
        total: Option<u64>,
    },
    LoseQuestion {
        index: usize,
    },
    /// Stores and provider answer their oldest command.
    Play,
    Wait {
        ms: u64,
    },
    Cancel {
        number: u64,
    },
    Raise {
        number: u64,
    },
    HoldCommits,
    Commit,
    Crash,
}

fn act() -> impl Strategy<Value = Act> {
    let number = 1_u64..5;
    prop_oneof![
        4 => (number.clone(), any::<bool>())
            .prop_map(|(number, watch)| Act::Create { number, watch }),
        10 => (0_usize..8, prop::option::weighted(0.7, 2400_u64..3300))
            .prop_map(|(index, total)| Act::Quote { index, total }),
        2 => (0_usize..8).prop_map(|index| Act::LoseQuestion { index }),
        10 => Just(Act::Play),
        4 => prop_oneof![Just(1_u64), Just(100), Just(1000), Just(3000), Just(61_000)]
            .prop_map(|ms| Act::Wait { ms }),
        1 => number.clone().prop_map(|number| Act::Cancel { number }),
        1 => number.prop_map(|number| Act::Raise { number }),
        1 => Just(Act::HoldCommits),
        3 => Just(Act::Commit),
        1 => Just(Act::Crash),
    ]
}

fn profiles() -> Vec<PartnerProfile> {
    let mut narrow = plain("narrow");
    narrow.in_flight_max = 1;
    vec![ideal("ideal"), narrow, fencing("fencing"), queued("queued")]
}

fn perform(rig: &mut Rig, act: &Act, lives: &mut u32) {
    match act {
        Act::Create { number, watch } => {
            let mut wanted = submission();
            wanted.id = request_id(*number);
            wanted.mode = if *watch { Mode::Watch } else { Mode::OneShot };
            rig.create(wanted);
        }
        Act::Quote { index, total } => {
            if let Some(asked) = take(rig, *index) {
                let name = asked.partner.clone();
                let offer =
                    |total| QuoteOutcome::Offer { isbn: isbn(), quote: quote(&name, total) };
                let outcome = total.map_or(QuoteOutcome::NoStock, offer);
                rig.say(&name, asked.question.call, outcome);
            }
        }
        Act::LoseQuestion { index } => {
            take(rig, *index);
        }
        Act::Play => {
            rig.play_next();
        }
        Act::Wait { ms } => rig.wait(*ms),
        Act::Cancel { number } => {
            rig.command(request_id(*number), cancel());
        }
        Act::Raise { number } => {
            rig.command(request_id(*number), raise_to(4000));
        }
        Act::HoldCommits => rig.hold_commits = true,
        Act::Commit => {
            rig.hold_commits = false;
            commit_all(rig);
        }
        Act::Crash => {
            *lives += 1;
            rig.hold_commits = false;
            rig.crash(*lives);
        }
    }
}

fn take(rig: &mut Rig, index: usize) -> Option<super::rig::Asked> {
    let len = rig.asked.len();
    (len > 0).then(|| rig.asked.remove(index % len)).flatten()
}

fn commit_all(rig: &mut Rig) {
    while !rig.held.is_empty() {
        rig.commit_held();
    }
}

/// Everything is answered ("no stock", "yes") and all time passes.
fn come_to_rest(rig: &mut Rig) {
    const ROUNDS_MAX: usize = 400;
    rig.hold_commits = false;
    commit_all(rig);
    for _ in 0..ROUNDS_MAX {
        rig.play_along();
        while let Some(asked) = rig.asked.pop_front() {
            rig.say(&asked.partner, asked.question.call, QuoteOutcome::NoStock);
        }
        if rig.disk.timers.is_empty() && rig.disk.active.is_empty() {
            return;
        }
        rig.wait(5_000);
    }
    panic!("does not come to rest: {:?} {:?}", rig.disk.timers, rig.disk.active);
}

fn check(rig: &Rig) {
    assert_eq!(rig.engine.hot_requests(), 0, "nothing is left in memory");
    rig.disk.receipts.iter().for_each(|receipt| check_account(rig, receipt));
    for (id, stored) in &rig.disk.requests {
        let request = &stored.request;
        assert!(request.is_closed() && request.undo.is_empty(), "{}", head(request));
        let of = |row: &&broker_core::OutboxRow| row.request == *id;
        let rows: Vec<_> = rig.disk.outbox.iter().filter(of).collect();
        let numbers: Vec<u16> = rows.iter().filter_map(|row| number(&row.effect)).collect();
        assert_eq!(numbers, (0..request.notified).collect::<Vec<_>>());
        let orders = rows.iter().filter(|row| is_place(&row.effect)).count();
        let canceled = rows.iter().filter(|row| is_cancel(&row.effect)).count();
        let stands = usize::from(status(request) == "ordered");
        // Stores here confirm every order at once, and every copy is the same order.
        assert!(stands <= orders && (orders == 0) <= (canceled == 0), "{}", head(request));
        check_folds(rig, *id);
    }
}

/// Everybody was asked once or not at all, and the receipt says what came of it.
fn check_account(rig: &Rig, receipt: &Receipt) {
    let Some(search) = &receipt.search else { return };
    let asked: Vec<_> = search.rounds.iter().flat_map(|round| &round.asked).collect();
    let skipped: usize = search.skipped.iter().map(|skipped| usize::from(skipped.count)).sum();
    assert_eq!(asked.len() + skipped, rig.profiles.len(), "{search:?}");
    assert!(search.rounds.iter().all(|round| !round.asked.is_empty()), "{search:?}");
    for quote in &receipt.quotes {
        let of = asked.iter().filter(|asked| asked.partner == quote.partner);
        let came: Vec<Came> = of.map(|asked| asked.came).collect();
        assert_eq!(came, [Came::Offer], "{quote:?}");
    }
    let everybody = search.skipped.iter().all(|skipped| skipped.why != SkipReason::NotNeeded);
    assert!(everybody || receipt.verdict != Verdict::NoStock, "{search:?}");
}

fn number(effect: &Effect) -> Option<u16> {
    match effect {
        Effect::Notify { number, .. } => Some(*number),
        _ => None,
    }
}

fn is_place(effect: &Effect) -> bool {
    matches!(effect, Effect::Partner { command: PartnerCommand::Place { .. }, .. })
}

fn is_cancel(effect: &Effect) -> bool {
    matches!(effect, Effect::Partner { command: PartnerCommand::Cancel, .. })
}

/// Replaying the audit log gives the stored head.
fn check_folds(rig: &Rig, id: schemas::RequestId) {
    let policy = policy_with(rig.profiles.clone());
    let stored = rig.request(id);
    let mut folded = None;
    for row in &rig.disk.audit[&id] {
        let step = match (&row.change, &folded) {
            (Change::Created, None) => {
                transition::create((*stored.submission).clone(), row.at, &policy)
            }
            (Change::Applied(event), Some(request)) => {
                transition::transition(request, event.clone(), row.at, &policy)
            }
            (Change::AppliedInDoubt(event), Some(request)) => {
                transition::transition_in_doubt(request, event.clone(), row.at, &policy)
            }
            (change, _) => panic!("{change:?} out of order"),
        };
        let next = step.expect("what was applied applies again").next;
        assert_eq!(next.version, row.version);
        folded = Some(next);
    }
    assert_eq!(folded.as_ref(), Some(stored));
}

proptest! {
    #![proptest_config(crate::model::config(300))]

    #[test]
    fn every_request_closes_whatever_happens_to_the_engine(
        acts in prop::collection::vec(act(), 0..80),
        tier_size in prop::sample::select(vec![1_u16, 2, 3, 1000]),
        latency_samples in prop::sample::select(vec![1_u16, 20]),
    ) {
        let mut rig = Rig::with(profiles(), |config| {
            config.policy.tier_size = tier_size;
            config.policy.latency_samples = latency_samples;
            config.policy.hedge_budget_permille = 500;
        });
        let mut lives = 1;
        for act in &acts {
            perform(&mut rig, act, &mut lives);
        }
        come_to_rest(&mut rig);
        check(&rig);
    }
}
