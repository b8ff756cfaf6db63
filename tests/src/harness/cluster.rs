//! Everything running together, and everything that can be done to it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use async_nats::{Client, ConnectOptions};
use schemas::event::Notification;
use schemas::stream::name;
use schemas::{CustomerId, RequestId, json};
use tempfile::TempDir;

use super::archive::Archive;
use super::doors::Doors;
use super::{
    Broker, FaultProxy, HarnessError, HttpRequester, PartnerSim, Programs, Proxies, Requester,
    Scenario, StreamTail, SubLedger, Tap, now, tap, wait,
};
use crate::auditor::{Disturbance, Trouble};
use crate::nats_server::NatsServer;

/// A server that vanished is noticed within three of these.
const PING_INTERVAL: Duration = Duration::from_secs(2);

/// Most messages of one stream that a killed server may number anew: far more than it buffers.
const RENUMBERED_MESSAGES_MAX: u64 = 5_000;

/// nats-server, partners, broker and our own ears, on one directory. Dropping it ends them all.
#[derive(Debug)]
pub struct Cluster {
    // Dropped in this order: whoever writes goes before what it writes to.
    pub broker: Broker,
    pub partners: PartnerSim,
    pub tap: Tap,
    nats: NatsServer,
    client: Client,
    ledger: SubLedger,
    notifications: StreamTail,
    proxies: Option<Proxies>,
    archive: Option<Archive>,
    disturbances: Vec<Disturbance>,
    quotes_unheard: bool,
    down: Option<schemas::Timestamp>,
    home: Home,
}

#[derive(Debug)]
enum Home {
    Temporary(TempDir),
    Kept(PathBuf),
}

impl Home {
    fn path(&self) -> &Path {
        match self {
            Self::Temporary(dir) => dir.path(),
            Self::Kept(dir) => dir,
        }
    }
}

impl Cluster {
    /// Starts everything in a temporary directory and returns once the broker is ready.
    ///
    /// # Errors
    /// When one of the processes cannot be started or does not get ready; its log is in the
    /// message.
    pub async fn start(programs: Programs, scenario: Scenario) -> Result<Self, HarnessError> {
        let mut cluster = Self::prepare(programs, scenario, None).await?;
        cluster.broker.start().await?;
        Ok(cluster)
    }

    /// Starts everything but the broker, in the empty directory `keep` if that is given.
    ///
    /// # Errors
    /// As [`Cluster::start`], and when `keep` is not empty.
    pub async fn prepare(
        programs: Programs,
        mut scenario: Scenario,
        keep: Option<PathBuf>,
    ) -> Result<Self, HarnessError> {
        let home = open_home(keep)?;
        if let Home::Kept(dir) = &home {
            scenario.nats.store_dir.get_or_insert_with(|| dir.join("jetstream"));
        }
        let options = scenario.nats.clone();
        let started = tokio::task::spawn_blocking(move || NatsServer::start(options)).await;
        let nats = started.map_err(HarnessError::nats("starting nats-server"))??;
        let client = connect(&nats.url(), "test-harness").await?;
        let heard = match (scenario.unheard, scenario.quotes_unheard) {
            (true, _) => tap::NOTHING,
            (false, true) => tap::BUT_QUOTES,
            (false, false) => tap::EVERYTHING,
        };
        let tap = Tap::start(connect(&nats.url(), "test-tap").await?, heard).await?;
        let dir = home.path();
        let doors = Doors::prepare(&mut scenario, dir)?;
        let sim = scenario.sim.clone();
        let proxies =
            if scenario.proxied { Some(Proxies::start(nats.port()).await?) } else { None };
        let through = |proxy: fn(&Proxies) -> &FaultProxy| {
            proxies.as_ref().map_or_else(|| nats.url(), |proxies| proxy(proxies).url())
        };
        let (program, url) = (programs.partner_sim, through(|proxies| &proxies.partners));
        let mut partners = PartnerSim::prepare(program, sim, &url, client.clone(), dir)?;
        if let Some(ledger) = &scenario.ledger {
            partners.remember(ledger)?;
        }
        if let Some(filter) = &scenario.log_filter {
            partners.process.set_env("RUST_LOG", filter);
        }
        partners.start().await?;
        let directory = partners.directory_file();
        let server = (&nats, through(|proxies| &proxies.broker));
        let broker = Broker::prepare(programs.broker, &scenario, doors, server, directory, dir)?;
        Ok(Self {
            broker,
            partners,
            tap,
            notifications: StreamTail::new(&client, name::NOTIFICATIONS),
            nats,
            proxies,
            archive: None,
            client,
            ledger: SubLedger::default(),
            disturbances: Vec::new(),
            quotes_unheard: scenario.quotes_unheard,
            down: None,
            home,
        })
    }

