//! A cluster with a bridge beside it.

use std::fs;
use std::ops::{Deref, DerefMut};
use std::time::Duration;

use broker::config::PolicyOverrides;
use broker_gateway::GatewayConfig;
use partner_sim::profile::ProfileName;
use schemas::event::NotificationOutcome;
use schemas::stream::name;
use schemas::{DurationMs, RequestId};
use tests::auditor::{Evidence, audit};
use tests::harness::{Cluster, Example, Process, Scenario, wait};
use tokio::sync::{Semaphore, SemaphorePermit};

const CLUSTERS_MAX: usize = 2;
static SEATS: Semaphore = Semaphore::const_new(CLUSTERS_MAX);

pub(crate) const SOON: Duration = Duration::from_secs(30);
const SETTLED: Duration = Duration::from_secs(90);

/// A running cluster, its bridge, and the right to run them.
pub(crate) struct Stage {
    // Dropped in this order: whoever calls goes before whom it calls.
    pub(crate) bridge: Process,
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

/// A world of stores behind HTTP.
pub(crate) struct World {
    pub(crate) scenario: Scenario,
    files: Vec<(String, String)>,
}

/// A printed seed and short waits; the waits for orders leave room for a restart of the bridge.
pub(crate) fn world(test: &str, seed: u64) -> World {
    let given = std::env::var("E2E_SEED").ok().map(|text| text.parse().unwrap());
    let seed = given.unwrap_or(seed);
    println!("{test}: seed {seed} (E2E_SEED={seed} runs it again)");
    let scenario = Scenario::new(seed).gateway(GatewayConfig::default()).policy(PolicyOverrides {
        watch_interval_ms: Some(DurationMs(400)),
        absence_span_ms: Some(DurationMs(500)),
        capture_timeout_ms: Some(DurationMs(800)),
        place_window_ms: Some(DurationMs(2000)),
        lookup_ladder_ms: Some([200, 400, 800, 1000].map(DurationMs).to_vec()),
        undo_ladder_ms: Some([300, 600, 1000].map(DurationMs).to_vec()),
        ..PolicyOverrides::default()
    });
    World { scenario, files: Vec::new() }
}

impl World {
    /// One of the examples, of this character.
    pub(crate) fn store(self, example: Example, profile: ProfileName) -> Self {
        self.store_with(example, profile, toml::Table::new())
    }

    pub(crate) fn store_with(
        mut self,
        example: Example,
        profile: ProfileName,
        overrides: toml::Table,
    ) -> Self {
        self.scenario = self.scenario.http_partner(example.partner, example, profile, overrides);
        self
    }

    /// A store file of the test's own, and what the broker is to know of the store.
    pub(crate) fn file(mut self, name: &str, text: String) -> Self {
        self.files.push((name.to_owned(), text));
        self
    }

    /// Everything running.
    pub(crate) async fn start(self) -> Stage {
        let mut stage = self.prepare().await;
        start_bridge(&mut stage.bridge).await;
        stage
    }

    /// Everything running but the bridge.
    pub(crate) async fn prepare(self) -> Stage {
        let seat = SEATS.acquire().await.unwrap();
        let seed = self.scenario.sim.seed;
        let mut cluster = Cluster::prepare(tests::programs!(), self.scenario, None).await.unwrap();
        cluster.broker.start().await.unwrap();
        let folder = cluster.dir().join("stores");
        fs::create_dir_all(&folder).unwrap();
        for (name, text) in &self.files {
            fs::write(folder.join(name), text).unwrap();
        }
        let bridge = prepare_bridge(&cluster, "bridge");
        Stage { bridge, cluster, seed, _seat: seat }
    }
}

/// A process that plays the bridge and nothing else, and has no more configuration than that needs.
pub(crate) fn prepare_bridge(cluster: &Cluster, name: &'static str) -> Process {
    let dir = cluster.dir();
    let config = dir.join(format!("{name}.toml"));
    let urls = &cluster.broker.config().nats.urls;
    let text = format!(
        "roles = [\"bridge\"]\n[nats]\nurls = {urls:?}\n[bridge]\nstores_dir = \"stores\"\n\
         allow_private_hosts = [\"127.0.0.1\"]\n"
    );
    fs::write(&config, text).unwrap();
    let arguments = ["serve", "--config", &config.to_string_lossy()].map(str::to_owned).to_vec();
    Process::new(name, tests::programs!().broker, arguments, dir.join(format!("{name}.log")))
}

/// Starts it and returns when it listens.
pub(crate) async fn start_bridge(bridge: &mut Process) {
    let starts = || -> usize {
        let log = fs::read_to_string(bridge.log_path()).unwrap_or_default();
        log.matches("reading PARTNER_COMMANDS").count()
    };
    let before = starts();
    bridge.start().unwrap();
    wait::until("the bridge is open", SOON, async || {
        bridge.check_alive()?;
        let log = fs::read_to_string(bridge.log_path()).unwrap_or_default();
        Ok((log.matches("reading PARTNER_COMMANDS").count() > before).then_some(()))
    })
    .await
    .unwrap();
}

impl Stage {
    /// The first notification of `request` with this outcome.
    pub(crate) async fn told(&mut self, request: RequestId, outcome: NotificationOutcome) {
        let what = outcome.label();
        let told = self.notification(request, what, SOON, |n| n.outcome == outcome).await;
        if let Err(error) = told {
            panic!("{error}\nthe log of the bridge ends:\n{}", self.bridge.log_tail());
        }
    }

    /// Waits for words in its log.
    pub(crate) async fn bridge_says(&self, words: &str) {
        wait::until(format!("the bridge says {words:?}"), SOON, async || {
            let log = fs::read_to_string(self.bridge.log_path()).unwrap_or_default();
            Ok(log.contains(words).then_some(()))
        })
        .await
        .unwrap();
    }

    /// The last act: everything comes to rest, and the auditor finds nothing.
    pub(crate) async fn judge(mut self) -> Evidence {
        let seed = self.seed;
        let evidence = self.cluster.settle_and_collect(SETTLED).await.unwrap();
        let verdict = audit(&evidence);
        assert!(verdict.is_clean(), "seed {seed}\n{verdict}");
        self.bridge.check_alive().unwrap();
        evidence
    }

    /// Waits until the bridge has finished every command so far.
    pub(crate) async fn commands_done(&self, sent: u64) {
        let jetstream = async_nats::jetstream::new(self.client().clone());
        wait::until("the bridge has finished its commands", SOON, async || {
            let stream = jetstream.get_stream_no_info(name::PARTNER_COMMANDS).await.unwrap();
            let info = stream.consumer_info("bridge").await.unwrap();
            Ok((info.ack_floor.stream_sequence >= sent).then_some(()))
        })
        .await
        .unwrap();
    }
}
