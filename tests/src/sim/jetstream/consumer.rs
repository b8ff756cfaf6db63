//! One durable pull consumer: explicit acks, redelivery after its ack wait.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use schemas::Timestamp;
use schemas::stream::ConsumerSpec;

use super::stream::Stream;
use super::{ConsumerIx, StreamIx};

/// Acks remembered, for forgetting them.
const ACKS_REMEMBERED_MAX: usize = 4096;

/// One copy of one message on its way to a reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delivery {
    pub consumer: ConsumerIx,
    pub created_unix_ns: i128,
    pub sequence: u64,
    /// Its place in the history.
    pub place: usize,
    /// How often the server thinks it has delivered it.
    pub count: u32,
    /// The life of the server in which it was sent; 0 while it is not.
    pub generation: u64,
}

#[derive(Debug, Clone, Copy)]
struct Pending {
    count: u32,
    due: Timestamp,
}

#[derive(Debug)]
pub(super) struct Consumer {
    stream: StreamIx,
    spec: ConsumerSpec,
    /// The first sequence that was never delivered.
    next: u64,
    /// Delivered and not acknowledged.
    pending: BTreeMap<u64, Pending>,
    due: BTreeSet<(Timestamp, u64)>,
    /// To be delivered again, with the count so far.
    again: BTreeMap<u64, u32>,
    acked: VecDeque<(Timestamp, u64)>,
}

impl Consumer {
    pub(super) fn new(stream: StreamIx, spec: ConsumerSpec) -> Self {
        Self {
            stream,
            spec,
            next: 1,
            pending: BTreeMap::new(),
            due: BTreeSet::new(),
            again: BTreeMap::new(),
            acked: VecDeque::new(),
        }
    }

    pub(super) fn stream(&self) -> StreamIx {
        self.stream
    }

    pub(super) fn take(
        &mut self,
        ix: ConsumerIx,
        stream: &Stream,
        now: Timestamp,
    ) -> Option<Delivery> {
        if self.pending.len() >= usize::try_from(self.spec.max_ack_pending).unwrap_or(usize::MAX) {
            return None;
        }
        let (sequence, count) = match self.again.pop_first() {
            Some((sequence, count)) => (sequence, count),
            None => {
                let sequence = self.next;
                stream.place_of(sequence)?;
                self.next += 1;
                (sequence, 0)
            }
        };
        let place = stream.place_of(sequence)?;
        let (count, due) = (count + 1, now.saturating_add(self.spec.ack_wait));
        self.pending.insert(sequence, Pending { count, due });
        self.due.insert((due, sequence));
        let created_unix_ns = stream.created_unix_ns();
        Some(Delivery { consumer: ix, created_unix_ns, sequence, place, count, generation: 0 })
    }

    pub(super) fn expire(&mut self, now: Timestamp) {
        while let Some((due, sequence)) = self.due.first().copied().filter(|(due, _)| *due <= now) {
            self.due.remove(&(due, sequence));
            if let Some(pending) = self.pending.remove(&sequence) {
                self.again.insert(sequence, pending.count);
            }
        }
    }

    pub(super) fn next_due(&self) -> Option<Timestamp> {
        self.due.first().map(|(due, _)| *due)
    }

    pub(super) fn ack(&mut self, sequence: u64, now: Timestamp) {
        self.again.remove(&sequence);
        if let Some(pending) = self.pending.remove(&sequence) {
            self.due.remove(&(pending.due, sequence));
            self.acked.push_back((now, sequence));
            if self.acked.len() > ACKS_REMEMBERED_MAX {
                self.acked.pop_front();
            }
        }
    }

    pub(super) fn nak(&mut self, sequence: u64, until: Timestamp) {
        let Some(pending) = self.pending.get_mut(&sequence) else { return };
        self.due.remove(&(pending.due, sequence));
        pending.due = until;
        self.due.insert((until, sequence));
    }

    pub(super) fn is_idle(&self, stream: &Stream) -> bool {
        self.pending.is_empty() && self.again.is_empty() && self.next > stream.last_sequence()
    }

    /// Not acknowledged yet.
    pub(super) fn is_open(&self, sequence: u64) -> bool {
        sequence >= self.next
            || self.pending.contains_key(&sequence)
            || self.again.contains_key(&sequence)
    }

    pub(super) fn roll_back(&mut self, since: Timestamp, count_too: bool) {
        while let Some((_, sequence)) = self.acked.pop_back_if(|(at, _)| *at >= since) {
            self.again.insert(sequence, 1);
        }
        if count_too {
            self.again.values_mut().for_each(|count| *count = 0);
            self.pending.values_mut().for_each(|pending| pending.count = 0);
        }
    }

    /// The stream ends there now.
    pub(super) fn cut(&mut self, last: u64) {
        self.next = self.next.min(last + 1);
        self.pending.retain(|sequence, _| *sequence <= last);
        self.due.retain(|(_, sequence)| *sequence <= last);
        self.again.retain(|sequence, _| *sequence <= last);
        self.acked.retain(|(_, sequence)| *sequence <= last);
    }

    pub(super) fn start_over(&mut self) {
        *self = Self::new(self.stream, self.spec.clone());
    }
}
