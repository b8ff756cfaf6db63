//! Backups: a copy is whole or unusable, and damage is never copied.

use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;

use broker::store::verify::read_all;
use broker::store::{
    CommitNumber, Copying, FjallOptions, FjallStore, Incarnation, Listing, OutboxSeq, Store,
    StoreError,
};

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

fn fresh(incarnation: u64) -> Copying {
    Copying { fresh: Some(Incarnation(incarnation)), ..Copying::default() }
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
    let extent = store.copier().copy_to(to.path(), &Copying::default(), &[]).unwrap();
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
    store.copier().copy_to(to.path(), &fresh(0xbeef), &[]).unwrap();
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
    store.copier().copy_to(to.path(), &Copying::default(), &[]).unwrap();
    let again = store.copier().copy_to(to.path(), &Copying::default(), &[]).unwrap_err();
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
    let refused = store.copier().copy_to(to.path(), &Copying::default(), &[]).unwrap_err();
    assert!(matches!(refused, StoreError::Damaged { .. }), "{refused}");
    assert!(!to.path().join("db").exists(), "what is of no use takes no room");
    FjallStore::open(to.path(), &options()).expect_err("half a copy");
}

#[test]
fn copies_made_while_commits_go_on_are_each_one_moment() {
    let from = tempfile::tempdir().unwrap();
    let mut store = open(from.path());
    let copier = store.copier();
    std::thread::scope(|scope| {
        let writer = scope.spawn(move || {
            for n in 0..600 {
                store.commit(vec![write(create(n))]).unwrap();
            }
        });
        for _ in 0..4 {
            let to = tempfile::tempdir().unwrap();
            let extent = copier.copy_to(to.path(), &Copying::default(), &[]).unwrap();
            let copy = open(to.path());
            assert_eq!(damages(&copy), Vec::<String>::new());
            let reader = copy.reader();
            let (meta, all) = (reader.meta().unwrap(), reader.ids(&Listing::All, None, 1000));
            assert_eq!(meta.last_commit, extent.commit);
            assert_eq!(all.unwrap().len() as u64, extent.commit.0);
            assert_eq!(meta.outbox_last.0, 2 * extent.commit.0);
        }
        writer.join().unwrap();
    });
}

#[test]
fn a_backup_is_the_owners_alone_and_known_as_one() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let store = filled(from.path(), 1);
    let mut secret = std::fs::OpenOptions::new();
    let secret = secret.create(true).write(true).mode(0o600).open(from.path().join("secret"));
    std::io::Write::write_all(&mut secret.unwrap(), b"hush").unwrap();
    let (backup, restored) = (to.path().join("a/b"), to.path().join("c"));
    store.copier().copy_to(&backup, &Copying::default(), &["secret", "missing"]).unwrap();
    store.copier().copy_to(&restored, &fresh(2), &["secret", "missing"]).unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&backup), mode(&backup.join("secret"))), (0o700, 0o600));
    assert_eq!(std::fs::read(restored.join("secret")).unwrap(), b"hush");
    assert!(FjallStore::is_backup(&backup) && FjallStore::is_backup(&restored));
    FjallStore::bring_to_life(&restored).unwrap();
    assert!(!FjallStore::is_backup(&restored));
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

#[test]
fn a_request_that_vanished_from_every_table_is_missed_by_the_audit_log() {
    let from = tempfile::tempdir().unwrap();
    drop(filled(from.path(), 3));
    for table in ["head", "index", "timers"] {
        tamper(from.path(), table, |rows| {
            for row in rows.iter() {
                let (key, _) = row.into_inner().unwrap();
                if key.ends_with(id(1).as_bytes()) {
                    rows.remove(key).unwrap();
                }
            }
        });
    }
    let found = damages(&open(from.path()));
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(found[0].contains("add up to 2 changes"), "{found:#?}");
}

#[test]
fn a_copy_that_takes_too_long_is_given_up_and_leaves_no_rows() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    // More rows than are written at once.
    let mut store = filled(from.path(), 600);
    let hasty = Copying { time_max: Some(Duration::ZERO), ..Copying::default() };
    let given_up = store.copier().copy_to(to.path(), &hasty, &[]).unwrap_err();
    assert!(matches!(given_up, StoreError::CopyTooSlow { .. }), "{given_up}");
    assert!(!to.path().join("db").exists());
    store.commit(vec![write(create(600))]).unwrap();
}

#[test]
fn a_directory_that_never_became_a_store_is_not_made_one_by_looking() {
    let dir = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        let empty = FjallStore::open(dir.path(), &FjallOptions::existing()).unwrap_err();
        assert!(matches!(empty, StoreError::Empty { .. }), "{empty}");
    }
}

#[test]
fn a_timer_that_is_missing_and_one_too_many_are_found() {
    let from = tempfile::tempdir().unwrap();
    drop(filled(from.path(), 3));
    let mut row = None;
    tamper(from.path(), "timers", |timers| {
        let (key, value) = timers.iter().next().unwrap().into_inner().unwrap();
        timers.remove(key.clone()).unwrap();
        row = Some((key, value));
    });
    let found = damages(&open(from.path()));
    assert_eq!(found.len(), 1, "{found:#?}");
    assert!(found[0].contains("timers") && found[0].contains("is not there"), "{found:#?}");
    tamper(from.path(), "timers", |timers| {
        let (key, value) = row.unwrap();
        timers.insert(key, value).unwrap();
    });
    assert_eq!(damages(&open(from.path())), Vec::<String>::new());
    tamper(from.path(), "head", |head| {
        let (key, _) = head.iter().next().unwrap().into_inner().unwrap();
        head.remove(key).unwrap();
    });
    let found = damages(&open(from.path()));
    assert!(found.iter().any(|damage| damage.contains("belong to no")), "{found:#?}");
}
