//! Requests in flight, each committing one batch after the other.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use broker::store::{Committed, Write};
use broker_core::batch::Batch;
use schemas::RequestId;

use crate::life::{ordered, policy};
use crate::samples::NOON_MS;

/// Batches of one life are made once; every request is a copy under its own id.
pub(crate) struct Lives {
    life: Vec<Batch>,
    slots: Vec<VecDeque<Batch>>,
    started: Vec<Instant>,
    times: Vec<Duration>,
    requests: u64,
}

impl Lives {
    pub(crate) fn new(quotes: u16, in_flight: usize) -> Self {
        let life = ordered(0, &policy(quotes));
        Self {
            life,
            slots: vec![VecDeque::new(); in_flight],
            started: vec![Instant::now(); in_flight],
            times: Vec::new(),
            requests: 0,
        }
    }

    pub(crate) fn commits_per_request(&self) -> Option<u64> {
        u64::try_from(self.life.len()).ok()
    }

    pub(crate) fn next_batch(&mut self, slot: usize) -> Batch {
        if self.slots[slot].is_empty() {
            self.requests += 1;
            let random = u128::from(self.requests) * 0x9e37_79b9_7f4a_7c15;
            let id = RequestId::from_parts(NOON_MS + self.requests / 10, random);
            self.slots[slot].extend(self.life.iter().map(|batch| under_id(batch, id)));
        }
        let batch = self.slots[slot].pop_front().expect("just filled");
        self.started[slot] = Instant::now();
        batch
    }

    pub(crate) fn next(&mut self, slot: usize) -> Write {
        Write::Request(Box::new(self.next_batch(slot)))
    }

    pub(crate) fn acknowledged(&mut self, slot: usize, answer: &Committed) {
        assert!(matches!(answer, Committed::Request { .. }), "{answer:?}");
        self.times.push(self.started[slot].elapsed());
    }

    /// Prints one line and returns the rate.
    pub(crate) fn report(&mut self, name: &str, took: Duration, group: f64) -> f64 {
        report(name, &mut self.times, took, group)
    }
}

pub(crate) fn report(name: &str, times: &mut [Duration], took: Duration, group: f64) -> f64 {
    times.sort();
    let rate = times.len() as f64 / took.as_secs_f64();
    let at = |permille: usize| times[(times.len() - 1) * permille / 1000].as_secs_f64() * 1e3;
    println!("{name:<44}{rate:>11.0}{:>10.2}{:>10.2}{group:>10.1}", at(500), at(990));
    rate
}

fn under_id(batch: &Batch, id: RequestId) -> Batch {
    let mut batch = batch.clone();
    let mut submission = batch.request.submission.as_ref().clone();
    submission.id = id;
    batch.request.submission = Arc::new(submission);
    for row in &mut batch.outbox {
        row.request = id;
    }
    batch
}
