//! From writes to synced groups.

use std::collections::btree_map;

use broker_core::batch::{Batch, Expect, IndexOp, StreamPosition};
use broker_core::engine::ranking::snapshot::Snapshot;
use broker_core::request::Version;
use broker_core::timer::TimerOp;
use fjall::Keyspace;
use schemas::{RequestId, Timestamp};

use super::chunks::{self, Place};
use super::group::Group;
use super::{FjallStore, StoreStats, engine, keys, spaces};
use crate::store::disk::head::DiskHead;
use crate::store::disk::meta::{DiskTail, mark_payload};
use crate::store::disk::ranking::{DiskRanked, DiskRanking};
use crate::store::disk::{audit, decode, encode};
use crate::store::encode::{EncodedBatch, check_progress, decided_at, encode_batch, encode_letter};
use crate::store::error::StoreError;
use crate::store::row::{CommitNumber, DeadLetterRow, OutboxSeq, Outgoing, StoredRow};
use crate::store::write::{Committed, OutboxProgress, Write};

impl FjallStore {
    /// Usually one group. A request or a dropped letter that occurs again ends it: its next write
    /// must see the one before, and a key must not occur twice in a group.
    pub(super) fn commit_groups(
        &mut self,
        writes: Vec<Write>,
    ) -> Result<Vec<Committed>, StoreError> {
        let mut answers = Vec::with_capacity(writes.len());
        let mut group = self.group();
        for write in writes {
            let occurs_again = match &write {
                Write::Request(batch) => group.changed.contains_key(&batch.request.id()),
                Write::Drop(letter) => group.dropped.contains(&letter.number),
                Write::DeadLetter { .. } | Write::Outbox(_) | Write::Ranking(_) => false,
            };
            if occurs_again {
                let full = std::mem::replace(&mut group, self.group());
                self.sync(full)?;
                group = self.group();
            }
            answers.push(match write {
                Write::Request(batch) => self.add_batch(&mut group, *batch)?,
                Write::DeadLetter { letter, source } => {
                    self.add_letter(&mut group, letter, source)?
                }
                Write::Outbox(progress) => self.add_progress(&mut group, progress),
                Write::Ranking(snapshot) => {
                    for word in &snapshot.words {
                        put_audit(&self.spaces.audit, &mut group, &audit::word_body(word));
                        group.tail.last_at = group.tail.last_at.max(word.said_at);
                    }
                    group.ranking = Some(snapshot);
                    Committed::Ranking
                }
                Write::Drop(letter) => self.add_drop(&mut group, &letter)?,
            });
        }
        self.sync(group)?;
        Ok(answers)
    }

    fn group(&self) -> Group {
        Group::new(&self.db, self.tail, self.chain)
    }

    fn sync(&mut self, mut group: Group) -> Result<(), StoreError> {
        if group.tail != self.tail {
            group.put(&self.spaces.meta, keys::TAIL, &encode(&DiskTail::from(&group.tail)));
        }
        let marks = std::mem::take(&mut group.marks);
        for mark in marks.values() {
            let payload = mark_payload(mark);
            group.put(&self.spaces.meta, &keys::mark(&mark.stream), &payload);
        }
        if let Some(snapshot) = group.ranking.take() {
            self.put_ranking(&mut group, &snapshot);
        }
        if group.is_empty() {
            return Ok(());
        }
        let changed = std::mem::take(&mut group.changed);
        let (tail, chain, commits) = (group.tail, group.chain, group.commits);
        let earliest_timer = group.earliest_timer;
        let bytes = group.sync().map_err(|e| engine("committing to", &self.path, e))?;
        self.published.renew(&self.db);
        // A scan that sees the state before was begun before the floor is lowered.
        if let Some(at) = earliest_timer {
            self.floor.set(at);
        }
        for (request, (version, is_active)) in changed {
            if is_active {
                self.versions.insert(request, version);
            } else {
                self.versions.remove(&request);
            }
        }
        self.marks.extend(marks);
        let rewound_or_sent = tail.outbox_sent != self.tail.outbox_sent;
        (self.tail, self.chain) = (tail, chain);
        self.high_water.note(tail.commit);
        let journal_bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        self.stats.add(StoreStats { groups: 1, commits, journal_bytes });
        if rewound_or_sent {
            self.buckets.drop_published(&self.db, &self.path, tail.outbox_sent)?;
        }
        Ok(())
    }

