//! `broker store`: what the broker remembers, checked, copied and brought back.

use std::path::{Path, PathBuf};
use std::time::Duration;

use async_nats::RequestErrorKind;
use clap::{Args, Subcommand};
use comfy_table::Cell;
use rand::TryRng;
use rand::rngs::SysRng;
use schemas::{json, subject};
use serde_json::{Value, json};

use super::config::ConfigArgs;
use super::connect::{Connect, Session};
use super::error::CliError;
use super::out::{self, Out};
use crate::backup::{self, BackupReply};
use crate::config::Config;
use crate::egress::session::TARGETS;
use crate::nats::streams;
use crate::storage::describe;
use crate::store::verify::{Report, read_all};
use crate::store::{Extent, FjallOptions, FjallStore, Incarnation, Meta, Store, StoreError};

/// Damages told one by one; more are only counted.
const DAMAGES_TOLD_MAX: usize = 50;
/// A backup of a large store takes minutes.
const BACKUP_TIMEOUT: Duration = Duration::from_secs(3600);
/// How often it is looked whether the server has complained.
const COMPLAINT_INTERVAL: Duration = Duration::from_millis(200);

#[derive(Debug, Subcommand)]
pub(super) enum StoreCommand {
    /// Where the store stands: commits, requests by status, outbox, streams. The broker must be
    /// stopped.
    Inspect(Offline),
    /// Checks every row, the whole audit chain, and that every request can be read. The broker
    /// must be stopped.
    Verify(Offline),
    /// Copies the store, checking every row on the way. Asks the serving broker if there is one;
    /// it writes into `store.backup_dir` of its own machine.
    Backup {
        /// An empty or missing directory, if the broker is stopped. Default: one named after the
        /// instant, in `store.backup_dir`.
        #[arg(long, value_name = "DIR")]
        to: Option<PathBuf>,
        #[command(flatten)]
        offline: Offline,
        #[command(flatten)]
        connect: Connect,
    },
    /// Makes the store anew from a backup, in the empty or missing directory `store.dir`. Refused
    /// when the streams show that the broker went on after the backup was made.
    Restore {
        /// The backup.
        #[arg(long, value_name = "DIR")]
        from: PathBuf,
        /// Restore although the broker went on after the backup, or although that cannot be found
        /// out. What it did since is forgotten and may be done again: books bought twice. Read
        /// ops/runbooks/backup.md first.
        #[arg(long)]
        accept_second_orders: bool,
        #[command(flatten)]
        offline: Offline,
        #[command(flatten)]
        connect: Connect,
    },
}

#[derive(Debug, Args)]
pub(super) struct Offline {
    #[command(flatten)]
    from: ConfigArgs,
    #[arg(long)]
    json: bool,
}

impl Offline {
    fn config(&self) -> anyhow::Result<Config> {
        Ok(self.from.load()?.config)
    }
}

impl StoreCommand {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Inspect(offline) => inspect(&offline),
            Self::Verify(offline) => verify(&offline),
            Self::Backup { to, offline, connect } => back_up(to, &offline, &connect).await,
            Self::Restore { from, accept_second_orders, offline, connect } => {
                let Restored { config, meta } = opened_backup(&from, &offline)?;
                if !accept_second_orders {
                    unchanged_since(&config, &meta, &connect).await?;
                }
                restore(&from, &config, offline.json)
            }
        }
    }
}

/// An existing store; never makes one.
fn open(dir: &Path) -> Result<FjallStore, CliError> {
    if !dir.join("db").is_dir() {
        return Err(CliError::NotFound {
            doing: format!("open the store in {}", dir.display()),
            what: "a store there".to_owned(),
            next: "store.dir of the configuration says where it is".to_owned(),
        });
    }
    // Never used: a store that exists keeps the identity it was made with.
    let options = FjallOptions::standard(Incarnation(0));
    FjallStore::open(dir, &options).map_err(|source| {
        let next = match source {
            StoreError::Locked { .. } => "; stop the broker, or look at a backup of it instead",
            _ => "",
        };
        CliError::Store { doing: format!("open the store in {}{next}", dir.display()), source }
    })
}

fn inspect(offline: &Offline) -> anyhow::Result<()> {
    let store = open(&offline.config()?.store.dir)?;
    let reader = store.reader();
    let meta = reader.meta()?;
    let mut damages = 0_usize;
    let report = read_all(reader.as_ref(), |_| damages += 1);
    Out::new(offline.json).show(&summary(&meta, &report), |_| sheet(&meta, &report))?;
    if damages > 0 {
        let what = format!("{damages} things cannot be read; `broker store verify` tells which");
        return Err(CliError::Findings(what).into());
    }
    Ok(())
}

