//! The broker as a process of its own, on a store directory that survives it.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use broker::config::{Config, LogConfig, NatsConfig, Role, StoreConfig};
use broker::directory::load_partners;
use broker::store::{FjallOptions, FjallStore, Incarnation, Store};
use broker_bridge::BridgeConfig;
use broker_core::Policy;
use broker_notifier::NotifierConfig;
use schemas::ProviderId;

use super::collect::{StoreContents, read_store};
use super::gateway::Gateway;
use super::partners::not_ready;
use super::{HarnessError, Process, Program, Scenario, http, wait};
use crate::nats_server::NatsServer;
use crate::nats_server::ports::PortLease;

const READY_DEADLINE: Duration = Duration::from_secs(30);
const STOP_DEADLINE: Duration = Duration::from_secs(30);
/// Environment variable that arms one crash point of the broker.
const CRASH_AT: &str = broker::crash::CRASH_AT;
const PANIC_AT: &str = broker::crash::PANIC_AT;

/// `broker serve`.
#[derive(Debug)]
pub struct Broker {
    /// Signals, environment, log.
    pub process: Process,
    config: Config,
    http: SocketAddr,
    /// Its HTTP door, if the scenario has one.
    pub gateway: Option<Gateway>,
    _port: PortLease,
}

impl Broker {
    /// Writes `broker.toml` (and the catalog) into `dir` and starts nothing yet.
    pub(super) fn prepare(
        program: Program,
        scenario: &Scenario,
        (nats, url): (&NatsServer, String),
        partners_file: &Path,
        dir: &Path,
    ) -> Result<Self, HarnessError> {
        let port = PortLease::any().map_err(HarnessError::io("a port for the broker"))?;
        let http = SocketAddr::from((Ipv4Addr::LOCALHOST, port.port()));
        let gateway = scenario.gateway.as_ref();
        let gateway = gateway.map(|config| Gateway::prepare(config, dir)).transpose()?;
        let mut roles = vec![Role::Broker];
        roles.extend(gateway.as_ref().map(|_| Role::Gateway));
        let config = Config {
            roles,
            bridge: BridgeConfig::default(),
            gateway: gateway.as_ref().map(|own| own.config.clone()).unwrap_or_default(),
            notifier: NotifierConfig::default(),
            nats: NatsConfig {
                urls: vec![url],
                monitoring_url: Some(nats.monitor_url()),
                ..NatsConfig::default()
            },
            store: StoreConfig {
                dir: store_dir(scenario, dir),
                backup_dir: Some(dir.join("backups")),
            },
            partners_file: partners_file.to_owned(),
            catalog_file: write_catalog(scenario, dir)?,
            payment_provider: provider(scenario),
            http_bind: Some(http),
            log: LogConfig {
                filter: scenario.log_filter.clone().unwrap_or_else(|| "info".to_owned()),
                json: false,
            },
            traces: scenario.traces.clone(),
            limits: scenario.limits,
            streams: scenario.streams,
            overload: scenario.overload,
            customers: scenario.customers.clone(),
            policy: scenario.policy.clone(),
        };
        let text = toml::to_string(&config).map_err(HarnessError::decode("broker.toml"))?;
        let file = dir.join("broker.toml");
        std::fs::write(&file, text).map_err(HarnessError::io("writing broker.toml"))?;
        let arguments = ["serve", "--config", &file.to_string_lossy()].map(str::to_owned).to_vec();
        let mut process = Process::new("broker", program, arguments, dir.join("broker.log"));
        if let Some(point) = &scenario.crash_at {
            process.set_env(CRASH_AT, point);
        }
        Ok(Self { process, config, http, gateway, _port: port })
    }

    /// Starts it and returns once `/ready` says so.
    ///
    /// # Errors
    /// When it runs already, ends, or does not get ready; its log is in the message.
    pub async fn start(&mut self) -> Result<(), HarnessError> {
        self.process.start()?;
        self.wait_until_ready().await
    }

    /// # Errors
    /// When it ends or does not get ready; its log is in the message.
    pub async fn wait_until_ready(&mut self) -> Result<(), HarnessError> {
        let (process, http) = (&mut self.process, self.http);
        let ready = wait::until("", READY_DEADLINE, async || {
            process.check_alive()?;
            let answer = http::get(http, "/ready").await;
            Ok(answer.is_ok_and(|(code, _)| code == 200).then_some(()))
        });
        ready.await.map_err(|error| not_ready(error, &self.process, "broker"))
    }