    /// A customer; every command is written into the ledger of this cluster.
    pub fn requester(&self, customer: &str) -> Requester {
        let customer = CustomerId::parse(customer).expect("a test uses valid customer ids");
        Requester::new(self.client.clone(), customer, self.ledger.clone())
    }

    /// A customer at the HTTP door.
    ///
    /// # Errors
    /// There is no door, or no token for this customer.
    pub fn http_requester(&self, customer: &str) -> Result<HttpRequester, HarnessError> {
        let customer = CustomerId::parse(customer).expect("a test uses valid customer ids");
        let missing = || HarnessError::nats("finding the HTTP door")("the scenario has none");
        let gateway = self.broker.gateway.as_ref().ok_or_else(missing)?;
        HttpRequester::new(gateway, customer, self.ledger.clone())
    }

    /// What customers sent and were told so far.
    pub fn ledger(&self) -> &SubLedger {
        &self.ledger
    }

    /// A connection for whatever else a test wants to do.
    pub fn client(&self) -> &Client {
        &self.client
    }

    pub fn nats(&self) -> &NatsServer {
        &self.nats
    }

    /// What lies between the server and its clients, in a scenario that is `proxied`.
    pub fn proxies(&self) -> Option<&Proxies> {
        self.proxies.as_ref()
    }

    /// From now on the streams are read as they grow: what a long run purges is kept for the
    /// auditor, and the tap need not remember it.
    pub fn keep_streams(&mut self) {
        self.tap.only_outside_streams();
        self.archive = Some(Archive::start(&self.client));
    }

    /// Nobody listened to live quotes.
    pub(super) fn quotes_unheard(&self) -> bool {
        self.quotes_unheard
    }

    pub(super) fn archive(&self) -> Option<&Archive> {
        self.archive.as_ref()
    }

    /// Something was out of order from then until now.
    pub fn disturbed(&mut self, what: Trouble, from: schemas::Timestamp) {
        self.disturbances.push(Disturbance { what, from, until: now() });
    }

    /// Where files, logs and the store of the broker are.
    pub fn dir(&self) -> &Path {
        self.home.path()
    }

    /// Starts the broker again after [`Broker::kill_9`], a crash or a graceful stop.
    ///
    /// # Errors
    /// When it does not get ready.
    pub async fn restart_broker(&mut self) -> Result<(), HarnessError> {
        self.broker.process.kill_9()?;
        self.broker.start().await
    }

    /// Ends nats-server as a crash does.
    ///
    /// # Errors
    /// When it cannot be killed.
    pub fn kill_nats(&mut self) -> Result<(), HarnessError> {
        self.down = Some(now());
        Ok(self.nats.kill_9()?)
    }

    /// Ends nats-server as an operator does.
    ///
    /// # Errors
    /// When it does not end.
    pub fn stop_nats(&mut self) -> Result<(), HarnessError> {
        self.down = Some(now());
        Ok(self.nats.stop_gracefully()?)
    }

    /// Freezes nats-server: connections stay open and nobody answers.
    ///
    /// # Errors
    /// When it is not running.
    pub fn pause_nats(&mut self) -> Result<(), HarnessError> {
        self.down = Some(now());
        Ok(self.nats.pause()?)
    }

    /// # Errors
    /// When it is not running.
    pub fn resume_nats(&mut self) -> Result<(), HarnessError> {
        self.nats.resume()?;
        self.note_disturbance();
        Ok(())
    }

    /// Starts a killed or stopped nats-server again and returns once our own connection is back.
    ///
    /// # Errors
    /// When it was not stopped, or does not come up.
    pub async fn restart_nats(&mut self) -> Result<(), HarnessError> {
        self.nats.restart()?;
        let client = self.client.clone();
        wait::until("we are connected to nats-server again", Duration::from_secs(30), async || {
            Ok(client.flush().await.is_ok().then_some(()))
        })
        .await?;
        self.streams_may_be_shorter(RENUMBERED_MESSAGES_MAX).await;
        self.note_disturbance();
        Ok(())
    }

