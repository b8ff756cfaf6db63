//! Start, from the store outwards.

use std::path::Path;
use std::sync::Arc;

use async_nats::jetstream;
use broker_core::Engine;
use broker_core::engine::EngineConfig;
use broker_core::engine::ranking::RankingStart;
use broker_core::engine::ranking::snapshot::Snapshot;
use broker_core::horizon::Horizon;
use broker_core::partner::Partners;
use rand::TryRng;
use rand::rngs::SysRng;
use tokio::sync::{mpsc, oneshot, watch};

use super::parts::Running;
use super::{Base, ServeError, token_key};
use crate::answers::Answers;
use crate::clock::Clock;
use crate::config::Config;
use crate::driver::Driver;
use crate::egress::feed::{Feed, feed};
use crate::egress::{self, Egress, Flush, session};
use crate::http::Pages;
use crate::ingress::decode::Decoder;
use crate::ingress::give_up::GiveUp;
use crate::ingress::{Ingress, sources};
use crate::mailbox::{Intake, Mailbox, Results, mailbox};
use crate::nats::connect::{Connection, connect};
use crate::nats::streams;
use crate::ports::ShellPorts;
use crate::positions::Positions;
use crate::quarantine::Quarantine;
use crate::questions::asked::Asked;
use crate::questions::listen::{self, Listener};
use crate::questions::send::{QUEUE_MESSAGES_MAX, Sender};
use crate::service::room::Room;
use crate::service::{self, Calls};
use crate::storage::{Storage, describe, recover};
use crate::store::rollback;
use crate::store::{
    Fatal, FjallCopier, FjallOptions, FjallStore, Incarnation, Meta, Store, StoreError,
};
use crate::traces::{Sampling, Traces};
use crate::waiters::Waiters;
use crate::wire::WireContext;
use crate::{backup, directory, disk, housekeeping, metrics};

pub(super) async fn start(
    config: &Config,
    fatal: Fatal,
    base: &Base,
) -> Result<Running, ServeError> {
    let (clock, health) = (base.clock.clone(), Arc::clone(&base.health));
    let partners = directory::load_partners(&config.partners_file)?;
    let catalog = directory::load_catalog(config.catalog_file.as_deref())?;

    // The store: what was known before this start.
    let (mailbox, intake, results) = mailbox(config.limits.intake_max);
    let (storage, meta, feed, copier) = open_store(config, &results, fatal).await?;
    clock.not_before(meta.last_at);

    // The server: streams exist before anybody reads or writes them.
    let connection = connect(&config.nats, &config.limits).await?;
    health.connected_by(connection.clone());
    let jetstream = jetstream::new(connection.client.clone());
    streams::ensure_all(&jetstream, &connection.client, &config.streams.specs()).await?;
    refuse_older(config, &storage, &meta, &jetstream).await?;

    let decoder = Arc::new(Decoder {
        catalog,
        partners: partners.clone(),
        horizon: Horizon::of(&config.core_policy(partners.clone())),
        provider: config.payment_provider.clone(),
        clock: clock.clone(),
        sampling: Sampling::of(&config.traces),
    });
    let shell = Shell {
        config,
        clock,
        partners,
        connection,
        storage,
        intake,
        results,
        waiters: Arc::new(Waiters::default()),
        decoder,
        positions: Positions::default(),
        traces: Traces::start(&config.traces).map_err(ServeError::Traces)?,
        quarantine: Quarantine::load(&config.store.dir)
            .map_err(|source| ServeError::Quarantine { dir: config.store.dir.clone(), source })?,
        stopped: base.stopped.clone(),
    };
    let mut running = shell.run(mailbox, feed, meta, jetstream).await?;
    let backups =
        backup::listen(&running.connection.client, &config.store, &config.limits, copier).await?;
    running.others.extend(backups);
    Ok(running)
}

/// Before anything is decided: a store that is not the latest state of its life must not go on.
async fn refuse_older(
    config: &Config,
    storage: &Storage,
    meta: &Meta,
    jetstream: &jetstream::Context,
) -> Result<(), ServeError> {
    let words = session::last_words(jetstream).await?;
    let (reader, meta) = (storage.reader(), meta.clone());
    let checked = blocking(move || rollback::check(reader.as_ref(), &meta, &words)).await;
    checked.map_err(|source| ServeError::Open { dir: config.store.dir.clone(), source })
}

pub(super) async fn start_pages(config: &Config, base: &Base) -> Result<(), ServeError> {
    let prometheus = metrics::install().map_err(|error| ServeError::Metrics(error.to_string()))?;
    tokio::spawn(metrics::count_samples(prometheus.clone(), base.stopped.clone()));
    let Some(bind) = config.http_bind else {
        return Ok(());
    };
    let pages = Pages::new(prometheus, base.clock.clone(), Arc::clone(&base.health));
    let address = pages
        .start(bind, base.stopped.clone())
        .await
        .map_err(|source| ServeError::Http { bind, source })?;
    tracing::info!(%address, "serving /live, /ready and /metrics");
    Ok(())
}

