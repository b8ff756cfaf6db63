//! Stores with one fault each. They show that every clause of the contract can fail.

use std::sync::Arc;

use broker::store::{
    AuditRecord, ChainHash, CommitNumber, Committed, DroppedLetter, Listing, MemStore, Meta,
    OutboxSeq, Reader, Store, StoreError, StoredRow, Write,
};
use broker_core::batch::{Batch, Expect, Stored};
use broker_core::engine::input::TimerRow;
use broker_core::engine::ranking::snapshot::Snapshot;
use broker_core::receipt::Receipt;
use broker_core::request::Version;
use schemas::{Digest, RequestId, Timestamp};

use crate::conformance::{CLAUSES, Clause};
use crate::rig::{INCARNATION, MemRig, Rig};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    ChangesTheRequest,
    IgnoresVersions,
    JudgesACallAtItsStart,
    AnswersBackwards,
    DropsWhatFollowsARefusal,
    ReusesSequences,
    LosesOutboxRows,
    ForgetsTheCursor,
    ForgetsTimers,
    ForgetsIndexes,
    ListsOldestFirst,
    SkipsARequest,
    DropsParts,
    BreaksTheChain,
    ForgetsPositions,
    ForgetsSources,
    ForgetsMarks,
    ForgetsPartners,
    ForgetsWords,
    ForgetsWhichLetter,
    AcknowledgesBeforeDurable,
    ReadsThePast,
}

/// Every clause with a fault that breaks it.
const BREAKS: &[(&str, Fault)] = &[
    ("a_request_comes_back_as_it_was_written", Fault::ChangesTheRequest),
    ("a_request_is_created_once", Fault::IgnoresVersions),
    ("a_stale_version_changes_nothing", Fault::IgnoresVersions),
    ("writes_of_one_call_see_each_other", Fault::JudgesACallAtItsStart),
    ("answers_come_one_for_each_write_in_order", Fault::AnswersBackwards),
    ("a_refused_write_spoils_no_other", Fault::DropsWhatFollowsARefusal),
    ("outbox_sequences_are_dense_for_ever", Fault::ReusesSequences),
    ("outbox_rows_come_back_from_any_position", Fault::LosesOutboxRows),
    ("the_outbox_cursor_moves_both_ways_but_not_ahead", Fault::ForgetsTheCursor),
    ("timers_come_back_earliest_first_until_cleared", Fault::ForgetsTimers),
    ("active_requests_are_listed_until_they_rest", Fault::ForgetsIndexes),
    ("a_customer_sees_its_own_requests_newest_first", Fault::ListsOldestFirst),
    ("every_request_is_listed_once", Fault::SkipsARequest),
    ("commands_and_receipts_come_back", Fault::DropsParts),
    ("the_audit_log_is_dense_chained_and_complete", Fault::BreaksTheChain),
    ("positions_of_source_streams_only_grow", Fault::ForgetsPositions),
    ("a_dead_letter_is_written_once_per_source", Fault::ForgetsSources),
    ("stream_marks_are_kept_until_replaced", Fault::ForgetsMarks),
    ("the_last_ranking_is_kept_with_every_partner", Fault::ForgetsPartners),
    ("every_word_of_an_operator_is_in_the_audit_log", Fault::ForgetsWords),
    ("a_dropped_letter_is_in_the_audit_log_once", Fault::ForgetsWhichLetter),
    ("what_was_acknowledged_survives_a_crash", Fault::AcknowledgesBeforeDurable),
    ("a_reader_sees_what_was_acknowledged", Fault::ReadsThePast),
];

struct Broken {
    fault: Fault,
    /// What the store claims to be.
    inner: MemStore,
    /// Writes that really reached the disk, for [`Fault::AcknowledgesBeforeDurable`].
    on_disk: Vec<Write>,
    in_cache: Vec<Write>,
}

impl Broken {
    fn new(fault: Fault) -> Self {
        let inner = MemStore::new(INCARNATION);
        Self { fault, inner, on_disk: Vec::new(), in_cache: Vec::new() }
    }

    fn ignore_version(&self, batch: &mut Batch) {
        let stored = self.inner.reader().load(batch.request.id()).unwrap();
        let found = stored.map_or(0, |stored| stored.request.version.0);
        batch.expect = if found == 0 { Expect::Absent } else { Expect::Version(Version(found)) };
        for (row, version) in batch.audit.iter_mut().zip(found + 1..) {
            row.version = Version(version);
            batch.request.version = row.version;
        }
    }

    fn spoil(&self, write: &mut Write) {
        match (self.fault, write) {
            (Fault::ChangesTheRequest, Write::Request(batch)) => batch.request.told_best = None,
            (Fault::IgnoresVersions, Write::Request(batch)) => self.ignore_version(batch),
            (Fault::LosesOutboxRows, Write::Request(batch)) => batch.outbox.truncate(1),
            (Fault::ForgetsTimers, Write::Request(batch)) => batch.timers.clear(),
            (Fault::ForgetsIndexes, Write::Request(batch)) => batch.index.clear(),
            (Fault::DropsParts, Write::Request(batch)) => batch.parts.truncate(1),
            (Fault::ForgetsPositions, Write::Request(batch)) => batch.source = None,
            (Fault::ForgetsSources, Write::DeadLetter { source, .. }) => *source = None,
            (Fault::ForgetsTheCursor, Write::Outbox(progress)) => progress.sent = None,
            (Fault::ForgetsPartners, Write::Ranking(snapshot)) => snapshot.partners.clear(),
            (Fault::ForgetsWords, Write::Ranking(snapshot)) => snapshot.words.clear(),
            (Fault::ForgetsMarks, Write::Outbox(progress)) => progress.marks.clear(),
            (Fault::ForgetsWhichLetter, Write::Drop(letter)) => letter.digest = Digest::of(b""),
            _ => {}
        }
    }

