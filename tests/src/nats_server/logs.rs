//! The server's own words, kept in a file and quoted when something went wrong.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

/// Lines of the log that an error message quotes.
const TAIL_LINES: usize = 30;
/// A panic with its backtrace is no longer than this.
const PANIC_LINES_MAX: usize = 400;

/// The file that stdout and stderr of a server go to, across its restarts.
#[derive(Debug)]
pub(crate) struct LogFile {
    path: PathBuf,
}

impl LogFile {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// A handle that appends, to be given to a child process.
    pub(crate) fn append(&self) -> io::Result<File> {
        OpenOptions::new().create(true).append(true).open(&self.path)
    }

    /// The last lines, or why they cannot be read; made for error messages. A panic is shown from
    /// its first line on, however long its backtrace.
    pub(crate) fn tail(&self) -> String {
        match fs::read(&self.path) {
            Ok(bytes) => end_of(&String::from_utf8_lossy(&bytes)),
            Err(error) => format!("(its log cannot be read: {error})"),
        }
    }
}

fn end_of(log: &str) -> String {
    let lines: Vec<&str> = log.lines().collect();
    let last = lines.len().saturating_sub(TAIL_LINES);
    let within = lines.len().saturating_sub(PANIC_LINES_MAX);
    let panic = lines[within..].iter().rposition(|line| line.contains("' panicked at "));
    // With what was said just before.
    let from = panic.map_or(last, |at| last.min((within + at).saturating_sub(TAIL_LINES / 2)));
    lines[from..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_shown_from_its_first_line_on() {
        let trace = (0..100).map(|n| format!("  {n}: frame\n")).collect::<String>();
        let before = "said before\n".repeat(100);
        let log = format!("{before}thread 'x' panicked at here.rs:1:\nwhy\n{trace}");
        let shown = end_of(&log);
        assert!(shown.contains("panicked at here.rs:1:\nwhy\n  0: frame"), "{shown}");
        assert_eq!(shown.lines().count(), TAIL_LINES / 2 + 102);
        assert_eq!(end_of(&before).lines().count(), TAIL_LINES);
    }
}