    fn put_ranking(&self, group: &mut Group, snapshot: &Snapshot) {
        let meta = &self.spaces.meta;
        group.put(meta, keys::RANKING, &encode(&DiskRanking::from(snapshot)));
        for record in &snapshot.partners {
            group.put(meta, &keys::ranked(&record.id), &encode(&DiskRanked::from(record)));
        }
    }

    fn add_batch(&self, group: &mut Group, batch: Batch) -> Result<Committed, StoreError> {
        let encoded = match encode_batch(&batch) {
            Ok(encoded) => encoded,
            Err(refusal) => return Ok(Committed::Refused(refusal)),
        };
        let request = batch.request.id();
        let found = self.version_of(request)?;
        let expected = match batch.expect {
            Expect::Absent => None,
            Expect::Version(version) => Some(version),
        };
        if found != expected {
            return Ok(Committed::Conflict { found });
        }
        let at = decided_at(&batch);
        self.put_request(group, request, &encoded);
        self.put_tables(group, &batch);
        let outbox = match &encoded.outbox {
            Some(record) => {
                let rows = batch.outbox.into_iter().map(Outgoing::Effect).collect();
                self.put_outbox(group, at, record, rows)?
            }
            None => Vec::new(),
        };
        let commit = put_audit(&self.spaces.audit, group, &encoded.audit);
        group.tail.last_at = group.tail.last_at.max(at);
        if let Some(position) = batch.source {
            group.tail.apply(position);
        }
        group.changed.insert(request, (batch.request.version, batch.request.is_active()));
        Ok(Committed::Request { commit, outbox })
    }

    /// The durable version of a request that this group has not changed.
    fn version_of(&self, request: RequestId) -> Result<Option<Version>, StoreError> {
        if let Some(version) = self.versions.get(&request) {
            return Ok(Some(*version));
        }
        let place = Place { path: &self.path, keyspace: spaces::HEAD };
        let key = request.as_bytes();
        let snapshot = self.db.snapshot();
        let Some(payload) = chunks::get(place, &snapshot, &self.spaces.head, key)? else {
            return Ok(None);
        };
        let head: DiskHead<'_> = decode("head", &payload).map_err(|e| place.damaged(key, &e))?;
        Ok(Some(head.version()))
    }

    fn put_request(&self, group: &mut Group, request: RequestId, encoded: &EncodedBatch) {
        group.put(&self.spaces.head, request.as_bytes(), &encoded.head);
        let parts = &self.spaces.parts;
        if let Some(submission) = &encoded.submission {
            let prefix = keys::parts(request, keys::PartKind::Submission);
            group.put_record(parts, &prefix, submission);
        }
        for (version, command) in &encoded.commands {
            group.put_record(parts, &keys::command(request, *version), command);
        }
        for (sweep, receipt) in &encoded.receipts {
            group.put_record(parts, &keys::receipt(request, *sweep), receipt);
        }
    }

    fn put_tables(&self, group: &mut Group, batch: &Batch) {
        let request = batch.request.id();
        for op in &batch.timers {
            match *op {
                TimerOp::Set { kind, at } => {
                    group.put(&self.spaces.timers, &keys::timer(at, kind, request), &[]);
                    group.timer_set(at);
                }
                TimerOp::Clear { kind, at } => {
                    group.remove(&self.spaces.timers, &keys::timer(at, kind, request));
                }
            }
        }
        let index = &self.spaces.index;
        for op in &batch.index {
            match op {
                IndexOp::AddToCustomer => {
                    let customer = &batch.request.submission.customer;
                    group.put(index, &keys::customer_request(customer, request), &[]);
                }
                IndexOp::AddActive => group.put(index, &keys::active(request), &[]),
                IndexOp::RemoveActive => group.remove(index, &keys::active(request)),
            }
        }
    }

