//! SIGSTOP, a while, SIGCONT: who was stopped does not know how late it is.

use super::Done;
use crate::chaos::rig::Rig;

pub(super) async fn broker(rig: &mut Rig) -> Done {
    rig.cluster.broker.process.pause()?;
    rig.hold().await;
    rig.cluster.broker.process.resume()?;
    Ok(Ok(None))
}

pub(super) async fn server(rig: &mut Rig) -> Done {
    rig.cluster.pause_nats()?;
    rig.hold().await;
    rig.cluster.resume_nats()?;
    Ok(Ok(None))
}

pub(super) async fn partners(rig: &mut Rig) -> Done {
    rig.cluster.partners.process.pause()?;
    rig.hold().await;
    rig.cluster.partners.process.resume()?;
    Ok(Ok(None))
}
