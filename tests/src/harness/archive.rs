//! The streams of a long run, read as they grow: the broker purges what everybody has consumed,
//! and a stream that lost its tail gives its numbers out again. What was read once is kept, and what
//! was lost before it could be read is taken from what was heard.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use async_nats::Client;
use schemas::stream::{self, of_subject};
use schemas::{DurationMs, Timestamp};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

use super::{HarnessError, StreamTail};
use crate::auditor::Seen;

/// Far below the age at which the broker purges what was consumed.
const READ_INTERVAL: Duration = Duration::from_secs(10);
/// Longer than between two readings, the server's outages and a busy machine included.
pub(super) const HEARD_FOR: DurationMs = DurationMs::from_secs(60);

/// Reads in the background until dropped.
#[derive(Debug)]
pub(super) struct Archive {
    shelves: Arc<Mutex<Vec<Shelf>>>,
    /// Said shortly before a stream may have lost its end.
    heard: Mutex<Vec<Seen>>,
    reading: JoinHandle<()>,
}

/// One stream. A number that was given out twice stands for two messages.
#[derive(Debug)]
struct Shelf {
    tail: StreamTail,
    kept: BTreeMap<(u64, Timestamp, Option<String>), Seen>,
}

impl Archive {
    pub(super) fn start(client: &Client) -> Self {
        let shelf = |spec: stream::StreamSpec| Shelf {
            tail: StreamTail::new(client, spec.name),
            kept: BTreeMap::new(),
        };
        let shelves: Vec<Shelf> = stream::all().into_iter().map(shelf).collect();
        let shelves = Arc::new(Mutex::new(shelves));
        let reading = tokio::spawn(read_on(Arc::clone(&shelves)));
        Self { shelves, heard: Mutex::default(), reading }
    }

    /// The server may have lost its last `messages` of each stream and given their numbers out
    /// again: they are read once more, and what was read before is kept beside them.
    /// What was `heard` in the last [`HEARD_FOR`] may be nowhere else any more.
    pub(super) async fn go_back(&self, messages: u64, heard: Vec<Seen>) {
        self.heard.lock().await.extend(heard);
        for shelf in self.shelves.lock().await.iter_mut() {
            shelf.tail.go_back(messages);
        }
    }

    /// Everything that was ever there, each message once.
    ///
    /// # Errors
    /// When a stream cannot be read to its end.
    pub(super) async fn messages(&self) -> Result<Vec<Seen>, HarnessError> {
        let mut messages = Vec::new();
        for shelf in self.shelves.lock().await.iter_mut() {
            shelf.read().await?;
            messages.extend(shelf.kept.values().cloned());
        }
        let name = |seen: &Seen| (seen.subject.clone(), seen.message_id.clone());
        let mut known: HashSet<_> = messages.iter().map(name).collect();
        for seen in self.heard.lock().await.iter() {
            if let Some(stream) = of_subject(&seen.subject)
                && known.insert(name(seen))
            {
                messages.push(Seen { stored: Some((stream, 0)), ..seen.clone() });
            }
        }
        Ok(messages)
    }
}

impl Shelf {
    async fn read(&mut self) -> Result<(), HarnessError> {
        let read = self.tail.poll().await;
        for seen in self.tail.take_seen() {
            let sequence = seen.stored.map_or(0, |(_, sequence)| sequence);
            self.kept.insert((sequence, seen.at, seen.message_id.clone()), seen);
        }
        read
    }
}

impl Drop for Archive {
    fn drop(&mut self) {
        self.reading.abort();
    }
}

async fn read_on(shelves: Arc<Mutex<Vec<Shelf>>>) {
    let mut pace = tokio::time::interval(READ_INTERVAL);
    loop {
        pace.tick().await;
        for shelf in shelves.lock().await.iter_mut() {
            // A server that is away has the same messages later, and the last reading must succeed.
            drop(shelf.read().await);
        }
    }
}
