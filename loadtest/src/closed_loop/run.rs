//! One run: the driver's loop with the network cut out.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use broker::clock::Clock;
use broker::store::{
    Committed, FjallOptions, FjallStore, Incarnation, Outgoing, Reader, Store, StoreThread, Write,
    abort_process,
};
use broker_core::Policy;
use broker_core::engine::input::{CommitToken, Input, Origin};
use broker_core::engine::output::{Fact, Output};
use broker_core::engine::ranking::RankingStart;
use broker_core::engine::{Engine, EngineConfig};
use broker_core::partner::Partners;
use broker_core::policy::Overload;
use broker_core::row::Row;
use crossbeam_channel::{Receiver, unbounded};
use schemas::Timestamp;

use super::{audit, book, partners};
use crate::process;

const WARM_UP: Duration = Duration::from_secs(1);
/// The requests in flight at the end of the window are done within this.
const DRAINED_WITHIN: Duration = Duration::from_secs(60);

/// What one run measured, between warm-up and end.
#[derive(Debug, Clone, Copy)]
pub(super) struct Figures {
    requests: u64,
    commits: u64,
    bytes: u64,
    cpu: Duration,
    wall: Duration,
}

impl Figures {
    pub(super) fn requests_per_second(&self) -> f64 {
        self.requests as f64 / self.wall.as_secs_f64()
    }

    pub(super) fn cpu_ms_per_request(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e3 / self.requests as f64
    }

    pub(super) fn commits_per_request(&self) -> f64 {
        self.commits as f64 / self.requests as f64
    }

    pub(super) fn kb_written_per_request(&self) -> f64 {
        self.bytes as f64 / 1e3 / self.requests as f64
    }
}

struct World {
    engine: Engine,
    store: StoreThread<CommitToken>,
    durable: Receiver<(CommitToken, Committed)>,
    reader: Arc<dyn Reader>,
    partners: Partners,
    clock: Clock,
    waiting: VecDeque<Input>,
    created: u64,
    completed: u64,
    commits: u64,
    draining: bool,
}

/// Runs the loop for the warm-up and then for `window`; the auditor looks at what was written.
pub(super) fn measure(
    dir: &Path,
    partner_count: usize,
    in_flight: usize,
    window: Duration,
) -> anyhow::Result<Figures> {
    let mut world = World::open(dir, partner_count)?;
    for _ in 0..in_flight {
        world.create()?;
    }
    world.run_for(WARM_UP)?;
    let before = world.counters()?;
    let started = Instant::now();
    world.run_for(window)?;
    let wall = started.elapsed();
    let after = world.counters()?;
    world.drain()?;
    let World { store, reader, partners, .. } = world;
    // Whoever reads keeps the store open.
    drop(reader);
    store.close().context("closing the store")?;
    audit::judge(dir, Policy::standard(partners))?;
    Ok(Figures {
        requests: after.completed - before.completed,
        commits: after.commits - before.commits,
        bytes: after.bytes - before.bytes,
        cpu: after.cpu - before.cpu,
        wall,
    })
}

#[derive(Debug, Clone, Copy)]
struct Counters {
    completed: u64,
    commits: u64,
    bytes: u64,
    cpu: Duration,
}

impl World {
    fn open(dir: &Path, partner_count: usize) -> anyhow::Result<Self> {
        let options = FjallOptions::standard(Incarnation(1));
        let store = FjallStore::open(&dir.join("store"), &options).context("opening the store")?;
        let reader = store.reader();
        let (sender, durable) = unbounded();
        let store = StoreThread::spawn(Box::new(store), abort_process(), move |token, answer| {
            // The loop ends before the store does; nobody listens to the last answers.
            let _ = sender.send((token, answer));
        })?;
        let partners = partners::directory(partner_count)?;
        let clock = Clock::system();
        let config = EngineConfig {
            policy: Policy {
                overload: Overload::wide_open(),
                ..Policy::standard(partners.clone())
            },
            boot_epoch: 1,
            token_key: [1; 32],
            hot_max: 1_000_000,
            ranking: RankingStart::default(),
        };
        let engine = Engine::new(config, clock.now());
        let waiting = VecDeque::new();
        let (created, completed, commits) = (0, 0, 0);
        Ok(Self {
            engine,
            store,
            durable,
            reader,
            partners,
            clock,
            waiting,
            created,
            completed,
            commits,
            draining: false,
        })
    }

