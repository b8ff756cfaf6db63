//! Syncs of the broker that fail, or take their time.

use std::time::Duration;

use anyhow::Context as _;
use broker::store::thread::COMMIT_STALL_MS;
use rand::RngExt;

use super::Done;
use crate::chaos::rig::Rig;

/// The broker syncs many times a second, so a failing one comes soon.
const ENDS_DEADLINE: Duration = Duration::from_secs(30);
/// One of so many syncs fails.
const FAILS_EVERY_MAX: u64 = 40;
const SLOW_MS_MAX: u64 = 120;
/// One of so many slow disks is one that does not come back in time at all.
const STALLS_OF: u32 = 4;

pub(super) async fn error(rig: &mut Rig) -> Done {
    if let Err(why) = &rig.native.sync_faults {
        return Ok(Err(why.clone()));
    }
    let every = rig.dice.random_range(1..=FAILS_EVERY_MAX);
    rig.set_sync_faults(every, Duration::ZERO)?;
    let ended = rig.cluster.broker.process.wait_for_end(ENDS_DEADLINE).await;
    rig.set_sync_faults(0, Duration::ZERO)?;
    let status = ended.context("a sync of the broker failed, and it goes on")?;
    rig.revive_broker().await?;
    Ok(Ok(Some(format!("every {every}th failed, it ended: {status}"))))
}

pub(super) async fn slow(rig: &mut Rig) -> Done {
    if let Err(why) = &rig.native.sync_faults {
        return Ok(Err(why.clone()));
    }
    if rig.dice.random_ratio(1, STALLS_OF) {
        return stall(rig).await;
    }
    let delay = Duration::from_millis(rig.dice.random_range(5..=SLOW_MS_MAX));
    rig.set_sync_faults(0, delay)?;
    rig.hold().await;
    rig.set_sync_faults(0, Duration::ZERO)?;
    Ok(Ok(Some(format!("{} ms each", delay.as_millis()))))
}

/// A commit that does not come back ends the broker.
async fn stall(rig: &mut Rig) -> Done {
    rig.set_sync_faults(0, Duration::from_millis(COMMIT_STALL_MS * 2))?;
    let ended = rig.cluster.broker.process.wait_for_end(ENDS_DEADLINE).await;
    rig.set_sync_faults(0, Duration::ZERO)?;
    ended.context("a commit of the broker does not come back, and it goes on")?;
    rig.revive_broker().await?;
    Ok(Ok(Some("a commit stalled, it ended".to_owned())))
}
