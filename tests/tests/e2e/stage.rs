//! What every test of the suite stands on: a cluster, a seed that is printed, short waits in the
//! broker's policy, and a last act in which the auditor judges.

use std::ops::{Deref, DerefMut};
use std::time::Duration;

use broker::config::PolicyOverrides;
use partner_sim::config::SimConfig;
use partner_sim::price::ScriptedPrice;
use schemas::catalog::CatalogEntry;
use schemas::event::{DeadLetter, Notification, NotificationOutcome};
use schemas::id::Key;
use schemas::purchase::{CommandReply, CreatePurchase, PurchaseView};
use schemas::stream::name;
use schemas::subject::{PartnerOperation, parse_partner_command};
use schemas::text::Text;
use schemas::{DurationMs, Isbn13, RejectReason, RequestId, Timestamp, json};
use tests::auditor::{Evidence, Seen, audit};
use tests::harness::{Cluster, HarnessError, Scenario, StreamTail, book, now, wait};
use tokio::sync::{Semaphore, SemaphorePermit};

/// Clusters at the same time, whatever the number of test threads: three processes each, on a
/// machine that may have two cores.
const CLUSTERS_MAX: usize = 2;
static SEATS: Semaphore = Semaphore::const_new(CLUSTERS_MAX);

/// For what takes milliseconds; long only for a loaded machine.
pub(crate) const SOON: Duration = Duration::from_secs(30);
/// Until everything is at rest. After a kill the server gives a delivery back only after its
/// `ack_wait` of six seconds, and what that causes takes its time again.
pub(crate) const SETTLED: Duration = Duration::from_secs(90);

/// A running cluster and the right to run it.
pub(crate) struct Stage {
    // Dropped first, so that nobody takes the seat while its processes are still there.
    cluster: Cluster,
    seed: u64,
    _seat: SemaphorePermit<'static>,
}

impl Deref for Stage {
    type Target = Cluster;
    fn deref(&self) -> &Cluster {
        &self.cluster
    }
}

impl DerefMut for Stage {
    fn deref_mut(&mut self) -> &mut Cluster {
        &mut self.cluster
    }
}

/// A scenario without partners: a printed seed, and the short waits of [`quick`].
pub(crate) fn world(test: &str, seed: u64) -> Scenario {
    let seed = seed_of(test, seed);
    Scenario::new(seed).policy(quick())
}

/// The seed of a test: its own, or the one in `E2E_SEED`.
pub(crate) fn seed_of(test: &str, seed: u64) -> u64 {
    let given = std::env::var("E2E_SEED").ok().map(|text| text.parse().unwrap());
    let seed = given.unwrap_or(seed);
    println!("{test}: seed {seed} (E2E_SEED={seed} runs it again)");
    seed
}

/// The numbers of the design, with the waits that would make a test take minutes cut to seconds.
pub(crate) fn quick() -> PolicyOverrides {
    PolicyOverrides {
        watch_interval_ms: Some(DurationMs(400)),
        absence_span_ms: Some(DurationMs(500)),
        capture_timeout_ms: Some(DurationMs(800)),
        place_window_ms: Some(DurationMs(2000)),
        lookup_ladder_ms: Some([200, 400, 800, 1000].map(DurationMs).to_vec()),
        undo_ladder_ms: Some([300, 600, 1000].map(DurationMs).to_vec()),
        ..PolicyOverrides::default()
    }
}

/// A price that is the same for everybody: no shipping, tax or fee.
pub(crate) fn flat(minor: u64) -> ScriptedPrice {
    ScriptedPrice { item: minor, ..ScriptedPrice::default() }
}

/// Everything running, as soon as there is a seat for it.
pub(crate) async fn start(scenario: Scenario) -> Stage {
    let mut stage = prepare(scenario).await;
    stage.broker.start().await.unwrap();
    stage
}

/// Everything running but the broker.
pub(crate) async fn prepare(scenario: Scenario) -> Stage {
    let seat = SEATS.acquire().await.unwrap();
    let seed = scenario.sim.seed;
    let cluster = Cluster::prepare(tests::programs!(), scenario, None).await.unwrap();
    Stage { cluster, seed, _seat: seat }
}

impl Stage {
    pub(crate) fn seed(&self) -> u64 {
        self.seed
    }

    /// The first notification of `request`, which must tell `outcome`.
    pub(crate) async fn told(
        &mut self,
        request: RequestId,
        outcome: NotificationOutcome,
    ) -> Notification {
        let told = self.outcome(request, SOON).await.unwrap();
        assert_eq!(told.outcome, outcome, "{told:#?}");
        told
    }

    /// The first notification of `request` that tells `outcome`, whatever was told before.
    pub(crate) async fn told_later(
        &mut self,
        request: RequestId,
        outcome: NotificationOutcome,
    ) -> Notification {
        let what = outcome.label();
        self.notification(request, what, SOON, |n| n.outcome == outcome).await.unwrap()
    }

    /// Every notification of `request` so far, each once, in the order of their numbers.
    pub(crate) async fn story(&mut self, request: RequestId) -> Vec<NotificationOutcome> {
        let mut all = self.notifications().await.unwrap();
        all.retain(|notification| notification.request_id == request);
        all.sort_by_key(|notification| notification.number);
        all.dedup_by_key(|notification| notification.number);
        all.into_iter().map(|notification| notification.outcome).collect()
    }

