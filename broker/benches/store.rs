//! Durable transitions per second, and what they are worth on this disk.
//!
//! `cargo bench -p broker --bench store [-- <directory>]`; the directory decides which disk is
//! measured and defaults to the build's own. Closed loop: each of the requests in flight commits
//! its next batch when the last one is durable. The batches are the engine's own. Beside each
//! figure: what one fsync takes on that disk at that moment.

#![expect(clippy::unwrap_used, reason = "a bench may stop at the first surprise")]

#[path = "../tests/store/life.rs"]
mod life;
#[path = "../tests/store/samples.rs"]
#[allow(dead_code)]
mod samples;

#[path = "store/calibration.rs"]
mod calibration;
#[path = "store/lives.rs"]
mod lives;
#[path = "store/transactions.rs"]
mod transactions;

use std::path::Path;
use std::time::{Duration, Instant};

use broker::store::{
    FjallOptions, FjallStore, Incarnation, MemStore, Store, StoreThread, abort_process,
};
use crossbeam_channel::unbounded;

use calibration::calibrate;
use lives::Lives;

const PER_ROUND: Duration = Duration::from_secs(3);

fn main() {
    // cargo passes flags such as --bench; a directory has none.
    let chosen = std::env::args().skip(1).find(|arg| !arg.starts_with('-'));
    let root = chosen.unwrap_or_else(|| env!("CARGO_TARGET_TMPDIR").to_owned());
    let root = Path::new(&root);
    let dir = tempfile::tempdir_in(root).expect("the directory can be written");
    println!("disk of {}\n", root.display());
    println!("{:<44}{:>11}{:>10}{:>10}{:>10}", "", "commits/s", "p50 ms", "p99 ms", "group");
    for (quotes, in_flight) in [(1, 1), (1, 256), (50, 64)] {
        let fsync = calibrate(dir.path());
        let name = format!("writer thread, {quotes:>2} quotes, {in_flight:>3} in flight");
        let path = dir.path().join(format!("store-{quotes}-{in_flight}"));
        let rate = writer(&name, &path, quotes, in_flight);
        bound(rate, in_flight, fsync);
    }
    let fsync = calibrate(dir.path());
    let path = dir.path().join("ours");
    let ours = writer("writer thread,  1 quote,   64 in flight", &path, 1, 64);
    bound(ours, 64, fsync);
    calibrate(dir.path());
    let theirs = transactions::run(&dir.path().join("theirs"), 64, PER_ROUND);
    println!("ratio to SingleWriterTxDatabase, same rows: {:.1}\n", ours / theirs);
    in_memory();
}

fn options() -> FjallOptions {
    FjallOptions::standard(Incarnation(1))
}

/// What the disk leaves to a closed loop: an answer takes the rest of the running group's fsync
/// and its own group's, so at most `in_flight` commits per two fsyncs (one when it is alone).
fn bound(rate: f64, in_flight: usize, fsync: Duration) {
    let fsyncs = if in_flight == 1 { 1.0 } else { 2.0 };
    let allowed = in_flight as f64 / (fsyncs * fsync.as_secs_f64());
    let percent = 100.0 * rate / allowed;
    println!("{:<44}{percent:>10.0}% of the {allowed:.0}/s that its fsyncs allow", "");
}

/// Returns commits per second.
fn writer(name: &str, path: &Path, quotes: u16, in_flight: usize) -> f64 {
    let store = FjallStore::open(path, &options()).expect("a fresh store opens");
    let stats = store.live_stats();
    let (acknowledge, acknowledged) = unbounded();
    let thread = StoreThread::spawn(Box::new(store), abort_process(), move |slot, answer| {
        acknowledge.send((slot, answer)).expect("the loop below waits for every answer");
    })
    .expect("a thread can be started");
    let mut lives = Lives::new(quotes, in_flight);
    let started = Instant::now();
    for slot in 0..in_flight {
        thread.submit(slot, lives.next(slot)).expect("the writer runs");
    }
    for _ in 0..in_flight {
        // Answers come while time is left; then one last one for each in flight.
        loop {
            let (slot, answer) = acknowledged.recv().expect("the writer runs");
            lives.acknowledged(slot, &answer);
            if started.elapsed() >= PER_ROUND {
                break;
            }
            thread.submit(slot, lives.next(slot)).expect("the writer runs");
        }
    }
    let took = started.elapsed();
    let stats = stats.get();
    thread.close().expect("the store closes");
    let rate = lives.report(name, took, stats.commits as f64 / stats.groups as f64);
    let bytes = stats.journal_bytes / stats.commits;
    println!("{:<44}{bytes:>11} journal bytes per commit", "");
    if let Some(request) = lives.commits_per_request() {
        println!("{:<44}{:>11} per ordered request", "", bytes * request);
    }
    rate
}

/// The twin alone: what the simulator pays for a store.
fn in_memory() {
    let mut store = MemStore::new(Incarnation(1));
    let mut lives = Lives::new(1, 64);
    let started = Instant::now();
    let mut busy = Duration::ZERO;
    while started.elapsed() < Duration::from_secs(1) {
        let group = (0..64).map(|slot| lives.next(slot)).collect();
        let before = Instant::now();
        let answers = store.commit(group).expect("the twin does not fail");
        busy += before.elapsed();
        answers.iter().enumerate().for_each(|(slot, answer)| lives.acknowledged(slot, answer));
    }
    lives.report("in memory,  1 quote", busy, 64.0);
}