async fn open_store(
    config: &Config,
    results: &Results,
    fatal: Fatal,
) -> Result<(Arc<Storage>, Meta, Feed, FjallCopier), ServeError> {
    let options = FjallOptions::standard(Incarnation(u64::from_le_bytes(random()?)));
    let dir = config.store.dir.clone();
    let opened = blocking(move || open(&dir, &options)).await;
    let (store, meta, copier) =
        opened.map_err(|source| ServeError::Open { dir: config.store.dir.clone(), source })?;
    tracing::info!(
        incarnation = %meta.incarnation, commits = meta.last_commit.0,
        outbox = meta.outbox_last.0, sent = meta.outbox_sent.0, "store open"
    );
    let (outlet, feed) = feed(meta.outbox_last.0);
    let threads = config.limits.reader_threads;
    let storage = Storage::start(store, threads, results, fatal, move |rows| outlet.push(rows))
        .map_err(|source| ServeError::Thread { source })?;
    Ok((Arc::new(storage), meta, feed, copier))
}

type Opened = (Box<dyn Store>, Meta, FjallCopier);

fn open(dir: &Path, options: &FjallOptions) -> Result<Opened, StoreError> {
    if FjallStore::is_backup(dir) {
        return Err(StoreError::Backup { path: dir.to_owned() });
    }
    let store = FjallStore::open(dir, options)?;
    let meta = store.reader().meta()?;
    let copier = store.copier();
    Ok((Box::new(store), meta, copier))
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(value) => value,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            // The runtime is going away, and this task with it.
            Err(_cancelled) => std::future::pending().await,
        },
    }
}

/// Everything that the parts share while they are started.
struct Shell<'a> {
    config: &'a Config,
    clock: Clock,
    partners: Partners,
    connection: Connection,
    storage: Arc<Storage>,
    intake: Intake,
    results: Results,
    waiters: Arc<Waiters>,
    decoder: Arc<Decoder>,
    positions: Positions,
    quarantine: Quarantine,
    traces: Traces,
    stopped: watch::Receiver<bool>,
}

