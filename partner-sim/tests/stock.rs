//! Never oversold, whatever the interleaving of many buyers and whatever the clock does.
#![allow(clippy::unwrap_used)] // Fixtures of tests fail by panicking.

use std::collections::BTreeMap;

use partner_sim::stock::{HoldKey, HoldState, Stock, StockError};
use proptest::prelude::*;
use schemas::Timestamp;
use schemas::id::Key;

#[derive(Debug, Clone)]
enum Step {
    Reserve { key: u8, quantity: u32, ttl: u64 },
    Commit { key: u8 },
    Release { key: u8 },
    Take { key: u8, quantity: u32 },
}

fn step() -> impl Strategy<Value = Step> {
    let key = 0u8..12;
    prop_oneof![
        (key.clone(), 1u32..4, 0u64..50).prop_map(|(key, quantity, ttl)| Step::Reserve {
            key,
            quantity,
            ttl
        }),
        key.clone().prop_map(|key| Step::Commit { key }),
        key.clone().prop_map(|key| Step::Release { key }),
        (key, 1u32..4).prop_map(|(key, quantity)| Step::Take { key, quantity }),
    ]
}

fn hold(n: u8) -> HoldKey {
    HoldKey::Reservation(Key::parse(&format!("hold-{n}")).unwrap())
}

fn order(n: u8) -> HoldKey {
    HoldKey::Order(Key::parse(&format!("order-{n}")).unwrap())
}

fn apply(stock: &mut Stock, step: &Step, now: Timestamp) -> Result<(), StockError> {
    match step {
        Step::Reserve { key, quantity, ttl } => {
            let until = Timestamp::from_unix_ms(now.as_unix_ms() + ttl);
            stock.reserve(hold(*key), *quantity, until, now).map(|_| ())
        }
        Step::Commit { key } => stock.commit(&hold(*key), now),
        Step::Release { key } => {
            stock.release(hold(*key), now);
            Ok(())
        }
        Step::Take { key, quantity } => stock.take(order(*key), *quantity, now),
    }
}

proptest! {
    #[test]
    fn copies_are_never_promised_twice(
        on_hand in 0u32..8,
        steps in prop::collection::vec((step(), 0u64..200), 1..80),
    ) {
        let mut stock = Stock::new(on_hand);
        // What each buyer was told, kept apart from the shelf: sold for good, by key.
        let mut sold: BTreeMap<String, u32> = BTreeMap::new();
        for (step, at) in &steps {
            // Clocks may step back: instants are drawn, not counted up.
            let now = Timestamp::from_unix_ms(*at);
            let done = apply(&mut stock, step, now);
            match (step, done) {
                (Step::Take { key, quantity }, Ok(())) => {
                    sold.insert(format!("order-{key}"), *quantity);
                }
                (Step::Commit { key }, Ok(())) => {
                    sold.entry(format!("hold-{key}")).or_insert(0);
                }
                (Step::Release { key }, Ok(())) => {
                    sold.remove(&format!("hold-{key}"));
                }
                _ => {}
            }
            let taken: u32 = sold.values().sum();
            prop_assert!(taken <= stock.committed());
            prop_assert!(stock.committed() + stock.active(now) <= on_hand);
            prop_assert_eq!(
                stock.available(now),
                on_hand - stock.committed() - stock.active(now)
            );
        }
    }

    #[test]
    fn each_step_done_twice_is_the_step_done_once(
        on_hand in 0u32..8,
        steps in prop::collection::vec((step(), 0u64..200), 1..60),
    ) {
        let (mut once, mut twice) = (Stock::new(on_hand), Stock::new(on_hand));
        for (step, at) in &steps {
            let now = Timestamp::from_unix_ms(*at);
            let first = apply(&mut once, step, now);
            let same = apply(&mut twice, step, now);
            prop_assert_eq!(first, same);
            let repeated = apply(&mut twice, step, now);
            // A refusal may be repeated as another refusal, but never turn into a yes.
            prop_assert_eq!(repeated.is_ok(), first.is_ok());
            prop_assert_eq!(once.available(now), twice.available(now));
            prop_assert_eq!(once.committed(), twice.committed());
        }
    }

    #[test]
    fn every_copy_comes_back_when_all_holds_have_ended(
        on_hand in 0u32..8,
        steps in prop::collection::vec((step(), 0u64..200), 1..60),
    ) {
        let mut stock = Stock::new(on_hand);
        for (step, at) in &steps {
            if !matches!(step, Step::Commit { .. } | Step::Take { .. }) {
                // Refusals are part of the conversation.
                let _ = apply(&mut stock, step, Timestamp::from_unix_ms(*at));
            }
        }
        let end = Timestamp::from_unix_ms(1_000);
        prop_assert_eq!(stock.available(end), on_hand);
        for n in 0..12 {
            let active = matches!(stock.hold(&hold(n), end), Some(HoldState::Active { .. }));
            prop_assert!(!active, "hold-{} is still active", n);
        }
    }
}

#[test]
fn a_thousand_buyers_of_one_copy_make_one_sale() {
    let mut stock = Stock::new(1);
    let now = Timestamp::from_unix_ms(1);
    let buys = |n: u32| {
        let key = HoldKey::Order(Key::parse(&format!("buyer-{n}")).unwrap());
        stock.take(key, 1, now).is_ok()
    };
    assert_eq!((0..1000).map(buys).filter(|sold| *sold).count(), 1);
}
