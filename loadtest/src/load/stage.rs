//! From the start of all processes to everything that anybody wrote down.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;
use async_nats::{Client, jetstream};
use partner_sim::World;
use partner_sim::nats::audit::Questions;
use schemas::{RequestId, stream};
use tests::auditor::Evidence;
use tests::harness::{Cluster, Program, Programs, wait};

use super::awaited::{Delays, read_delays};
use super::drive;
use super::ear::{Ear, Wish};
use super::market::Market;
use super::plan::Plan;
use super::progress::Progress;
use super::sample::{Look, Sampler};
use super::shop::Shop;
use crate::latency::{BROKER_ROLE, PARTNER_SIM_ROLE};

/// After the last request was sent, its outcome comes within this.
const OUTCOMES_WITHIN: Duration = Duration::from_secs(120);
/// And then money, events and what is given back.
const SETTLED_WITHIN: Duration = Duration::from_secs(600);
/// Beyond it streams are read as they grow: the broker purges what everybody has read.
const READ_AT_THE_END_MAX: Duration = Duration::from_secs(60);

/// A run that has come to rest.
pub(super) struct Played {
    pub(super) evidence: Evidence,
    pub(super) wishes: HashMap<RequestId, Wish>,
    /// How late the generator was with each request.
    pub(super) late: Vec<Duration>,
    pub(super) outcomes: BTreeMap<&'static str, usize>,
    /// Until the last outcome.
    pub(super) looks: Vec<Look>,
    pub(super) market: Market,
    pub(super) questions: Questions,
    /// Messages that JetStream ever stored.
    pub(super) stored: u64,
    /// Simulated response times of commands.
    pub(super) delays: Delays,
    pub(super) drained_after: Duration,
}

/// Plays one run in a directory of its own under `dir`.
pub(super) async fn play(plan: &Plan, dir: &Path) -> anyhow::Result<Played> {
    let home = tempfile::tempdir_in(dir)?;
    let scenario = plan.scenario()?;
    let world = World::new(&scenario.sim)?;
    let market = Market::new(world, &plan.books())?;
    let shop = Shop::new(plan, &market)?;
    let keep = Some(home.path().join("run"));
    let mut cluster = Cluster::prepare(programs()?, scenario, keep).await?;
    cluster.broker.start().await?;
    if plan.length > READ_AT_THE_END_MAX {
        cluster.keep_streams();
    }
    let progress = Progress::new(plan.length);
    let before = cluster.partners.questions().await?;
    let ear = Ear::start(cluster.client()).await?;
    let mut sampler = Sampler::new(&cluster, &ear)?;
    let load = async {
        drive::run(plan, &cluster, &ear, shop).await?;
        all_told(&ear).await;
        Ok(())
    };
    sampler.during(&cluster, load, |ear| progress.seen(ear)).await?;
    let after = cluster.partners.questions().await?;
    progress.now("waiting until everything is at rest");
    let draining = Instant::now();
    let settled = cluster.settle(SETTLED_WITHIN).await;
    settled.context("after the load everything comes to rest")?;
    let drained_after = draining.elapsed();
    let stored = stored(cluster.client()).await?;
    progress.now("gathering the evidence");
    let evidence = cluster.collect().await?;
    let delays = read_delays(cluster.partners.ledger_file())?;
    progress.end();
    let outcomes = ear.outcomes();
    let (late, wishes) = ear.take();
    let questions =
        Questions { messages: after.messages - before.messages, items: after.items - before.items };
    let looks = sampler.into_looks();
    Ok(Played {
        evidence,
        wishes,
        late,
        outcomes,
        looks,
        market,
        questions,
        stored,
        delays,
        drained_after,
    })
}

/// This executable in its other roles.
pub(crate) fn programs() -> anyhow::Result<Programs> {
    let this = std::env::current_exe().context("finding this executable")?;
    Ok(Programs {
        broker: Program::new(&this).role(BROKER_ROLE),
        partner_sim: Program::new(&this).role(PARTNER_SIM_ROLE),
    })
}

/// Whoever is not told by the end is reported as such, and the auditor says whether it was a
/// promise.
async fn all_told(ear: &Ear) {
    let told = wait::until("every request has an outcome", OUTCOMES_WITHIN, async || {
        let (sent, told) = ear.counts();
        Ok((sent == told).then_some(()))
    });
    drop(told.await);
}

/// Purged messages are counted, too.
async fn stored(client: &Client) -> anyhow::Result<u64> {
    let jetstream = jetstream::new(client.clone());
    let mut stored = 0;
    for spec in stream::all() {
        // A stream that nobody needed was not made.
        let Ok(stream) = jetstream.get_stream(spec.name).await else { continue };
        stored += stream.get_info().await?.state.last_sequence;
    }
    Ok(stored)
}
