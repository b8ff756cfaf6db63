//! The writer thread: groups, order, and what it does when a commit fails or does not come back.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use broker::store::{
    Committed, FailedCommit, Fatal, MemStore, Reader, Store, StoreError, StoreThread, Write,
};
use crossbeam_channel::{Receiver, Sender, bounded, unbounded};

use crate::rig::INCARNATION;
use crate::samples::{change, create, write};

/// Longest wait for something that must happen.
const PATIENCE: Duration = Duration::from_secs(30);

type Reasons = Arc<Mutex<Vec<String>>>;

fn recording() -> (Fatal, Reasons) {
    let reasons = Reasons::default();
    let record = Arc::clone(&reasons);
    (Arc::new(move |reason: &str| record.lock().unwrap().push(reason.to_owned())), reasons)
}

/// Waits in each commit until it is let through, and tells how many writes it has.
struct Gated {
    inner: MemStore,
    entered: Sender<usize>,
    pass: Receiver<()>,
}

impl Store for Gated {
    fn commit(&mut self, writes: Vec<Write>) -> Result<Vec<Committed>, StoreError> {
        self.entered.send(writes.len()).unwrap();
        self.pass.recv_timeout(PATIENCE).unwrap();
        self.inner.commit(writes)
    }

    fn reader(&self) -> Arc<dyn Reader> {
        self.inner.reader()
    }

    fn close(self: Box<Self>) -> Result<(), StoreError> {
        Box::new(self.inner).close()
    }
}

fn gated() -> (Gated, Receiver<usize>, Sender<()>) {
    let (entered, seen) = unbounded();
    let (let_through, pass) = unbounded();
    (Gated { inner: MemStore::new(INCARNATION), entered, pass }, seen, let_through)
}

#[test]
fn what_queues_up_behind_a_commit_becomes_one_group_acknowledged_in_order() {
    let (store, entered, let_through) = gated();
    let (fatal, reasons) = recording();
    let (done, answers) = unbounded();
    let reader = store.reader();
    let seen = store.reader();
    let thread = StoreThread::spawn(Box::new(store), fatal, move |tag: u64, answer| {
        // Durable and visible before anyone is told.
        let durable = seen.load(crate::samples::id(tag)).unwrap().is_some();
        done.send((tag, durable, matches!(answer, Committed::Request { .. }))).unwrap();
    })
    .unwrap();
    thread.submit(0, write(create(0))).unwrap();
    assert_eq!(entered.recv_timeout(PATIENCE), Ok(1));
    for n in 1..=5 {
        thread.submit(n, write(create(n))).unwrap();
    }
    assert_eq!(reader.meta().unwrap().last_commit.0, 0);
    let_through.send(()).unwrap();
    assert_eq!(entered.recv_timeout(PATIENCE), Ok(5));
    assert_eq!(answers.try_iter().collect::<Vec<_>>(), vec![(0, true, true)]);
    let_through.send(()).unwrap();
    thread.close().unwrap();
    let expected: Vec<_> = (1..=5).map(|n| (n, true, true)).collect();
    assert_eq!(answers.try_iter().collect::<Vec<_>>(), expected);
    assert!(reasons.lock().unwrap().is_empty());
}

#[test]
fn a_group_ends_at_its_limits() {
    let (store, entered, let_through) = gated();
    let thread = StoreThread::spawn(Box::new(store), recording().0, |(): (), _| {}).unwrap();
    thread.submit((), write(create(0))).unwrap();
    assert_eq!(entered.recv_timeout(PATIENCE), Ok(1));
    for n in 1..=1500 {
        thread.submit((), write(create(n))).unwrap();
    }
    let_through.send(()).unwrap();
    let by_bytes = entered.recv_timeout(PATIENCE).unwrap();
    assert!((100..=1024).contains(&by_bytes), "{by_bytes} writes in one group");
    for _ in 0..20 {
        let_through.send(()).unwrap();
    }
    thread.close().unwrap();
    let rest: Vec<usize> = entered.try_iter().collect();
    assert_eq!(by_bytes + rest.iter().sum::<usize>(), 1500);
    assert!(rest.iter().all(|group| *group <= 1024), "{rest:?}");
}

