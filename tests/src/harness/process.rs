//! One child process: started, killed, stopped and started again with the same command line.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use schemas::{DurationMs, Timestamp};

use super::{HarnessError, Program, now, wait};
use crate::nats_server::freeze::is_frozen;
use crate::nats_server::logs::LogFile;
use crate::nats_server::poll;
use crate::nats_server::watchdog::Watchdog;

/// A started process may need this long before it does its work again.
const BACK_WITHIN: DurationMs = DurationMs::from_secs(10);
/// A killed process is gone within this, however loaded the machine is.
const KILL_DEADLINE: Duration = Duration::from_secs(20);

/// A program with its arguments, environment and log, running or not. Dropping it kills it.
#[derive(Debug)]
pub struct Process {
    name: &'static str,
    program: Program,
    arguments: Vec<String>,
    env: BTreeMap<String, String>,
    log: LogFile,
    running: Option<Running>,
    /// When it was started, each time, and when it was signalled last before that.
    starts: Vec<Start>,
    signalled: Mutex<Option<Timestamp>>,
}

/// When it was signalled since the start before, and when it was started.
type Start = (Option<Timestamp>, Timestamp);

#[derive(Debug)]
struct Running {
    // Declared first: it must be disarmed before the process is reaped and its number free again.
    watchdog: Watchdog,
    child: Child,
}

impl Process {
    /// Nothing is started yet. Everything the program says goes to the end of `log`.
    pub fn new(name: &'static str, program: Program, arguments: Vec<String>, log: PathBuf) -> Self {
        let env = BTreeMap::new();
        Self {
            name,
            program,
            arguments,
            env,
            log: LogFile::new(log),
            running: None,
            starts: Vec::new(),
            signalled: Mutex::default(),
        }
    }

    /// Environment of the next starts.
    pub fn set_env(&mut self, name: &str, value: impl Into<String>) {
        self.env.insert(name.to_owned(), value.into());
    }

    pub fn clear_env(&mut self, name: &str) {
        self.env.remove(name);
    }

    /// Starts the process; whether it is ready is for the caller to find out.
    ///
    /// # Errors
    /// When it runs already, or cannot be started.
    pub fn start(&mut self) -> Result<(), HarnessError> {
        if self.running.is_some() {
            return Err(HarnessError::StillRunning { name: self.name });
        }
        let name = self.name;
        let log =
            self.log.append().map_err(HarnessError::io(format!("opening the log of {name}")))?;
        let also_log =
            log.try_clone().map_err(HarnessError::io(format!("opening the log of {name}")))?;
        let mut command = self.program.command(&self.arguments);
        let mut child = command
            .envs(&self.env)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(also_log)
            .spawn()
            .map_err(HarnessError::io(format!(
                "starting {name} from {}",
                self.program.executable.display()
            )))?;
        match Watchdog::over(child.id()) {
            Ok(watchdog) => {
                self.running = Some(Running { watchdog, child });
                let signalled =
                    self.signalled.lock().unwrap_or_else(PoisonError::into_inner).take();
                self.starts.push((signalled, now()));
                Ok(())
            }
            Err(source) => {
                // Without a watchdog we would rather have no process than one nobody ends.
                let _ = child.kill();
                let _ = child.wait();
                Err(HarnessError::Io { doing: format!("starting the watchdog of {name}"), source })
            }
        }
    }

    /// Ends the process as a crash does. Does nothing if it is not running.
    ///
    /// # Errors
    /// When it cannot be signalled or reaped.
    pub fn kill_9(&mut self) -> Result<(), HarnessError> {
        if self.running.is_none() {
            return Ok(());
        }
        self.signal(Signal::SIGKILL)?;
        let ended = poll::until(KILL_DEADLINE, || self.ended());
        ended.map(drop).ok_or_else(|| self.not_ended(KILL_DEADLINE))
    }

    /// Ends the process as an operator does and waits for it.
    ///
    /// # Errors
    /// When it is not running, or is still there at the deadline.
    pub async fn terminate(&mut self, deadline: Duration) -> Result<ExitStatus, HarnessError> {
        self.signal(Signal::SIGTERM)?;
        self.wait_for_end(deadline).await
    }

    /// Waits for an end that something else brings about, such as a crash point.
    ///
    /// # Errors
    /// When it is still running at the deadline; the log is in the message.
    pub async fn wait_for_end(&mut self, deadline: Duration) -> Result<ExitStatus, HarnessError> {
        let ended = wait::until("", deadline, async || Ok(self.ended())).await;
        ended.map_err(|_| self.not_ended(deadline))
    }