    fn put_outbox(
        &self,
        group: &mut Group,
        at: Timestamp,
        record: &[u8],
        rows: Vec<Outgoing>,
    ) -> Result<Vec<StoredRow>, StoreError> {
        let bucket = self.buckets.at(&self.db, &self.path, at)?;
        let first = OutboxSeq(group.tail.outbox_last.0 + 1);
        group.put_record(&bucket, &keys::outbox(first), record);
        let rows = (first.0..).zip(rows).map(|(seq, outgoing)| {
            group.tail.outbox_last = OutboxSeq(seq);
            StoredRow { seq: OutboxSeq(seq), at, outgoing }
        });
        Ok(rows.collect())
    }

    fn add_letter(
        &self,
        group: &mut Group,
        letter: DeadLetterRow,
        source: Option<StreamPosition>,
    ) -> Result<Committed, StoreError> {
        let record = match encode_letter(&letter) {
            Ok(record) => record,
            Err(refusal) => return Ok(Committed::Refused(refusal)),
        };
        if let Some(position) = source {
            group.tail.apply(position);
            if self.is_known_letter(group, position, letter.at)? {
                return Ok(Committed::DeadLetter { outbox: Vec::new() });
            }
            let message = (self.created(group, position), letter.at.as_unix_ms());
            // A key is written once per group; of two messages the first is remembered.
            if let btree_map::Entry::Vacant(free) = group.letters.entry(position) {
                free.insert(letter.at);
                group.put(&self.spaces.index, &keys::dead_letter(position), &encode(&message));
            }
        }
        let (stream, at) = (letter.stream.clone(), letter.at);
        let outbox = self.put_outbox(group, at, &record, vec![Outgoing::DeadLetter(letter)])?;
        let seq = group.tail.outbox_last;
        put_audit(&self.spaces.audit, group, &audit::letter_body(&stream, at, seq));
        group.tail.last_at = group.tail.last_at.max(at);
        Ok(Committed::DeadLetter { outbox })
    }

    /// Creation instant of the letter's stream as far as it is known: sequences of a stream that
    /// was created anew are other messages.
    fn created(&self, group: &Group, source: StreamPosition) -> i128 {
        let name = source.stream.name();
        let mark = group.marks.get(name).or_else(|| self.marks.get(name));
        mark.map_or(0, |mark| mark.created_unix_ns)
    }

    /// A stream that lost its tail gives sequences out again: then it is another message, and the
    /// instant at which the server stored it is another.
    fn is_known_letter(
        &self,
        group: &Group,
        source: StreamPosition,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        if let Some(known) = group.letters.get(&source) {
            return Ok(*known == at);
        }
        let place = Place { path: &self.path, keyspace: spaces::INDEX };
        let key = keys::dead_letter(source);
        let snapshot = self.db.snapshot();
        let Some(payload) = chunks::get(place, &snapshot, &self.spaces.index, &key)? else {
            return Ok(false);
        };
        let created = self.created(group, source);
        if let Ok(known) = decode::<(i128, u64)>("known letter", &payload) {
            return Ok(known == (created, at.as_unix_ms()));
        }
        // Written before the instant was kept.
        let known: i128 = decode("known letter", &payload).map_err(|e| place.damaged(&key, &e))?;
        Ok(known == created)
    }

    fn add_progress(&self, group: &mut Group, progress: OutboxProgress) -> Committed {
        if let Err(refusal) = check_progress(&progress, group.tail.outbox_last.0) {
            return Committed::Refused(refusal);
        }
        group.tail.outbox_sent = progress.sent.unwrap_or(group.tail.outbox_sent);
        for mark in progress.marks {
            let before = group.marks.get(&mark.stream).or_else(|| self.marks.get(&mark.stream));
            group.tail.see(before, &mark);
            group.marks.insert(mark.stream.clone(), mark);
        }
        Committed::Outbox
    }
}

pub(super) fn put_audit(keyspace: &Keyspace, group: &mut Group, body: &[u8]) -> CommitNumber {
    let commit = CommitNumber(group.tail.commit.0 + 1);
    let hash = audit::link(group.chain, commit, body);
    (group.tail.commit, group.chain) = (commit, hash);
    group.put_record(keyspace, &keys::audit(commit), &audit::record(hash, body));
    group.commits += 1;
    commit
}
