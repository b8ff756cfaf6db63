//! A cluster with a bridge beside it.

use std::fs;
use std::net::SocketAddr;
use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_nats::HeaderMap;
use axum::Router;
use axum::extract::{Path as UrlPath, State};
use axum::http::StatusCode;
use axum::routing::post;
use broker::config::PolicyOverrides;
use bytes::Bytes;
use partner_sim::http::{HttpConfig, Shape};
use partner_sim::profile::ProfileName;
use schemas::event::NotificationOutcome;
use schemas::stream::name;
use schemas::subject::partner_callback;
use schemas::{DurationMs, PartnerId, RequestId};
use tests::auditor::{Evidence, audit};
use tests::harness::{Cluster, PortLease, Process, Program, Scenario, wait};
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
    _ports: Vec<PortLease>,
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

/// One of the shipped examples.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Example {
    pub(crate) partner: &'static str,
    pub(crate) file: &'static str,
    pub(crate) shape: Shape,
    /// Whether it holds stock, and cancels.
    pub(crate) reserves: bool,
    pub(crate) cancels: bool,
}

const fn example(partner: &'static str, file: &'static str, shape: Shape) -> Example {
    Example { partner, file, shape, reserves: false, cancels: true }
}

pub(crate) const JSON: Example =
    Example { reserves: true, ..example("northwind", "json-sync.toml", Shape::JsonSync) };
pub(crate) const CALLBACK: Example = example("callisto", "json-callback.toml", Shape::JsonCallback);
pub(crate) const XML: Example =
    Example { reserves: true, ..example("xanadu", "xml.toml", Shape::Xml) };
pub(crate) const POLL: Example = example("pollux", "poll.toml", Shape::Poll);
pub(crate) const WALK_IN: Example =
    Example { cancels: false, ..example("walkin", "no-reservation.toml", Shape::NoReservation) };

/// A world of stores behind HTTP.
pub(crate) struct World {
    pub(crate) scenario: Scenario,
    stores: Vec<(String, String)>,
    ports: Vec<PortLease>,
    address: SocketAddr,
}

/// A printed seed and short waits; the waits for orders leave room for a restart of the bridge.
pub(crate) fn world(test: &str, seed: u64) -> World {
    let given = std::env::var("E2E_SEED").ok().map(|text| text.parse().unwrap());
    let seed = given.unwrap_or(seed);
    println!("{test}: seed {seed} (E2E_SEED={seed} runs it again)");
    let port = PortLease::any().unwrap();
    let address = SocketAddr::from(([127, 0, 0, 1], port.port()));
    let scenario = Scenario::new(seed).policy(PolicyOverrides {
        watch_interval_ms: Some(DurationMs(400)),
        absence_span_ms: Some(DurationMs(500)),
        capture_timeout_ms: Some(DurationMs(800)),
        place_window_ms: Some(DurationMs(2000)),
        lookup_ladder_ms: Some([200, 400, 800, 1000].map(DurationMs).to_vec()),
        undo_ladder_ms: Some([300, 600, 1000].map(DurationMs).to_vec()),
        ..PolicyOverrides::default()
    });
    World { scenario, stores: Vec::new(), ports: vec![port], address }
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
        mut overrides: toml::Table,
    ) -> Self {
        overrides.insert("reservation".to_owned(), example.reserves.into());
        overrides.insert("cancel".to_owned(), example.cancels.into());
        self.scenario = self.scenario.partner_with(example.partner, profile, overrides);
        let http = self.scenario.sim.http.get_or_insert_with(|| HttpConfig {
            bind: self.address,
            callback_url: String::new(),
            callback_secret: "whsec_c2VjcmV0".to_owned(),
            silence_ms: 30_000,
            shapes: Default::default(),
        });
        http.shapes.insert(PartnerId::parse(example.partner).unwrap(), example.shape);
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../ops/stores").join(example.file);
        let text = fs::read_to_string(file).unwrap();
        let text = text.replace("127.0.0.1:8081", &self.address.to_string());
        self.stores.push((example.file.to_owned(), text));
        self
    }

    /// A store file of the test's own, and what the broker is to know of the store.
    pub(crate) fn file(mut self, name: &str, text: String) -> Self {
        self.stores.push((name.to_owned(), text));
        self
    }

    /// Everything running.
    pub(crate) async fn start(mut self) -> Stage {
        let seat = SEATS.acquire().await.unwrap();
        let seed = self.scenario.sim.seed;
        let port = PortLease::any().unwrap();
        let gateway = SocketAddr::from(([127, 0, 0, 1], port.port()));
        self.ports.push(port);
        if let Some(http) = &mut self.scenario.sim.http {
            http.callback_url = format!("http://{gateway}/v1/partners/{{partner}}/callbacks");
        }
        let mut cluster = Cluster::prepare(tests::programs!(), self.scenario, None).await.unwrap();
        cluster.broker.start().await.unwrap();
        take_call_backs(gateway, cluster.client().clone()).await;
        let mut bridge = prepare_bridge(&cluster, &self.stores);
        start_bridge(&mut bridge).await;
        Stage { bridge, cluster, seed, _ports: self.ports, _seat: seat }
    }
}

fn prepare_bridge(cluster: &Cluster, stores: &[(String, String)]) -> Process {
    let dir = cluster.dir();
    let folder = dir.join("stores");
    fs::create_dir_all(&folder).unwrap();
    for (name, text) in stores {
        fs::write(folder.join(name), text).unwrap();
    }
    let config = dir.join("bridge.toml");
    fs::write(&config, "stores_dir = \"stores\"\nallow_private_hosts = [\"127.0.0.1\"]\n").unwrap();
    let arguments = vec![cluster.nats().url(), config.display().to_string()];
    let program = Program::new(PathBuf::from(env!("CARGO_BIN_EXE_test-bridge")));
    Process::new("bridge", program, arguments, dir.join("bridge.log"))
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

/// The gateway's part: what a store calls back goes into the stream, under its id.
async fn take_call_backs(address: SocketAddr, client: async_nats::Client) {
    let take = |State(client): State<async_nats::Client>,
                UrlPath(partner): UrlPath<String>,
                headers: axum::http::HeaderMap,
                body: Bytes| async move {
        let Some(id) = headers.get("webhook-id").and_then(|id| id.to_str().ok()) else {
            return StatusCode::BAD_REQUEST;
        };
        let mut kept = HeaderMap::new();
        kept.insert("Nats-Msg-Id", format!("{partner}.{id}"));
        kept.insert("webhook-id", id);
        let subject = partner_callback(&PartnerId::parse(&partner).unwrap());
        let jetstream = async_nats::jetstream::new(client);
        let stored = async { jetstream.publish_with_headers(subject, kept, body).await?.await };
        match stored.await {
            Ok(_) => StatusCode::NO_CONTENT,
            Err(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    };
    let router =
        Router::new().route("/v1/partners/{partner}/callbacks", post(take)).with_state(client);
    let listener = tokio::net::TcpListener::bind(address).await.unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
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
