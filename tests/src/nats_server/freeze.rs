//! Knowing that a stopped process has really stopped.
//!
//! SIGSTOP returns before the other threads of the process have noticed it, and for that moment
//! the server still answers: a test that pauses it and then publishes would be right most days.

use std::fs;

/// Whether every thread of the process is stopped. Where the system tells nothing about threads
/// (there is no `/proc`), the signal itself is all there is to go by.
pub(crate) fn is_frozen(pid: u32) -> bool {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else { return true };
    threads.flatten().all(|thread| {
        // A thread that ended between the listing and this look does not answer either.
        fs::read_to_string(thread.path().join("stat")).map_or(true, |stat| state_of(&stat) == 'T')
    })
}

/// The state letter of a line of `/proc/<pid>/stat`, which follows the name in parentheses; the
/// name itself may hold anything, parentheses included.
fn state_of(stat: &str) -> char {
    let after_name = stat.rsplit(')').next().unwrap_or_default();
    after_name.trim_start().chars().next().unwrap_or('?')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_is_read_behind_any_name() {
        assert_eq!(state_of("12 (nats-server) T 1 12 12"), 'T');
        assert_eq!(state_of("12 (a) T (b) S 1 12 12"), 'S');
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_running_process_is_not_frozen() {
        assert!(!is_frozen(std::process::id()));
    }
}
