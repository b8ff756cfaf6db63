//! `kill -9` at a random moment.

use super::Done;
use crate::chaos::rig::Rig;

pub(super) async fn broker(rig: &mut Rig) -> Done {
    rig.cluster.broker.kill_9()?;
    rig.revive_broker().await?;
    Ok(Ok(None))
}

pub(super) async fn server(rig: &mut Rig) -> Done {
    rig.cluster.kill_nats()?;
    rig.cluster.restart_nats().await?;
    Ok(Ok(None))
}

pub(super) async fn partners(rig: &mut Rig) -> Done {
    rig.cluster.partners.kill_9()?;
    rig.cluster.partners.start().await?;
    Ok(Ok(None))
}
