//! Reading durable state from any thread, one published moment per call.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use broker_core::batch::{CommandRecord, Stored};
use broker_core::engine::input::TimerRow;
use broker_core::engine::ranking::snapshot::Snapshot as Ranked;
use broker_core::receipt::Receipt;
use broker_core::request::Submission;
use fjall::{Guard, Readable, Snapshot};
use schemas::{PartnerId, RequestId, Timestamp};

use super::buckets::Buckets;
use super::chunks::{self, Place, Record};
use super::drops;
use super::floor::TimerFloor;
use super::keys::{self, PartKind};
use super::published::Published;
use super::spaces::{self, Spaces};
use crate::store::disk::basic::DiskCommand;
use crate::store::disk::head::DiskHead;
use crate::store::disk::meta::{DiskTail, Tail, read_mark};
use crate::store::disk::ranking::{DiskRanked, DiskRanking};
use crate::store::disk::seal::open;
use crate::store::disk::submission::read_submission;
use crate::store::disk::{DiskError, audit, decode, outbox, receipt};
use crate::store::error::StoreError;
use crate::store::port::{Listing, Meta, Reader};
use crate::store::row::{
    AuditBody, AuditRecord, CommitNumber, DroppedLetter, Incarnation, OutboxSeq, StoredRow,
};
use crate::store::write::StreamMark;

pub(super) struct FjallReader {
    pub(super) path: PathBuf,
    pub(super) published: Published,
    pub(super) spaces: Spaces,
    pub(super) buckets: Buckets,
    pub(super) floor: Arc<TimerFloor>,
    pub(super) incarnation: Incarnation,
}

/// Records longer than one value hold up to this many chunks; pages are read record by record.
const ALL: usize = usize::MAX;

