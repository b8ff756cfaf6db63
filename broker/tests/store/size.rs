//! What a purchase costs in bytes.

use broker::store::{Committed, FjallStore, Store};
use broker_core::request::Status;

use crate::life::{ordered, policy};
use crate::rig::options;
use crate::samples::write;

const PARTNERS: u16 = 50;

/// design.md's budget for one ordered request at 50 quotes.
const JOURNAL_BYTES_MAX: u64 = 8 * 1024;

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
        let steps: Vec<_> = batch.audit.iter().map(|row| label(&row.change)).collect();
        let answer = store.commit(vec![write(batch)]).unwrap();
        assert!(matches!(answer[..], [Committed::Request { .. }]), "{answer:?}");
        lines.push(format!("{} bytes: {}", store.stats().journal_bytes - before, steps.join(", ")));
    }
    let total = store.stats().journal_bytes;
    println!("{total} bytes in {commits} commits\n{}", lines.join("\n"));
    assert!(total <= JOURNAL_BYTES_MAX, "{total} bytes\n{}", lines.join("\n"));
    assert!(commits <= 6, "{commits} commits");
}

fn label(change: &broker_core::batch::Change) -> &'static str {
    match change {
        broker_core::batch::Change::Created => "created",
        broker_core::batch::Change::Applied(event) => event.label(),
    }
}
