//! A whole store directory as an older version of the broker left it, killed in the middle of its
//! work, with the ledger of the stores it had dealt with. Today's broker opens it on an empty
//! server, recovers, and finishes every request.
//!
//! The files under `tests/fixtures/store` are frozen: a version that cannot read them would lose
//! its users' requests. `cargo chaos --freeze FILE` makes a new one beside the old ones.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use schemas::purchase::{CreatePurchase, PurchaseStatus};
use schemas::{CustomerId, DurationMs, Timestamp};

use super::inject::Done;
use super::rig::Rig;
use super::world::{self, PRICE, affordable, sold_out, too_dear};
use crate::auditor::{Answer, Command, Route, Sent};
use crate::harness::{Cluster, Order, Programs, Requester, Scenario, now, wait};

/// Every frozen store, oldest first.
const FROZEN: &[(&str, &[u8])] = &[("v1", include_bytes!("../../fixtures/store/v1.tar.gz"))];

/// Names inside an archive.
const STORE: &str = "store";
const LEDGER: &str = "partner-sim-ledger.jsonl";
const CREATES: &str = "creates.json";

/// Frozen requests must still be open whenever they are thawed.
const CENTURY_MS: DurationMs = DurationMs::from_secs(100 * 365 * 24 * 3600);
const SETTLED_DEADLINE: Duration = Duration::from_secs(120);
/// Requests that are on their way when the frozen broker is killed.
const IN_FLIGHT: u32 = 8;
const SEED: u64 = 71;

pub(super) async fn side_show(rig: &mut Rig) -> Done {
    let mut said = Vec::new();
    for (version, archive) in FROZEN {
        let dir = rig.side_dir("upgrade")?;
        let what = || format!("thawing the store {version}");
        let ended = thaw(rig.programs.clone(), archive, &dir).await.with_context(what)?;
        fs::remove_dir_all(&dir).with_context(|| format!("clearing {}", dir.display()))?;
        said.push(format!("{version}: {ended} requests finished"));
    }
    Ok(Ok(Some(said.join(", "))))
}

/// Opens a frozen store with today's broker and lets it finish. Gives the number of requests.
async fn thaw(programs: Programs, archive: &[u8], dir: &Path) -> anyhow::Result<usize> {
    tar::Archive::new(GzDecoder::new(archive)).unpack(dir).context("unpacking")?;
    let creates = fs::read(dir.join(CREATES)).context("reading the frozen requests")?;
    let creates: Vec<(CustomerId, CreatePurchase)> = serde_json::from_slice(&creates)?;
    let mut scenario = frozen_world();
    scenario.store_dir = Some(dir.join(STORE));
    scenario.ledger = Some(dir.join(LEDGER));
    let mut cluster = Cluster::prepare(programs, scenario, Some(dir.join("cluster"))).await?;
    for (customer, create) in &creates {
        cluster.ledger().record(frozen_word(customer, create));
    }
    cluster.broker.start().await.context("starting on the frozen store")?;
    // Whoever watches a book that stays too dear would do so for a century.
    for (customer, create) in creates.iter().filter(|(_, create)| is_watch(create)) {
        let customer = cluster.requester(customer.as_str());
        customer.cancel(create.request_id).await?;
    }
    cluster.settle(SETTLED_DEADLINE).await?;
    let evidence = cluster.collect().await?;
    let mut live: BTreeMap<_, usize> = BTreeMap::new();
    for order in evidence.partners.orders.iter().filter(|order| order.is_live(evidence.at)) {
        *live.entry(order.request_id).or_default() += 1;
    }
    for (_, create) in &creates {
        let request = create.request_id;
        let head = evidence.heads.get(&request).with_context(|| format!("{request} is lost"))?;
        let orders = live.get(&request).copied().unwrap_or(0);
        let ordered = head.status.kind() == PurchaseStatus::Ordered;
        let right = orders == usize::from(ordered) || head.incident.is_some() && orders <= 1;
        ensure!(right, "{request} is {:?}, and {orders} orders stand", head.status.kind());
    }
    Ok(creates.len())
}

