//! kill -9 in the middle of writing. The child commits as fast as it can and tells each
//! acknowledgement to a file descriptor of its own; whatever it told must be there afterwards, and
//! nothing may be there by half.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use broker::crash;
use broker::store::chain::{Chain, follow};
use broker::store::{
    AuditBody, CommitNumber, Committed, FjallStore, Listing, OutboxSeq, Outgoing, Reader, Store,
    StoreThread, abort_process,
};
use broker_core::Batch;
use broker_core::timer::TimerKind;
use schemas::{RequestId, Timestamp};

use crate::rig::options;
use crate::samples::{at, change, create, id, write};

/// Makes this test binary the child: the directory of the store it writes to.
const CHILD: &str = "STORE_KILL_CHILD";

/// Requests each child keeps changing.
const REQUESTS: u64 = 48;

/// Acknowledgements after which the child is killed, one round each.
const ROUNDS: [usize; 6] = [1, 40, 400, 1500, 3000, 700];

/// Most versions of one request per life of a child, so that an orphan would end.
const CHANGES_MAX: u64 = 1_000_000;

#[test]
fn child_writes_until_it_is_killed() {
    let Some(dir) = std::env::var_os(CHILD) else { return };
    crash::arm_from_env().unwrap();
    child(Path::new(&dir));
}

fn child(dir: &Path) {
    let store = FjallStore::open(dir, &options()).unwrap();
    let reader = store.reader();
    let (done, told) = crossbeam_channel::unbounded();
    let thread = StoreThread::spawn(Box::new(store), abort_process(), move |n, answer| {
        assert!(matches!(answer, Committed::Request { .. }), "{answer:?}");
        done.send(n).unwrap();
    })
    .unwrap();
    let mut in_flight = BTreeMap::new();
    for n in 0..REQUESTS {
        let batch = match reader.load(id(n)).unwrap() {
            Some(stored) => step(&stored.request),
            None => create(n),
        };
        in_flight.insert(n, batch.request.clone());
        thread.submit(n, write(batch)).unwrap();
    }
    let mut out = std::io::stdout();
    for _ in 0..CHANGES_MAX {
        let n: u64 = told.recv().unwrap();
        let durable = in_flight[&n].clone();
        writeln!(out, "ack {n} {}", durable.version.0).unwrap();
        let batch = step(&durable);
        in_flight.insert(n, batch.request.clone());
        thread.submit(n, write(batch)).unwrap();
    }
}

/// Moves a timer with every version, so that head, timers, outbox and audit must agree.
fn step(before: &broker_core::PurchaseRequest) -> Batch {
    change(before, |next| {
        next.sweep = u32::try_from(next.version.0).unwrap();
        next.timers.set(TimerKind::Sweep, at(100_000 + next.version.0));
    })
}

/// Highest acknowledged version of each request.
type Acknowledged = BTreeMap<u64, u64>;

/// How a child ends.
enum End {
    /// Killed from outside after so many acknowledgements.
    Killed(usize),
    /// By itself at a crash point.
    Crashed(String),
}

fn run(dir: &Path, end: &End, acknowledged: &mut Acknowledged) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "kill::child_writes_until_it_is_killed", "--nocapture"])
        .env(CHILD, dir)
        .env_remove(crash::CRASH_AT)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let kill_after = match end {
        End::Killed(acks) => *acks,
        End::Crashed(point) => {
            command.env(crash::CRASH_AT, point);
            usize::MAX
        }
    };
    let mut child = command.spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    // Ends with the pipe, so that what the child told before it died counts too. Only the very
    // last line may be cut, which can make its number smaller but not larger.
    for (line, count) in lines.map_while(Result::ok).filter(|line| line.contains("ack ")).zip(1..) {
        let (_, ack) = line.split_once("ack ").unwrap();
        if let Some((n, version)) = ack.split_once(' ')
            && let (Ok(n), Ok(version)) = (n.parse(), version.parse())
        {
            acknowledged.insert(n, version);
        }
        if count == kill_after {
            child.kill().unwrap();
        }
    }
    let output = child.wait_with_output().unwrap();
    assert!(!output.status.success(), "the child must die");
    if let End::Crashed(point) = end {
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(text.contains("crash point"), "{point} was not reached: {text}");
    }
}

