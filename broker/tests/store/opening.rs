//! What is refused at open, and that refusing changes nothing.

use std::path::{Path, PathBuf};

use broker::store::chain::{Chain, follow};
use broker::store::{Committed, FjallStore, Listing, Store, StoreError, Write, error::runbook};
use broker::store::{OutboxProgress, OutboxSeq};
use broker_core::timer::TimerKind;
use schemas::DurationMs;
use tempfile::TempDir;

use crate::fjall_files::tamper;
use crate::rig::options;
use crate::samples::{at, change, create, id, write};

/// A closed store with `n` commits.
fn closed(n: u64) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let mut store = FjallStore::open(dir.path(), &options()).unwrap();
    let answers = store.commit((0..n).map(|n| write(create(n))).collect()).unwrap();
    assert!(answers.iter().all(|answer| matches!(answer, Committed::Request { .. })));
    Box::new(store).close().unwrap();
    dir
}

fn refusal(path: &Path) -> StoreError {
    let error = FjallStore::open(path, &options()).expect_err("it must be refused");
    // Refusing is not repairing: the second look finds the same.
    let again = FjallStore::open(path, &options()).expect_err("it must be refused again");
    assert_eq!(error.to_string(), again.to_string());
    error
}

#[test]
fn a_second_owner_is_refused_while_the_first_lives() {
    let dir = closed(1);
    let first = FjallStore::open(dir.path(), &options()).unwrap();
    let second = FjallStore::open(dir.path(), &options());
    assert!(matches!(second, Err(StoreError::Locked { .. })), "{second:?}");
    drop(first);
    FjallStore::open(dir.path(), &options()).unwrap();
}

#[test]
fn a_store_that_came_back_shorter_is_refused() {
    let dir = closed(5);
    let mark = dir.path().join("high-water");
    let text = std::fs::read_to_string(&mark).unwrap();
    assert_eq!(text, "incarnation feed\ncommit 5\n");
    std::fs::write(&mark, text.replace("commit 5", "commit 6")).unwrap();
    let error = refusal(dir.path());
    assert!(matches!(error, StoreError::Shorter { found: 5, promised: 6 }), "{error}");
}

#[test]
fn a_database_that_vanished_beside_its_mark_is_refused() {
    let dir = closed(5);
    std::fs::remove_dir_all(dir.path().join("db")).unwrap();
    let error = FjallStore::open(dir.path(), &options()).expect_err("it must be refused");
    assert!(matches!(error, StoreError::Shorter { found: 0, promised: 5 }), "{error}");
}

#[test]
fn a_store_without_its_mark_or_with_another_ones_is_refused() {
    let dir = closed(2);
    let mark = dir.path().join("high-water");
    for content in ["incarnation beef\ncommit 2\n", "garbage"] {
        std::fs::write(&mark, content).unwrap();
        let error = refusal(dir.path());
        assert!(matches!(error, StoreError::NoHighWaterMark { .. }), "{error}");
    }
    std::fs::remove_file(&mark).unwrap();
    assert!(matches!(refusal(dir.path()), StoreError::NoHighWaterMark { .. }));
    // What the runbook tells the operator to write.
    std::fs::write(&mark, "incarnation feed\ncommit 0\n").unwrap();
    FjallStore::open(dir.path(), &options()).unwrap();
}

#[test]
fn a_gap_in_the_audit_log_is_refused() {
    let dir = closed(9);
    tamper(dir.path(), "audit", |audit| {
        let key = [4u64.to_be_bytes().as_slice(), &[0]].concat();
        assert!(audit.get(&key).unwrap().is_some());
        audit.remove(key).unwrap();
    });
    let error = refusal(dir.path());
    assert!(matches!(error, StoreError::BrokenChain { commit: 5, .. }), "{error}");
}

