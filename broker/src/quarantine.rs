//! Messages at which the broker panicked.
//!
//! A panic ends the process; the server delivers the message again; and one message could keep a
//! broker from ever working. So whoever panics writes down which message was in hand, in a file
//! beside the store, before the process ends. At the third time the message is given up like any
//! other that cannot be used: a dead letter, and the work goes on. Nothing is written while nothing
//! panics, and the server's own count of deliveries, which a restart of it may reset, is not asked.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use broker_core::batch::{SourceStream, StreamPosition};

use crate::files;

/// Name of the file in the store's directory: a line `<stream> <sequence> <panics>` per message.
pub const FILE: &str = "quarantine";
/// A message that was in hand at so many panics is not tried again.
pub const PANICS_MAX: u32 = 3;
/// Messages remembered; beyond them the oldest of the file are forgotten and would be tried again.
pub const MESSAGES_MAX: usize = 1000;

/// Shared; cloning is cheap.
#[derive(Debug, Clone)]
pub struct Quarantine(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    dir: PathBuf,
    panics: Mutex<BTreeMap<StreamPosition, u32>>,
}

impl Quarantine {
    /// What earlier lives of the process wrote down in `dir`.
    ///
    /// # Errors
    /// The file is there and cannot be read. One that cannot be understood is begun anew: the
    /// counts in it are only a protection, and three more panics bring them back.
    pub fn load(dir: &Path) -> io::Result<Self> {
        let text = match std::fs::read_to_string(dir.join(FILE)) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error),
        };
        let panics = parse(&text).unwrap_or_else(|| {
            tracing::warn!(dir = %dir.display(), "the file {FILE} is damaged and begun anew");
            BTreeMap::new()
        });
        Ok(Self(Arc::new(Shared { dir: dir.to_owned(), panics: Mutex::new(panics) })))
    }

    /// Whether this message is to be given up unread.
    pub fn holds(&self, position: StreamPosition) -> bool {
        self.lock().get(&position).is_some_and(|panics| *panics >= PANICS_MAX)
    }

    /// A panic with this message in hand. **Durability:** synced, as the process is about to end.
    pub fn note(&self, position: StreamPosition) {
        let mut panics = self.lock();
        *panics.entry(position).or_default() += 1;
        while panics.len() > MESSAGES_MAX {
            let oldest = panics.keys().find(|other| **other != position).copied();
            oldest.map(|oldest| panics.remove(&oldest));
        }
        let written = files::replace(&self.0.dir, FILE, to_text(&panics).as_bytes());
        let StreamPosition { stream, sequence } = position;
        let (stream, times) = (stream.name(), panics.get(&position));
        match written {
            Ok(()) => tracing::error!(stream, sequence, times, "a panic with this message in hand"),
            Err(error) => tracing::error!(stream, sequence, %error, "a panic is not written down"),
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<StreamPosition, u32>> {
        self.0.panics.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn parse(text: &str) -> Option<BTreeMap<StreamPosition, u32>> {
    let line = |line: &str| {
        let mut words = line.split(' ');
        let name = words.next()?;
        let stream = SourceStream::ALL.into_iter().find(|stream| stream.name() == name)?;
        let sequence = words.next()?.parse().ok()?;
        let panics = words.next()?.parse().ok()?;
        words.next().is_none().then_some((StreamPosition { stream, sequence }, panics))
    };
    text.lines().map(line).collect()
}

fn to_text(panics: &BTreeMap<StreamPosition, u32>) -> String {
    let line = |(position, panics): (&StreamPosition, &u32)| {
        format!("{} {} {panics}\n", position.stream.name(), position.sequence)
    };
    panics.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(sequence: u64) -> StreamPosition {
        StreamPosition { stream: SourceStream::PurchaseCreates, sequence }
    }

    #[test]
    fn a_message_is_held_after_three_panics_whichever_process_had_them() {
        let dir = tempfile::tempdir().unwrap();
        for _ in 0..PANICS_MAX {
            let quarantine = Quarantine::load(dir.path()).unwrap();
            assert!(!quarantine.holds(at(7)));
            quarantine.note(at(7));
        }
        let quarantine = Quarantine::load(dir.path()).unwrap();
        assert!(quarantine.holds(at(7)));
        assert!(!quarantine.holds(at(8)));
    }

    #[test]
    fn a_damaged_file_is_begun_anew() {
        let dir = tempfile::tempdir().unwrap();
        for text in ["PURCHASE_CREATES 7\n", "NOTHING 7 3\n", "PURCHASE_CREATES 7 3 1\n", "\0"] {
            std::fs::write(dir.path().join(FILE), text).unwrap();
            let quarantine = Quarantine::load(dir.path()).unwrap();
            assert!(!quarantine.holds(at(7)), "{text:?}");
            quarantine.note(at(7));
        }
        let text = std::fs::read_to_string(dir.path().join(FILE)).unwrap();
        assert_eq!(text, "PURCHASE_CREATES 7 1\n");
    }

    #[test]
    fn the_file_has_a_limit_and_the_newest_word_stays() {
        let dir = tempfile::tempdir().unwrap();
        let quarantine = Quarantine::load(dir.path()).unwrap();
        let full: BTreeMap<_, _> = (1..=MESSAGES_MAX as u64).map(|n| (at(n), PANICS_MAX)).collect();
        *quarantine.lock() = full;
        quarantine.note(at(0));
        assert_eq!(quarantine.lock().len(), MESSAGES_MAX);
        assert_eq!(quarantine.lock().get(&at(0)), Some(&1));
        assert!(!quarantine.holds(at(1)) && quarantine.holds(at(2)));
    }
}