/// Opens what the child left: nothing acknowledged is missing, nothing is there by half.
fn check(dir: &Path, acknowledged: &Acknowledged) {
    let store = FjallStore::open(dir, &options()).unwrap();
    let reader = store.reader();
    let mut chain = Chain::from_genesis();
    follow(reader.as_ref(), &mut chain).unwrap();
    let meta = reader.meta().unwrap();
    assert_eq!(chain.last(), meta.last_commit);
    let versions = versions(reader.as_ref());
    for (n, version) in acknowledged {
        let found = versions.get(&id(*n)).copied().unwrap_or_default();
        assert!(found >= *version, "request {n}: {version} was acknowledged, {found} is there");
    }
    assert_eq!(reader.ids(&Listing::Active, None, 1000).unwrap().len(), versions.len());
    assert_eq!(audited(reader.as_ref()), versions, "heads and audit log");
    assert_eq!(sent(reader.as_ref()), versions, "heads and outbox");
    let timers = reader.due_timers(Timestamp::MAX, 1000).unwrap();
    assert_eq!(timers.len(), versions.values().map(|v| if *v > 1 { 2 } else { 1 }).sum::<usize>());
    for row in timers.iter().filter(|row| row.kind == TimerKind::Sweep) {
        assert_eq!(row.at, at(100_000 + versions[&row.request]), "timer of {}", row.request);
    }
}

type Versions = BTreeMap<RequestId, u64>;

fn versions(reader: &dyn Reader) -> Versions {
    let ids = reader.ids(&Listing::All, None, 1000).unwrap();
    let version = |id: RequestId| reader.load(id).unwrap().unwrap().request.version.0;
    ids.into_iter().map(|id| (id, version(id))).collect()
}

/// Last version of each request in the audit log; versions must be dense.
fn audited(reader: &dyn Reader) -> Versions {
    let mut versions = Versions::new();
    for record in reader.audit_after(CommitNumber(0), usize::MAX).unwrap() {
        let AuditBody::Request { request, rows } = record.body else {
            panic!("no letter was sent")
        };
        for row in rows {
            let last = versions.entry(request).or_default();
            assert_eq!(row.version.0, *last + 1);
            *last = row.version.0;
        }
    }
    versions
}

/// The same in the outbox; sequences must be dense.
fn sent(reader: &dyn Reader) -> Versions {
    let mut versions = Versions::new();
    for (row, seq) in reader.outbox_after(OutboxSeq(0), usize::MAX).unwrap().into_iter().zip(1..) {
        assert_eq!(row.seq, OutboxSeq(seq));
        let Outgoing::Effect(effect) = row.outgoing else { panic!("no letter was sent") };
        let last = versions.entry(effect.request).or_default();
        // The creation sends two.
        assert!(effect.version.0 == *last + 1 || (effect.version.0, effect.index) == (1, 1));
        *last = effect.version.0;
    }
    versions
}

#[test]
fn nothing_acknowledged_is_lost_and_nothing_is_torn_by_kill_9() {
    let dir = tempfile::tempdir().unwrap();
    let mut acknowledged = Acknowledged::new();
    for acks in ROUNDS {
        run(dir.path(), &End::Killed(acks), &mut acknowledged);
        check(dir.path(), &acknowledged);
    }
    assert_eq!(acknowledged.len() as u64, REQUESTS, "every request was acknowledged");
}

#[test]
fn every_crash_point_of_the_store_is_reached_and_recovered_from() {
    let dir = tempfile::tempdir().unwrap();
    let mut acknowledged = Acknowledged::new();
    let points = [crash::STORE_BEFORE_COMMIT, crash::STORE_AFTER_COMMIT, crash::STORE_BETWEEN_ACKS];
    let own = crash::ALL.iter().filter(|point| point.name().starts_with("store."));
    assert_eq!(own.count(), points.len(), "a point of the store is missing here");
    for point in points {
        for nth in [1, 9] {
            let end = End::Crashed(format!("{}:{nth}", point.name()));
            run(dir.path(), &end, &mut acknowledged);
            check(dir.path(), &acknowledged);
        }
    }
}
