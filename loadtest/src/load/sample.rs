//! A look at every process, twice a second.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tests::harness::Cluster;

use super::ear::Ear;
use super::scrape::Queues;
use crate::process;

const INTERVAL: Duration = Duration::from_millis(500);

/// Who uses the machine, in the order of every list.
pub(super) const PROCESSES: [&str; 4] = ["broker", "nats-server", "partner-sim", "loadtest"];

/// What was seen at one look; CPU since the start of each process.
#[derive(Debug, Clone, Copy)]
pub(super) struct Look {
    pub(super) at: Duration,
    pub(super) cpu: [Duration; 4],
    pub(super) resident: [u64; 4],
    pub(super) queues: Queues,
    /// Requests sent, without an outcome.
    pub(super) open: usize,
}

/// One point of the curves of a report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Point {
    pub at_s: f64,
    /// Cores used since the point before, by process.
    pub cores: [f64; 4],
    pub resident_mb: [f64; 4],
    pub queues: Queues,
    pub open: usize,
}

/// Looks until it is dropped or [`Sampler::end`]ed.
pub(super) struct Sampler {
    pids: [u32; 4],
    ear: Ear,
    looks: Vec<Look>,
}

impl Sampler {
    pub(super) fn new(cluster: &Cluster, ear: &Ear) -> anyhow::Result<Self> {
        let pid = |pid: Option<u32>| anyhow::Context::context(pid, "a process is not running");
        let pids = [
            pid(cluster.broker.process.pid())?,
            pid(cluster.nats().pid())?,
            pid(cluster.partners.process.pid())?,
            std::process::id(),
        ];
        Ok(Self { pids, ear: ear.clone(), looks: Vec::new() })
    }

    /// Looks once.
    pub(super) async fn look(&mut self, cluster: &Cluster) -> anyhow::Result<()> {
        // A broker that is too busy to answer is looked at the next time.
        let page = cluster.broker.page("/metrics").await.map(|(_, page)| page);
        let (sent, told) = self.ear.counts();
        let mut look = Look {
            at: self.ear.start_instant().elapsed(),
            cpu: [Duration::ZERO; 4],
            resident: [0; 4],
            queues: Queues::read(&page.unwrap_or_default()),
            open: sent.saturating_sub(told),
        };
        for (n, pid) in self.pids.into_iter().enumerate() {
            look.cpu[n] = process::cpu_time(pid)?;
            look.resident[n] = process::resident(pid)?;
        }
        self.looks.push(look);
        Ok(())
    }

    /// Looks until `load` has ended, and returns what it came to.
    pub(super) async fn during<T>(
        &mut self,
        cluster: &Cluster,
        load: impl Future<Output = anyhow::Result<T>>,
        mut seen: impl FnMut(&Ear),
    ) -> anyhow::Result<T> {
        let mut load = std::pin::pin!(load);
        let mut next = Instant::now();
        loop {
            tokio::select! {
                ended = &mut load => {
                    self.look(cluster).await?;
                    return ended;
                }
                () = tokio::time::sleep_until(next.into()) => {
                    self.look(cluster).await?;
                    seen(&self.ear);
                    next = (next + INTERVAL).max(Instant::now());
                }
            }
        }
    }

    pub(super) fn into_looks(self) -> Vec<Look> {
        self.looks
    }
}

/// The curves.
pub(super) fn points(looks: &[Look]) -> Vec<Point> {
    let pairs = looks.iter().zip(looks.iter().skip(1));
    pairs.map(|(before, look)| point(before, look)).collect()
}

fn point(before: &Look, look: &Look) -> Point {
    Point {
        at_s: look.at.as_secs_f64(),
        cores: cores(before, look),
        resident_mb: look.resident.map(|bytes| bytes as f64 / 1e6),
        queues: look.queues,
        open: look.open,
    }
}

/// Cores used between two looks, by process.
pub(super) fn cores(before: &Look, after: &Look) -> [f64; 4] {
    let wall = after.at.saturating_sub(before.at).as_secs_f64().max(1e-9);
    std::array::from_fn(|n| after.cpu[n].saturating_sub(before.cpu[n]).as_secs_f64() / wall)
}
