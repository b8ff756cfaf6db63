//! The raw server itself.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use axum::Json;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use clap::Parser;
use crossbeam_channel::{Receiver, Sender};
use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};
use serde_json::Value;
use tokio::sync::oneshot;

use crate::http::connection::PATH;

/// As the broker's store: synced together at most, its cache, its journals, its memtables.
const GROUP_WRITES_MAX: usize = broker::store::thread::GROUP_WRITES_MAX;
const CACHE_BYTES: u64 = 128 << 20;
const JOURNAL_BYTES_MAX: u64 = 256 << 20;
const MEMTABLE_BYTES: u64 = 16 << 20;

/// The command line of the hidden role.
#[derive(Debug, Clone, Parser)]
pub(crate) struct RawHttpArgs {
    address: SocketAddr,
    dir: PathBuf,
}

/// One create on its way to the disk.
struct Write {
    key: Vec<u8>,
    body: Bytes,
    synced: oneshot::Sender<()>,
}

/// Answers until it is killed.
pub(crate) fn serve(args: &RawHttpArgs) -> ExitCode {
    let served = tokio::runtime::Runtime::new()
        .context("starting the runtime")
        .and_then(|runtime| runtime.block_on(answer_all(args)));
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("raw http: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn answer_all(args: &RawHttpArgs) -> anyhow::Result<()> {
    let (db, accepted) = open(&args.dir)?;
    // Bounded by the connections: each waits for its answer.
    let (queue, waiting) = crossbeam_channel::unbounded();
    std::thread::spawn(move || {
        if let Err(error) = write_all(&db, &accepted, &waiting) {
            eprintln!("raw http: {error}");
            std::process::abort();
        }
    });
    let listener = tokio::net::TcpListener::bind(args.address).await?;
    let router = Router::new().route(PATH, post(accept)).with_state(queue);
    Ok(axum::serve(listener, router).await?)
}

fn open(dir: &Path) -> fjall::Result<(Database, Keyspace)> {
    let db = Database::builder(dir.join("db"))
        .cache_size(CACHE_BYTES)
        .max_journaling_size(JOURNAL_BYTES_MAX)
        .worker_threads(1)
        .open()?;
    let options = || KeyspaceCreateOptions::default().max_memtable_size(MEMTABLE_BYTES);
    let accepted = db.keyspace("accepted", options)?;
    Ok((db, accepted))
}

async fn accept(
    State(queue): State<Sender<Write>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<(StatusCode, Json<Value>), StatusCode> {
    let read: Value = serde_json::from_slice(&body).map_err(|_| StatusCode::BAD_REQUEST)?;
    let key = headers.get("idempotency-key").ok_or(StatusCode::BAD_REQUEST)?;
    let (synced, is_synced) = oneshot::channel();
    let write = Write { key: key.as_bytes().to_owned(), body, synced };
    queue.send(write).map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
    is_synced.await.map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
    Ok((StatusCode::ACCEPTED, Json(read)))
}

/// Whatever has queued up while the last group was synced is the next one.
fn write_all(db: &Database, accepted: &Keyspace, waiting: &Receiver<Write>) -> fjall::Result<()> {
    while let Ok(first) = waiting.recv() {
        let mut batch = db.batch().durability(Some(PersistMode::SyncData));
        let mut told = Vec::new();
        for write in std::iter::once(first).chain(waiting.try_iter()).take(GROUP_WRITES_MAX) {
            batch.insert(accepted, write.key, &write.body[..]);
            told.push(write.synced);
        }
        batch.commit()?;
        for synced in told {
            // A caller that has gone needs no answer.
            let _ = synced.send(());
        }
    }
    Ok(())
}