    /// Ends it as a crash does.
    ///
    /// # Errors
    /// When it cannot be killed.
    pub fn kill_9(&mut self) -> Result<(), HarnessError> {
        self.process.kill_9()
    }

    /// SIGTERM, then waits for its graceful end.
    ///
    /// # Errors
    /// When it is not running or does not end.
    pub async fn terminate(&mut self) -> Result<ExitStatus, HarnessError> {
        self.process.terminate(STOP_DEADLINE).await
    }

    /// Waits until an armed crash point has ended it, and disarms it.
    ///
    /// # Errors
    /// When it is still running at the deadline: the point was not reached.
    pub async fn wait_for_crash(&mut self, deadline: Duration) -> Result<ExitStatus, HarnessError> {
        let ended = self.process.wait_for_end(deadline).await?;
        self.process.clear_env(CRASH_AT);
        Ok(ended)
    }

    /// Arms a crash point for the next start: `<name>:<n>`.
    pub fn arm(&mut self, point: &str) {
        self.process.set_env(CRASH_AT, point);
    }

    /// From the next start on the engine panics at this message: `<stream>:<sequence>`.
    pub fn poison(&mut self, message: &str) {
        self.process.set_env(PANIC_AT, message);
    }

    /// No crash point at the next start.
    pub fn disarm(&mut self) {
        self.process.clear_env(CRASH_AT);
    }

    /// Body of one of its pages: `/metrics`, `/live`, `/ready`.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn page(&self, path: &str) -> Result<(u16, String), HarnessError> {
        let doing = format!("asking the broker for {path}");
        http::get(self.http, path).await.map_err(HarnessError::io(doing))
    }

    /// The configuration it runs with.
    pub fn config(&self) -> &Config {
        &self.config
    }

    pub fn store_dir(&self) -> &Path {
        &self.config.store.dir
    }

    /// The numbers and partners it decides by: what replaying its log needs.
    ///
    /// # Errors
    /// When the partner directory cannot be read.
    pub fn policy(&self) -> Result<Policy, HarnessError> {
        let partners = load_partners(&self.config.partners_file)
            .map_err(HarnessError::decode("the partner directory"))?;
        Ok(self.config.core_policy(partners))
    }

    /// Opens the store again, as the next life of the broker would, and reads all of it.
    ///
    /// # Errors
    /// When the broker still has it open, or it refuses.
    pub fn open_store(&self) -> Result<StoreContents, HarnessError> {
        open_store(&self.config.store.dir)
    }
}

/// Opens a store as the next life of the broker would, reads all of it and closes it.
///
/// # Errors
/// When a broker has it open, or it refuses.
pub fn open_store(dir: &Path) -> Result<StoreContents, HarnessError> {
    let doing = |what: &str| HarnessError::store(format!("{what} {}", dir.display()));
    // Never used: a store that exists keeps the identity it was made with.
    let options = FjallOptions::standard(Incarnation(1));
    let store = FjallStore::open(dir, &options).map_err(doing("opening"))?;
    let contents = read_store(store.reader().as_ref()).map_err(doing("reading"))?;
    Box::new(store).close().map_err(doing("closing"))?;
    Ok(contents)
}

fn store_dir(scenario: &Scenario, dir: &Path) -> PathBuf {
    scenario.store_dir.clone().unwrap_or_else(|| dir.join("store"))
}

fn provider(scenario: &Scenario) -> ProviderId {
    scenario.sim.payment.provider.clone()
}

fn write_catalog(scenario: &Scenario, dir: &Path) -> Result<Option<PathBuf>, HarnessError> {
    if scenario.catalog.is_empty() {
        return Ok(None);
    }
    let mut text = Vec::new();
    for entry in &scenario.catalog {
        text.extend(schemas::json::encode(entry));
        text.push(b'\n');
    }
    let file = dir.join("catalog.jsonl");
    std::fs::write(&file, text).map_err(HarnessError::io("writing catalog.jsonl"))?;
    Ok(Some(file))
}