    /// Waits until something was heard on the wire.
    pub(crate) async fn heard(&self, what: &str, wanted: impl Fn(&Seen) -> bool) -> Seen {
        wait::until(what, SOON, async || Ok(self.tap.heard().into_iter().find(&wanted)))
            .await
            .unwrap()
    }

    /// Waits until an order has left for a store.
    pub(crate) async fn heard_order(&self) -> Seen {
        let is_order = |seen: &Seen| {
            let command = parse_partner_command(&seen.subject);
            command.is_some_and(|(_, operation)| operation == PartnerOperation::Place)
        };
        self.heard("an order leaves for a store", is_order).await
    }

    /// Waits for a dead letter.
    pub(crate) async fn dead_letter(
        &self,
        what: &str,
        wanted: impl Fn(&DeadLetter) -> bool,
    ) -> DeadLetter {
        let mut tail = StreamTail::new(self.client(), name::DEAD_LETTERS);
        let found = wait::until(format!("a dead letter: {what}"), SOON, async || {
            tail.poll().await?;
            let mut letters = tail.seen().iter().map(dead_letter);
            letters.find(|letter| letter.as_ref().map_or(true, &wanted)).transpose()
        });
        let found = found.await;
        let letters = || tail.seen().iter().filter_map(|seen| dead_letter(seen).ok());
        let others = || letters().map(|letter| (letter.subject, letter.reason, letter.detail));
        found.unwrap_or_else(|e| panic!("{e}; there are {:#?}", others().collect::<Vec<_>>()))
    }

    /// The last act: everything comes to rest, and the auditor finds nothing.
    pub(crate) async fn judge(mut self) -> Evidence {
        let seed = self.seed;
        let evidence = self.cluster.settle_and_collect(SETTLED).await.unwrap();
        let verdict = audit(&evidence);
        assert!(verdict.is_clean(), "seed {seed}\n{verdict}");
        evidence
    }

    /// Stops the stores, changes what they have and ask, and opens them again.
    pub(crate) async fn reopen_stores(&mut self, change: impl FnOnce(&mut SimConfig)) {
        self.partners.terminate().await.unwrap();
        let file = self.dir().join("partner-sim.toml");
        let mut config = SimConfig::load(&file).unwrap();
        change(&mut config);
        std::fs::write(&file, config.to_toml().unwrap()).unwrap();
        self.partners.start().await.unwrap();
    }
}

fn dead_letter(seen: &Seen) -> Result<DeadLetter, HarnessError> {
    json::decode(&seen.body, usize::MAX).map_err(|source| HarnessError::Decode {
        what: format!("the dead letter on {}", seen.subject),
        source: Box::new(source),
    })
}

/// The request as the broker answered, which must have accepted the command.
pub(crate) fn accepted(reply: CommandReply) -> (bool, PurchaseView) {
    match reply {
        CommandReply::Accepted { replayed, request } => (replayed, *request),
        CommandReply::Rejected(problem) => panic!("rejected: {problem:?}"),
    }
}

/// Why the broker refused the command, which it must have.
pub(crate) fn rejected(reply: CommandReply) -> (RejectReason, String) {
    match reply {
        CommandReply::Accepted { request, .. } => panic!("accepted: {request:?}"),
        CommandReply::Rejected(problem) => (problem.code, problem.detail),
    }
}

/// What the stores and the provider wrote down about one request.
pub(crate) struct Books<'a> {
    evidence: &'a Evidence,
    request: RequestId,
}

pub(crate) fn books<'a>(evidence: &'a Evidence, create: &CreatePurchase) -> Books<'a> {
    Books { evidence, request: create.request_id }
}

impl Books<'_> {
    fn at(&self) -> Timestamp {
        now()
    }

    /// `(partner, total in cents)` of every order that stands.
    pub(crate) fn standing(&self) -> Vec<(String, u64)> {
        let live = self.evidence.partners.live_orders(self.request, self.at());
        live.iter()
            .map(|order| (order.partner.to_string(), order.total().unwrap().minor()))
            .collect()
    }

    /// Keys of orders that ever were accepted, standing or not.
    pub(crate) fn ever_ordered(&self) -> Vec<Key> {
        let orders = self.evidence.partners.orders_of(self.request);
        let accepted = orders.filter(|order| order.accepted_at().is_some());
        accepted.map(|order| order.placement_key.clone()).collect()
    }

    /// Captured minus refunded, in cents.
    pub(crate) fn paid(&self) -> u64 {
        self.evidence.payments.net_captured_minor(self.request)
    }

    /// Whether nothing of the customer's money is held and no copy is kept from others.
    pub(crate) fn nothing_held(&self) -> bool {
        let (partners, payments) = (&self.evidence.partners, &self.evidence.payments);
        payments.open_authorizations(self.request, self.at()).is_empty()
            && partners.active_reservations(self.request, self.at()).is_empty()
    }
}

/// Whether a message on the wire is a quote question about `isbn`.
pub(crate) fn asks_about(seen: &Seen, isbn: Isbn13) -> bool {
    let question = schemas::subject::parse_partner_quote(&seen.subject).is_some();
    question && String::from_utf8_lossy(&seen.body).contains(&isbn.to_string())
}

/// An entry of the catalog: book `n` of the harness under this title.
pub(crate) fn edition(n: u32, title: &str) -> CatalogEntry {
    CatalogEntry {
        isbn13: book(n),
        title: Text::parse(title).unwrap(),
        authors: Vec::new(),
        edition: None,
        other_ids: Vec::new(),
    }
}