    /// The server may have lost the last so many messages of its streams: what comes in their
    /// place is not overlooked.
    pub async fn streams_may_be_shorter(&self, messages: u64) {
        if let Some(archive) = &self.archive {
            archive.go_back(messages, self.tap.heard_lately()).await;
        }
    }

    /// The first notification of `request` that `wanted` accepts, waited for.
    ///
    /// # Errors
    /// When there is none until the deadline, or one cannot be read.
    pub async fn notification(
        &mut self,
        request: RequestId,
        what: &str,
        deadline: Duration,
        wanted: impl Fn(&Notification) -> bool,
    ) -> Result<Notification, HarnessError> {
        let what = format!("request {request} is notified: {what}");
        let tail = &mut self.notifications;
        let found = wait::until(what, deadline, async || {
            tail.poll().await?;
            let mut known = notifications(tail)?.into_iter();
            Ok(known.find(|notice| notice.request_id == request && wanted(notice)))
        });
        let found = found.await;
        self.explain(found)
    }

    /// The first notification of `request`: its outcome.
    ///
    /// # Errors
    /// As [`Cluster::notification`].
    pub async fn outcome(
        &mut self,
        request: RequestId,
        deadline: Duration,
    ) -> Result<Notification, HarnessError> {
        self.notification(request, "any outcome", deadline, |_| true).await
    }

    /// Every notification published so far, in order, copies included.
    ///
    /// # Errors
    /// When the stream cannot be read.
    pub async fn notifications(&mut self) -> Result<Vec<Notification>, HarnessError> {
        self.notifications.poll().await?;
        notifications(&self.notifications)
    }

    /// A time-out is told with the broker's last words, and an unasked end instead of it.
    pub(super) fn explain<T>(
        &mut self,
        result: Result<T, HarnessError>,
    ) -> Result<T, HarnessError> {
        let Err(HarnessError::TimedOut { what, after }) = result else { return result };
        self.broker.process.check_alive()?;
        self.partners.process.check_alive()?;
        let what =
            format!("{what}; the log of the broker ends:\n{}", self.broker.process.log_tail());
        Err(HarnessError::TimedOut { what, after })
    }

    /// When something could not be relied on.
    pub(super) fn disturbances(&self) -> Vec<Disturbance> {
        let gone = |what, outages: Vec<_>| {
            outages.into_iter().map(move |(from, until)| Disturbance { what, from, until })
        };
        let broker = gone(Trouble::BrokerDown, self.broker.process.outages());
        let stores = gone(Trouble::Parties, self.partners.process.outages());
        self.disturbances.iter().copied().chain(broker).chain(stores).collect()
    }

    fn note_disturbance(&mut self) {
        if let Some(from) = self.down.take() {
            self.disturbances.push(Disturbance { what: Trouble::Server, from, until: now() });
        }
    }
}

fn notifications(tail: &StreamTail) -> Result<Vec<Notification>, HarnessError> {
    tail.seen()
        .iter()
        .map(|seen| {
            json::decode(&seen.body, usize::MAX)
                .map_err(HarnessError::decode(format!("a notification on {}", seen.subject)))
        })
        .collect()
}

fn open_home(keep: Option<PathBuf>) -> Result<Home, HarnessError> {
    match keep {
        None => {
            let dir = TempDir::with_prefix("book-broker-");
            Ok(Home::Temporary(dir.map_err(HarnessError::io("making a temporary directory"))?))
        }
        Some(dir) => {
            std::fs::create_dir_all(&dir)
                .map_err(HarnessError::io(format!("making {}", dir.display())))?;
            let mut entries = std::fs::read_dir(&dir)
                .map_err(HarnessError::io(format!("reading {}", dir.display())))?;
            if entries.next().is_some() {
                return Err(HarnessError::NotEmpty { dir });
            }
            Ok(Home::Kept(dir))
        }
    }
}

async fn connect(url: &str, name: &str) -> Result<Client, HarnessError> {
    ConnectOptions::new()
        .name(name)
        .ping_interval(PING_INTERVAL)
        .connect(url)
        .await
        .map_err(HarnessError::nats(format!("connecting to {url}")))
}
