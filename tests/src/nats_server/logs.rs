//! The server's own words, kept in a file and quoted when something went wrong.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

/// Lines of the log that an error message quotes.
const TAIL_LINES: usize = 30;

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

    /// The last lines, or why they cannot be read; made for error messages.
    pub(crate) fn tail(&self) -> String {
        match fs::read(&self.path) {
            Ok(bytes) => {
                let text = String::from_utf8_lossy(&bytes);
                let lines: Vec<&str> = text.lines().collect();
                lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
            }
            Err(error) => format!("(its log cannot be read: {error})"),
        }
    }
}
