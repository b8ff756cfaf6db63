//! Rows on their way from the store's writer to egress. The fast way is a bounded queue; what does
//! not fit is not lost, because the store has it: a gap is read from there.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{Notify, mpsc};

use crate::store::StoredRow;

/// Rows in the queue between the store's writer and egress.
const QUEUE_ROWS_MAX: usize = 4096;

/// The store's end.
#[derive(Debug, Clone)]
pub struct Outlet {
    sender: mpsc::Sender<StoredRow>,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    /// Highest durable sequence.
    highest: AtomicU64,
    arrived: Notify,
}

/// Egress's end.
#[derive(Debug)]
pub struct Feed {
    receiver: mpsc::Receiver<StoredRow>,
    /// Came too early: rows before it have to be read from the store.
    peeked: Option<StoredRow>,
    shared: Arc<Shared>,
}

/// What comes after a given sequence.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    Row(Box<StoredRow>),
    /// The queue has no such row, the store has.
    ReadStore,
    Nothing,
}

/// `highest` is the last sequence the store has given out.
pub fn feed(highest: u64) -> (Outlet, Feed) {
    let (sender, receiver) = mpsc::channel(QUEUE_ROWS_MAX);
    let shared = Arc::new(Shared { highest: AtomicU64::new(highest), arrived: Notify::new() });
    let outlet = Outlet { sender, shared: Arc::clone(&shared) };
    (outlet, Feed { receiver, peeked: None, shared })
}

impl Outlet {
    /// Never blocks. Rows in order of sequence.
    pub fn push(&self, rows: Vec<StoredRow>) {
        let Some(last) = rows.last().map(|row| row.seq.0) else { return };
        for row in rows {
            if self.sender.try_send(row).is_err() {
                // Full, or egress has ended: the rest is in the store.
                break;
            }
        }
        // After the rows: whoever sees the number finds them in the queue or knows they are not.
        self.shared.highest.fetch_max(last, Ordering::Release);
        self.shared.arrived.notify_one();
    }
}

impl Feed {
    /// What comes after `taken`.
    pub fn next(&mut self, taken: u64) -> Next {
        let highest = self.highest();
        loop {
            let Some(row) = self.peeked.take().or_else(|| self.receiver.try_recv().ok()) else {
                break;
            };
            match row.seq.0.checked_sub(taken) {
                None | Some(0) => {}
                Some(1) => return Next::Row(Box::new(row)),
                Some(_) => {
                    self.peeked = Some(row);
                    return Next::ReadStore;
                }
            }
        }
        if highest > taken { Next::ReadStore } else { Next::Nothing }
    }

    /// Highest durable sequence.
    pub fn highest(&self) -> u64 {
        self.shared.highest.load(Ordering::Acquire)
    }

    /// Nothing durable is after `taken`.
    pub fn is_drained(&self, taken: u64) -> bool {
        self.highest() <= taken
    }

    /// Until rows may have arrived.
    pub async fn arrived(&self) {
        self.shared.arrived.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::OutboxSeq;
    use crate::wire::fixture;

    #[test]
    fn rows_come_through_in_order() {
        let (outlet, mut feed) = feed(0);
        outlet.push(vec![row(1), row(2)]);
        assert_eq!(feed.next(0), Next::Row(Box::new(row(1))));
        assert_eq!(feed.next(1), Next::Row(Box::new(row(2))));
        assert_eq!(feed.next(2), Next::Nothing);
    }

    #[test]
    fn rows_from_before_the_start_are_in_the_store() {
        let (_outlet, mut feed) = feed(7);
        assert_eq!(feed.next(3), Next::ReadStore);
        assert_eq!(feed.next(7), Next::Nothing);
        assert!(feed.is_drained(7) && !feed.is_drained(6));
    }

    #[test]
    fn what_overflows_the_queue_is_found_in_the_store() {
        let (outlet, mut feed) = feed(0);
        let rows = QUEUE_ROWS_MAX as u64 + 5;
        outlet.push((1..=rows).map(row).collect());
        for taken in 0..QUEUE_ROWS_MAX as u64 {
            assert!(matches!(feed.next(taken), Next::Row(_)));
        }
        outlet.push(vec![row(rows + 1)]);
        assert_eq!(feed.next(QUEUE_ROWS_MAX as u64), Next::ReadStore);
        assert_eq!(feed.next(rows), Next::Row(Box::new(row(rows + 1))));
    }

    #[test]
    fn rows_that_the_store_gave_already_are_passed_over() {
        let (outlet, mut feed) = feed(0);
        outlet.push(vec![row(1), row(2), row(3)]);
        assert_eq!(feed.next(2), Next::Row(Box::new(row(3))));
    }

    #[test]
    fn after_a_rewind_the_store_is_read_and_nothing_of_the_queue_is_lost() {
        let (outlet, mut feed) = feed(5);
        outlet.push(vec![row(6)]);
        assert_eq!(feed.next(2), Next::ReadStore);
        assert_eq!(feed.next(5), Next::Row(Box::new(row(6))));
    }

    fn row(seq: u64) -> StoredRow {
        StoredRow { seq: OutboxSeq(seq), ..fixture::stored(fixture::lookup_effect()) }
    }
}
