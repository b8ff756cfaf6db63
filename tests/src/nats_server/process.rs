//! The fixture: one running nats-server that can be killed, frozen and brought back.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use super::config::{Identity, NatsServerOptions};
use super::freeze::is_frozen;
use super::logs::LogFile;
use super::poll;
use super::ports::PortLease;
use super::ready::is_ready;
use super::resolve::resolve_once;
use super::server_error::{START_DEADLINE, STOP_DEADLINE, ServerError};
use super::watchdog::Watchdog;

/// Attempts with fresh ports before a start that found its port taken is reported.
const PORT_TRIES_MAX: u32 = 5;

/// A nats-server process with JetStream, its ports and its files. Dropping it kills the process;
/// the store goes with it unless the options named a directory.
#[derive(Debug)]
pub struct NatsServer {
    options: NatsServerOptions,
    server_name: String,
    client: PortLease,
    monitor: PortLease,
    dir: TempDir,
    log: LogFile,
    running: Option<Running>,
}

#[derive(Debug)]
struct Running {
    // Declared first: it must be disarmed before the process is reaped and its number free again.
    watchdog: Watchdog,
    child: Child,
}

impl NatsServer {
    /// Starts a server and returns once it accepts clients and JetStream is ready.
    ///
    /// # Errors
    /// When no binary can be had, or the server does not come up; its log is in the message.
    pub fn start(options: NatsServerOptions) -> Result<Self, ServerError> {
        let mut tries = 1;
        loop {
            match Self::start_on_ports(options.clone()) {
                Err(ServerError::PortTaken { .. })
                    if options.port.is_none() && tries < PORT_TRIES_MAX => {}
                result => return result,
            }
            tries += 1;
        }
    }

