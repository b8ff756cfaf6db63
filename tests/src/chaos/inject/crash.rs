//! Every named crash point in turn: at work, and again while recovering from the first time.

use std::time::Duration;

use anyhow::ensure;
use broker::crash;
use rand::RngExt;

use super::Done;
use crate::chaos::rig::Rig;

/// The load reaches every point within a second or so.
const REACHED_DEADLINE: Duration = Duration::from_secs(30);
/// How often a point is passed before the first crash.
const PASSED_MAX: u32 = 12;

pub(super) async fn twice(rig: &mut Rig) -> Done {
    let point = crash::ALL[rig.crashed % crash::ALL.len()].name();
    let passed = rig.dice.random_range(1..=PASSED_MAX);
    rig.cluster.broker.kill_9()?;
    for nth in [passed, 1] {
        rig.cluster.broker.arm(&format!("{point}:{nth}"));
        rig.cluster.broker.process.start()?;
        rig.cluster.broker.wait_for_crash(REACHED_DEADLINE).await?;
        let log = rig.cluster.broker.process.log_tail();
        let said = format!("crash point {point} reached");
        ensure!(log.contains(&said), "the broker ended, but not at {point}:\n{log}");
    }
    rig.crashed += 1;
    rig.revive_broker().await?;
    Ok(Ok(Some(point.to_owned())))
}
