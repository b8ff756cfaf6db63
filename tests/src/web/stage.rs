//! The run itself: provide, start, use the page, ask everything, judge.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use async_nats::jetstream;
use broker_gateway::GatewayConfig;
use partner_sim::price::ScriptedPrice;
use partner_sim::profile::ProfileName;
use schemas::CustomerId;
use schemas::stream::name;
use schemas::subject::{PurchaseOperation, purchase_command};

use super::programs::{Interview, browse, question};
use super::tools::{Browser, Questioner};
use crate::auditor::{Seen, Verdict, audit};
use crate::demo::roles;
use crate::harness::{Cluster, Gateway, Scenario, StreamTail, book, wait};

const SEED: u64 = 11;
/// Stores that answer at once; one more takes its time.
pub(super) const STORES: u16 = 4;
/// What the book costs at every store.
const PRICE: ScriptedPrice = ScriptedPrice { item: 2000, shipping: 300, tax: 200, fee: 0 };
const PRICE_CENTS: u64 = 2500;
const COPIES: u32 = 10_000;
const SOON: Duration = Duration::from_secs(30);
/// The longest wish that was made ends before.
const SETTLED: Duration = Duration::from_secs(60);

/// A customer's operations, and everybody else's; nobody may do both.
const INTERVIEWS: [Interview; 2] = [
    Interview { token: "cyd", operations: ["--exclude-path-regex", OTHERS] },
    Interview { token: "olga", operations: ["--include-path-regex", OTHERS] },
];
const OTHERS: &str = "^/v1/(operator|partners)/";

/// What they compare with is a ledger of everything that customers sent; strangers keep none.
const BY_LEDGER: [&str; 2] = ["rejected_has_no_effect", "nobody_speaks_for_another"];

/// What the programs that call have to know.
#[derive(Debug)]
pub(super) struct Stage<'a> {
    gateway: &'a Gateway,
    pub(super) url: String,
    pub(super) book: String,
    pub(super) book_cents: u64,
    /// Where they may leave files.
    pub(super) dir: &'a Path,
}

impl Stage<'_> {
    pub(super) fn token(&self, name: &str) -> anyhow::Result<&str> {
        let token = self.gateway.tokens.get(name).map(String::as_str);
        token.with_context(|| format!("{name} has no token"))
    }
}

/// Whether everything is as it should be. `only` is `page` or `api`.
pub(super) async fn run(only: Option<&str>) -> anyhow::Result<bool> {
    let (page, api) = match only {
        None => (true, true),
        Some("page") => (true, false),
        Some("api") => (false, true),
        Some(other) => bail!("{other:?}: only `page` or `api` can be chosen"),
    };
    let provided = tokio::task::spawn_blocking(move || {
        let browser = page.then(Browser::provide).transpose()?;
        anyhow::Ok((browser, api.then(Questioner::provide).transpose()?))
    });
    let (browser, questioner) = provided.await.context("providing tools")??;
    println!("starting nats-server, {} stores, and the broker with its HTTP door …", STORES + 1);
    let programs = roles::programs().context("finding this executable")?;
    let mut cluster = Cluster::start(programs, scenario()).await?;
    give_up(&cluster, "{first").await?;

    let mut good = true;
    let stage = stage(&cluster)?;
    if let Some(browser) = browser {
        good &= browse(&browser, &stage).await?;
    }
    if let Some(questioner) = questioner {
        let since = Instant::now();
        for interview in INTERVIEWS {
            good &= question(&questioner, &stage, interview).await?;
        }
        let bought = bought(&stage, "cyd").await?;
        ensure!(bought > 0, "of all that was asked nothing was bought: too little was looked at");
        println!("{bought} of the wishes came true; asked for {} s", since.elapsed().as_secs());
    }
    if !good {
        println!("\nthe log of the broker ends:\n{}", cluster.broker.process.log_tail());
    }
    // Operators dropped letters; the last one shows the auditor how far the stream came.
    give_up(&cluster, "{last").await?;
    let evidence = cluster.settle_and_collect(SETTLED).await?;
    good &= is_sound(&audit(&evidence));
    println!("\n{}", if good { "page and API work" } else { "page or API failed" });
    Ok(good)
}

/// Nobody is sent away for asking often: what is asked is to be answered.
fn scenario() -> Scenario {
    let slow = toml::toml! { quotes = { latency = { p50_ms = 2500, p99_ms = 2500 } } };
    let gateway =
        GatewayConfig { per_address_per_s: 0, per_token_per_s: 0, ..GatewayConfig::default() };
    Scenario::new(SEED)
        .partners(ProfileName::Instant, STORES)
        .partner_with("tortoise", ProfileName::Slow, slow)
        .stock_everywhere(book(1), COPIES)
        .price_everywhere(book(1), PRICE)
        .gateway(gateway)
}

fn stage(cluster: &Cluster) -> anyhow::Result<Stage<'_>> {
    let gateway = cluster.broker.gateway.as_ref().context("the scenario has an HTTP door")?;
    Ok(Stage {
        gateway,
        url: gateway.url(),
        book: book(1).to_string(),
        book_cents: PRICE_CENTS,
        dir: cluster.dir(),
    })
}

/// Whether all promises were kept that can be judged here.
fn is_sound(verdict: &Verdict) -> bool {
    let judged = || verdict.checks.iter().filter(|check| !BY_LEDGER.contains(&check.name));
    let broken = judged().any(|check| !check.violations.is_empty());
    if broken {
        println!("{verdict}");
    }
    let examined: usize = judged().map(|check| check.examined).sum();
    let word = if broken { "FAILED" } else { "ok" };
    println!("the broker, judged by the auditor {word:<7} {examined} things examined");
    !broken
}

/// A dead letter: what this customer sent is nonsense.
async fn give_up(cluster: &Cluster, nonsense: &'static str) -> anyhow::Result<()> {
    let subject = purchase_command(PurchaseOperation::Create, &CustomerId::parse("ann")?);
    let context = jetstream::new(cluster.client().clone());
    context.publish(subject, nonsense.into()).await?.await?;
    let mut letters = StreamTail::new(cluster.client(), name::DEAD_LETTERS);
    wait::until("nonsense is given up", SOON, async || {
        letters.poll().await?;
        let given_up = |letter: &Seen| String::from_utf8_lossy(&letter.body).contains(nonsense);
        Ok(letters.seen().iter().any(given_up).then_some(()))
    })
    .await?;
    Ok(())
}

/// Requests of this customer that were ordered, as far as one page tells.
async fn bought(stage: &Stage<'_>, customer: &str) -> anyhow::Result<usize> {
    let url = format!("{}/v1/purchase-requests?status=ordered&limit=100", stage.url);
    // Whoever comes second finds the same provider.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let call = reqwest::Client::new().get(url).bearer_auth(stage.token(customer)?);
    let page: serde_json::Value = call.send().await?.error_for_status()?.json().await?;
    Ok(page["requests"].as_array().map_or(0, Vec::len))
}