impl Shell<'_> {
    async fn run(
        self,
        mailbox: Mailbox,
        feed: Feed,
        meta: Meta,
        jetstream: jetstream::Context,
    ) -> Result<Running, ServeError> {
        let asked = Arc::new(Asked::new(self.partners.len()));
        let quotes = listen::subscribe(&self.connection.client).await?;
        let (questions, to_ask) = mpsc::channel(QUEUE_MESSAGES_MAX);
        let (said, answers) = mpsc::unbounded_channel();
        let ports = ShellPorts {
            storage: Arc::clone(&self.storage),
            questions,
            answers: said,
            clock: self.clock.clone(),
            calls: metrics::calls::Calls::of(&self.partners),
            partners: self.partners.clone(),
            shown: None,
            traces: self.traces.clone(),
        };
        let reader = self.storage.reader();
        let ranking = blocking(move || reader.ranking()).await;
        let ranking = ranking.map_err(|source| ServeError::Read { source })?;
        let engine = self.start_engine(mailbox, ports, ranking)?;
        self.recover().await?;
        let (flush, egress) = self.start_egress(feed, meta);
        let give_up = GiveUp { storage: Arc::clone(&self.storage) };
        let answers = tokio::spawn(
            Answers {
                waiters: Arc::clone(&self.waiters),
                give_up: give_up.clone(),
                traces: self.traces.clone(),
                clock: self.clock.clone(),
                redelivery_delay: self.config.limits.redelivery_delay_ms.into(),
            }
            .run(answers),
        );
        let mut others =
            vec![self.start_sender(&asked, to_ask), self.start_listener(asked, quotes)];
        others.extend(self.start_ingress(jetstream, give_up));
        let tidying = housekeeping::run(self.connection.clone(), self.stopped.clone());
        others.push(tokio::spawn(tidying));
        let room = disk::watch(self.config.store.dir.clone(), self.stopped.clone());
        others.push(tokio::spawn(room));
        let (service, endpoints) = service::start(&self.connection.client, &self.calls()).await?;
        others.extend(endpoints);
        Ok(Running {
            connection: self.connection,
            storage: self.storage,
            traces: self.traces,
            waiters: self.waiters,
            results: self.results,
            engine,
            answers,
            egress,
            flush: Some(flush),
            others,
            service: Some(service),
        })
    }

    fn start_engine(
        &self,
        mailbox: Mailbox,
        ports: ShellPorts,
        snapshot: Option<Snapshot>,
    ) -> Result<oneshot::Receiver<()>, ServeError> {
        let policy = self.config.core_policy(self.partners.clone());
        let dir = &self.config.store.dir;
        let token_key = token_key::load_or_keep(dir, random()?)
            .map_err(|source| ServeError::TokenKey { dir: dir.clone(), source })?;
        let engine_config = EngineConfig {
            policy,
            boot_epoch: u32::from_le_bytes(random()?),
            token_key,
            hot_max: self.config.limits.hot_requests_max,
            ranking: RankingStart { seed: u64::from_le_bytes(random()?), snapshot },
        };
        let engine = Engine::new(engine_config, self.clock.now());
        let driver =
            Driver::new(engine, self.clock.clone(), ports, mailbox, self.quarantine.clone());
        let (ended, engine_ended) = oneshot::channel();
        let thread = std::thread::Builder::new().name("engine".to_owned());
        let run = move || {
            drop(driver.run());
            // Also when it panics: then the sender is dropped unused.
            let _ = ended.send(());
        };
        thread.spawn(run).map_err(|source| ServeError::Thread { source })?;
        Ok(engine_ended)
    }

    /// Every request that was active goes on.
    async fn recover(&self) -> Result<(), ServeError> {
        let reader = self.storage.reader();
        let results = self.results.clone();
        let recovered =
            blocking(move || recover(reader.as_ref(), |input| results.send(input))).await;
        let requests = recovered.map_err(|source| ServeError::Read { source })?;
        tracing::info!(requests, "recovering active requests");
        Ok(())
    }

    fn start_egress(
        &self,
        feed: Feed,
        meta: Meta,
    ) -> (oneshot::Sender<()>, tokio::task::JoinHandle<()>) {
        let egress = Egress {
            connection: self.connection.clone(),
            storage: Arc::clone(&self.storage),
            intake: self.intake.clone(),
            read: self.positions.clone(),
            clock: self.clock.clone(),
            context: WireContext {
                incarnation: meta.incarnation,
                provider: self.config.payment_provider.clone(),
            },
            limits: self.config.limits,
            streams: self.config.streams.specs(),
            monitoring_url: self.config.nats.monitoring_url.clone(),
            traces: self.traces.clone(),
        };
        let (flush, flushed) = oneshot::channel();
        let task = tokio::spawn(async move {
            if let Err(error) = egress::run(egress, feed, &meta, Flush(flushed)).await {
                tracing::error!(error = describe(&error), "egress cannot work");
            }
        });
        (flush, task)
    }

    fn start_sender(
        &self,
        asked: &Arc<Asked>,
        to_ask: mpsc::Receiver<crate::questions::send::Ask>,
    ) -> tokio::task::JoinHandle<()> {
        let sender = Sender {
            connection: self.connection.clone(),
            partners: self.partners.clone(),
            asked: Arc::clone(asked),
            intake: self.intake.clone(),
        };
        tokio::spawn(sender.run(to_ask))
    }

    fn start_listener(
        &self,
        asked: Arc<Asked>,
        quotes: async_nats::Subscriber,
    ) -> tokio::task::JoinHandle<()> {
        let listener =
            Listener { partners: self.partners.clone(), asked, intake: self.intake.clone() };
        tokio::spawn(listener.run(quotes))
    }

    fn start_ingress(
        &self,
        jetstream: jetstream::Context,
        give_up: GiveUp,
    ) -> Vec<tokio::task::JoinHandle<()>> {
        let ingress = Ingress {
            connection: self.connection.clone(),
            jetstream,
            intake: self.intake.clone(),
            waiters: Arc::clone(&self.waiters),
            decoder: Arc::clone(&self.decoder),
            give_up,
            positions: self.positions.clone(),
            quarantine: self.quarantine.clone(),
            traces: self.traces.clone(),
            stop: self.stopped.clone(),
        };
        let run = |(source, spec)| tokio::spawn(ingress.clone().run(source, spec));
        sources().into_iter().map(run).collect()
    }

    fn calls(&self) -> Calls {
        Calls {
            intake: self.intake.clone(),
            waiters: Arc::clone(&self.waiters),
            decoder: Arc::clone(&self.decoder),
            storage: Arc::clone(&self.storage),
            jetstream: jetstream::new(self.connection.client.clone()),
            room: Room::new(self.config.limits.service_in_flight_max),
            stop: self.stopped.clone(),
        }
    }
}

fn random<const N: usize>() -> Result<[u8; N], ServeError> {
    let mut bytes = [0; N];
    SysRng.try_fill_bytes(&mut bytes).map_err(|error| ServeError::Random(error.to_string()))?;
    Ok(bytes)
}
