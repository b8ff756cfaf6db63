//! One stream: messages by sequence, and the ids it recognises.

use std::collections::BTreeMap;

use broker::egress::ack::Ack;
use schemas::Timestamp;
use schemas::stream::{Discard, StreamSpec};

use super::{Message, captured_by};
use crate::auditor::Seen;

/// What the server says of a full stream.
const FULL: &str = "maximum bytes exceeded (code 10077)";
const NS_PER_MS: i128 = 1_000_000;

#[derive(Debug)]
struct Stored {
    /// In the history.
    place: usize,
    cursor: Option<u64>,
}

#[derive(Debug)]
pub(super) struct Stream {
    spec: StreamSpec,
    created_unix_ns: i128,
    /// Sequence n is at n − 1: nothing is discarded in the time a run takes.
    messages: Vec<Stored>,
    /// By fingerprint of the id: sequence and when it was stored.
    ids: BTreeMap<u128, (u64, Timestamp)>,
    full_until: Timestamp,
}

impl Stream {
    pub(super) fn new(spec: StreamSpec, now: Timestamp) -> Self {
        Self {
            spec,
            created_unix_ns: i128::from(now.as_unix_ms()) * NS_PER_MS,
            messages: Vec::new(),
            ids: BTreeMap::new(),
            full_until: Timestamp::ZERO,
        }
    }

    pub(super) fn name(&self) -> &'static str {
        self.spec.name
    }

    pub(super) fn spec(&self) -> &StreamSpec {
        &self.spec
    }

    pub(super) fn created_unix_ns(&self) -> i128 {
        self.created_unix_ns
    }

    pub(super) fn captures(&self, subject: &str) -> bool {
        captured_by(&self.spec.subjects, subject)
    }

    pub(super) fn last_sequence(&self) -> u64 {
        self.messages.len() as u64
    }

    pub(super) fn place_of(&self, sequence: u64) -> Option<usize> {
        let index = usize::try_from(sequence.checked_sub(1)?).ok()?;
        self.messages.get(index).map(|stored| stored.place)
    }

    pub(super) fn last_cursor(&self) -> Option<u64> {
        self.messages.last()?.cursor
    }

    pub(super) fn places(&self) -> impl DoubleEndedIterator<Item = usize> + '_ {
        self.messages.iter().map(|stored| stored.place)
    }

    pub(super) fn store(
        &mut self,
        message: Message,
        place: usize,
        now: Timestamp,
    ) -> (Ack, Option<Seen>) {
        let fingerprint = message.id.as_deref().map(fingerprint);
        let known = fingerprint.and_then(|id| self.ids.get(&id));
        if let Some((sequence, stored_at)) = known
            && now.since(*stored_at) < self.spec.duplicate_window
        {
            return (Ack::Stored { sequence: *sequence, duplicate: true }, None);
        }
        if now < self.full_until && self.spec.discard == Discard::New {
            return (Ack::Refused { why: FULL.to_owned() }, None);
        }
        let Message { subject, id, cursor, body } = message;
        self.messages.push(Stored { place, cursor });
        let sequence = self.last_sequence();
        if let Some(fingerprint) = fingerprint {
            self.ids.insert(fingerprint, (sequence, now));
        }
        let stored = Some((self.spec.name, sequence));
        let seen = Seen { subject, message_id: id, body, at: now, stored };
        (Ack::Stored { sequence, duplicate: false }, Some(seen))
    }

    pub(super) fn fill(&mut self, until: Timestamp) {
        self.full_until = until;
    }

    pub(super) fn forget_ids(&mut self) {
        self.ids.clear();
    }

    pub(super) fn forget_id_of(&mut self, seen: &Seen) {
        if let Some(id) = &seen.message_id {
            self.ids.remove(&fingerprint(id));
        }
    }

    pub(super) fn truncate(&mut self, count: usize) -> Vec<usize> {
        let keep = self.messages.len().saturating_sub(count);
        self.messages.drain(keep..).map(|stored| stored.place).collect()
    }
}

/// Two FNV-1a hashes with different beginnings: no two ids of a run share it.
fn fingerprint(id: &str) -> u128 {
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    let (mut low, mut high) = (0xcbf2_9ce4_8422_2325_u64, 0x6c62_272e_07bb_0142_u64);
    for byte in id.bytes() {
        low = (low ^ u64::from(byte)).wrapping_mul(PRIME);
        high = (high ^ u64::from(byte)).rotate_left(5).wrapping_mul(PRIME);
    }
    u128::from(high) << 64 | u128::from(low)
}
