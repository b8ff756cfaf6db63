//! nats-server and a broker with a gateway, as processes of their own.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use broker_gateway::GatewayConfig;
use broker_gateway::tokens::{self, ScopeName};
use schemas::text::Text;
use schemas::{CustomerId, DurationMs};
use tests::harness::{Cluster, Scenario, wait};

use super::args::Args;
use super::callers::Callers;
use super::connection::{Connection, Said};
use super::figures::{Behind, Figures, Used};
use super::kept::{self, Kept};
use super::run::{self, Call, Load, Target};
use super::search::Takes;
use crate::load::{programs, room_for_outcomes};

const WARM_UP: Duration = Duration::from_secs(2);
/// A rate that any machine carries.
const WARM_UP_RATE: u32 = 500;
/// Accepted calls that are sent once more at the end, and must be recognised.
const SENT_AGAIN: usize = 200;
/// Longest wait for events to be published before the next load comes.
const DRAINED_WITHIN: Duration = Duration::from_secs(30);
/// Nobody is looked at again within the run.
const WATCH_INTERVAL: DurationMs = DurationMs::from_secs(12 * 3600);
/// Requests are kept in memory while they move.
const HOT_REQUESTS_MAX: usize = 1_000_000;

pub(super) struct Stage {
    cluster: Cluster,
    target: Target,
    calls: Vec<Call>,
}

impl Stage {
    /// Starts everything in `home`.
    pub(super) async fn start(args: &Args, home: &Path) -> anyhow::Result<Self> {
        let keep = Some(home.join("run"));
        let mut cluster = Cluster::prepare(programs()?, scenario(args), keep).await?;
        let GatewayConfig { bind: address, tokens_file, .. } = &cluster.broker.config().gateway;
        let (address, file) = (*address, tokens_file.as_ref().context("a gateway has tokens")?);
        let callers = Arc::new(Callers::new(admit(file, args.customers)?)?);
        cluster.broker.start().await?;
        let (connections, seed) = (args.connections, args.seed);
        let target = Target { address, callers, connections, seed };
        Ok(Self { cluster, target, calls: Vec::new() })
    }

    pub(super) async fn warm_up(&mut self) -> anyhow::Result<()> {
        self.take(Load::Open { rate: WARM_UP_RATE }, WARM_UP).await.map(drop)
    }

    pub(super) async fn open(&mut self, rate: u32, length: Duration) -> anyhow::Result<Figures> {
        self.load(Load::Open { rate }, length).await
    }

    /// One load, then the time until nothing of it is left to publish.
    pub(super) async fn load(&mut self, load: Load, length: Duration) -> anyhow::Result<Figures> {
        let before = Used::now(&self.processes()?)?;
        let started = Instant::now();
        let calls = run::run(&self.target, load, length).await?;
        let mut figures = Figures::of(load, &calls, before.cores(started.elapsed())?);
        figures.behind = Some(self.drained().await);
        self.calls.extend(calls);
        Ok(figures)
    }

    fn processes(&self) -> anyhow::Result<[(&'static str, u32); 3]> {
        let broker = self.cluster.broker.process.pid().context("the broker is not running")?;
        let server = self.cluster.nats().pid().context("nats-server is not running")?;
        Ok([("broker, gateway", broker), ("nats-server", server), ("callers", std::process::id())])
    }

    async fn drained(&self) -> Behind {
        let (since, mut rows) = (Instant::now(), None);
        let drained = wait::until("all events are published", DRAINED_WITHIN, async || {
            // A broker that is too busy to answer is asked again.
            let Ok((_, page)) = self.cluster.broker.page("/metrics").await else { return Ok(None) };
            let now = backlog(&page);
            rows.get_or_insert(now);
            Ok((now == 0).then_some(()))
        });
        let drained = drained.await.is_ok();
        let drained_s = drained.then(|| since.elapsed().as_secs_f64());
        Behind { rows: rows.unwrap_or_default(), drained_s }
    }

    /// Sends some calls once more, kills the broker and judges what it has on its disk.
    pub(super) async fn end(mut self) -> anyhow::Result<Kept> {
        let again = self.send_again().await.context("sending calls once more")?;
        self.cluster.broker.kill_9()?;
        let contents = self.cluster.broker.open_store()?;
        Ok(kept::judge(&self.calls, &self.target.callers, &contents.heads, again))
    }

    /// How many were recognised, of how many.
    async fn send_again(&self) -> anyhow::Result<(usize, usize)> {
        let accepted: Vec<&Call> =
            self.calls.iter().filter(|call| call.said == Said::ACCEPTED).collect();
        let step = (accepted.len() / SENT_AGAIN).max(1);
        let mut connection = Connection::new(self.target.address)?;
        let (mut recognised, mut sent) = (0, 0);
        for call in accepted.into_iter().step_by(step) {
            let callers = &self.target.callers;
            let (token, body) = (callers.token(call.caller), callers.body(call.caller));
            let said = connection.create(call.request, token, body).await?;
            sent += 1;
            recognised += usize::from(matches!(said, Said::Status { code: 202, replayed: true }));
        }
        Ok((recognised, sent))
    }
}

/// Adds so many customers to the tokens of a gateway that has not started.
fn admit(file: &Path, customers: u32) -> anyhow::Result<Vec<(CustomerId, String)>> {
    let (mut admitted, mut text) = (Vec::new(), std::fs::read_to_string(file)?);
    for n in 0..customers {
        let name = format!("caller-{n}");
        let customer = CustomerId::parse(&name)?;
        let (scope, of) = (ScopeName::Requester, Some(customer.clone()));
        let (token, entry) = tokens::create(Text::parse(&name)?, scope, of, None)?;
        text.push_str(&tokens::to_toml(&entry));
        admitted.push((customer, token));
    }
    std::fs::write(file, text).with_context(|| format!("writing {}", file.display()))?;
    Ok(admitted)
}

/// Outbox rows that wait to be published.
fn backlog(page: &str) -> u64 {
    let line = page.lines().find_map(|line| line.strip_prefix("broker_outbox_backlog_rows "));
    line.and_then(|value| value.trim().parse().ok()).unwrap_or_default()
}

fn scenario(args: &Args) -> Scenario {
    let mut scenario = Scenario::new(args.seed).gateway(GatewayConfig {
        // All callers share one address here.
        per_address_per_s: 0,
        ..GatewayConfig::default()
    });
    scenario.unheard = true;
    scenario.streams = room_for_outcomes();
    scenario.log_filter = Some("warn".to_owned());
    scenario.limits.hot_requests_max = HOT_REQUESTS_MAX;
    // Nobody serves them: one look, then they watch.
    scenario.policy.sweep_retries = Some(0);
    scenario.policy.watch_interval_ms = Some(WATCH_INTERVAL);
    scenario
}
