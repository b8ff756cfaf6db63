//! How long a killed broker takes to be there again, with many requests open.
//!
//! Most of them watch for a book that nobody has; some have an order out whose fate is unknown,
//! with a bookstore that says nothing. Then the broker is killed and started again, round after
//! round: until it is ready, and until it has bought a book for somebody new.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context;
use async_nats::jetstream;
use broker::config::OverloadConfig;
use clap::Parser;
use futures_util::{TryStreamExt, stream};
use partner_sim::profile::ProfileName;
use schemas::purchase::CreatePurchase;
use schemas::subject::{self, PurchaseOperation};
use schemas::{CustomerId, DurationMs, Isbn13, json};
use tests::harness::{Cluster, Order, Program, Programs, Scenario, wait};

use crate::calibration::{Fsync, default_dir};
use crate::latency::{BROKER_ROLE, PARTNER_SIM_ROLE, buy, ms, percentiles};
use crate::load::room_for_outcomes;
use crate::process;

const SEED: u64 = 7;
/// Publishes that wait for their acknowledgement at once while the store is filled.
const PUBLISHES_MAX: usize = 256;
const FILLED_WITHIN: Duration = Duration::from_secs(3600);
/// Questions to the two stores together while the store is filled: nothing but the machine holds
/// them back.
const CALLS_PER_S: u32 = 1_000_000;
/// Creates sent at once, and about so many ahead of the broker: one that is overrun puts creates
/// off, and in the end refuses them.
const AHEAD_MAX: usize = 5000;
/// They come from so many customers in turn …
const CUSTOMERS: usize = 1000;
/// … none of whom is held back.
const CREATES_MAX: u32 = 10_000_000;
/// A step of degradation that is not taken.
const NEVER: u16 = 1001;
/// Room for a million of them.
const CREATES_BYTES_MAX: u64 = 4 << 30;
/// Longer than the run: nobody's deadline comes up.
const EXPIRES_IN: Duration = Duration::from_secs(24 * 3600);
/// A broker that was just started reads what is open, and is then left alone for so long.
const SETTLED_AFTER: Duration = Duration::from_secs(10);

#[derive(Debug, Clone, Parser)]
pub struct Args {
    /// Open purchase requests.
    #[arg(long, default_value_t = 100_000)]
    open: usize,
    /// How often the broker is killed.
    #[arg(long, default_value_t = 20)]
    kills: usize,
    /// One in so many open requests has an order of unknown fate; 0 for none.
    #[arg(long, default_value_t = 10)]
    unknown_every: usize,
    /// After the kills, what a broker that was just started uses while it has nothing to do, seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    idle: u64,
    /// Directory for everything the run writes; must be on the disk to be measured.
    #[arg(long, default_value_os_t = default_dir())]
    dir: PathBuf,
}

/// Three books: one nobody has, one whose order vanishes, one that can be bought.
struct Books {
    nowhere: Isbn13,
    vanishing: Isbn13,
    plain: Isbn13,
}

/// Starts everything, fills, kills, prints, stops everything.
pub fn run(args: &Args) -> anyhow::Result<()> {
    std::fs::create_dir_all(&args.dir)?;
    tokio::runtime::Runtime::new()?.block_on(measure(args))
}

async fn measure(args: &Args) -> anyhow::Result<()> {
    let disk = Fsync::measure(&args.dir, Duration::from_millis(500))?;
    let home = tempfile::tempdir_in(&args.dir)?;
    let books = Books {
        nowhere: Isbn13::parse("9780306406157")?,
        vanishing: Isbn13::parse("9780804429573")?,
        plain: Isbn13::parse("9781861972712")?,
    };
    let this = std::env::current_exe().context("finding this executable")?;
    let programs = Programs {
        broker: Program::new(&this).role(BROKER_ROLE),
        partner_sim: Program::new(&this).role(PARTNER_SIM_ROLE),
    };
    let keep = Some(home.path().to_owned());
    let mut cluster = Cluster::prepare(programs, scenario(&books), keep).await?;
    cluster.broker.start().await?;
    let filling = Instant::now();
    fill(&cluster, args, &books).await?;
    let used = Used::now(&cluster)?;
    println!("  broker {:.0} MB", used.resident_mb());
    println!("{} requests open after {:.0} s", args.open, filling.elapsed().as_secs_f64());
    let (mut ready, mut bought) = (Vec::new(), Vec::new());
    let (client, ledger) = (cluster.client().clone(), cluster.ledger().clone());
    for kill in 0..args.kills {
        cluster.broker.kill_9()?;
        let started = Instant::now();
        cluster.broker.start().await?;
        ready.push(started.elapsed());
        buy(&client, &ledger, books.plain).await.with_context(|| format!("after kill {kill}"))?;
        bought.push(started.elapsed());
    }
    println!("{} kills with {} requests open:", args.kills, args.open);
    print_line("process start to ready", &mut ready);
    print_line("process start to the next `ordered`", &mut bought);
    println!("  {disk}");
    if args.idle > 0 {
        idle(&mut cluster, args).await?;
    }
    Ok(())
}

/// What the broker has used so far.
struct Used {
    cpu: Duration,
    resident: u64,
}

impl Used {
    fn now(cluster: &Cluster) -> anyhow::Result<Self> {
        let pid = cluster.broker.process.pid().context("the broker does not run")?;
        Ok(Self { cpu: process::cpu_time(pid)?, resident: process::resident(pid)? })
    }

