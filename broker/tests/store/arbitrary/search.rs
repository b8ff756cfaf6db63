//! The account of a search.

use broker_core::receipt::search::{
    Asked, Came, Degraded, Ending, Opening, Round, Search, SkipReason, Skipped, Source,
};
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use proptest::sample::select;
use schemas::DurationMs;

use super::partner;

pub(super) fn search() -> impl Strategy<Value = Search> + Clone {
    let came = select(vec![
        Came::Offer,
        Came::NoStock,
        Came::Unsuitable,
        Came::Invalid,
        Came::Refused,
        Came::TimedOut,
        Came::Down,
        Came::Canceled,
        Came::NotSent,
        Came::Shadow,
    ]);
    let source = prop_oneof![
        Just(Source::Asked),
        Just(Source::Shared),
        any::<u32>().prop_map(|age| Source::Remembered { age: DurationMs(age.into()) }),
    ];
    let asked =
        (partner(), came, source, any::<u32>()).prop_map(|(partner, came, source, took)| Asked {
            partner,
            came,
            source,
            took: DurationMs(took.into()),
        });
    let round = (any::<u32>(), select(Opening::ALL.to_vec()), vec(asked, 0..4))
        .prop_map(|(after, why, asked)| Round { after: DurationMs(after.into()), why, asked });
    let skipped = (select(SkipReason::ALL.to_vec()), any::<u16>(), vec(partner(), 0..3))
        .prop_map(|(why, count, named)| Skipped { why, count, named });
    let degraded = of(prop_oneof![Just(Degraded::TierOneOnly), Just(Degraded::CachedOffers)]);
    let lists = (vec(round, 0..4), vec(skipped, 0..3), vec(partner(), 0..2), degraded);
    (any::<u64>(), select(Ending::ALL.to_vec()), lists).prop_map(|(ranking, ended, lists)| {
        let (rounds, skipped, passed_over, degraded) = lists;
        Search { ranking, ended, rounds, skipped, passed_over, degraded }
    })
}
