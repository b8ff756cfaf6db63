//! No orphans: a server must not outlive a test binary that was itself killed.
//!
//! A destructor does not run under `kill -9`, and the parent-death signal of Linux needs unsafe
//! code. So a shell waits for the end of a pipe that only this process holds open; when we are
//! gone, however that happened, the pipe closes and the shell kills the server.

use std::io;
use std::process::{Child, Command, Stdio};

const SCRIPT: &str = r#"read -r _; kill -9 "$0""#;

/// Kills a process when the process holding this value dies; disarmed by drop.
#[derive(Debug)]
pub(crate) struct Watchdog {
    shell: Child,
}

impl Watchdog {
    /// Watches over the process `pid`, which must be a child that we have not waited for yet.
    pub(crate) fn over(pid: u32) -> io::Result<Self> {
        let shell = Command::new("sh")
            .args(["-c", SCRIPT, &pid.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        Ok(Self { shell })
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        // Killed before its pipe closes, so that it never acts on a number used again by then.
        let killed = self.shell.kill();
        let reaped = self.shell.wait();
        if let Err(error) = killed.and(reaped) {
            eprintln!("nats-server: the watchdog could not be ended: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::poll;
    use super::*;

    const DEADLINE: Duration = Duration::from_secs(10);

    fn sleeper() -> Child {
        Command::new("sleep").arg("600").spawn().unwrap()
    }

    #[test]
    fn the_watched_process_dies_when_the_pipe_of_its_owner_closes() {
        let mut watched = sleeper();
        let mut watchdog = Watchdog::over(watched.id()).unwrap();
        drop(watchdog.shell.stdin.take());
        let end = poll::until(DEADLINE, || watched.try_wait().unwrap());
        assert!(end.is_some_and(|status| !status.success()));
    }

    #[test]
    fn a_dropped_watchdog_leaves_the_process_alone() {
        let mut watched = sleeper();
        let watchdog = Watchdog::over(watched.id()).unwrap();
        drop(watchdog);
        assert_eq!(watched.try_wait().unwrap(), None);
        watched.kill().unwrap();
        watched.wait().unwrap();
    }
}