fn is_watch(create: &CreatePurchase) -> bool {
    create.mode == schemas::purchase::Mode::Watch
}

/// What the customer had sent in the frozen life.
fn frozen_word(customer: &CustomerId, create: &CreatePurchase) -> Sent {
    let at = now();
    Sent {
        customer: customer.clone(),
        command: Command::Create(Box::new(create.clone())),
        route: Route::Stream,
        at,
        answered: at,
        answer: Answer::Silent,
    }
}

fn frozen_world() -> Scenario {
    let mut scenario = world::scenario(SEED);
    scenario.policy.expiry_max_ms = Some(CENTURY_MS);
    scenario.proxied = false;
    scenario
}

/// Makes a store with requests in every stage, kills its broker and packs it all into `file`.
///
/// # Errors
/// A process that does not start, or a file that cannot be written.
pub(super) async fn freeze(programs: Programs, file: &Path) -> anyhow::Result<()> {
    let dir = tempfile::tempdir().context("making a directory")?;
    let cluster = Cluster::prepare(programs, frozen_world(), Some(dir.path().join("c"))).await?;
    let mut cluster = cluster;
    cluster.broker.start().await?;
    let ann = cluster.requester("ann");
    let mut creates = Vec::new();
    let buy = || Order::of(affordable()).max_total(2 * PRICE);
    let ended = [
        buy().build(),
        buy().payment_token("tok_declined").build(),
        Order::of(sold_out()).build(),
        Order::of(too_dear()).max_total(PRICE).build(),
        Order::of(too_dear()).max_total(PRICE).watch().build(),
    ];
    for create in ended {
        let create = for_ever(create);
        ann.publish_create(&create).await?;
        cluster.outcome(create.request_id, SETTLED_DEADLINE).await?;
        creates.push(create);
    }
    let orders = cluster.partners.partner_ledger().await?.orders.len();
    for _ in 0..IN_FLIGHT {
        creates.push(published(&ann, for_ever(buy().build())).await?);
    }
    let partners = &cluster.partners;
    wait::until("some of the orders have left", SETTLED_DEADLINE, async || {
        let more = partners.partner_ledger().await?.orders.len() - orders;
        Ok((more >= 2).then_some(()))
    })
    .await?;
    cluster.broker.kill_9()?;
    cluster.partners.kill_9()?;
    let creates: Vec<_> = creates.iter().map(|create| (ann.customer().clone(), create)).collect();
    let creates = serde_json::to_vec_pretty(&creates)?;
    pack(file, &cluster, &creates)
}

async fn published(ann: &Requester, create: CreatePurchase) -> anyhow::Result<CreatePurchase> {
    ann.publish_create(&create).await?;
    Ok(create)
}

fn for_ever(create: CreatePurchase) -> CreatePurchase {
    let century = CENTURY_MS.as_ms() / 2;
    let expires_at = Timestamp::from_unix_ms(now().as_unix_ms() + century);
    CreatePurchase { expires_at, ..create }
}

fn pack(file: &Path, cluster: &Cluster, creates: &[u8]) -> anyhow::Result<()> {
    let to = File::create(file).with_context(|| format!("making {}", file.display()))?;
    let mut tar = tar::Builder::new(GzEncoder::new(to, flate2::Compression::best()));
    tar.append_dir_all(STORE, cluster.broker.store_dir()).context("packing the store")?;
    let ledger: PathBuf = cluster.partners.ledger_file().to_owned();
    tar.append_path_with_name(ledger, LEDGER).context("packing the ledger")?;
    let mut header = tar::Header::new_gnu();
    header.set_size(creates.len() as u64);
    header.set_mode(0o644);
    tar.append_data(&mut header, CREATES, creates).context("packing the requests")?;
    tar.into_inner().and_then(GzEncoder::finish).context("writing the archive")?;
    Ok(())
}