    fn counters(&self) -> anyhow::Result<Counters> {
        Ok(Counters {
            completed: self.completed,
            commits: self.commits,
            bytes: process::bytes_written()?,
            cpu: process::cpu_time(std::process::id())?,
        })
    }

    fn create(&mut self) -> anyhow::Result<()> {
        let submission = Box::new(book::submission(self.created, self.clock.now())?);
        self.created += 1;
        self.waiting.push_back(Input::Create { origin: Origin(0), source: None, submission });
        Ok(())
    }

    fn run_for(&mut self, window: Duration) -> anyhow::Result<()> {
        let end = Instant::now() + window;
        while Instant::now() < end {
            self.turn()?;
        }
        Ok(())
    }

    /// Lets everything that was begun come to its end.
    fn drain(&mut self) -> anyhow::Result<()> {
        self.draining = true;
        let deadline = Instant::now() + DRAINED_WITHIN;
        while self.completed < self.created {
            let (created, completed) = (self.created, self.completed);
            anyhow::ensure!(
                Instant::now() < deadline,
                "{completed} of {created} requests were completed within {DRAINED_WITHIN:?}"
            );
            self.turn()?;
        }
        Ok(())
    }

    /// Takes in what waits, performs what follows; blocks only when nothing waits.
    fn turn(&mut self) -> anyhow::Result<()> {
        if self.waiting.is_empty() {
            let next = self.durable.recv_timeout(Duration::from_millis(50));
            if let Ok((token, answer)) = next {
                self.became_durable(token, answer)?;
            }
        }
        while let Ok((token, answer)) = self.durable.try_recv() {
            self.became_durable(token, answer)?;
        }
        let now = self.clock.now();
        while let Some(input) = self.waiting.pop_front() {
            self.engine.handle(input, now);
        }
        self.engine.handle(Input::Tick, now);
        while let Some(output) = self.engine.poll_output() {
            self.perform(output, now)?;
        }
        Ok(())
    }

    fn became_durable(&mut self, token: CommitToken, answer: Committed) -> anyhow::Result<()> {
        match answer {
            Committed::Request { outbox, .. } => {
                self.commits += 1;
                self.waiting.push_back(Input::Committed { token });
                let now = self.clock.now();
                for row in &outbox {
                    if let Outgoing::Effect(row) = &row.outgoing {
                        self.waiting.extend(partners::reply(row, now));
                    }
                }
                Ok(())
            }
            other => anyhow::bail!("a lone writer got {other:?}"),
        }
    }

    fn perform(&mut self, output: Output, now: Timestamp) -> anyhow::Result<()> {
        match output {
            Output::Load(request) => {
                let stored = self.reader.load(request)?.map(Box::new);
                self.waiting.push_back(Input::Loaded { request, stored });
            }
            Output::Commit { token, batch } => self.store.submit(token, Write::Request(batch))?,
            Output::Ask { partner, questions } => {
                self.waiting.push_back(partners::quotes(&self.partners, partner, &questions, now));
            }
            Output::ScanTimers { until } => {
                let timers = self.reader.due_timers(until, usize::MAX)?;
                self.waiting.push_back(Input::Timers { until, timers });
            }
            Output::Observe(Fact::Transition { rows, .. }) if rows.contains(&Row::C16) => {
                self.completed += 1;
                if !self.draining {
                    self.create()?;
                }
            }
            // It is only kept for the next start.
            Output::SaveRanking(_) | Output::Done { .. } | Output::Observe(_) => {}
        }
        Ok(())
    }
}
