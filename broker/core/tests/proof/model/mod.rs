//! The model: one request among bookstores and a provider that keep their contracts over a network
//! that keeps none. Any sequence of what can happen keeps the promises, and once everything is
//! delivered, everything has come to rest in the right place.

mod act;
mod bank;
mod check;
mod shop;
mod unwind;
mod world;

use broker_core::partner::PartnerProfile;
use broker_core::request::Submission;
use proptest::prelude::*;
use proptest::test_runner::FileFailurePersistence;
use schemas::directory::LookupKind;
use schemas::purchase::Mode;
use schemas::{DurationMs, Timestamp};

use act::Act;
use world::World;

use crate::support::{T0, ideal, submission};

/// `PROPTEST_CASES` larger than `cases` looks deeper. A smaller one is for those who only want to
/// know whether anything fails, soon: nothing is shrunk or kept.
#[expect(clippy::disallowed_methods, reason = "how deep to look is the caller's choice")]
pub(crate) fn config(cases: u32) -> ProptestConfig {
    let wanted = std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok());
    let kept = FileFailurePersistence::WithSource("regressions");
    let thorough = ProptestConfig {
        cases: wanted.unwrap_or(cases).max(cases),
        max_shrink_iters: 20_000,
        failure_persistence: Some(Box::new(kept)),
        ..ProptestConfig::default()
    };
    match wanted.filter(|wanted| *wanted < cases) {
        None => thorough,
        Some(few) => ProptestConfig {
            cases: few,
            max_shrink_iters: 0,
            failure_persistence: None,
            ..thorough
        },
    }
}

/// A bookstore of any temper.
fn temper(name: &'static str) -> impl Strategy<Value = PartnerProfile> {
    let lookup = prop_oneof![
        Just(LookupKind::None),
        Just(LookupKind::Eventual),
        Just(LookupKind::ReadYourWrites)
    ];
    let flags = any::<[bool; 5]>();
    (lookup, flags, prop_oneof![Just(1_000), Just(120_000)]).prop_map(
        move |(lookup, [reservation, cancel, key_first, fences_cancel, honours], settle)| {
            PartnerProfile {
                reservation,
                cancel,
                lookup,
                settle: DurationMs(settle),
                key_first,
                fences_cancel,
                honours_not_after: honours,
                ..ideal(name)
            }
        },
    )
}

fn wanted() -> impl Strategy<Value = Submission> {
    let life = prop_oneof![Just(1_500_u64), Just(6_000), Just(20_000), Just(600_000)];
    (any::<[bool; 2]>(), life).prop_map(|([watch, rebuy], life)| {
        let mut wanted = submission();
        wanted.mode = if watch { Mode::Watch } else { Mode::OneShot };
        wanted.rebuy = rebuy;
        wanted.terms.expires_at = T0.saturating_add(DurationMs(life));
        wanted
    })
}

fn stores() -> impl Strategy<Value = Vec<PartnerProfile>> {
    (temper("ann"), temper("bob"), temper("cat")).prop_map(|(a, b, c)| vec![a, b, c])
}

proptest! {
    #![proptest_config(config(2_000))]

    /// Lost, doubled, late and overtaking messages, customers, stores and clocks that do what
    /// they like within their contracts.
    #[test]
    fn anything_that_can_happen_keeps_the_promises(
        wanted in wanted(),
        stores in stores(),
        skew in -450_i64..=450,
        tombstones in any::<bool>(),
        acts in prop::collection::vec(act::honest(), 0..60),
    ) {
        let mut world = World::new(wanted, stores, skew);
        world.tombstones = tombstones;
        for act in &acts {
            act.perform(&mut world);
        }
        world.come_to_rest();
        world.check_rest();
    }

    /// Messages of anybody about anything: what holds without anybody's help still holds.
    #[test]
    fn nothing_that_can_be_said_breaks_the_broker(
        wanted in wanted(),
        stores in stores(),
        acts in prop::collection::vec(act::hostile(), 0..80),
    ) {
        let mut world = World::new(wanted, stores, 0);
        world.honest = false;
        for act in &acts {
            act.perform(&mut world);
        }
    }
}

/// The instant `ms` after the beginning of the story, or the end of time.
fn instant(ms: u64) -> Timestamp {
    T0.saturating_add(DurationMs(ms))
}

#[test]
fn an_undisturbed_request_is_bought_at_the_best_price() {
    let mut world = World::new(submission(), vec![ideal("ann")], 0);
    Act::Sweep { find: act::Find::Affordable, pick: 0 }.perform(&mut world);
    world.come_to_rest();
    world.check_rest();
    assert_eq!(crate::support::status(&world.request), "ordered", "{}", world.story());
}
