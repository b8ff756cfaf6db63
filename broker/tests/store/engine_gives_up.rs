//! Damage over which the engine aborts the process: its last words must help whoever finds them.

use std::path::Path;
use std::process::Command;

use broker::store::FjallStore;
use broker::store::error::runbook;

use crate::rig::options;

/// Makes this test binary the child: the directory of the store it opens.
const CHILD: &str = "STORE_GIVES_UP_CHILD";

/// In the manifest of a keyspace: the kind of hash its filters use, which can only be zero.
const FILTER_HASH: usize = 9;

#[test]
fn child_opens_a_damaged_store() {
    let Some(dir) = std::env::var_os(CHILD) else { return };
    drop(FjallStore::open(Path::new(&dir), &options()));
}

#[test]
fn damage_over_which_the_engine_aborts_names_the_store_and_the_runbook() {
    let dir = tempfile::tempdir().unwrap();
    drop(FjallStore::open(dir.path(), &options()).unwrap());
    let manifest = dir.path().join("db/keyspaces/1/v0");
    let mut bytes = std::fs::read(&manifest).unwrap();
    bytes[FILTER_HASH] ^= 8;
    std::fs::write(&manifest, bytes).unwrap();

    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "engine_gives_up::child_opens_a_damaged_store", "--nocapture"])
        .env(CHILD, dir.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stderr);
    assert!(!child.status.success());
    assert!(said.contains(&format!("the store at {}", dir.path().display())), "{said}");
    assert!(said.contains(&format!("see runbook \"{}\"", runbook::DAMAGED)), "{said}");
}