    fn commit_judged_at_start(&mut self, writes: Vec<Write>) -> Vec<Committed> {
        let reader = self.inner.reader();
        let mut answers = Vec::new();
        let mut versions = Vec::new();
        for write in &writes {
            let Write::Request(batch) = write else { continue };
            let stored = reader.load(batch.request.id()).unwrap();
            versions.push(stored.map(|stored| stored.request.version));
        }
        for (write, found) in writes.into_iter().zip(versions) {
            let expected = match &write {
                Write::Request(batch) => match batch.expect {
                    Expect::Absent => None,
                    Expect::Version(version) => Some(version),
                },
                Write::DeadLetter { .. }
                | Write::Outbox(_)
                | Write::Ranking(_)
                | Write::Drop(_) => found,
            };
            if expected == found {
                answers.extend(self.inner.commit(vec![write]).unwrap());
            } else {
                answers.push(Committed::Conflict { found });
            }
        }
        answers
    }
}

impl Store for Broken {
    fn commit(&mut self, mut writes: Vec<Write>) -> Result<Vec<Committed>, StoreError> {
        writes.iter_mut().for_each(|write| self.spoil(write));
        self.on_disk.append(&mut self.in_cache);
        self.in_cache.extend(writes.iter().cloned());
        if self.fault == Fault::JudgesACallAtItsStart {
            return Ok(self.commit_judged_at_start(writes));
        }
        let mut answers = self.inner.commit(writes)?;
        match self.fault {
            Fault::AnswersBackwards => answers.reverse(),
            Fault::DropsWhatFollowsARefusal => {
                let refused = answers.iter().find(|a| matches!(a, Committed::Refused(_))).cloned();
                if let Some(refused) = refused {
                    answers.fill(refused);
                }
            }
            Fault::ReusesSequences => {
                for answer in &mut answers {
                    if let Committed::Request { outbox, .. } = answer {
                        outbox.iter_mut().for_each(|row| row.seq = OutboxSeq(row.seq.0.min(5)));
                    }
                }
            }
            _ => {}
        }
        Ok(answers)
    }

    fn reader(&self) -> Arc<dyn Reader> {
        if self.fault == Fault::ReadsThePast {
            return MemStore::new(INCARNATION).reader();
        }
        Arc::new(BrokenReader { fault: self.fault, inner: self.inner.reader() })
    }

    fn close(self: Box<Self>) -> Result<(), StoreError> {
        Ok(())
    }
}

impl Rig for Broken {
    fn store(&mut self) -> &mut dyn Store {
        self
    }

    fn crash(&mut self) {
        if self.fault == Fault::AcknowledgesBeforeDurable {
            self.inner = MemStore::new(INCARNATION);
            self.inner.commit(self.on_disk.clone()).unwrap();
            self.in_cache.clear();
        }
    }
}

struct BrokenReader {
    fault: Fault,
    inner: Arc<dyn Reader>,
}

impl Reader for BrokenReader {
    fn load(&self, request: RequestId) -> Result<Option<Stored>, StoreError> {
        self.inner.load(request)
    }

    fn receipts(&self, request: RequestId) -> Result<Vec<Receipt>, StoreError> {
        self.inner.receipts(request)
    }

    fn ids(
        &self,
        listing: &Listing,
        after: Option<RequestId>,
        limit: usize,
    ) -> Result<Vec<RequestId>, StoreError> {
        let mut ids = self.inner.ids(listing, after, limit)?;
        match (self.fault, listing) {
            (Fault::ListsOldestFirst, Listing::Customer(_)) => ids.sort(),
            (Fault::SkipsARequest, Listing::All) => ids.truncate(2),
            _ => {}
        }
        Ok(ids)
    }

    fn due_timers(&self, until: Timestamp, limit: usize) -> Result<Vec<TimerRow>, StoreError> {
        self.inner.due_timers(until, limit)
    }

    fn outbox_after(&self, after: OutboxSeq, limit: usize) -> Result<Vec<StoredRow>, StoreError> {
        self.inner.outbox_after(after, limit)
    }

    fn audit_after(
        &self,
        after: CommitNumber,
        limit: usize,
    ) -> Result<Vec<AuditRecord>, StoreError> {
        let mut records = self.inner.audit_after(after, limit)?;
        if self.fault == Fault::BreaksTheChain
            && let Some(record) = records.iter_mut().find(|record| record.commit.0 == 3)
        {
            record.hash = ChainHash([9; 32]);
        }
        Ok(records)
    }

    fn dropped(&self, number: u64) -> Result<Option<DroppedLetter>, StoreError> {
        self.inner.dropped(number)
    }

    fn ranking(&self) -> Result<Option<Snapshot>, StoreError> {
        self.inner.ranking()
    }

    fn meta(&self) -> Result<Meta, StoreError> {
        self.inner.meta()
    }
}

fn clause(name: &str) -> &'static Clause {
    CLAUSES.iter().find(|clause| clause.name == name).expect("a fault names an existing clause")
}

#[test]
fn every_clause_fails_for_a_store_that_breaks_it() {
    for (name, fault) in BREAKS {
        let verdict = (clause(name).check)(&mut Broken::new(*fault));
        assert!(verdict.is_err(), "{name} passes although the store {fault:?}");
    }
}

#[test]
fn every_clause_has_a_fault_and_holds_without_it() {
    for clause in CLAUSES {
        assert!(BREAKS.iter().any(|(name, _)| *name == clause.name), "{} is idle", clause.name);
        let verdict = (clause.check)(&mut MemRig::new());
        assert_eq!(verdict, Ok(()), "{}", clause.name);
    }
}
