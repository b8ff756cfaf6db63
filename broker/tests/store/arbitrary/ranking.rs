//! Snapshots of the ranking.

use broker_core::engine::ranking::prices::Prices;
use broker_core::engine::ranking::rate::Rate;
use broker_core::engine::ranking::snapshot::{PartnerRecord, Snapshot, SnapshotNumber};
use broker_core::engine::ranking::{Standing, Steer, Steering};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use schemas::text::Text;

use super::{instant, partner};

pub(crate) fn ranking() -> impl Strategy<Value = Snapshot> + Clone {
    let numbers = (any::<u64>(), instant(), instant(), any::<u64>());
    (numbers, prices(), vec(ranked(), 0..4)).prop_map(
        |((number, taken_at, reviewed_at, stream), pool, partners)| Snapshot {
            number: SnapshotNumber(number),
            taken_at,
            reviewed_at,
            stream,
            pool,
            partners,
            words: Vec::new(),
        },
    )
}

fn prices() -> impl Strategy<Value = Prices> + Clone {
    vec((0_u64..2_000, Just(1000_u64)), 0..40).prop_map(|seen| {
        let mut prices = Prices::default();
        seen.into_iter().for_each(|(total, median)| prices.observe(total, median));
        prices
    })
}

fn rate() -> impl Strategy<Value = Rate> + Clone {
    (any::<u64>(), any::<u64>(), instant()).prop_map(|(hits, misses, at)| Rate { hits, misses, at })
}

fn steering() -> impl Strategy<Value = Steering> + Clone {
    let steer = select(vec![Steer::Pin, Steer::Ban]);
    (steer, instant(), instant()).prop_map(|(steer, until, said_at)| Steering {
        steer,
        until,
        said_at,
        by: Text::parse("ann").unwrap(),
        why: Text::parse("she knows").unwrap(),
    })
}

pub(crate) fn ranked() -> impl Strategy<Value = PartnerRecord> + Clone {
    let counts = (any::<i8>(), any::<u64>(), any::<u32>());
    let rates = (rate(), rate(), rate(), rate());
    let place = (select(Standing::ALL.to_vec()), option::of(steering()));
    (partner(), rates, prices(), counts, place).prop_map(
        |(id, (in_time, in_stock, near, kept), prices, (streak, answers, wins), place)| {
            PartnerRecord {
                id,
                in_time,
                in_stock,
                near,
                kept,
                prices,
                standing: place.0,
                streak,
                answers,
                wins,
                steering: place.1,
            }
        },
    )
}
