//! `broker store restore`: a backup is brought to life, and what that life may have forgotten is
//! kept from happening twice.

use std::path::Path;

use async_nats::RequestErrorKind;
use bytes::Bytes;
use rand::TryRng;
use rand::rngs::SysRng;
use schemas::subject;
use serde_json::json;

use super::super::connect::{Connect, Session};
use super::super::error::CliError;
use super::super::out::Out;
use super::{Files, complaint, open};
use crate::backup::{self, freeze};
use crate::config::Config;
use crate::egress::session::TARGETS;
use crate::nats::streams;
use crate::service;
use crate::storage::describe;
use crate::store::verify::read_all;
use crate::store::{Copying, FjallOptions, FjallStore, Incarnation, Meta, Store};

pub(super) async fn run(
    from: &Path,
    accept_second_orders: bool,
    files: &Files,
    connect: &Connect,
) -> anyhow::Result<()> {
    let config = files.config()?;
    let dir = &config.store.dir;
    must_be_empty(dir)?;
    let meta = read_whole(from)?;
    let streams = if accept_second_orders { None } else { Some(&meta) };
    nobody_went_on(&config, streams, connect).await?;
    let store = open(from)?;
    let copying = Copying { fresh: Some(Incarnation(random()?)), ..Copying::default() };
    let failed = |source| {
        let doing = format!("restore into {}", dir.display());
        CliError::Store { doing, source }
    };
    let extent = backup::copy(&store.copier(), dir, &copying).map_err(failed)?;
    let frozen = if accept_second_orders { freeze_in(dir)? } else { 0 };
    // Copying takes minutes. Until here the directory is a backup like the one it was made from.
    nobody_went_on(&config, streams, connect).await?;
    FjallStore::bring_to_life(dir).map_err(failed)?;
    let commit = extent.commit.0;
    let done = json!({ "dir": dir, "commit": commit, "rows": extent.rows, "frozen": frozen });
    Ok(Out::new(files.json).show(&done, |_| {
        let dir = dir.display();
        let mut text =
            format!("{dir} holds the store up to commit {commit}, under a new incarnation");
        if frozen > 0 {
            text.push_str(&format!(
                "\n{frozen} open requests are frozen: `broker incidents list` shows them, \
                 `broker incidents release` lets them go on"
            ));
        }
        text
    })?)
}

fn must_be_empty(dir: &Path) -> Result<(), CliError> {
    let holds_nothing = match std::fs::read_dir(dir) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    };
    if holds_nothing {
        return Ok(());
    }
    Err(CliError::Usage(format!(
        "nothing was restored: {} must be empty or missing. If it holds the lost store, move it \
         away and keep it; if a restore that was not finished, delete it",
        dir.display()
    )))
}

/// The backup is read whole before anything is made of it.
fn read_whole(from: &Path) -> anyhow::Result<Meta> {
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
        None => Ok(store.reader().meta()?),
    }
}

/// Two brokers on one account would both buy. And one that went on, unless that is accepted, has
/// bought books that the backup knows nothing of.
async fn nobody_went_on(
    config: &Config,
    meta: Option<&Meta>,
    connect: &Connect,
) -> anyhow::Result<()> {
    let session = match connect.session_with(connect.over(config.nats.clone()), false).await {
        Ok(session) => session,
        Err(error) if meta.is_some() => return Err(error),
        Err(error) => {
            eprintln!("broker: whether another broker serves is not known: {error:#}");
            return Ok(());
        }
    };
    nobody_serves(&session).await?;
    match meta {
        Some(meta) => unchanged_since(&session, meta).await,
        None => Ok(()),
    }
}

async fn nobody_serves(session: &Session) -> anyhow::Result<()> {
    const DOING: &str = "find out whether another broker serves";
    let subject = subject::service_ping(service::NAME);
    let right = format!("this login needs the right to publish on {subject}");
    let silent = |why: String| CliError::Silent {
        doing: DOING.to_owned(),
        why,
        said: session.said.words(),
        next: right.clone(),
    };
    let reply = tokio::select! {
        reply = session.client.request(subject.clone(), Bytes::new()) => reply,
        () = complaint(session) => return Err(silent("the server refuses".to_owned()).into()),
    };
    match reply {
        Ok(_) => {
            let what = "nothing was restored: a broker serves on this server; stop it first, \
                        wherever it runs";
            Err(CliError::Findings(what.to_owned()).into())
        }
        Err(error) if error.kind() == RequestErrorKind::NoResponders => Ok(()),
        Err(error) => Err(silent(error.to_string()).into()),
    }
}

async fn unchanged_since(session: &Session, meta: &Meta) -> anyhow::Result<()> {
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

fn freeze_in(dir: &Path) -> anyhow::Result<u64> {
    let failed = |source| {
        let doing = format!("freeze the open requests in {}", dir.display());
        CliError::Store { doing, source }
    };
    let mut store = FjallStore::open(dir, &FjallOptions::existing()).map_err(failed)?;
    let frozen = freeze::open_requests(&mut store).map_err(failed)?;
    Box::new(store).close().map_err(failed)?;
    Ok(frozen)
}

fn random() -> anyhow::Result<u64> {
    let mut random = [0; 8];
    SysRng
        .try_fill_bytes(&mut random)
        .map_err(|e| anyhow::anyhow!("the operating system gives no random bytes: {e}"))?;
    Ok(u64::from_le_bytes(random))
}