fn summary(meta: &Meta, report: &Report) -> Value {
    let streams = meta.streams.iter().map(|mark| (mark.stream.to_string(), mark.sequence));
    let streams: std::collections::BTreeMap<_, _> = streams.collect();
    json!({
        "incarnation": meta.incarnation.to_string(), "commits": report.commits,
        "last_at": meta.last_at, "requests": report.requests, "active": report.active,
        "outbox_last": meta.outbox_last.0, "outbox_sent": meta.outbox_sent.0,
        "outbox_kept": report.outbox_rows, "streams": streams,
    })
}

fn sheet(meta: &Meta, report: &Report) -> String {
    let unsent = meta.outbox_last.0.saturating_sub(meta.outbox_sent.0);
    let mut rows = vec![
        ("incarnation", Cell::new(meta.incarnation)),
        ("commits", Cell::new(report.commits)),
        ("last at", Cell::new(meta.last_at)),
        ("active", Cell::new(report.active)),
        ("outbox", Cell::new(format!("{} rows, {unsent} not published", report.outbox_rows))),
    ];
    for (status, count) in &report.requests {
        rows.push((status, Cell::new(count)));
    }
    for mark in &meta.streams {
        rows.push((mark.stream.as_str(), Cell::new(format!("known to {}", mark.sequence))));
    }
    out::sheet(rows)
}

fn verify(offline: &Offline) -> anyhow::Result<()> {
    let dir = offline.config()?.store.dir;
    let store = open(&dir)?;
    let (mut told, mut count) = (Vec::new(), 0_usize);
    let mut damaged = |error: StoreError| {
        count += 1;
        if told.len() < DAMAGES_TOLD_MAX {
            told.push(describe(&error));
        }
    };
    let extent = store.copier().check_rows(&mut damaged)?;
    let report = read_all(store.reader().as_ref(), &mut damaged);
    let Extent { rows, bytes, .. } = extent;
    let requests: u64 = report.requests.values().sum();
    let all = json!({
        "rows": rows, "bytes": bytes, "commits": report.commits, "requests": requests,
        "damages": count, "told": told,
    });
    Out::new(offline.json).show(&all, |_| {
        let mut text = told.iter().map(|damage| format!("{damage}\n")).collect::<String>();
        let read = out::bytes(bytes);
        let commits = report.commits;
        text.push_str(&format!("{rows} rows, {read}, {commits} commits, {requests} requests read"));
        text
    })?;
    if count == 0 {
        return Ok(());
    }
    let what =
        format!("{count} damages in {}; the runbook of the store tells what next", dir.display());
    Err(CliError::Findings(what).into())
}

async fn back_up(to: Option<PathBuf>, offline: &Offline, connect: &Connect) -> anyhow::Result<()> {
    let config = offline.config()?;
    let dir = &config.store.dir;
    let reply = match open(dir) {
        Err(CliError::Store { source: StoreError::Locked { .. }, .. }) => {
            if to.is_some() {
                let why = "a broker serves this store, and writes backups only into its own \
                           store.backup_dir: leave --to away, or stop it";
                return Err(CliError::Usage(why.to_owned()).into());
            }
            let nats = connect.over(config.nats.clone());
            ask_for_backup(&connect.session_with(nats, offline.json).await?).await?
        }
        store => {
            let copier = store?.copier();
            let (path, extent) = match (to, &config.store.backup_dir) {
                (Some(to), _) => (to.clone(), backup::copy(&copier, &to, None)?),
                (None, Some(into)) => backup::make(&copier, into)?,
                (None, None) => {
                    let why = "say where to: --to DIR, or store.backup_dir in the configuration";
                    return Err(CliError::Usage(why.to_owned()).into());
                }
            };
            let Extent { rows, bytes, commit, .. } = extent;
            BackupReply::Done { path, commit: commit.0, rows, bytes }
        }
    };
    match &reply {
        BackupReply::Done { path, commit, rows, bytes } => {
            Ok(Out::new(offline.json).show(&reply, |_| {
                let (path, bytes) = (path.display(), out::bytes(*bytes));
                format!("{path}: up to commit {commit}, {rows} rows, {bytes}")
            })?)
        }
        BackupReply::Failed { detail } => anyhow::bail!("the broker made no backup: {detail}"),
    }
}

