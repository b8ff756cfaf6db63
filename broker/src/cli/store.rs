//! `broker store`: what the broker remembers, checked, copied and brought back.

use std::path::{Path, PathBuf};
use std::time::Duration;

use async_nats::RequestErrorKind;
use bytes::Bytes;
use clap::{Args, Subcommand};
use comfy_table::Cell;
use schemas::subject::AdminOperation;
use schemas::{json, subject};
use serde_json::{Value, json};

use super::config::ConfigArgs;
use super::connect::{Connect, Session};
use super::error::CliError;
use super::out::{self, Out};
use crate::backup::{self, BackupReply};
use crate::config::Config;
use crate::service;
use crate::storage::describe;
use crate::store::verify::{Report, read_all};
use crate::store::{Copying, Extent, FjallOptions, FjallStore, Meta, Store, StoreError};

mod restore;

/// Damages told one by one; more are only counted.
const DAMAGES_TOLD_MAX: usize = 50;
/// A backup of a large store takes minutes.
const BACKUP_TIMEOUT: Duration = Duration::from_secs(3600);
/// How often it is looked whether the broker is still there.
const PRESENCE_INTERVAL: Duration = Duration::from_secs(2);
/// How often it is looked whether the server has complained.
const COMPLAINT_INTERVAL: Duration = Duration::from_millis(200);

#[derive(Debug, Subcommand)]
pub(super) enum StoreCommand {
    /// Where the store stands: commits, requests by status, outbox, streams. The broker must be
    /// stopped.
    Inspect(Files),
    /// Checks every row, the whole audit chain, and that every request can be read. The broker
    /// must be stopped.
    Verify(Files),
    /// Copies the store, checking every row on the way. The serving broker does it, into
    /// `store.backup_dir` of its own machine.
    Backup {
        /// The broker is stopped: this command copies by itself, from `store.dir`.
        #[arg(long)]
        offline: bool,
        /// An empty or missing directory. Default: one named after the instant, in
        /// `store.backup_dir`.
        #[arg(long, value_name = "DIR", requires = "offline")]
        to: Option<PathBuf>,
        #[command(flatten)]
        files: Files,
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
        /// out. What it did since is forgotten and could be done again: books bought twice. So
        /// every open request is frozen until `broker incidents release`. Read
        /// ops/runbooks/backup.md first.
        #[arg(long)]
        accept_second_orders: bool,
        #[command(flatten)]
        files: Files,
        #[command(flatten)]
        connect: Connect,
    },
}

#[derive(Debug, Args)]
pub(super) struct Files {
    #[command(flatten)]
    from: ConfigArgs,
    #[arg(long)]
    json: bool,
}

impl Files {
    fn config(&self) -> anyhow::Result<Config> {
        Ok(self.from.load()?.config)
    }
}

impl StoreCommand {
    pub(super) async fn run(self) -> anyhow::Result<()> {
        match self {
            Self::Inspect(files) => inspect(&files),
            Self::Verify(files) => verify(&files),
            Self::Backup { offline: true, to, files, .. } => back_up_here(to, &files),
            Self::Backup { offline: false, files, connect, .. } => {
                back_up_there(&files, &connect).await
            }
            Self::Restore { from, accept_second_orders, files, connect } => {
                restore::run(&from, accept_second_orders, &files, &connect).await
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
    FjallStore::open(dir, &FjallOptions::existing()).map_err(|source| {
        let next = match source {
            StoreError::Locked { .. } => "; stop the broker, or look at a backup of it instead",
            _ => "",
        };
        CliError::Store { doing: format!("open the store in {}{next}", dir.display()), source }
    })
}

fn inspect(files: &Files) -> anyhow::Result<()> {
    let store = open(&files.config()?.store.dir)?;
    let reader = store.reader();
    let meta = reader.meta()?;
    let mut damages = 0_usize;
    let report = read_all(reader.as_ref(), |_| damages += 1);
    Out::new(files.json).show(&summary(&meta, &report), |_| sheet(&meta, &report))?;
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

fn verify(files: &Files) -> anyhow::Result<()> {
    let dir = files.config()?.store.dir;
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
    Out::new(files.json).show(&all, |_| {
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

/// By this process, from the files of a stopped broker.
fn back_up_here(to: Option<PathBuf>, files: &Files) -> anyhow::Result<()> {
    let config = files.config()?;
    let copier = open(&config.store.dir)?.copier();
    let (path, extent) = match (to, &config.store.backup_dir) {
        (Some(to), _) => (to.clone(), backup::copy(&copier, &to, &Copying::default())?),
        (None, Some(into)) => backup::make(&copier, into, None)?,
        (None, None) => {
            let why = "say where to: --to DIR, or store.backup_dir in the configuration";
            return Err(CliError::Usage(why.to_owned()).into());
        }
    };
    let Extent { rows, bytes, commit, .. } = extent;
    done(&BackupReply::Done { path, commit: commit.0, rows, bytes }, files.json)
}

/// By the broker. The files are not touched, also if nobody answers: a broker that is just being
/// started again would find them locked, or somebody else's.
async fn back_up_there(files: &Files, connect: &Connect) -> anyhow::Result<()> {
    let config = files.config()?;
    let session = connect.session_with(connect.over(config.nats.clone()), files.json).await?;
    done(&ask_for_backup(&session).await?, files.json)
}

fn done(reply: &BackupReply, json: bool) -> anyhow::Result<()> {
    match reply {
        BackupReply::Done { path, commit, rows, bytes } => {
            Ok(Out::new(json).show(reply, |_| {
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
    let right = format!(
        "this login needs the right to publish on {}",
        subject::admin(AdminOperation::Backup)
    );
    let request = async_nats::Request::new().timeout(Some(BACKUP_TIMEOUT));
    let reply = tokio::select! {
        biased;
        reply = session.client.send_request(subject::admin(AdminOperation::Backup), request) => reply,
        () = complaint(session) => return Err(silent("the server refuses".to_owned(), right)),
        () = gone(session) => {
            let next = "the copy it was making is not finished: delete it, and ask again";
            return Err(silent("the broker has gone".to_owned(), next.to_owned()));
        }
    };
    let reply = reply.map_err(|error| {
        let next = match error.kind() {
            RequestErrorKind::NoResponders => {
                "no broker on this server makes backups: it needs store.backup_dir in its \
                 configuration, and the right to subscribe. If it is stopped: --offline"
            }
            _ => "it may be copying still: the broker's log tells how that ends",
        };
        silent(error.to_string(), next.to_owned())
    })?;
    json::decode(&reply.payload, usize::MAX)
        .map_err(|e| session.failed("read the broker's answer about the backup", e))
}

/// A broker that ends takes its answer along.
async fn gone(session: &Session) {
    loop {
        tokio::time::sleep(PRESENCE_INTERVAL).await;
        let ping = session.client.request(subject::service_ping(service::NAME), Bytes::new());
        if ping.await.is_err_and(|error| error.kind() == RequestErrorKind::NoResponders) {
            return;
        }
    }
}

/// To a request that is not allowed no answer ever comes; the server only says so.
async fn complaint(session: &Session) {
    while session.said.words().is_empty() {
        tokio::time::sleep(COMPLAINT_INTERVAL).await;
    }
}