    /// Freezes the process and returns once no thread of it runs any more.
    ///
    /// # Errors
    /// When it is not running, or does not stop.
    pub fn pause(&self) -> Result<(), HarnessError> {
        self.signal(Signal::SIGSTOP)?;
        let pid = self.pid().unwrap_or_default();
        let frozen = poll::until(KILL_DEADLINE, || is_frozen(pid).then_some(()));
        frozen.ok_or_else(|| self.not_ended(KILL_DEADLINE))
    }

    /// Lets a paused process run on.
    ///
    /// # Errors
    /// When it is not running.
    pub fn resume(&self) -> Result<(), HarnessError> {
        self.signal(Signal::SIGCONT)
    }

    /// The times in which it was not there for its peers, restarts included. One that ended by
    /// itself may have done so at any time since it was started.
    pub fn outages(&self) -> Vec<(Timestamp, Timestamp)> {
        let pairs = self.starts.iter().zip(self.starts.iter().skip(1));
        let outage = |((_, before), (signalled, back)): (&Start, &Start)| {
            (signalled.unwrap_or(*before), back.saturating_add(BACK_WITHIN))
        };
        pairs.map(outage).collect()
    }

    /// Whether it runs; one that ended by itself is reaped here.
    pub fn is_running(&mut self) -> bool {
        self.running.is_some() && self.ended().is_none()
    }

    pub fn pid(&self) -> Option<u32> {
        self.running.as_ref().map(|running| running.child.id())
    }

    pub fn log_path(&self) -> &Path {
        self.log.path()
    }

    /// The last lines it said.
    pub fn log_tail(&self) -> String {
        self.log.tail()
    }

    /// An end that nobody asked for is an error with the log in it; otherwise nothing.
    pub fn check_alive(&mut self) -> Result<(), HarnessError> {
        match self.ended() {
            Some(status) => {
                Err(HarnessError::Ended { name: self.name, status, log: self.log.tail() })
            }
            None => Ok(()),
        }
    }

    fn ended(&mut self) -> Option<ExitStatus> {
        let running = self.running.as_mut()?;
        let status = running.child.try_wait().ok().flatten()?;
        let Running { watchdog, child: _ } = self.running.take()?;
        drop(watchdog);
        Some(status)
    }

    fn not_ended(&self, after: Duration) -> HarnessError {
        HarnessError::NotEnded { name: self.name, after, log: self.log.tail() }
    }

    fn signal(&self, signal: Signal) -> Result<(), HarnessError> {
        let name = self.name;
        let pid = self.pid().ok_or(HarnessError::NotRunning { name, signal })?;
        let pid = i32::try_from(pid).expect("a process number fits an i32");
        let mut signalled = self.signalled.lock().unwrap_or_else(PoisonError::into_inner);
        signalled.get_or_insert_with(now);
        kill(Pid::from_raw(pid), signal).map_err(|source| HarnessError::Signal {
            name,
            signal,
            source,
        })
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Err(error) = self.kill_9() {
            eprintln!("{}: {error}", self.name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sleeper(dir: &Path) -> Process {
        let program = Program::new("sh").role("-c");
        let script = "echo hello; exec sleep 600".to_owned();
        Process::new("sleeper", program, vec![script], dir.join("log"))
    }

    #[tokio::test]
    async fn a_process_can_be_killed_and_started_again() {
        let dir = tempfile::tempdir().unwrap();
        let mut process = sleeper(dir.path());
        process.start().unwrap();
        let first = process.pid().unwrap();
        assert!(matches!(process.start(), Err(HarnessError::StillRunning { .. })));
        process.kill_9().unwrap();
        assert!(!process.is_running());
        process.start().unwrap();
        assert_ne!(process.pid(), Some(first));
        let ended = process.terminate(Duration::from_secs(20)).await.unwrap();
        assert!(!ended.success());
    }

    #[tokio::test]
    async fn an_unasked_end_is_told_with_the_log() {
        let dir = tempfile::tempdir().unwrap();
        let program = Program::new("sh").role("-c");
        let script = "echo last words; exit 3".to_owned();
        let mut process = Process::new("short", program, vec![script], dir.path().join("log"));
        process.start().unwrap();
        let told = wait::until("it ends", Duration::from_secs(20), async || {
            Ok(process.check_alive().err())
        });
        let told = told.await.unwrap().to_string();
        assert!(told.contains("last words") && told.contains("exit status: 3"), "{told}");
    }
}