#[test]
fn a_rewritten_audit_record_is_refused_although_its_checksum_is_right() {
    let dir = closed(9);
    tamper(dir.path(), "audit", |audit| {
        let key = [4u64.to_be_bytes().as_slice(), &[0]].concat();
        let value = audit.get(&key).unwrap().unwrap();
        let mut payload = broker::store::disk::seal::open(&key, &value).unwrap().to_vec();
        // The instant, in the middle of the body.
        let last = payload.len() - 3;
        payload[last] ^= 1;
        audit.insert(&key, broker::store::disk::seal::seal(&key, &payload)).unwrap();
    });
    let error = refusal(dir.path());
    assert!(matches!(error, StoreError::BrokenChain { commit: 4, .. }), "{error}");
}

#[test]
fn an_audit_log_cut_at_its_end_is_refused() {
    let dir = closed(9);
    tamper(dir.path(), "audit", |audit| {
        audit.remove([9u64.to_be_bytes().as_slice(), &[0]].concat()).unwrap();
    });
    let error = refusal(dir.path());
    assert!(matches!(error, StoreError::BrokenChain { commit: 8, .. }), "{error}");
}

#[test]
fn a_lost_end_of_the_outbox_is_refused_because_sequences_would_repeat() {
    let dir = closed(3);
    let day = at(0).as_unix_ms() / 86_400_000;
    tamper(dir.path(), &format!("outbox_{day:07}"), |outbox| {
        let key = [5u64.to_be_bytes().as_slice(), &[0]].concat();
        assert!(outbox.get(&key).unwrap().is_some());
        outbox.remove(key).unwrap();
    });
    let error = refusal(dir.path());
    assert!(matches!(error, StoreError::Damaged { keyspace: "outbox", .. }), "{error}");
}

#[test]
fn a_newer_format_is_refused() {
    let dir = closed(1);
    tamper(dir.path(), "meta", |meta| {
        let identity =
            broker::store::disk::meta::DiskIdentity { store_format: 9, incarnation: 0xfeed };
        let payload = postcard::to_stdvec(&identity).unwrap();
        let value = broker::store::disk::seal::seal(b"identity", &payload);
        meta.insert(b"identity", value).unwrap();
    });
    let error = refusal(dir.path());
    assert!(matches!(error, StoreError::NewerFormat { found: 9, known: 1 }), "{error}");
}

#[test]
fn a_flipped_bit_in_a_head_is_named_when_it_is_read() {
    let dir = closed(2);
    tamper(dir.path(), "head", |head| {
        let mut value = head.get(id(1).as_bytes()).unwrap().unwrap().to_vec();
        value[9] ^= 1;
        head.insert(id(1).as_bytes(), value).unwrap();
    });
    let mut store = FjallStore::open(dir.path(), &options()).unwrap();
    let error = store.reader().load(id(1)).expect_err("it is damaged");
    assert!(matches!(error, StoreError::Damaged { keyspace: "head", .. }), "{error}");
    assert!(store.reader().load(id(0)).unwrap().is_some());
    // A compare-and-set on it must not guess.
    let batch = change(&create(1).request, |_| {});
    assert!(matches!(store.commit(vec![write(batch)]), Err(StoreError::Damaged { .. })));
    assert!(matches!(store.commit(vec![write(create(7))]), Err(StoreError::Poisoned)));
}

/// Files called `name` of every keyspace, or all of them in a directory of that name.
fn keyspace_files(store: &Path, name: &str) -> Vec<PathBuf> {
    let keyspaces = std::fs::read_dir(store.join("db").join("keyspaces")).unwrap();
    let mut files = Vec::new();
    for place in keyspaces.map(|keyspace| keyspace.unwrap().path().join(name)) {
        match std::fs::read_dir(&place) {
            Ok(inside) => files.extend(inside.map(|file| file.unwrap().path())),
            Err(_) => files.extend(place.is_file().then_some(place)),
        }
    }
    files.sort();
    files
}

/// Flips a bit so far from the end that the last one of so many parts of the file begins there.
fn flip(file: &Path, parts: usize) {
    let mut bytes = std::fs::read(file).unwrap();
    let at = bytes.len() - bytes.len() / parts;
    bytes[at] ^= 1;
    std::fs::write(file, bytes).unwrap();
}

