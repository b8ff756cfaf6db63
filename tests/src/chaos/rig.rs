//! Everything a chaos run holds in its hands: the processes, their disks, the load, the dice.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::disk::Disk;
use super::load::Load;
use super::native::Native;
use super::pass::pass;
use super::world;
use crate::harness::{Cluster, FaultProxy, Programs, Proxies, wait};

/// A fault comes after at most so many more messages on the wire: anywhere in the life of a request.
const MESSAGES_BEFORE_MAX: usize = 150;
/// With nothing on the wire at all, a fault comes all the same.
const QUIET_MAX: Duration = Duration::from_secs(5);

/// Orders between two faults of a long run, and how long they are waited for.
const SERVED_AGAIN_ORDERS: u64 = 15;
const SERVED_AGAIN_MAX: Duration = Duration::from_secs(20);
/// What the broker says when it ends because of its store.
const ENDED_BY_STORE: &str = "the store ends the broker";
/// So often in a row is an accident.
const ENDS_ITSELF_MAX: u32 = 3;

/// How long things stay broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pace {
    /// Up to two seconds, so that one round fits into a test.
    Short,
    /// Up to eight: beyond every time-out of the product.
    Long,
}

pub(super) struct Rig {
    // Dropped in this order: whoever writes to a disk goes before it.
    pub(super) load: Load,
    pub(super) cluster: Cluster,
    pub(super) disks: Disks,
    pub(super) native: Native,
    pub(super) programs: Programs,
    pub(super) dir: PathBuf,
    pub(super) dice: StdRng,
    pub(super) pace: Pace,
    /// From the start of a killed broker to its readiness.
    pub(super) recoveries: Vec<Duration>,
    /// Creates that a damaged server lost and their customers sent again.
    pub(super) sent_again: usize,
    /// Named crash points that were reached so far.
    pub(super) crashed: usize,
    /// How often the broker gave up on a store that did not answer, and was started again.
    pub(super) ended_itself: u32,
}

/// Disks of their own, or why there are none.
pub(super) struct Disks {
    pub(super) broker: Result<Disk, String>,
    pub(super) server: Result<Disk, String>,
}

/// What a run is made of.
pub(super) struct Plan {
    pub(super) programs: Programs,
    pub(super) dir: PathBuf,
    pub(super) seed: u64,
    pub(super) rate: u32,
    pub(super) pace: Pace,
    pub(super) install: bool,
}

impl Rig {
    /// Starts everything in the empty directory `plan.dir`.
    pub(super) async fn start(plan: Plan) -> anyhow::Result<Self> {
        let Plan { programs, dir, seed, rate, pace, install } = plan;
        let native = Native::in_dir(&dir, install);
        let disks = Disks {
            broker: Disk::new(&dir, "disk-broker"),
            server: Disk::new(&dir, "disk-server"),
        };
        let mut scenario = world::scenario(seed);
        scenario.store_dir = disks.broker.as_ref().ok().map(|disk| disk.path().join("store"));
        let streams = disks.server.as_ref().ok().map(|disk| disk.path().join("jetstream"));
        scenario.nats.store_dir = streams;
        let cluster = Cluster::prepare(programs.clone(), scenario, Some(dir.join("cluster"))).await;
        let mut cluster = cluster.context("starting nats-server and the stores")?;
        if let Ok(library) = &native.sync_faults {
            cluster.broker.process.set_env("LD_PRELOAD", library.to_string_lossy());
            let control = dir.join("sync-faults").to_string_lossy().into_owned();
            cluster.broker.process.set_env("SYNC_FAULTS", control);
        }
        cluster.broker.start().await.context("starting the broker")?;
        cluster.keep_streams();
        let load = Load::start(&cluster, seed, rate).await?;
        let dice = StdRng::seed_from_u64(seed);
        Ok(Self {
            load,
            cluster,
            disks,
            native,
            programs,
            dir,
            dice,
            pace,
            recoveries: Vec::new(),
            sent_again: 0,
            crashed: 0,
            ended_itself: 0,
        })
    }

    pub(super) fn proxies(&self) -> &Proxies {
        self.cluster.proxies().expect("the scenario of a chaos run is proxied")
    }

