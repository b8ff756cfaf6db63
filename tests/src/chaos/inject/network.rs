//! A bad network, by the fault proxies.

use std::time::Duration;

use rand::RngExt;

use super::Done;
use crate::chaos::rig::Rig;
use crate::harness::Direction::{Down, Up};

const LATENCY_MS_MAX: u64 = 250;
/// Resets of one injection.
const RESETS_MAX: u32 = 4;
/// Bytes that pass before a cut: less than a hello, or some hundreds of messages.
const CUT_BYTES_MAX: u64 = 60_000;

pub(super) async fn hole_up(rig: &mut Rig) -> Done {
    rig.broker_proxy().black_hole(Up);
    held(rig).await
}

pub(super) async fn hole_down(rig: &mut Rig) -> Done {
    rig.broker_proxy().black_hole(Down);
    held(rig).await
}

pub(super) async fn hole_both(rig: &mut Rig) -> Done {
    rig.broker_proxy().black_hole(Up);
    rig.broker_proxy().black_hole(Down);
    held(rig).await
}

pub(super) async fn hole_partners(rig: &mut Rig) -> Done {
    let direction = if rig.dice.random() { Up } else { Down };
    rig.proxies().partners.black_hole(direction);
    held(rig).await
}

pub(super) async fn reset(rig: &mut Rig) -> Done {
    for _ in 0..rig.dice.random_range(1..=RESETS_MAX) {
        rig.broker_proxy().reset();
        rig.moment().await;
    }
    Ok(Ok(None))
}

pub(super) async fn half_close(rig: &mut Rig) -> Done {
    rig.broker_proxy().half_close();
    held(rig).await
}

pub(super) async fn cut(rig: &mut Rig) -> Done {
    let bytes = rig.dice.random_range(1..=CUT_BYTES_MAX);
    rig.broker_proxy().cut_after(bytes);
    held(rig).await
}

pub(super) async fn latency(rig: &mut Rig) -> Done {
    let latency = Duration::from_millis(rig.dice.random_range(10..=LATENCY_MS_MAX));
    rig.broker_proxy().delay(latency);
    held(rig).await
}

/// For a while; [`Rig::healthy`] heals.
async fn held(rig: &mut Rig) -> Done {
    rig.hold().await;
    Ok(Ok(None))
}