#[test]
fn closing_commits_and_acknowledges_what_is_queued() {
    let (done, answers) = unbounded();
    let store = MemStore::new(INCARNATION);
    let thread = StoreThread::spawn(Box::new(store), recording().0, move |tag: u64, _| {
        done.send(tag).unwrap();
    })
    .unwrap();
    for n in 0..100 {
        thread.submit(n, write(create(n))).unwrap();
    }
    thread.close().unwrap();
    assert_eq!(answers.try_iter().collect::<Vec<_>>(), (0..100).collect::<Vec<_>>());
}

#[test]
fn a_failed_commit_is_fatal_and_acknowledges_nothing() {
    for how in [FailedCommit::Durable, FailedCommit::NotDurable] {
        let mut store = MemStore::new(INCARNATION);
        store.fail_next_commit(how);
        let (fatal, reasons) = recording();
        let (done, answers) = unbounded();
        let thread = StoreThread::spawn(Box::new(store), fatal, move |tag: u64, _| {
            done.send(tag).unwrap();
        })
        .unwrap();
        thread.submit(1, write(create(1))).unwrap();
        // Ends when the writer drops its side.
        assert!(answers.recv_timeout(PATIENCE).is_err());
        assert_eq!(*reasons.lock().unwrap(), vec!["injected failure of a commit".to_owned()]);
        assert!(thread.submit(2, write(create(2))).is_err());
        assert!(matches!(thread.close(), Err(StoreError::Injected)));
    }
}

#[test]
fn a_commit_that_does_not_come_back_is_fatal() {
    let (store, entered, let_through) = gated();
    let (told, reason) = bounded(1);
    let fatal: Fatal = Arc::new(move |why: &str| told.send(why.to_owned()).unwrap());
    let thread = StoreThread::spawn_with_limit(Box::new(store), fatal, 40, |(): (), _| {}).unwrap();
    thread.submit((), write(create(0))).unwrap();
    assert_eq!(entered.recv_timeout(PATIENCE), Ok(1));
    let why = reason.recv_timeout(PATIENCE).unwrap();
    assert!(why.contains("at most 40 is allowed"), "{why}");
    let_through.send(()).unwrap();
    thread.close().unwrap();
}

#[test]
fn a_failed_commit_may_turn_out_to_have_happened() {
    for (how, there) in [(FailedCommit::Durable, true), (FailedCommit::NotDurable, false)] {
        let mut store = MemStore::new(INCARNATION);
        let first = create(1);
        let second = change(&first.request, |next| next.sweep = 2);
        store.commit(vec![write(first)]).unwrap();
        store.fail_next_commit(how);
        assert!(matches!(store.commit(vec![write(second.clone())]), Err(StoreError::Injected)));
        assert!(matches!(store.commit(vec![write(second)]), Err(StoreError::Poisoned)));
        let version = |store: &MemStore| {
            store.reader().load(crate::samples::id(1)).unwrap().unwrap().request.version.0
        };
        assert_eq!(version(&store), 1, "nothing is visible before the crash");
        store.crash();
        assert_eq!(version(&store), if there { 2 } else { 1 });
        store.commit(vec![write(create(2))]).unwrap();
    }
}

#[test]
fn what_is_staged_is_invisible_and_lost_by_a_crash() {
    let mut store = MemStore::new(INCARNATION);
    store.stage(vec![write(create(1))]);
    assert_eq!(store.reader().load(crate::samples::id(1)).unwrap(), None);
    store.crash();
    assert_eq!(store.sync().unwrap(), vec![]);
    store.stage(vec![write(create(1))]);
    assert_eq!(store.sync().unwrap().len(), 1);
    store.crash();
    assert!(store.reader().load(crate::samples::id(1)).unwrap().is_some());
}
