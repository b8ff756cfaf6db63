//! A bit of the broker's store, turned over: in a copy, because a damaged store is not mended but
//! restored. The broker must refuse it and name the runbook, or have lost nothing by it: what it
//! opens reads exactly as the original.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use rand::RngExt;

use super::Done;
use crate::chaos::flip::{copy_dir, files_below, flip};
use crate::chaos::rig::{Pace, Rig};
use crate::harness::{Process, StoreContents, open_store, wait};

/// Opening checks the last two thousand records only; minutes are for a loaded machine.
const OPENS_DEADLINE: Duration = Duration::from_secs(60);
/// Nobody listens there, so the broker that opened its store waits and serves nobody.
const NO_SERVER: &str = "nats://127.0.0.1:9";
const FLIPS_SHORT: u32 = 2;
const FLIPS_LONG: u32 = 5;

/// What the broker said to a damaged store.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Refused,
    Opened,
}

pub(super) async fn on_a_copy(rig: &mut Rig) -> Done {
    let dir = rig.side_dir("flip-store")?;
    let pristine = dir.join("pristine");
    rig.cluster.broker.kill_9()?;
    let copied = copy_dir(rig.cluster.broker.store_dir(), &pristine);
    rig.revive_broker().await?;
    copied?;
    let flips = match rig.pace {
        Pace::Short => FLIPS_SHORT,
        Pace::Long => FLIPS_LONG,
    };
    let damaged = dir.join("damaged");
    let mut refused = 0;
    for number in 0..flips {
        copy_dir(&pristine, &damaged)?;
        let (file, at) = flip_one(rig, &damaged)?;
        let what = format!("byte {at} of {} flipped", file.display());
        match ask_a_broker(rig, &dir, number).await.with_context(|| what.clone())? {
            Answer::Refused => refused += 1,
            Answer::Opened => nothing_lost(&pristine, &damaged, &dir).await.context(what)?,
        }
        std::fs::remove_dir_all(&damaged).context("clearing a damaged copy away")?;
    }
    std::fs::remove_dir_all(&dir).context("clearing the copies away")?;
    Ok(Ok(Some(format!("{refused} of {flips} refused, the others lost nothing"))))
}

fn flip_one(rig: &mut Rig, store: &Path) -> anyhow::Result<(PathBuf, u64)> {
    let mut files = files_below(store)?;
    files.retain(|file| std::fs::metadata(file).is_ok_and(|meta| meta.len() > 0));
    ensure!(!files.is_empty(), "the store has no files");
    let file = files.swap_remove(rig.dice.random_range(0..files.len()));
    let at = flip(&file, u64::MAX, &mut rig.dice)?;
    Ok((file, at))
}

/// Starts a broker on the damaged copy and looks whether it takes it.
async fn ask_a_broker(rig: &Rig, dir: &Path, number: u32) -> anyhow::Result<Answer> {
    let mut config = rig.cluster.broker.config().clone();
    config.store.dir = dir.join("damaged");
    config.nats.urls = vec![NO_SERVER.to_owned()];
    config.http_bind = None;
    config.roles = vec![broker::config::Role::Broker];
    let file = dir.join("damaged.toml");
    std::fs::write(&file, toml::to_string(&config)?).context("writing damaged.toml")?;
    let arguments = ["serve", "--config", &file.to_string_lossy()].map(str::to_owned).to_vec();
    let program = rig.programs.broker.clone();
    let log = dir.join(format!("damaged-{number}.log"));
    let mut broker = Process::new("broker on a damaged store", program, arguments, log.clone());
    broker.start()?;
    let said = || std::fs::read_to_string(&log).unwrap_or_default();
    let opened = wait::until("the broker opens or refuses it", OPENS_DEADLINE, async || {
        // Looked at first: what was said before the end is in the log after it.
        let runs = broker.is_running();
        if said().contains("store open") {
            return Ok(Some(true));
        }
        Ok((!runs).then_some(false))
    });
    if opened.await? {
        broker.kill_9()?;
        return Ok(Answer::Opened);
    }
    let said = said();
    if said.contains("see runbook \"") || said.contains("cannot use the key of accept tokens") {
        return Ok(Answer::Refused);
    }
    bail!("the broker refused without naming the runbook:\n{said}")
}

/// The damaged store reads as the pristine one does, or refuses to be read.
async fn nothing_lost(pristine: &Path, damaged: &Path, dir: &Path) -> anyhow::Result<()> {
    let Ok(found) = read(damaged.to_owned()).await else { return Ok(()) };
    // Opening writes; the pristine copy stays as it is.
    let original = dir.join("original");
    copy_dir(pristine, &original)?;
    let wanted = read(original.clone()).await?;
    std::fs::remove_dir_all(&original).context("clearing a copy away")?;
    ensure!(found.log == wanted.log, "the audit log reads differently and nobody noticed");
    ensure!(found.heads == wanted.heads, "a request reads differently and nobody noticed");
    ensure!(found.receipts == wanted.receipts, "a receipt reads differently and nobody noticed");
    Ok(())
}

async fn read(store: PathBuf) -> anyhow::Result<StoreContents> {
    let read = tokio::task::spawn_blocking(move || open_store(&store));
    Ok(read.await.context("reading a store")??)
}
