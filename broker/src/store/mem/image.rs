//! What the twin holds, and how a write changes it.

use std::collections::{BTreeMap, BTreeSet, HashMap, btree_map};

use broker_core::batch::{
    Batch, CommandRecord, Expect, IndexOp, Part, SourceStream, StreamPosition,
};
use broker_core::engine::ranking::snapshot::{PartnerRecord, Snapshot};
use broker_core::receipt::Receipt;
use broker_core::request::{PurchaseRequest, Version};
use broker_core::timer::{TimerKind, TimerOp};
use schemas::{CustomerId, PartnerId, RequestId, Timestamp};
use smol_str::SmolStr;

use crate::store::disk::audit;
use crate::store::disk::meta::Tail;
use crate::store::encode::{check_progress, decided_at, encode_batch, encode_letter};
use crate::store::row::{
    AuditBody, AuditRecord, ChainHash, CommitNumber, DeadLetterRow, DroppedLetter, Incarnation,
    OutboxSeq, Outgoing, StoredRow,
};
use crate::store::write::{Committed, OutboxProgress, StreamMark, Write};

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) request: PurchaseRequest,
    pub(super) commands: Vec<CommandRecord>,
    pub(super) receipts: Vec<Receipt>,
}

#[derive(Debug)]
pub(super) struct Image {
    pub(super) incarnation: Incarnation,
    pub(super) requests: BTreeMap<RequestId, Entry>,
    pub(super) timers: BTreeSet<(Timestamp, TimerKind, RequestId)>,
    pub(super) active: BTreeSet<RequestId>,
    pub(super) customers: BTreeMap<CustomerId, BTreeSet<RequestId>>,
    /// Row with sequence n is at n − 1.
    pub(super) outbox: Vec<StoredRow>,
    /// Record of commit n is at n − 1.
    pub(super) audit: Vec<AuditRecord>,
    pub(super) tail: Tail,
    pub(super) marks: BTreeMap<SmolStr, StreamMark>,
    /// The last snapshot, its partners apart.
    pub(super) ranking: Option<Snapshot>,
    pub(super) ranked: BTreeMap<PartnerId, PartnerRecord>,
    /// The last dropped letter of each number.
    pub(super) dropped: BTreeMap<u64, DroppedLetter>,
    /// Source of each letter, with the creation instant of its stream and its own.
    letters: HashMap<(SourceStream, u64), (i128, Timestamp)>,
    chain: ChainHash,
}

impl Image {
    pub(super) fn new(incarnation: Incarnation) -> Self {
        Self {
            incarnation,
            requests: BTreeMap::new(),
            timers: BTreeSet::new(),
            active: BTreeSet::new(),
            customers: BTreeMap::new(),
            outbox: Vec::new(),
            audit: Vec::new(),
            tail: Tail::default(),
            marks: BTreeMap::new(),
            letters: HashMap::new(),
            ranking: None,
            ranked: BTreeMap::new(),
            dropped: BTreeMap::new(),
            chain: ChainHash::GENESIS,
        }
    }

    pub(super) fn apply(&mut self, write: Write) -> Committed {
        match write {
            Write::Request(batch) => self.apply_batch(*batch),
            Write::DeadLetter { letter, source } => self.apply_letter(letter, source),
            Write::Outbox(progress) => self.apply_progress(progress),
            Write::Ranking(snapshot) => self.apply_ranking(*snapshot),
            Write::Drop(letter) => self.apply_drop(*letter),
        }
    }

    fn apply_batch(&mut self, batch: Batch) -> Committed {
        let encoded = match encode_batch(&batch) {
            Ok(encoded) => encoded,
            Err(refusal) => return Committed::Refused(refusal),
        };
        let id = batch.request.id();
        let found = self.requests.get(&id).map(|entry| entry.request.version);
        if !met(batch.expect, found) {
            return Committed::Conflict { found };
        }
        let at = decided_at(&batch);
        self.change_tables(&batch);
        let outbox = batch.outbox.into_iter().map(Outgoing::Effect);
        let outbox: Vec<_> = outbox.map(|row| self.send(at, row)).collect();
        let commit =
            self.record(AuditBody::Request { request: id, rows: batch.audit }, &encoded.audit);
        self.tail.last_at = self.tail.last_at.max(at);
        if let Some(position) = batch.source {
            self.tail.apply(position);
        }
        self.change_request(batch.request, batch.parts);
        Committed::Request { commit, outbox }
    }