    fn resident_mb(&self) -> f64 {
        self.resident as f64 / 1e6
    }
}

async fn idle(cluster: &mut Cluster, args: &Args) -> anyhow::Result<()> {
    cluster.broker.kill_9()?;
    cluster.broker.start().await?;
    tokio::time::sleep(SETTLED_AFTER).await;
    let before = Used::now(cluster)?;
    tokio::time::sleep(Duration::from_secs(args.idle)).await;
    let after = Used::now(cluster)?;
    let share = (after.cpu - before.cpu).as_secs_f64() / args.idle as f64;
    println!(
        "idle for {} s with {} requests open: {:.2} % of a core, {:.0} MB",
        args.idle,
        args.open,
        share * 100.0,
        after.resident_mb()
    );
    Ok(())
}

fn print_line(what: &str, took: &mut [Duration]) {
    let [p50, _, p99] = percentiles(took);
    println!("  {what}: p50 {:.0} ms  p99 {:.0} ms", ms(p50), ms(p99));
}

fn scenario(books: &Books) -> Scenario {
    let mute = toml::toml! { commands = { silent_permille = 1000 } };
    let mut scenario = Scenario::new(SEED)
        .partner("plain", ProfileName::Instant)
        .partner_with("mute", ProfileName::NoReservation, mute)
        .stock_everywhere(books.nowhere, 0)
        .stock("plain", books.vanishing, 0)
        .stock("mute", books.vanishing, 1_000_000)
        .stock("mute", books.plain, 0)
        .stock("plain", books.plain, 1_000_000);
    scenario.streams = room_for_outcomes();
    // They come faster than a broker takes them in.
    scenario.streams.purchase_creates_max_bytes = CREATES_BYTES_MAX;
    scenario.overload = OverloadConfig {
        region_calls_per_s: CALLS_PER_S,
        region_calls_burst: CALLS_PER_S,
        creates_per_min: CREATES_MAX,
        creates_burst: CREATES_MAX,
        // Whoever is ahead waits, and nothing is given up for it.
        waiting_max: 10 * AHEAD_MAX,
        patience_max_ms: DurationMs(FILLED_WITHIN.as_millis() as u64),
        tier_one_permille: NEVER,
        cached_permille: NEVER,
        refuse_permille: NEVER,
        ..scenario.overload
    };
    // Otherwise the watchers' sweeps are a load of their own.
    scenario.policy.watch_interval_ms = Some(DurationMs::from_secs(12 * 3600));
    scenario
}

async fn fill(cluster: &Cluster, args: &Args, books: &Books) -> anyhow::Result<()> {
    let jetstream = jetstream::new(cluster.client().clone());
    let subjects = subjects()?;
    let Args { open, unknown_every, .. } = *args;
    let is_unknown = |n: usize| unknown_every > 0 && n.is_multiple_of(unknown_every);
    let orders = (0..open).map(|n| {
        let unknown = is_unknown(n);
        let order = Order::of(if unknown { books.vanishing } else { books.nowhere });
        let order = order.expires_in(EXPIRES_IN);
        if unknown { order.build() } else { order.watch().build() }
    });
    let mut creates = orders.zip(subjects.iter().cycle()).peekable();
    let mut sent = 0;
    while creates.peek().is_some() {
        stream::iter(creates.by_ref().take(AHEAD_MAX).map(anyhow::Ok))
            .try_for_each_concurrent(
                PUBLISHES_MAX,
                |(order, subject): (CreatePurchase, &String)| {
                    let (jetstream, subject) = (jetstream.clone(), subject.clone());
                    async move {
                        jetstream.publish(subject, json::encode(&order).into()).await?.await?;
                        Ok(())
                    }
                },
            )
            .await?;
        sent += AHEAD_MAX;
        wait::until("the broker takes creates in", FILLED_WITHIN, async || {
            let Ok((_, page)) = cluster.broker.page("/metrics").await else { return Ok(None) };
            let behind = sent.saturating_sub(total(&page, "broker_sweeps_total", ""));
            Ok((behind < 2 * AHEAD_MAX).then_some(()))
        })
        .await?;
    }
    let unknown = (0..open).filter(|n| is_unknown(*n)).count();
    wait::until("every request rests and everybody was told", FILLED_WITHIN, async || {
        // A broker that is too busy to say how far it is, is not there yet.
        let Ok((_, page)) = cluster.broker.page("/metrics").await else { return Ok(None) };
        let arrived = total(&page, "broker_transition_rows_total", "T18") >= unknown
            && total(&page, "broker_sweeps_total", "") >= open
            && page.lines().any(|line| line == "broker_outbox_backlog_rows 0");
        Ok(arrived.then_some(()))
    })
    .await?;
    Ok(())
}

/// Where each customer sends creates to.
fn subjects() -> anyhow::Result<Vec<String>> {
    let subject = |n| {
        let customer = CustomerId::parse(&format!("recovery-{n}"))?;
        Ok(subject::purchase_command(PurchaseOperation::Create, &customer))
    };
    (0..CUSTOMERS).map(subject).collect()
}

/// Sum of the samples of `metric` whose labels contain `label`.
fn total(page: &str, metric: &str, label: &str) -> usize {
    let samples = page.lines().filter(|line| line.starts_with(metric) && line.contains(label));
    samples.filter_map(|line| line.rsplit(' ').next()?.parse::<usize>().ok()).sum()
}
