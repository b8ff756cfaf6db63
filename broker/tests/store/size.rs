//! What a purchase costs in bytes.

use std::path::Path;

use broker::store::disk::head::{DiskHead, HEAD_BYTES_TARGET};
use broker::store::{Committed, FjallStore, Store};
use broker_core::request::Status;

use crate::life::{ordered, policy};
use crate::rig::options;
use crate::samples::write;

const PARTNERS: u16 = 50;

/// design.md's budget for one ordered request at 50 quotes.
const JOURNAL_BYTES_MAX: u64 = 8 * 1024;

/// Bytes used in the only journal: it is preallocated, and a batch ends with a byte that is not 0.
fn journal_bytes(store: &Path) -> u64 {
    let entries = std::fs::read_dir(store.join("db")).unwrap().map(|entry| entry.unwrap().path());
    let journals: Vec<_> =
        entries.filter(|path| path.extension().is_some_and(|ext| ext == "jnl")).collect();
    let [journal] = journals.as_slice() else { panic!("one journal, not {journals:?}") };
    let bytes = std::fs::read(journal).unwrap();
    bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last as u64 + 1)
}

#[test]
fn the_store_counts_its_journal_bytes_as_the_file_does() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = FjallStore::open(dir.path(), &options()).unwrap();
    let before = journal_bytes(dir.path());
    for batch in ordered(1, &policy(3)) {
        store.commit(vec![write(batch)]).unwrap();
    }
    let creations = (10..20).map(|n| write(crate::samples::create(n))).collect();
    store.commit(creations).unwrap();
    assert_eq!(store.stats().journal_bytes, journal_bytes(dir.path()) - before);
}

#[test]
fn an_ordered_request_fits_its_journal_budget_and_its_heads_stay_small() {
    let dir = tempfile::tempdir().unwrap();
    let mut store = FjallStore::open(dir.path(), &options()).unwrap();
    let batches = ordered(1, &policy(PARTNERS));
    let last = batches.last().expect("a request has batches").request.clone();
    assert_eq!(last.status, Status::Ordered, "{last:#?}");
    let commits = batches.len();
    let mut lines = Vec::new();
    for batch in batches {
        let before = store.stats().journal_bytes;
        let head = postcard::to_stdvec(&DiskHead::from(&batch.request)).unwrap().len();
        assert!(head <= HEAD_BYTES_TARGET, "{head} bytes: {:#?}", batch.request);
        let steps: Vec<_> = batch.audit.iter().map(|row| row.change.label()).collect();
        let answer = store.commit(vec![write(batch)]).unwrap();
        assert!(matches!(answer[..], [Committed::Request { .. }]), "{answer:?}");
        lines.push(format!("{} bytes: {}", store.stats().journal_bytes - before, steps.join(", ")));
    }
    let total = store.stats().journal_bytes;
    println!("{total} bytes in {commits} commits\n{}", lines.join("\n"));
    assert!(total <= JOURNAL_BYTES_MAX, "{total} bytes\n{}", lines.join("\n"));
    assert!(commits <= 6, "{commits} commits");
}
