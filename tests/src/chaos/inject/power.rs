//! Power cuts: the process stops in the middle of whatever it does, what is not synced is gone,
//! the process is gone, the disk comes back.

use anyhow::anyhow;

use super::Done;
use crate::chaos::rig::Rig;

pub(super) async fn broker(rig: &mut Rig) -> Done {
    let (disk, power_cut) = match (&rig.disks.broker, &rig.native.power_cut) {
        (Ok(disk), Ok(power_cut)) => (disk, power_cut),
        (Err(why), _) | (_, Err(why)) => return Ok(Err(why.clone())),
    };
    rig.cluster.broker.process.pause()?;
    let cut = disk.cut_power(power_cut);
    rig.cluster.broker.kill_9()?;
    cut.and_then(|()| disk.come_back()).map_err(|why| anyhow!(why))?;
    rig.revive_broker().await?;
    Ok(Ok(None))
}

pub(super) async fn server(rig: &mut Rig) -> Done {
    let (disk, power_cut) = match (&rig.disks.server, &rig.native.power_cut) {
        (Ok(disk), Ok(power_cut)) => (disk, power_cut),
        (Err(why), _) | (_, Err(why)) => return Ok(Err(why.clone())),
    };
    rig.cluster.pause_nats()?;
    let cut = disk.cut_power(power_cut);
    rig.cluster.kill_nats()?;
    cut.and_then(|()| disk.come_back()).map_err(|why| anyhow!(why))?;
    rig.cluster.restart_nats().await?;
    Ok(Ok(None))
}
