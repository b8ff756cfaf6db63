//! How customers fare, as they see it themselves.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use schemas::RequestId;
use schemas::event::{Notification, NotificationOutcome};

/// What customers asked and were told.
#[derive(Debug, Default)]
pub(in crate::chaos) struct Served(Mutex<Book>);

#[derive(Debug, Default)]
struct Book {
    asked: u64,
    ordered: u64,
    /// Asked, and not told anything yet.
    waiting: HashMap<RequestId, Instant>,
    /// When it was asked, and how long the first word took.
    waits: Vec<(Instant, Duration)>,
}

impl Served {
    pub(super) fn asked(&self, request: RequestId) {
        let mut book = self.book();
        book.asked += 1;
        book.waiting.entry(request).or_insert_with(Instant::now);
    }

    pub(super) fn told(&self, notice: &Notification) {
        let mut book = self.book();
        // Copies after a restart are nothing new.
        let Some(asked) = book.waiting.remove(&notice.request_id) else { return };
        book.waits.push((asked, asked.elapsed()));
        if notice.outcome == NotificationOutcome::Ordered && notice.number == 0 {
            book.ordered += 1;
        }
    }

    /// Requests sent so far.
    pub(in crate::chaos) fn asked_so_far(&self) -> u64 {
        self.book().asked
    }

    /// Orders that customers were told of so far, by a rough count: the audit counts exactly.
    pub(in crate::chaos) fn ordered(&self) -> u64 {
        self.book().ordered
    }

    /// How long the first word took for requests that were sent in this time.
    pub(in crate::chaos) fn waits(&self, from: Instant, until: Instant) -> Vec<Duration> {
        let book = self.book();
        let sent_then = book.waits.iter().filter(|(asked, _)| (from..until).contains(asked));
        sent_then.map(|(_, wait)| *wait).collect()
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
