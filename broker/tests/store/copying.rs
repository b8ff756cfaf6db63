//! Backups: a copy is whole or unusable, and damage is never copied.

use std::path::Path;

use broker::store::verify::read_all;
use broker::store::{CommitNumber, FjallStore, Incarnation, Listing, OutboxSeq, Store, StoreError};

use crate::fjall_files::tamper;
use crate::rig::{INCARNATION, options};
use crate::samples::{create, id, write};

fn open(path: &Path) -> FjallStore {
    FjallStore::open(path, &options()).unwrap()
}

fn filled(path: &Path, n: u64) -> FjallStore {
    let mut store = open(path);
    store.commit((0..n).map(|n| write(create(n))).collect()).unwrap();
    store
}

fn damages(store: &FjallStore) -> Vec<String> {
    let mut found = Vec::new();
    let mut tell = |error: StoreError| found.push(error.to_string());
    store.copier().check_rows(&mut tell).unwrap();
    read_all(store.reader().as_ref(), &mut tell);
    found
}

#[test]
fn a_copy_made_between_two_commits_holds_the_first_and_not_the_second() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut store = filled(from.path(), 20);
    let extent = store.copier().copy_to(to.path(), None).unwrap();
    store.commit(vec![write(create(20))]).unwrap();
    let copy = open(to.path());
    assert_eq!((extent.commit, extent.incarnation), (CommitNumber(20), INCARNATION));
    let (kept, copied) = (store.reader(), copy.reader());
    assert_eq!(copied.meta().unwrap().last_commit, CommitNumber(20));
    assert_eq!(copied.load(id(20)).unwrap(), None);
    for n in 0..20 {
        assert_eq!(copied.load(id(n)).unwrap(), kept.load(id(n)).unwrap());
        assert_eq!(copied.receipts(id(n)).unwrap(), kept.receipts(id(n)).unwrap());
    }
    assert_eq!(copied.ids(&Listing::Active, None, 100).unwrap().len(), 20);
    let rows = copied.outbox_after(OutboxSeq(0), 1000).unwrap();
    assert_eq!(rows, kept.outbox_after(OutboxSeq(0), rows.len()).unwrap());
    assert_eq!(damages(&copy), Vec::<String>::new());
}

#[test]
fn a_restored_store_lives_on_under_a_name_of_its_own() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = filled(from.path(), 3);
    store.copier().copy_to(to.path(), Some(Incarnation(0xbeef))).unwrap();
    let mut copy = open(to.path());
    let meta = copy.reader().meta().unwrap();
    assert_eq!(meta.incarnation, Incarnation(0xbeef));
    copy.commit(vec![write(create(3))]).unwrap();
    drop(copy);
    assert_eq!(open(to.path()).reader().meta().unwrap().last_commit, CommitNumber(4));
}

#[test]
fn half_a_copy_is_refused_and_so_is_a_directory_that_holds_something() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = filled(from.path(), 3);
    store.copier().copy_to(to.path(), None).unwrap();
    let again = store.copier().copy_to(to.path(), None).unwrap_err();
    assert!(matches!(again, StoreError::File { .. }), "{again}");
    // What stands there until the last row is synced, whatever was copied by then.
    std::fs::write(to.path().join("high-water"), "this copy was not finished\n").unwrap();
    for empty in [false, true] {
        if empty {
            std::fs::remove_dir_all(to.path().join("db")).unwrap();
        }
        let refused = FjallStore::open(to.path(), &options()).unwrap_err();
        assert!(matches!(refused, StoreError::NoHighWaterMark { .. }), "{refused}");
    }
}

#[test]
fn a_damaged_row_is_found_by_its_key_and_never_copied() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    drop(filled(from.path(), 3));
    tamper(from.path(), "parts", |parts| {
        let (key, value) = parts.iter().next().unwrap().into_inner().unwrap();
        let mut value = value.to_vec();
        value[3] ^= 1;
        parts.insert(key, value).unwrap();
    });
    let store = open(from.path());
    let found = damages(&store);
    assert!(found[0].contains("damaged value in parts"), "{found:#?}");
    let refused = store.copier().copy_to(to.path(), None).unwrap_err();
    assert!(matches!(refused, StoreError::Damaged { .. }), "{refused}");
    FjallStore::open(to.path(), &options()).expect_err("half a copy");
}

#[test]
fn a_row_that_is_missing_is_found_although_no_checksum_tells() {
    let from = tempfile::tempdir().unwrap();
    drop(filled(from.path(), 3));
    tamper(from.path(), "head", |head| {
        let (key, _) = head.iter().next().unwrap().into_inner().unwrap();
        head.remove(key).unwrap();
    });
    let found = damages(&open(from.path()));
    assert!(found.iter().any(|damage| damage.contains("not there")), "{found:#?}");
}
