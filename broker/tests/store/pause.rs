//! A process that stands still as a whole (a stopped process, a suspended machine) has not lived
//! through a stalled commit: when it goes on, so does the commit.

use std::io::{BufRead, BufReader, Write as _};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use broker::store::{
    Committed, MemStore, Reader, Store, StoreError, StoreThread, Write, abort_process,
};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::rig::INCARNATION;
use crate::samples::{create, write};

/// Makes this test binary the child that is stopped.
const CHILD: &str = "STORE_PAUSE_CHILD";

/// What the child lets a commit take.
const LIMIT_MS: u64 = 1000;
/// What its only commit takes, in steps, so that a standstill does not count as work done.
const STEPS: u32 = 20;
const STEP: Duration = Duration::from_millis(10);
/// How long it is stopped: longer than the limit, and than any rounding of it.
const STANDSTILL: Duration = Duration::from_millis(3 * LIMIT_MS);

struct Slow(MemStore);

impl Store for Slow {
    fn commit(&mut self, writes: Vec<Write>) -> Result<Vec<Committed>, StoreError> {
        say("committing");
        for _ in 0..STEPS {
            std::thread::sleep(STEP);
        }
        self.0.commit(writes)
    }

    fn reader(&self) -> Arc<dyn Reader> {
        self.0.reader()
    }

    fn close(self: Box<Self>) -> Result<(), StoreError> {
        Box::new(self.0).close()
    }
}

/// To the parent, past what the test runner captures.
fn say(what: &str) {
    let mut out = std::io::stdout();
    writeln!(out, "{what}").unwrap();
}

#[test]
fn child_commits_and_is_stopped_meanwhile() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
    let store = Box::new(Slow(MemStore::new(INCARNATION)));
    let told = |(): (), _| say("acknowledged");
    let thread = StoreThread::spawn_with_limit(store, abort_process(), LIMIT_MS, told).unwrap();
    thread.submit((), write(create(0))).unwrap();
    thread.close().unwrap();
}

#[test]
fn a_process_that_was_stopped_during_a_commit_goes_on() {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "pause::child_commits_and_is_stopped_meanwhile", "--nocapture"])
        .env(CHILD, "1")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap());
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    assert!(lines.any(|line| line.contains("committing")), "the child never committed");
    kill(pid, Signal::SIGSTOP).unwrap();
    // The standstill itself is what is tested; nothing is waited for.
    std::thread::sleep(STANDSTILL);
    kill(pid, Signal::SIGCONT).unwrap();
    let acknowledged = lines.any(|line| line.contains("acknowledged"));
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(acknowledged && output.status.success(), "{}: {said}", output.status);
}