    fn change_request(&mut self, request: PurchaseRequest, parts: Vec<Part>) {
        let entry = match self.requests.entry(request.id()) {
            btree_map::Entry::Occupied(known) => {
                let entry = known.into_mut();
                entry.request = request;
                entry
            }
            btree_map::Entry::Vacant(free) => {
                free.insert(Entry { request, commands: Vec::new(), receipts: Vec::new() })
            }
        };
        for part in parts {
            match part {
                Part::Submission => {}
                Part::Command(command) => entry.commands.push(command),
                Part::Receipt(receipt) => {
                    entry.receipts.retain(|known| known.sweep != receipt.sweep);
                    entry.receipts.push(receipt);
                }
            }
        }
    }

    fn change_tables(&mut self, batch: &Batch) {
        let id = batch.request.id();
        for op in &batch.timers {
            match *op {
                TimerOp::Set { kind, at } => self.timers.insert((at, kind, id)),
                TimerOp::Clear { kind, at } => self.timers.remove(&(at, kind, id)),
            };
        }
        for op in &batch.index {
            match op {
                IndexOp::AddToCustomer => {
                    let customer = batch.request.submission.customer.clone();
                    self.customers.entry(customer).or_default().insert(id)
                }
                IndexOp::AddActive => self.active.insert(id),
                IndexOp::RemoveActive => self.active.remove(&id),
            };
        }
    }

    fn apply_letter(&mut self, letter: DeadLetterRow, source: Option<StreamPosition>) -> Committed {
        if let Err(refusal) = encode_letter(&letter) {
            return Committed::Refused(refusal);
        }
        if let Some(position) = source {
            self.tail.apply(position);
            let mark = self.marks.get(position.stream.name());
            let message = (mark.map_or(0, |mark| mark.created_unix_ns), letter.at);
            let known = self.letters.insert((position.stream, position.sequence), message);
            if known == Some(message) {
                return Committed::DeadLetter { outbox: Vec::new() };
            }
        }
        let (stream, at) = (letter.stream.clone(), letter.at);
        let row = self.send(at, Outgoing::DeadLetter(letter));
        let body = audit::letter_body(&stream, at, row.seq);
        self.record(AuditBody::DeadLetter { stream, at, seq: row.seq }, &body);
        self.tail.last_at = self.tail.last_at.max(at);
        Committed::DeadLetter { outbox: vec![row] }
    }

    fn apply_progress(&mut self, progress: OutboxProgress) -> Committed {
        if let Err(refusal) = check_progress(&progress, self.tail.outbox_last.0) {
            return Committed::Refused(refusal);
        }
        self.tail.outbox_sent = progress.sent.unwrap_or(self.tail.outbox_sent);
        for mark in progress.marks {
            self.tail.see(self.marks.get(&mark.stream), &mark);
            self.marks.insert(mark.stream.clone(), mark);
        }
        Committed::Outbox
    }

    fn apply_ranking(&mut self, mut snapshot: Snapshot) -> Committed {
        for word in snapshot.words.drain(..) {
            let body = audit::word_body(&word);
            self.tail.last_at = self.tail.last_at.max(word.said_at);
            self.record(AuditBody::Steered(word), &body);
        }
        for record in snapshot.partners.drain(..) {
            self.ranked.insert(record.id.clone(), record);
        }
        self.ranking = Some(snapshot);
        Committed::Ranking
    }

    fn apply_drop(&mut self, letter: DroppedLetter) -> Committed {
        let known = self.dropped.get(&letter.number);
        if known.is_none_or(|known| known.digest != letter.digest) {
            self.dropped.insert(letter.number, letter.clone());
            self.tail.last_at = self.tail.last_at.max(letter.said_at);
            let body = audit::dropped_body(&letter);
            self.record(AuditBody::Dropped(letter), &body);
        }
        Committed::Dropped
    }

    fn send(&mut self, at: Timestamp, outgoing: Outgoing) -> StoredRow {
        let seq = OutboxSeq(self.tail.outbox_last.0 + 1);
        self.tail.outbox_last = seq;
        let row = StoredRow { seq, at, outgoing };
        self.outbox.push(row.clone());
        row
    }

    fn record(&mut self, body: AuditBody, bytes: &[u8]) -> CommitNumber {
        let commit = CommitNumber(self.tail.commit.0 + 1);
        let hash = audit::link(self.chain, commit, bytes);
        self.tail.commit = commit;
        self.chain = hash;
        self.audit.push(AuditRecord { commit, body, hash });
        commit
    }
}

fn met(expect: Expect, found: Option<Version>) -> bool {
    match expect {
        Expect::Absent => found.is_none(),
        Expect::Version(version) => found == Some(version),
    }
}