impl FjallReader {
    fn place(&self, keyspace: &'static str) -> Place<'_> {
        Place { path: &self.path, keyspace }
    }

    fn parts(
        &self,
        snapshot: &Snapshot,
        request: RequestId,
        kind: PartKind,
    ) -> Result<Vec<Record>, StoreError> {
        let entries = snapshot.prefix(&self.spaces.parts, keys::parts(request, kind));
        chunks::join(self.place(spaces::PARTS), entries, ALL)
    }

    fn submission(
        &self,
        snapshot: &Snapshot,
        request: RequestId,
    ) -> Result<Arc<Submission>, StoreError> {
        let records = self.parts(snapshot, request, PartKind::Submission)?;
        let read = |record: &Record| read_submission(request, &record.payload);
        let missing = || DiskError::new("submission", "the request has none");
        let submission = records.first().ok_or_else(missing).and_then(read);
        let place = self.place(spaces::PARTS);
        submission.map(Arc::new).map_err(|e| place.damaged(request.as_bytes(), &e))
    }

    fn commands(
        &self,
        snapshot: &Snapshot,
        request: RequestId,
    ) -> Result<Vec<CommandRecord>, StoreError> {
        let place = self.place(spaces::PARTS);
        let records = self.parts(snapshot, request, PartKind::Command)?;
        let read = |record: &Record| {
            decode::<DiskCommand<'_>>("command", &record.payload)
                .and_then(CommandRecord::try_from)
                .map_err(|e| place.damaged(&record.prefix, &e))
        };
        records.iter().map(read).collect()
    }

    fn id_at_end(&self, keyspace: &'static str, entry: Guard) -> Result<RequestId, StoreError> {
        let place = self.place(keyspace);
        let key = entry.key().map_err(|e| place.broken(e))?;
        let short = || place.damaged(&key, &DiskError::new("key", "it is too short"));
        keys::trailing_id(&key).ok_or_else(short)
    }

    /// Ids under `prefix`, ascending, from behind `after`.
    fn ascending(
        &self,
        (keyspace, name): (&fjall::Keyspace, &'static str),
        prefix: &[u8],
        after: Option<RequestId>,
        limit: usize,
    ) -> Result<Vec<RequestId>, StoreError> {
        // The key right behind `after` is its own key with a zero appended.
        let from = match after {
            Some(id) => [prefix, id.as_bytes(), &[0]].concat(),
            None => prefix.to_vec(),
        };
        let entries = self.published.get().range(keyspace, from..=last_of(prefix));
        entries.take(limit).map(|entry| self.id_at_end(name, entry)).collect()
    }

    fn descending(
        &self,
        prefix: &[u8],
        before: Option<RequestId>,
        limit: usize,
    ) -> Result<Vec<RequestId>, StoreError> {
        let end = match before {
            Some(id) => [prefix, id.as_bytes()].concat(),
            None => [last_of(prefix).as_slice(), &[0]].concat(),
        };
        let entries = self.published.get().range(&self.spaces.index, prefix.to_vec()..end);
        let ids = entries.rev().take(limit);
        ids.map(|entry| self.id_at_end(spaces::INDEX, entry)).collect()
    }

    /// Rows of one day behind `after`, appended to `rows` up to `limit`.
    fn outbox_of_day(
        &self,
        snapshot: &Snapshot,
        day: &fjall::Keyspace,
        after: OutboxSeq,
        limit: usize,
        rows: &mut Vec<StoredRow>,
    ) -> Result<(), StoreError> {
        let place = self.place(spaces::OUTBOX);
        let wanted = keys::outbox(OutboxSeq(after.0.saturating_add(1)));
        // The wanted row may lie within a record that starts before it.
        let past_wanted = [wanted.as_slice(), &[u8::MAX]].concat();
        let from = match snapshot.range(day, ..=past_wanted).next_back() {
            Some(entry) => entry.key().map_err(|e| place.broken(e))?[..8].to_vec(),
            None => wanted.to_vec(),
        };
        let mut submissions: HashMap<RequestId, Arc<Submission>> = HashMap::new();
        // A record holds at least one row, and one record may end at or before `after`.
        let records = limit.saturating_sub(rows.len()).saturating_add(1);
        for record in chunks::join(place, snapshot.range(day, from..), records)? {
            let first = keys::leading_number(&record.prefix).unwrap_or_default();
            let (at, outgoing) = outbox::read_record(&record.payload, |request| {
                if let Some(known) = submissions.get(&request) {
                    return Ok(Arc::clone(known));
                }
                let submission = self.submission(snapshot, request).map_err(Nested::Store)?;
                submissions.insert(request, Arc::clone(&submission));
                Ok(submission)
            })
            .map_err(|error| match error {
                Nested::Store(error) => error,
                Nested::Disk(error) => place.damaged(&record.prefix, &error),
            })?;
            let stored = (first..).map(OutboxSeq).zip(outgoing);
            let stored = stored.filter(|(seq, _)| *seq > after);
            rows.extend(stored.map(|(seq, outgoing)| StoredRow { seq, at, outgoing }));
            if rows.len() >= limit {
                rows.truncate(limit);
                break;
            }
        }
        Ok(())
    }

    pub(super) fn tail(&self, snapshot: &Snapshot) -> Result<Option<Tail>, StoreError> {
        let place = self.place(spaces::META);
        let payload = chunks::get(place, snapshot, &self.spaces.meta, keys::TAIL)?;
        let read = |payload: Vec<u8>| {
            let tail = decode::<DiskTail>("tail", &payload).and_then(Tail::try_from);
            tail.map_err(|e| place.damaged(keys::TAIL, &e))
        };
        payload.map(read).transpose()
    }

    pub(super) fn marks(&self, snapshot: &Snapshot) -> Result<Vec<StreamMark>, StoreError> {
        let place = self.place(spaces::META);
        let mut marks = Vec::new();
        for entry in snapshot.prefix(&self.spaces.meta, keys::MARK_PREFIX) {
            let (key, value) = entry.into_inner().map_err(|e| place.broken(e))?;
            let name = String::from_utf8_lossy(&key[keys::MARK_PREFIX.len()..]);
            let mark = open(&key, &value)
                .and_then(|payload| read_mark(&name, payload))
                .map_err(|e| place.damaged(&key, &e))?;
            marks.push(mark);
        }
        Ok(marks)
    }
}

enum Nested {
    Store(StoreError),
    Disk(DiskError),
}

impl From<DiskError> for Nested {
    fn from(error: DiskError) -> Self {
        Self::Disk(error)
    }
}

/// The last possible key `prefix | id16`.
fn last_of(prefix: &[u8]) -> Vec<u8> {
    [prefix, &[u8::MAX; 16]].concat()
}

impl Reader for FjallReader {
    fn load(&self, request: RequestId) -> Result<Option<Stored>, StoreError> {
        let snapshot = self.published.get();
        let place = self.place(spaces::HEAD);
        let key = request.as_bytes();
        let Some(payload) = chunks::get(place, &snapshot, &self.spaces.head, key)? else {
            return Ok(None);
        };
        let head: DiskHead<'_> = decode("head", &payload).map_err(|e| place.damaged(key, &e))?;
        let submission = self.submission(&snapshot, request)?;
        let request_now = head.into_domain(submission).map_err(|e| place.damaged(key, &e))?;
        let commands = self.commands(&snapshot, request)?;
        Ok(Some(Stored { request: request_now, commands }))
    }

    fn receipts(&self, request: RequestId) -> Result<Vec<Receipt>, StoreError> {
        let place = self.place(spaces::PARTS);
        let records = self.parts(&self.published.get(), request, PartKind::Receipt)?;
        let read = |record: &Record| {
            receipt::read(&record.payload).map_err(|e| place.damaged(&record.prefix, &e))
        };
        records.iter().map(read).collect()
    }

    fn ids(
        &self,
        listing: &Listing,
        after: Option<RequestId>,
        limit: usize,
    ) -> Result<Vec<RequestId>, StoreError> {
        let (head, index) = (&self.spaces.head, &self.spaces.index);
        match listing {
            Listing::All => self.ascending((head, spaces::HEAD), &[], after, limit),
            Listing::Active => self.ascending((index, spaces::INDEX), &keys::ACTIVE, after, limit),
            Listing::Customer(customer) => self.descending(&keys::customer(customer), after, limit),
        }
    }

    fn due_timers(&self, until: Timestamp, limit: usize) -> Result<Vec<TimerRow>, StoreError> {
        let place = self.place(spaces::TIMERS);
        self.floor.scan(|from| {
            let range = keys::timers_between(from, until);
            let mut timers = Vec::new();
            for entry in self.published.get().range(&self.spaces.timers, range).take(limit) {
                let key = entry.key().map_err(|e| place.broken(e))?;
                let bad = || place.damaged(&key, &DiskError::new("key", "it is not a timer's"));
                timers.push(keys::read_timer(&key).ok_or_else(bad)?);
            }
            let nothing_before = match timers.first() {
                Some(first) => first.at,
                None if limit == 0 => from,
                None => until.max(from),
            };
            Ok((timers, nothing_before))
        })
    }

    fn outbox_after(&self, after: OutboxSeq, limit: usize) -> Result<Vec<StoredRow>, StoreError> {
        // Days last: one with rows in the snapshot was listed before they were committed, and one
        // that came later is empty in it.
        let snapshot = self.published.get();
        let days = self.buckets.all();
        let mut rows = Vec::new();
        for day in &days {
            if rows.len() < limit {
                self.outbox_of_day(&snapshot, day, after, limit, &mut rows)?;
            }
        }
        Ok(rows)
    }

    fn audit_after(
        &self,
        after: CommitNumber,
        limit: usize,
    ) -> Result<Vec<AuditRecord>, StoreError> {
        let place = self.place(spaces::AUDIT);
        let from = keys::audit(CommitNumber(after.0.saturating_add(1)));
        let entries = self.published.get().range(&self.spaces.audit, from..);
        let records = chunks::join(place, entries, limit)?;
        let read = |record: &Record| {
            let commit = keys::leading_number(&record.prefix).unwrap_or_default();
            audit::read_record(CommitNumber(commit), &record.payload)
                .map_err(|e| place.damaged(&record.prefix, &e))
        };
        records.iter().map(read).collect()
    }

    fn dropped(&self, number: u64) -> Result<Option<DroppedLetter>, StoreError> {
        let place = self.place(spaces::INDEX);
        let snapshot = self.published.get();
        let Some(found) = drops::find(place, &snapshot, &self.spaces.index, number)? else {
            return Ok(None);
        };
        let before = CommitNumber(found.commit().0.saturating_sub(1));
        match self.audit_after(before, 1)?.pop().map(|record| record.body) {
            Some(AuditBody::Dropped(letter)) => Ok(Some(letter)),
            Some(_) | None => {
                let why = DiskError::new("dropped letter", "its record is not in the audit log");
                Err(place.damaged(&keys::dropped(number), &why))
            }
        }
    }

    fn ranking(&self) -> Result<Option<Ranked>, StoreError> {
        let place = self.place(spaces::META);
        let snapshot = self.published.get();
        let Some(payload) = chunks::get(place, &snapshot, &self.spaces.meta, keys::RANKING)? else {
            return Ok(None);
        };
        let mut partners = Vec::new();
        for entry in snapshot.prefix(&self.spaces.meta, keys::RANKED_PREFIX) {
            let (key, value) = entry.into_inner().map_err(|e| place.broken(e))?;
            let read = || {
                let id = std::str::from_utf8(&key[keys::RANKED_PREFIX.len()..]);
                let id = id.map_err(|e| DiskError::new("key", e))?;
                let id = PartnerId::parse(id).map_err(|e| DiskError::new("key", e))?;
                let payload = open(&key, &value)?;
                decode::<DiskRanked<'_>>("ranked partner", payload)?.into_domain(id)
            };
            partners.push(read().map_err(|e| place.damaged(&key, &e))?);
        }
        let ranking = decode::<DiskRanking>("ranking", &payload);
        let ranking = ranking.and_then(|ranking| ranking.into_domain(partners));
        ranking.map(Some).map_err(|e| place.damaged(keys::RANKING, &e))
    }

    fn meta(&self) -> Result<Meta, StoreError> {
        let snapshot = self.published.get();
        let tail = self.tail(&snapshot)?.unwrap_or_default();
        Ok(Meta {
            incarnation: self.incarnation,
            last_commit: tail.commit,
            last_at: tail.last_at,
            outbox_last: tail.outbox_last,
            outbox_sent: tail.outbox_sent,
            applied: tail.applied,
            streams: self.marks(&snapshot)?,
        })
    }
}
