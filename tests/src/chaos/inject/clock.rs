//! The broker's wall clock jumps, ahead or back, or is wrong from the start, and is set right again.
//!
//! The library is preloaded for the time of the fault only: in every other hour the broker runs on
//! nothing but the system's own clock.

use std::path::Path;
use std::time::Duration;

use anyhow::ensure;
use rand::RngExt;

use super::Done;
use crate::chaos::pass::pass;
use crate::chaos::rig::{Rig, replace};
use crate::harness::wait;

const PRELOAD: &str = "LD_PRELOAD";
/// Environment of the library: the file with the offset, how long it is remembered, and that time
/// which only passes is left alone.
const FILE: &str = "FAKETIME_TIMESTAMP_FILE";
const REMEMBERED: [(&str, &str); 2] =
    [("FAKETIME_CACHE_DURATION", "1"), ("FAKETIME_DONT_FAKE_MONOTONIC", "1")];
/// Well beyond what the broker lets pass, and less than customers wait.
const JUMP_S: std::ops::RangeInclusive<u64> = 2..=6;
/// Longer than a broker is away: its store must remember a later hour than the clock shows.
const SLOW_S: std::ops::RangeInclusive<u64> = 60..=600;
const NOTICED_DEADLINE: Duration = Duration::from_secs(20);
/// The clock settles, the server confirms it, and the machine is busy.
const TRUSTED_DEADLINE: Duration = Duration::from_secs(60);

pub(super) async fn ahead(rig: &mut Rig) -> Done {
    jump(rig, '+').await
}

pub(super) async fn back(rig: &mut Rig) -> Done {
    jump(rig, '-').await
}

async fn jump(rig: &mut Rig, sign: char) -> Done {
    let library = match &rig.native.faketime {
        Ok(library) => library.clone(),
        Err(why) => return Ok(Err(why.clone())),
    };
    let seconds = rig.dice.random_range(JUMP_S);
    let file = rig.dir.join("clock");
    replace(&file, "+0")?;
    let before = preload(rig, &library, &file);
    rig.cluster.broker.kill_9()?;
    rig.revive_broker().await?;
    replace(&file, &format!("{sign}{seconds}"))?;
    let noticed = is_in_doubt(rig).await;
    rig.hold().await;
    replace(&file, "+0")?;
    // A clock that was ahead stands still in the broker until time has caught up with it.
    pass(Duration::from_secs(seconds)).await;
    rig.cluster.broker.kill_9()?;
    restore(rig, before);
    rig.revive_broker().await?;
    ensure!(noticed, "the clock jumped by {sign}{seconds} s, and the broker did not notice");
    Ok(Ok(Some(format!("{sign}{seconds} s"))))
}

/// Orders are held while the clock is wrong, and flow again without a restart once it is right.
pub(super) async fn slow_start(rig: &mut Rig) -> Done {
    let library = match &rig.native.faketime {
        Ok(library) => library.clone(),
        Err(why) => return Ok(Err(why.clone())),
    };
    let seconds = rig.dice.random_range(SLOW_S);
    let file = rig.dir.join("clock");
    replace(&file, &format!("-{seconds}"))?;
    let before = preload(rig, &library, &file);
    rig.cluster.broker.kill_9()?;
    rig.revive_broker().await?;
    let held = are_orders_held(rig, true, NOTICED_DEADLINE).await;
    rig.hold().await;
    replace(&file, "+0")?;
    let flow = are_orders_held(rig, false, TRUSTED_DEADLINE).await;
    rig.cluster.broker.kill_9()?;
    restore(rig, before);
    rig.revive_broker().await?;
    ensure!(held, "the clock was slow by {seconds} s at the start, and the broker did not notice");
    ensure!(flow, "the clock was set right by {seconds} s, and no order is placed all the same");
    Ok(Ok(Some(format!("-{seconds} s"))))
}

/// Whether the broker comes to say that it holds orders back, or that it does not.
async fn are_orders_held(rig: &Rig, held: bool, deadline: Duration) -> bool {
    let broker = &rig.cluster.broker;
    let said = wait::until("the broker holds orders or lets them flow", deadline, async || {
        let (_, page) = broker.page("/ready").await?;
        Ok((page.contains("orders are held") == held).then_some(()))
    });
    said.await.is_ok()
}

/// Whether the broker itself says that wall and monotonic time disagree.
async fn is_in_doubt(rig: &Rig) -> bool {
    let broker = &rig.cluster.broker;
    let said = wait::until("the broker doubts its clock", NOTICED_DEADLINE, async || {
        let (_, page) = broker.page("/metrics").await?;
        let name = "broker_clock_disagreement_seconds ";
        let mut values = page.lines().filter_map(|line| line.strip_prefix(name));
        let apart: Option<f64> = values.next().and_then(|value| value.parse().ok());
        Ok(apart.filter(|apart| *apart > 1.0).map(drop))
    });
    said.await.is_ok()
}

/// What was preloaded before.
fn preload(rig: &mut Rig, library: &Path, file: &Path) -> Option<String> {
    let before = rig.native.sync_faults.as_ref().ok().map(|faults| faults.display().to_string());
    let library = library.display();
    let both = before.as_ref().map_or(library.to_string(), |before| format!("{before}:{library}"));
    let process = &mut rig.cluster.broker.process;
    process.set_env(PRELOAD, both);
    process.set_env(FILE, file.to_string_lossy());
    for (name, value) in REMEMBERED {
        process.set_env(name, value);
    }
    before
}

fn restore(rig: &mut Rig, before: Option<String>) {
    let process = &mut rig.cluster.broker.process;
    match before {
        Some(before) => process.set_env(PRELOAD, before),
        None => process.clear_env(PRELOAD),
    }
    for name in std::iter::once(FILE).chain(REMEMBERED.map(|(name, _)| name)) {
        process.clear_env(name);
    }
}