async fn ask_for_backup(session: &Session) -> Result<BackupReply, CliError> {
    let silent = |why: String, next: String| CliError::Silent {
        doing: "back up the store of the serving broker".to_owned(),
        why,
        said: session.said.words(),
        next,
    };
    let right = format!("this login needs the right to publish on {}", subject::admin_backup());
    let request = async_nats::Request::new().timeout(Some(BACKUP_TIMEOUT));
    let reply = tokio::select! {
        reply = session.client.send_request(subject::admin_backup(), request) => reply,
        () = complaint(session) => return Err(silent("the server refuses".to_owned(), right)),
    };
    let reply = reply.map_err(|error| {
        let next = match error.kind() {
            RequestErrorKind::NoResponders => {
                "no broker on this server makes backups: it needs store.backup_dir in its \
                 configuration, and the right to subscribe"
            }
            _ => "it may be copying still: the broker's log tells how that ends",
        };
        silent(error.to_string(), next.to_owned())
    })?;
    json::decode(&reply.payload, usize::MAX)
        .map_err(|e| session.failed("read the broker's answer about the backup", e))
}

/// To a request that is not allowed no answer ever comes; the server only says so.
async fn complaint(session: &Session) {
    while session.said.words().is_empty() {
        tokio::time::sleep(COMPLAINT_INTERVAL).await;
    }
}

struct Restored {
    config: Config,
    meta: Meta,
}

/// The backup is read whole before anything is made of it.
fn opened_backup(from: &Path, offline: &Offline) -> anyhow::Result<Restored> {
    let config = offline.config()?;
    let store = open(from)?;
    let mut first = None;
    let mut damaged = |error| {
        first.get_or_insert(error);
    };
    store.copier().check_rows(&mut damaged)?;
    read_all(store.reader().as_ref(), &mut damaged);
    match first {
        Some(error) => Err(CliError::Findings(format!(
            "the backup {} is damaged: {}; use another one",
            from.display(),
            describe(&error)
        ))
        .into()),
        None => Ok(Restored { config, meta: store.reader().meta()? }),
    }
}

/// A broker that went on has bought books that the backup knows nothing of.
async fn unchanged_since(config: &Config, meta: &Meta, connect: &Connect) -> anyhow::Result<()> {
    let session = connect.session_with(connect.over(config.nats.clone()), false).await?;
    let mut later = Vec::new();
    // Only the broker's outbox writes to these; what others sent since waits for it.
    for name in TARGETS {
        let mark = meta.stream(name);
        let found = match session.jetstream().get_stream(name).await {
            Ok(found) => found,
            Err(error) if streams::is_missing(&error) => {
                // What it held cannot be found out. A broker that never met it left nothing there.
                later.extend(mark.map(|_| format!("{name} is gone")));
                continue;
            }
            Err(error) => {
                let doing = format!("look at stream {name} for what came after the backup");
                return Err(session.failed(doing, error).into());
            }
        };
        let info = found.cached_info();
        let (known, last) = (mark.map_or(0, |mark| mark.sequence), info.state.last_sequence);
        if mark.is_some_and(|mark| mark.created_unix_ns != info.created.unix_timestamp_nanos()) {
            later.push(format!("{name} was made anew"));
        } else if last > known {
            later.push(format!("{name} has {} more", last - known));
        } else if last < known {
            later.push(format!("{name} lost its last {}", known - last));
        }
    }
    if later.is_empty() {
        return Ok(());
    }
    let what = format!(
        "nothing was restored: the broker went on after the backup, or that cannot be found out \
         ({}). What it did since would be forgotten and perhaps done again; read \
         ops/runbooks/backup.md, and then either use a newer backup or give --accept-second-orders",
        later.join(", ")
    );
    Err(CliError::Findings(what).into())
}

fn restore(from: &Path, config: &Config, json: bool) -> anyhow::Result<()> {
    let store = open(from)?;
    let mut random = [0; 8];
    SysRng
        .try_fill_bytes(&mut random)
        .map_err(|e| anyhow::anyhow!("the operating system gives no random bytes: {e}"))?;
    let fresh = Incarnation(u64::from_le_bytes(random));
    let dir = &config.store.dir;
    let extent = backup::copy(&store.copier(), dir, Some(fresh)).map_err(|source| {
        CliError::Store { doing: format!("restore into {}", dir.display()), source }
    })?;
    let done = json!({ "dir": dir, "commit": extent.commit.0, "rows": extent.rows });
    Ok(Out::new(json).show(&done, |_| {
        let (dir, commit) = (dir.display(), extent.commit.0);
        format!("{dir} holds the store up to commit {commit}, under a new incarnation")
    })?)
}