#[test]
fn a_flipped_bit_in_a_file_of_the_engine_is_refused_and_the_runbook_named() {
    // Of a table, the index near its end is read at once; of a manifest, the name of the next file.
    for (name, parts) in [("tables", 8), ("current", 1)] {
        let dir = closed(3);
        flip(keyspace_files(dir.path(), name).first().unwrap(), parts);
        let refused = refusal(dir.path());
        assert!(refused.to_string().contains(runbook::DAMAGED), "{name}: {refused:?}");
    }
}

#[test]
fn every_refusal_names_a_heading_of_the_runbook() {
    let headings: Vec<_> = include_str!("../../src/store/RUNBOOK.md")
        .lines()
        .filter_map(|line| line.strip_prefix("## "))
        .collect();
    assert_eq!(headings, runbook::ALL);
}

#[test]
fn a_closed_store_has_its_memtables_on_disk_and_opens_with_everything() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = FjallStore::open(dir.path(), &options()).unwrap();
    for n in 0..40 {
        store.commit(vec![write(create(n))]).unwrap();
    }
    let before = store.reader().meta().unwrap();
    Box::new(store).close().unwrap();
    for keyspace in ["head", "parts", "timers", "index", "audit", "meta"] {
        tamper(dir.path(), keyspace, |space| assert!(space.table_count() > 0, "{keyspace}"));
    }
    let store = FjallStore::open(dir.path(), &options()).unwrap();
    let reader = store.reader();
    assert_eq!(reader.meta().unwrap(), before);
    assert_eq!(reader.ids(&Listing::Active, None, 100).unwrap().len(), 40);
    let mut chain = Chain::from_genesis();
    follow(reader.as_ref(), &mut chain).unwrap();
    assert_eq!(chain.last().0, 40);
}

#[test]
fn published_days_of_the_outbox_go_as_a_whole_and_unpublished_ones_stay() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = FjallStore::open(dir.path(), &options()).unwrap();
    let day = DurationMs::from_secs(86_400);
    for n in 0..6u64 {
        let mut batch = create(n);
        let at = at(0).saturating_add(DurationMs(day.as_ms() * n));
        batch.audit[0].at = at;
        store.commit(vec![write(batch)]).unwrap();
    }
    let reader = store.reader();
    let kept = |limit| reader.outbox_after(OutboxSeq(0), limit).unwrap();
    assert_eq!(kept(100).len(), 12);
    let mut sent = |seq| {
        let progress = OutboxProgress { sent: Some(OutboxSeq(seq)), marks: Vec::new() };
        assert_eq!(store.commit(vec![Write::Outbox(progress)]).unwrap(), vec![Committed::Outbox]);
    };
    // The first day and half of the second are published; two days are kept besides the last.
    sent(3);
    assert_eq!(kept(1)[0].seq, OutboxSeq(3));
    sent(12);
    assert_eq!(kept(1)[0].seq, OutboxSeq(7));
    drop(reader);
    drop(store);
    let store = FjallStore::open(dir.path(), &options()).unwrap();
    let rows = store.reader().outbox_after(OutboxSeq(0), 100).unwrap();
    let seqs: Vec<u64> = rows.iter().map(|row| row.seq.0).collect();
    assert_eq!(seqs, (7..=12).collect::<Vec<_>>());
}

#[test]
fn timers_survive_being_looked_for_while_earlier_ones_are_set() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = FjallStore::open(dir.path(), &options()).unwrap();
    let reader = store.reader();
    let seeker = std::thread::spawn(move || {
        let mut seen = 0;
        while seen < 300 {
            seen = reader.due_timers(at(50_000), 1000).unwrap().len();
        }
    });
    // Each earlier than every one before.
    for n in 0..300u64 {
        let mut batch = create(n);
        let due = at(40_000 - n * 100);
        batch.request.timers.set(TimerKind::Sweep, due);
        batch.timers = batch.request.timers.diff(&broker_core::timer::Timers::default());
        store.commit(vec![write(batch)]).unwrap();
        let first = store.reader().due_timers(at(50_000), 1).unwrap();
        assert_eq!(first.first().map(|row| (row.at, row.request)), Some((due, id(n))));
    }
    seeker.join().unwrap();
}
