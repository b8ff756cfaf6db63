//! The whole broker over a real nats-server: what one customer waits, with nobody else around.
//!
//! Bookstores and payment provider answer at once, so what remains is the broker, its store and
//! some fourteen synced JetStream messages. Beside it: one such message alone.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context;
use async_nats::Client;
use clap::Parser;
use futures_util::StreamExt;
use partner_sim::profile::ProfileName;
use schemas::stream::name::PURCHASE_CREATES;
use schemas::subject::{self, PurchaseOperation};
use schemas::{CustomerId, Isbn13, json};
use tests::auditor::{Answer, Command, Route, Sent};
use tests::harness::{Cluster, Order, Program, Programs, Scenario, SubLedger, now};

use crate::calibration::{Fsync, default_dir};
use crate::verdict;

/// Words that turn this executable into the programs under measurement.
pub(crate) const BROKER_ROLE: &str = "role-broker";
pub(crate) const PARTNER_SIM_ROLE: &str = "role-partner-sim";

const OUTCOME_WITHIN: Duration = Duration::from_secs(20);
/// After the last outcome money and events are still on their way.
const SETTLED_WITHIN: Duration = Duration::from_secs(60);
const SEED: u64 = 7;

#[derive(Debug, Clone, Parser)]
pub struct Args {
    /// Bookstores asked per request.
    #[arg(long, default_value_t = 10)]
    partners: u16,
    /// Measured requests, one after the other, after 20 of warm-up.
    #[arg(long, default_value_t = 300)]
    requests: usize,
    /// Directory for everything the run writes; must be on the disk to be measured.
    #[arg(long, default_value_os_t = default_dir())]
    dir: PathBuf,
}

/// Starts everything, measures, prints, stops everything, and lets the auditor look at it.
pub fn run(args: &Args) -> anyhow::Result<()> {
    std::fs::create_dir_all(&args.dir)?;
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(measure(args))
}

async fn measure(args: &Args) -> anyhow::Result<()> {
    const WARM_UP: usize = 20;
    let disk = Fsync::measure(&args.dir, Duration::from_millis(500))?;
    let home = tempfile::tempdir_in(&args.dir)?;
    let isbn = Isbn13::parse("9780306406157")?;
    let scenario = Scenario::new(SEED)
        .partners(ProfileName::Instant, args.partners)
        .stock_everywhere(isbn, 1_000_000);
    let this = std::env::current_exe().context("finding this executable")?;
    let programs = Programs {
        broker: Program::new(&this).role(BROKER_ROLE),
        partner_sim: Program::new(&this).role(PARTNER_SIM_ROLE),
    };
    let mut cluster = Cluster::prepare(programs, scenario, Some(home.path().to_owned())).await?;
    cluster.broker.start().await?;
    let client = cluster.client().clone();
    let ledger = cluster.ledger().clone();
    let alone = publish_alone(&client, args.requests).await?;
    let mut took = Vec::with_capacity(args.requests);
    for index in 0..WARM_UP + args.requests {
        let one = buy(&client, &ledger, isbn).await;
        let one = one.with_context(|| format!("request {index}"))?;
        if index >= WARM_UP {
            took.push(one);
        }
    }
    let [p50, p90, p99] = percentiles(&mut took);
    println!("publish to `ordered` notification, N={} partners, 1 in flight:", args.partners);
    println!(
        "  p50 {:.2} ms  p90 {:.2} ms  p99 {:.2} ms  = {:.1} x one synced publish ({:.2} ms)",
        ms(p50),
        ms(p90),
        ms(p99),
        ms(p50) / ms(alone),
        ms(alone),
    );
    println!("  {disk}");
    verdict::judge(&cluster.settle_and_collect(SETTLED_WITHIN).await?)
}

/// One request from publish to the customer's ear.
pub(crate) async fn buy(
    client: &Client,
    ledger: &SubLedger,
    isbn: Isbn13,
) -> anyhow::Result<Duration> {
    let customer = CustomerId::parse("latency")?;
    let order = Order::of(isbn).build();
    let mut heard = client.subscribe(subject::notification(&customer, "*")).await?;
    client.flush().await?;
    let subject = subject::purchase_command(PurchaseOperation::Create, &customer);
    let (at, body) = (now(), json::encode(&order).into());
    let started = Instant::now();
    client.publish(subject, body).await?;
    let message = tokio::time::timeout(OUTCOME_WITHIN, heard.next())
        .await
        .context("no outcome in time")?
        .context("the subscription ended")?;
    let took = started.elapsed();
    // A plain publish: nobody says whether the stream has it.
    let (route, answer) = (Route::Stream, Answer::Silent);
    let command = Command::Create(Box::new(order));
    ledger.record(Sent { customer, command, route, at, answered: now(), answer });
    anyhow::ensure!(message.subject.ends_with(".ordered"), "outcome on {}", message.subject);
    Ok(took)
}

/// Median of a single acknowledged publish to a synced stream.
async fn publish_alone(client: &Client, times: usize) -> anyhow::Result<Duration> {
    let jetstream = async_nats::jetstream::new(client.clone());
    let name = format!("{PURCHASE_CREATES}_CALIBRATION");
    let subject = "loadtest.calibration";
    jetstream
        .create_stream(async_nats::jetstream::stream::Config {
            name: name.clone(),
            subjects: vec![subject.to_owned()],
            ..Default::default()
        })
        .await?;
    let mut took = Vec::with_capacity(times);
    for _ in 0..times {
        let one = Instant::now();
        jetstream.publish(subject, vec![b'x'; 300].into()).await?.await?;
        took.push(one.elapsed());
    }
    jetstream.delete_stream(&name).await?;
    Ok(percentiles(&mut took)[0])
}

pub(crate) fn percentiles(took: &mut [Duration]) -> [Duration; 3] {
    took.sort();
    [500, 900, 990].map(|permille| took[(took.len() - 1) * permille / 1000])
}

pub(crate) fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