    /// Where clients connect: `nats://127.0.0.1:<port>`.
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.client.port())
    }

    /// Where the monitoring pages are: `http://127.0.0.1:<port>` (`/jsz`, `/varz`, `/healthz`).
    pub fn monitor_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.monitor.port())
    }

    /// The client port, the same across restarts.
    pub fn port(&self) -> u16 {
        self.client.port()
    }

    /// The directory that JetStream stores in.
    pub fn store_dir(&self) -> PathBuf {
        self.options.store_dir.clone().unwrap_or_else(|| self.dir.path().join("jetstream"))
    }

    /// The file with everything the server said, across its restarts.
    pub fn log_path(&self) -> &Path {
        self.log.path()
    }

    /// The process number while the server runs or is paused.
    pub fn pid(&self) -> Option<u32> {
        self.running.as_ref().map(|running| running.child.id())
    }

    /// Ends the process as a crash does: no flush, no farewell to clients. Does nothing if it is
    /// not running.
    ///
    /// # Errors
    /// When the process cannot be signalled or reaped.
    pub fn kill_9(&mut self) -> Result<(), ServerError> {
        self.end(Signal::SIGKILL)
    }

    /// Ends the process as an operator does and waits for it. A paused server is resumed first,
    /// because a stopped process does not act on the request.
    ///
    /// # Errors
    /// When it has not ended within the deadline; it is killed then.
    pub fn stop_gracefully(&mut self) -> Result<(), ServerError> {
        if self.running.is_some() {
            self.signal(Signal::SIGCONT)?;
        }
        self.end(Signal::SIGTERM)
    }

    /// Freezes the process: its connections stay open and nobody answers. Returns once no thread
    /// of it runs any more.
    ///
    /// # Errors
    /// When it is not running, or does not stop.
    pub fn pause(&self) -> Result<(), ServerError> {
        let signal = Signal::SIGSTOP;
        let pid = self.pid().ok_or(ServerError::NotRunning { signal })?;
        self.signal(signal)?;
        poll::until(STOP_DEADLINE, || is_frozen(pid).then_some(()))
            .ok_or(ServerError::NotObeyed { signal })
    }

    /// Lets a paused process run on.
    ///
    /// # Errors
    /// When it is not running.
    pub fn resume(&self) -> Result<(), ServerError> {
        self.signal(Signal::SIGCONT)
    }

    /// Starts the server again on the same ports and the same store.
    ///
    /// # Errors
    /// When it was not stopped before, or does not come up.
    pub fn restart(&mut self) -> Result<(), ServerError> {
        if self.running.is_some() {
            return Err(ServerError::StillRunning);
        }
        self.launch()
    }

    fn start_on_ports(options: NatsServerOptions) -> Result<Self, ServerError> {
        let prepare = |what| move |source| ServerError::Prepare { what, source };
        let client = options.port.map_or_else(PortLease::any, PortLease::exactly);
        let client = client.map_err(prepare("client port"))?;
        let monitor = PortLease::any().map_err(prepare("monitoring port"))?;
        let dir = TempDir::with_prefix("nats-server-").map_err(prepare("directory"))?;
        let mut server = Self {
            // Names our process, so that a stranger on the port is not taken for it.
            server_name: format!("test-{}-{}", std::process::id(), client.port()),
            log: LogFile::new(dir.path().join("nats-server.log")),
            options,
            client,
            monitor,
            dir,
            running: None,
        };
        server.launch()?;
        Ok(server)
    }

    fn launch(&mut self) -> Result<(), ServerError> {
        let resolved = resolve_once().map_err(|error| ServerError::NoBinary(error.to_string()))?;
        let prepare = |what| move |source| ServerError::Prepare { what, source };
        let config = self.dir.path().join("nats-server.conf");
        fs::write(&config, self.config_text()).map_err(prepare("configuration file"))?;
        let log = self.log.append().map_err(prepare("log file"))?;
        let also_log = log.try_clone().map_err(prepare("log file"))?;
        let mut child = Command::new(&resolved.binary)
            .arg("--config")
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(also_log)
            .spawn()
            .map_err(|source| ServerError::Spawn { binary: resolved.binary.clone(), source })?;
        let watchdog = match Watchdog::over(child.id()) {
            Ok(watchdog) => watchdog,
            Err(source) => {
                // Without a watchdog we would rather have no server than one nobody ends.
                let _ = child.kill();
                let _ = child.wait();
                return Err(ServerError::Prepare { what: "watchdog", source });
            }
        };
        self.running = Some(Running { watchdog, child });
        self.wait_until_ready().inspect_err(|_| {
            // The start has failed already; that is what the caller is told.
            let _ = self.kill_9();
        })
    }

    fn wait_until_ready(&mut self) -> Result<(), ServerError> {
        let (name, port, monitor) = (&self.server_name, self.client.port(), self.monitor.port());
        let (running, log) = (&mut self.running, &self.log);
        let outcome = poll::until(START_DEADLINE, || {
            if let Some(Running { child, .. }) = running
                && let Ok(Some(status)) = child.try_wait()
            {
                return Some(Err(ended(status, log.tail())));
            }
            match is_ready(name, port, monitor) {
                Ok(true) => Some(Ok(())),
                Ok(false) => None,
                Err(said) => Some(Err(ServerError::PortTaken { said, log: log.tail() })),
            }
        });
        outcome.unwrap_or_else(|| Err(ServerError::NotReady { log: self.log.tail() }))
    }

    fn config_text(&self) -> String {
        self.options.render(&Identity {
            server_name: &self.server_name,
            port: self.client.port(),
            monitor_port: self.monitor.port(),
            store_dir: &self.store_dir(),
        })
    }

    fn signal(&self, signal: Signal) -> Result<(), ServerError> {
        let running = self.running.as_ref().ok_or(ServerError::NotRunning { signal })?;
        let pid = i32::try_from(running.child.id()).expect("a process number fits an i32");
        kill(Pid::from_raw(pid), signal).map_err(|source| ServerError::Signal {
            signal,
            pid,
            source,
        })
    }

    fn end(&mut self, signal: Signal) -> Result<(), ServerError> {
        if self.running.is_none() {
            return Ok(());
        }
        let asked = self.signal(signal);
        let Some(Running { watchdog, mut child }) = self.running.take() else { return Ok(()) };
        drop(watchdog);
        let ended = asked.and_then(|()| {
            poll::until(STOP_DEADLINE, || child.try_wait().ok().flatten())
                .map(drop)
                .ok_or(ServerError::NotObeyed { signal })
        });
        if ended.is_err() {
            // Ends the process whatever went wrong with asking; the first error is what counts.
            let _ = child.kill();
            let _ = child.wait();
        }
        ended
    }
}

/// A start that lost its port to somebody may be tried on another; any other end may not.
fn ended(status: ExitStatus, log: String) -> ServerError {
    if log.contains("address already in use") {
        let said = format!("it ended ({status}) because a port of it was taken");
        return ServerError::PortTaken { said, log };
    }
    ServerError::Ended { status, log }
}

impl Drop for NatsServer {
    fn drop(&mut self) {
        if let Err(error) = self.kill_9() {
            eprintln!("nats-server: {error}");
        }
    }
}
