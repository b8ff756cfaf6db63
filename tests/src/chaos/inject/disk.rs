//! Disks without a free block.

use std::time::Duration;

use anyhow::{Context as _, anyhow};

use super::Done;
use crate::chaos::rig::Rig;

/// A broker that cannot write must end; what it still had room for is soon used up.
const ENDS_DEADLINE: Duration = Duration::from_secs(30);

pub(super) async fn full_broker(rig: &mut Rig) -> Done {
    let disk = match &rig.disks.broker {
        Ok(disk) => disk,
        Err(why) => return Ok(Err(why.clone())),
    };
    disk.fill().map_err(|why| anyhow!(why))?;
    let ended = rig.cluster.broker.process.wait_for_end(ENDS_DEADLINE).await;
    disk.free().map_err(|why| anyhow!(why))?;
    let status = ended.context("the broker's disk is full, and it goes on")?;
    rig.revive_broker().await?;
    Ok(Ok(Some(format!("it ended: {status}"))))
}

/// A server that has met a full disk takes nothing more, even with room again, until it is
/// restarted: that is what its operator does.
pub(super) async fn full_server(rig: &mut Rig) -> Done {
    let disk = match &rig.disks.server {
        Ok(disk) => disk,
        Err(why) => return Ok(Err(why.clone())),
    };
    disk.fill().map_err(|why| anyhow!(why))?;
    rig.hold().await;
    if let Ok(disk) = &rig.disks.server {
        disk.free().map_err(|why| anyhow!(why))?;
    }
    rig.cluster.kill_nats()?;
    rig.cluster.restart_nats().await?;
    Ok(Ok(None))
}
