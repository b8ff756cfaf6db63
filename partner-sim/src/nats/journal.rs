//! The synced ledger file: JSON lines, appended, never rewritten. The last line about a key is
//! what holds. One thread writes; what arrives while it syncs goes out with the next sync.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc;

use schemas::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use crate::ledger::LedgerEntry;

/// Most appends that share one sync.
const GROUP_APPENDS_MAX: usize = 1024;

/// One line of the file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "line", rename_all = "snake_case")]
pub(super) enum Line {
    Record(LedgerEntry),
    Later(Later),
    /// A [`Later`] was published.
    Sent {
        number: u64,
    },
}

/// An answer that is to be published later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Later {
    pub(super) number: u64,
    pub(super) at: Timestamp,
    pub(super) subject: String,
    pub(super) message_id: Option<String>,
    pub(super) body: String,
}

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    #[error("cannot open the ledger file {path}")]
    Open { path: PathBuf, source: io::Error },
    #[error("line {line} of the ledger file {path} is damaged; later lines are not")]
    Damaged { path: PathBuf, line: usize, source: serde_json::Error },
    #[error("cannot append to the ledger file {path}")]
    Append { path: PathBuf, source: io::Error },
    #[error("cannot start the thread that writes the ledger file")]
    Thread(#[source] io::Error),
    #[error("the ledger file is closed")]
    Closed,
}

struct Append {
    bytes: Vec<u8>,
    /// Told once the bytes are on disk; nobody waits for bytes that may be lost.
    synced: Option<oneshot::Sender<()>>,
}

/// The writing end. Dropping it ends the thread after what was appended is synced.
pub(super) struct Journal {
    appends: mpsc::Sender<Append>,
}

/// How the writing thread ended.
pub(super) struct Writer {
    /// Resolves when the file is synced and closed, or could not be written.
    pub(super) ended: oneshot::Receiver<Result<(), JournalError>>,
}

impl Journal {
    /// Opens or creates the file and reads what earlier lives wrote. A torn last line (the
    /// process died while writing it) was never acknowledged to anybody and is cut off.
    pub(super) fn open(path: &Path) -> Result<(Self, Writer, Vec<Line>), JournalError> {
        let failed = |source| JournalError::Open { path: path.to_owned(), source };
        let mut file =
            OpenOptions::new().read(true).append(true).create(true).open(path).map_err(failed)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(failed)?;
        let (lines, whole) = parse(&bytes, path)?;
        if whole < bytes.len() {
            file.set_len(whole as u64).map_err(failed)?;
        }
        file.sync_all().map_err(failed)?;
        sync_directory(path).map_err(failed)?;
        let (appends, queue) = mpsc::channel();
        let (end, ended) = oneshot::channel();
        let path = path.to_owned();
        let write = move || {
            let done = write_all(&mut file, &queue);
            // Nobody listens any more when the process is stopping anyway.
            let _ = end.send(done.map_err(|source| JournalError::Append { path, source }));
        };
        let thread = std::thread::Builder::new().name("ledger-file".to_owned());
        thread.spawn(write).map_err(JournalError::Thread)?;
        Ok((Self { appends }, Writer { ended }, lines))
    }

    /// Queues lines; the receiver is told when they, and all before them, are on disk. It fails
    /// if they may not be, and then so does everything after it.
    pub(super) fn append(&self, lines: &[Line]) -> oneshot::Receiver<()> {
        let (synced, receiver) = oneshot::channel();
        self.send(lines, Some(synced));
        receiver
    }

    /// Queues lines that only save work at the next start; they go with whatever is synced next.
    pub(super) fn note(&self, lines: &[Line]) {
        self.send(lines, None);
    }

    fn send(&self, lines: &[Line], synced: Option<oneshot::Sender<()>>) {
        let mut bytes = Vec::new();
        for line in lines {
            serde_json::to_writer(&mut bytes, line).expect("ledger lines serialize to JSON");
            bytes.push(b'\n');
        }
        // If the thread is gone, `synced` is dropped here and the receiver tells.
        let _ = self.appends.send(Append { bytes, synced });
    }
}

fn write_all(file: &mut File, queue: &mpsc::Receiver<Append>) -> io::Result<()> {
    let mut waiting = Vec::new();
    let mut bytes = Vec::new();
    while let Ok(first) = queue.recv() {
        let mut next = Some(first);
        let mut appends = 0;
        while let Some(append) = next {
            bytes.extend_from_slice(&append.bytes);
            waiting.extend(append.synced);
            appends += 1;
            next = if appends < GROUP_APPENDS_MAX { queue.try_recv().ok() } else { None };
        }
        if !bytes.is_empty() {
            file.write_all(&bytes)?;
        }
        if !waiting.is_empty() && !bytes.is_empty() {
            file.sync_data()?;
        }
        bytes.clear();
        for synced in waiting.drain(..) {
            // Whoever waited may have been stopped meanwhile.
            let _ = synced.send(());
        }
    }
    file.sync_data()
}

/// The lines, and how many bytes they take.
fn parse(bytes: &[u8], path: &Path) -> Result<(Vec<Line>, usize), JournalError> {
    let mut lines = Vec::new();
    let mut whole = 0;
    for (n, line) in bytes.split_inclusive(|b| *b == b'\n').enumerate() {
        let last = whole + line.len() == bytes.len();
        if last && line.last() != Some(&b'\n') {
            break;
        }
        match serde_json::from_slice(line) {
            Ok(parsed) => lines.push(parsed),
            Err(_) if last => break,
            Err(source) => {
                return Err(JournalError::Damaged { path: path.to_owned(), line: n + 1, source });
            }
        }
        whole += line.len();
    }
    Ok((lines, whole))
}

/// A new file is only there for good once its directory is synced.
fn sync_directory(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(parent)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn later(number: u64) -> Line {
        Line::Later(Later {
            number,
            at: Timestamp::from_unix_ms(number),
            subject: "partner.alpha.reply.0.place".to_owned(),
            message_id: None,
            body: "{}".to_owned(),
        })
    }

    fn write(path: &Path, lines: &[Line]) {
        let (journal, writer, _) = Journal::open(path).unwrap();
        journal.append(lines).blocking_recv().unwrap();
        drop(journal);
        writer.ended.blocking_recv().unwrap().unwrap();
    }

    fn read(path: &Path) -> Result<Vec<Line>, JournalError> {
        Journal::open(path).map(|(_, _, lines)| lines)
    }

    #[test]
    fn lines_survive_the_process() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger.jsonl");
        write(&path, &[later(1), Line::Sent { number: 1 }]);
        write(&path, &[later(2)]);
        assert_eq!(read(&path).unwrap(), [later(1), Line::Sent { number: 1 }, later(2)]);
    }

    #[test]
    fn a_torn_last_line_is_cut_off_at_every_byte() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger.jsonl");
        write(&path, &[later(1), later(2)]);
        let bytes = std::fs::read(&path).unwrap();
        let first = bytes.iter().position(|b| *b == b'\n').unwrap() + 1;
        for cut in first..bytes.len() {
            std::fs::write(&path, &bytes[..cut]).unwrap();
            assert_eq!(read(&path).unwrap(), [later(1)], "cut at {cut}");
            assert_eq!(std::fs::metadata(&path).unwrap().len(), first as u64);
        }
    }

    #[test]
    fn damage_before_the_last_line_is_refused_by_number() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger.jsonl");
        write(&path, &[later(1), later(2)]);
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[0] = b'?';
        std::fs::write(&path, bytes).unwrap();
        assert!(matches!(read(&path), Err(JournalError::Damaged { line: 1, .. })));
    }
}