    pub(super) fn broker_proxy(&self) -> &FaultProxy {
        &self.proxies().broker
    }

    /// Waits for a random moment of the work, not of the clock.
    pub(super) async fn moment(&mut self) {
        let messages = self.dice.random_range(1..=MESSAGES_BEFORE_MAX);
        let before = self.cluster.tap.count();
        let tap = &self.cluster.tap;
        let passed = wait::until("messages on the wire", QUIET_MAX, async || {
            Ok((tap.count() - before >= messages).then_some(()))
        });
        // Silence is a moment too: something else may be broken still.
        drop(passed.await);
    }

    /// For how long something is to be broken this time.
    pub(super) fn window(&mut self) -> Duration {
        let longest_ms = match self.pace {
            Pace::Short => 2_000,
            Pace::Long => 8_000,
        };
        Duration::from_millis(self.dice.random_range(500..=longest_ms))
    }

    /// Leaves things broken for a while.
    pub(super) async fn hold(&mut self) {
        let window = self.window();
        pass(window).await;
    }

    /// Starts the broker, which is not running, and notes how long it took to be ready.
    pub(super) async fn revive_broker(&mut self) -> anyhow::Result<()> {
        let began = Instant::now();
        self.cluster.broker.start().await.context("the broker recovers")?;
        self.recoveries.push(began.elapsed());
        Ok(())
    }

    /// Everybody runs, nothing is in the way, and the broker says that it is ready.
    pub(super) async fn healthy(&mut self) -> anyhow::Result<()> {
        self.proxies().broker.heal();
        self.proxies().partners.heal();
        if !self.cluster.partners.process.is_running() {
            self.cluster.partners.start().await.context("the stores open again")?;
        }
        self.back_on_its_feet().await
    }

    /// A broker whose store does not write any more ends itself, and whoever runs it starts it
    /// again: one that stood still in the middle of a commit, or a disk that others keep busy.
    async fn back_on_its_feet(&mut self) -> anyhow::Result<()> {
        for _ in 0..ENDS_ITSELF_MAX {
            let ready = self.cluster.broker.wait_until_ready().await;
            let by_itself = self.cluster.broker.process.log_tail().contains(ENDED_BY_STORE);
            if ready.is_ok() || !by_itself || self.cluster.broker.process.is_running() {
                return ready.context("the broker is well again");
            }
            println!("           the broker ended itself: its store was too slow");
            self.ended_itself += 1;
            self.revive_broker().await?;
        }
        Ok(())
    }

    /// Between two faults of a long run customers get what they ask for: without that, faults would
    /// only follow each other in a world in which nothing happens.
    pub(super) async fn served_again(&self) {
        if self.pace == Pace::Short {
            return;
        }
        let (served, before) = (self.load.served(), self.load.served().ordered());
        let again = wait::until("customers are served again", SERVED_AGAIN_MAX, async || {
            Ok((served.ordered() - before >= SERVED_AGAIN_ORDERS).then_some(()))
        });
        if again.await.is_err() {
            println!("           fewer than {SERVED_AGAIN_ORDERS} orders in {SERVED_AGAIN_MAX:?}");
        }
    }

    /// A directory of its own for a side show.
    pub(super) fn side_dir(&mut self, name: &str) -> anyhow::Result<PathBuf> {
        let number: u32 = self.dice.random();
        let dir = self.dir.join(format!("{name}-{number:08x}"));
        std::fs::create_dir(&dir).with_context(|| format!("making {}", dir.display()))?;
        Ok(dir)
    }

    /// The file that `SYNC_FAULTS` names.
    pub(super) fn set_sync_faults(&self, every: u64, delay: Duration) -> anyhow::Result<()> {
        let text = format!("{every} {}", delay.as_micros());
        replace(&self.dir.join("sync-faults"), &text)
    }
}

/// Whole or not at all: another process reads the file at any moment.
pub(super) fn replace(file: &Path, text: &str) -> anyhow::Result<()> {
    let fresh = file.with_extension("new");
    std::fs::write(&fresh, text)
        .and_then(|()| std::fs::rename(&fresh, file))
        .with_context(|| format!("writing {}", file.display()))
}
