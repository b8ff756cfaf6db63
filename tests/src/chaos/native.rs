//! The small C programs of `tests/native`, compiled on the spot, and the clock library of the
//! system. What cannot be had is a reason in words, not an error: the report shows it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const SYNC_FAULTS: &str = include_str!("../../native/sync_faults.c");
const POWER_CUT: &str = include_str!("../../native/power_cut.c");

/// Where Debian, and others with its layout, put the library.
const FAKETIME_PLACES: [&str; 4] = [
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib64/faketime/libfaketimeMT.so.1",
    "/usr/lib/faketime/libfaketimeMT.so.1",
];

/// What could be had, or why not.
#[derive(Debug)]
pub(super) struct Native {
    /// Library to preload into the broker: syncs that fail or are slow.
    pub(super) sync_faults: Result<PathBuf, String>,
    /// Program that cuts the power of a mounted file system.
    pub(super) power_cut: Result<PathBuf, String>,
    /// Library to preload into the broker: a wall clock that jumps.
    pub(super) faketime: Result<PathBuf, String>,
}

impl Native {
    /// Compiles into `dir`, and looks for the clock library; one that is missing is installed if
    /// that is wanted and allowed.
    pub(super) fn in_dir(dir: &Path, install: bool) -> Self {
        Self {
            sync_faults: compile(dir, "sync_faults.c", SYNC_FAULTS, &["-shared", "-fPIC"]),
            power_cut: power_cut(dir),
            faketime: faketime(install),
        }
    }
}

pub(super) fn power_cut(dir: &Path) -> Result<PathBuf, String> {
    compile(dir, "power_cut.c", POWER_CUT, &[])
}

fn compile(dir: &Path, name: &str, text: &str, flags: &[&str]) -> Result<PathBuf, String> {
    if !cfg!(target_os = "linux") {
        return Err("this system is not Linux".to_owned());
    }
    let source = dir.join(name);
    let output = source.with_extension("out");
    fs::write(&source, text).map_err(|error| format!("writing {name}: {error}"))?;
    let mut cc = Command::new("cc");
    cc.args(["-std=gnu11", "-O1", "-Wall"]).args(flags).arg("-o").arg(&output).arg(&source);
    run(&mut cc).map(|()| output)
}

fn faketime(install: bool) -> Result<PathBuf, String> {
    let found = || FAKETIME_PLACES.iter().map(PathBuf::from).find(|place| place.is_file());
    if let Some(library) = found() {
        return Ok(library);
    }
    if !install || !is_root() {
        return Err("libfaketime is not installed".to_owned());
    }
    let install = ["install", "-y", "--no-install-recommends", "libfaketime"];
    let installed = run(Command::new("apt-get").args(install));
    installed.map_err(|error| format!("libfaketime is not installed, and {error}"))?;
    found().ok_or_else(|| "libfaketime is installed somewhere unknown".to_owned())
}

/// Whether file systems may be mounted and packages installed.
pub(super) fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

/// Runs a command to its end; its own words if it fails.
pub(super) fn run(command: &mut Command) -> Result<(), String> {
    let named = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| format!("{named} cannot be started: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said.lines().last().unwrap_or("it said nothing");
    Err(format!("{named} failed ({}): {last}", output.status))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_fails_is_told_in_its_own_words() {
        let told = run(Command::new("sh").args(["-c", "echo oops >&2; exit 3"])).unwrap_err();
        assert!(told.contains("oops") && told.contains("exit status: 3"), "{told}");
        assert_eq!(run(&mut Command::new("true")), Ok(()));
    }

    #[test]
    fn a_program_that_is_not_there_is_a_reason() {
        let told = run(&mut Command::new("no-such-program-here")).unwrap_err();
        assert!(told.contains("cannot be started"), "{told}");
    }

    #[test]
    fn syncs_fail_in_a_process_with_the_library_and_nowhere_else() {
        let dir = tempfile::tempdir().unwrap();
        let Ok(library) = compile(dir.path(), "sync_faults.c", SYNC_FAULTS, &["-shared", "-fPIC"])
        else {
            // A machine without a compiler: the report of a chaos run says so.
            return;
        };
        let control = dir.path().join("control");
        let sync = |every: &str| {
            fs::write(&control, every).unwrap();
            let mut command = Command::new("sync");
            command.arg(dir.path()).env("LD_PRELOAD", &library).env("SYNC_FAULTS", &control);
            run(&mut command)
        };
        assert_eq!(sync("0 0"), Ok(()));
        let told = sync("1 0").unwrap_err();
        assert!(told.contains("Input/output error"), "{told}");
    }
}
