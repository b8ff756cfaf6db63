//! The contract of [`Store`] and `Reader`, clause by clause. Both stores keep every clause; for
//! every clause there is a broken store that does not (see `broken.rs`), so no clause is idle.

use std::collections::BTreeSet;

use broker::store::chain::{Chain, follow};
use broker::store::{
    AuditBody, Committed, Listing, Meta, OutboxProgress, OutboxSeq, Outgoing, Refusal, StoredRow,
    StreamMark, Write,
};
use broker_core::batch::{Change, Part, SourceStream};
use broker_core::engine::input::TimerRow;
use broker_core::request::{PurchaseRequest, Status, Version};
use broker_core::timer::TimerKind;
use schemas::id::OrderId;
use schemas::purchase::Strategy;
use schemas::{PartnerId, RequestId, Timestamp};

use crate::rig::{INCARNATION, Rig};
use crate::samples::{
    at, change, command, create, customer, from_stream, id, letter, receipt, write,
};

/// `Err` says which part of the clause is broken.
pub(crate) type Verdict = Result<(), String>;

pub(crate) struct Clause {
    pub name: &'static str,
    pub check: fn(&mut dyn Rig) -> Verdict,
}

macro_rules! clauses {
    ($($name:ident)*) => {
        pub(crate) const CLAUSES: &[Clause] =
            &[$(Clause { name: stringify!($name), check: $name },)*];
    };
}

clauses! {
    a_request_comes_back_as_it_was_written
    a_request_is_created_once
    a_stale_version_changes_nothing
    writes_of_one_call_see_each_other
    answers_come_one_for_each_write_in_order
    a_refused_write_spoils_no_other
    outbox_sequences_are_dense_for_ever
    outbox_rows_come_back_from_any_position
    the_outbox_cursor_moves_both_ways_but_not_ahead
    timers_come_back_earliest_first_until_cleared
    active_requests_are_listed_until_they_rest
    a_customer_sees_its_own_requests_newest_first
    every_request_is_listed_once
    commands_and_receipts_come_back
    the_audit_log_is_dense_chained_and_complete
    positions_of_source_streams_only_grow
    a_dead_letter_is_written_once_per_source
    stream_marks_are_kept_until_replaced
    what_was_acknowledged_survives_a_crash
    a_reader_sees_what_was_acknowledged
}

macro_rules! ensure {
    ($holds:expr, $($say:tt)+) => {
        if !$holds {
            return Err(format!($($say)+));
        }
    };
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, found: T, expected: T) -> Verdict {
    ensure!(found == expected, "{what}: found {found:#?}, expected {expected:#?}");
    Ok(())
}

fn commit(rig: &mut dyn Rig, writes: Vec<Write>) -> Result<Vec<Committed>, String> {
    rig.store().commit(writes).map_err(|e| format!("commit: {e}"))
}

fn apply(
    rig: &mut dyn Rig,
    batch: broker_core::Batch,
) -> Result<(PurchaseRequest, Vec<StoredRow>), String> {
    let request = batch.request.clone();
    match commit(rig, vec![write(batch)])?.pop() {
        Some(Committed::Request { outbox, .. }) => Ok((request, outbox)),
        other => Err(format!("a valid batch was answered {other:?}")),
    }
}

fn loaded(rig: &mut dyn Rig, request: RequestId) -> Result<PurchaseRequest, String> {
    let stored = rig.store().reader().load(request).map_err(|e| e.to_string())?;
    stored.map(|stored| stored.request).ok_or_else(|| format!("{request} is not there"))
}

fn ids(
    rig: &mut dyn Rig,
    listing: &Listing,
    after: Option<RequestId>,
    limit: usize,
) -> Vec<RequestId> {
    rig.store().reader().ids(listing, after, limit).expect("the listing can be read")
}

fn meta(rig: &mut dyn Rig) -> Meta {
    rig.store().reader().meta().expect("meta can be read")
}

fn timers(rig: &mut dyn Rig, until: Timestamp, limit: usize) -> Vec<TimerRow> {
    rig.store().reader().due_timers(until, limit).expect("timers can be read")
}

fn outbox(rig: &mut dyn Rig, after: u64, limit: usize) -> Vec<StoredRow> {
    rig.store().reader().outbox_after(OutboxSeq(after), limit).expect("the outbox can be read")
}

fn a_request_comes_back_as_it_was_written(rig: &mut dyn Rig) -> Verdict {
    let (created, _) = apply(rig, create(1))?;
    same("after creation", loaded(rig, id(1))?, created.clone())?;
    let batch = change(&created, |next| {
        next.cancel_requested = true;
        next.terms.strategy = Strategy::Fast;
        next.told_best = Some(u64::MAX);
    });
    let (changed, _) = apply(rig, batch)?;
    same("after a change", loaded(rig, id(1))?, changed.clone())?;
    rig.crash();
    same("after a crash", loaded(rig, id(1))?, changed)?;
    let other = rig.store().reader().load(id(2)).map_err(|e| e.to_string())?;
    same("a request nobody wrote", other, None)
}

fn a_request_is_created_once(rig: &mut dyn Rig) -> Verdict {
    let (first, _) = apply(rig, create(1))?;
    let mut again = create(1);
    again.request.fruitless = 9;
    let answers = commit(rig, vec![write(again)])?;
    same("second creation", answers, vec![Committed::Conflict { found: Some(Version(1)) }])?;
    same("the request", loaded(rig, id(1))?, first)
}

fn a_stale_version_changes_nothing(rig: &mut dyn Rig) -> Verdict {
    let (first, _) = apply(rig, create(1))?;
    let (second, _) = apply(rig, change(&first, |next| next.sweep = 2))?;
    let before = (meta(rig), outbox(rig, 0, 100), timers(rig, Timestamp::MAX, 100));
    let stale = change(&first, |next| {
        next.sweep = 3;
        next.timers.set(TimerKind::Sweep, at(5));
    });
    let absent = change(&crate::samples::request(77), |_| {});
    let answers = commit(rig, vec![write(stale), write(absent)])?;
    let expected =
        vec![Committed::Conflict { found: Some(Version(2)) }, Committed::Conflict { found: None }];
    same("answers", answers, expected)?;
    same("the request", loaded(rig, id(1))?, second)?;
    let after = (meta(rig), outbox(rig, 0, 100), timers(rig, Timestamp::MAX, 100));
    same("cursors, outbox and timers", after, before)
}

fn writes_of_one_call_see_each_other(rig: &mut dyn Rig) -> Verdict {
    let first = create(1);
    let second = change(&first.request, |next| next.sweep = 2);
    let rival = change(&first.request, |next| next.sweep = 3);
    let closing = change(&second.request, |next| next.status = Status::OutOfStock);
    let last = change(&closing.request, |next| next.fruitless = 4);
    let expected = last.request.clone();
    let writes = [first, second, rival, closing, last].map(write).to_vec();
    let answers = commit(rig, writes)?;
    let committed: Vec<bool> =
        answers.iter().map(|answer| matches!(answer, Committed::Request { .. })).collect();
    same("which were committed", committed, vec![true, true, false, true, true])?;
    same("the rival", answers[2].clone(), Committed::Conflict { found: Some(Version(2)) })?;
    same("the request", loaded(rig, id(1))?, expected.clone())?;
    same("active", ids(rig, &Listing::Active, None, 10), vec![])?;
    rig.crash();
    same("the request after a crash", loaded(rig, id(1))?, expected)
}

fn answers_come_one_for_each_write_in_order(rig: &mut dyn Rig) -> Verdict {
    let writes = vec![
        write(create(1)),
        Write::DeadLetter { letter: letter(b"poison"), source: None },
        write(create(1)),
        Write::Outbox(OutboxProgress::default()),
        write(create(2)),
    ];
    let answers = commit(rig, writes)?;
    let kinds: Vec<&str> = answers
        .iter()
        .map(|answer| match answer {
            Committed::Request { .. } => "request",
            Committed::Conflict { .. } => "conflict",
            Committed::DeadLetter { .. } => "letter",
            Committed::Outbox => "outbox",
            Committed::Refused(_) => "refused",
        })
        .collect();
    same("answers", kinds, vec!["request", "letter", "conflict", "outbox", "request"])?;
    let (Committed::Request { outbox: first, .. }, Committed::Request { outbox: last, .. }) =
        (&answers[0], &answers[4])
    else {
        return Err("checked above".to_owned());
    };
    let requests = |rows: &[StoredRow]| rows.iter().map(request_of).collect::<Vec<_>>();
    same("rows of the first", requests(first), vec![Some(id(1)); 2])?;
    same("rows of the last", requests(last), vec![Some(id(2)); 2])
}

fn request_of(row: &StoredRow) -> Option<RequestId> {
    match &row.outgoing {
        Outgoing::Effect(row) => Some(row.request),
        Outgoing::DeadLetter(_) => None,
    }
}

fn a_refused_write_spoils_no_other(rig: &mut dyn Rig) -> Verdict {
    let mut jump = create(1);
    jump.request.version = Version(5);
    let mut silent = create(2);
    silent.audit.clear();
    let mut huge = create(3);
    let long = PartnerId::parse(&"p".repeat(32)).unwrap();
    huge.request.tried = vec![long; 200];
    let writes = vec![write(jump), write(silent), write(huge), write(create(4))];
    let answers = commit(rig, writes)?;
    let refused = |request, version, expected, rows| {
        Committed::Refused(Refusal::VersionNotDense { request, version, expected, rows })
    };
    same("a jump of the version", answers[0].clone(), refused(id(1), 5, 0, 1))?;
    same("a change without audit", answers[1].clone(), refused(id(2), 1, 0, 0))?;
    let too_large = matches!(
        &answers[2],
        Committed::Refused(Refusal::TooLarge { request, what: "head", .. }) if *request == id(3)
    );
    ensure!(too_large, "an oversize head was answered {:?}", answers[2]);
    ensure!(matches!(answers[3], Committed::Request { .. }), "the last: {:?}", answers[3]);
    same("what is stored", ids(rig, &Listing::All, None, 10), vec![id(4)])
}

fn outbox_sequences_are_dense_for_ever(rig: &mut dyn Rig) -> Verdict {
    let mut given = Vec::new();
    for n in 0..4 {
        let (request, rows) = apply(rig, create(n))?;
        given.extend(rows.iter().map(|row| row.seq.0));
        if n == 1 {
            rig.crash();
        }
        let (_, rows) = apply(rig, change(&request, |_| {}))?;
        given.extend(rows.iter().map(|row| row.seq.0));
    }
    same("sequences given", given, (1..=12).collect())?;
    same("the last one", meta(rig).outbox_last, OutboxSeq(12))
}

fn outbox_rows_come_back_from_any_position(rig: &mut dyn Rig) -> Verdict {
    let mut given = Vec::new();
    let mut put = |rig: &mut dyn Rig, batch: broker_core::Batch| {
        let effects: Vec<_> = batch.outbox.iter().cloned().map(Outgoing::Effect).collect();
        let (request, rows) = apply(rig, batch)?;
        let told: Vec<_> = rows.iter().map(|row| row.outgoing.clone()).collect();
        same("effects in the answer", told, effects)?;
        given.extend(rows);
        Ok::<_, String>(request)
    };
    for n in 0..3 {
        let request = put(rig, create(n))?;
        put(rig, change(&request, |next| next.sweep = 7))?;
    }
    let writes = vec![Write::DeadLetter { letter: letter(b"between"), source: None }];
    match commit(rig, writes)?.pop() {
        Some(Committed::DeadLetter { outbox }) => given.extend(outbox),
        other => return Err(format!("a letter was answered {other:?}")),
    }
    for crashed in [false, true] {
        if crashed {
            rig.crash();
        }
        for after in 0..=given.len() {
            for limit in [1, 2, 100] {
                let expected: Vec<_> = given.iter().skip(after).take(limit).cloned().collect();
                let found = outbox(rig, after as u64, limit);
                same(&format!("{limit} rows after {after}"), found, expected)?;
            }
        }
    }
    Ok(())
}

fn the_outbox_cursor_moves_both_ways_but_not_ahead(rig: &mut dyn Rig) -> Verdict {
    apply(rig, create(1))?;
    let sent = |seq| {
        let sent = Some(OutboxSeq(seq));
        Write::Outbox(OutboxProgress { sent, marks: Vec::new() })
    };
    same("forward", commit(rig, vec![sent(2)])?, vec![Committed::Outbox])?;
    rig.crash();
    same("the cursor", meta(rig).outbox_sent, OutboxSeq(2))?;
    same("back", commit(rig, vec![sent(1)])?, vec![Committed::Outbox])?;
    same("the cursor", meta(rig).outbox_sent, OutboxSeq(1))?;
    same("published rows are kept", outbox(rig, 0, 10).len(), 2)?;
    let refusal = Refusal::CursorAhead { sent: 3, last: 2 };
    same("ahead", commit(rig, vec![sent(3)])?, vec![Committed::Refused(refusal)])?;
    same("the cursor", meta(rig).outbox_sent, OutboxSeq(1))
}

fn timers_come_back_earliest_first_until_cleared(rig: &mut dyn Rig) -> Verdict {
    let (first, _) = apply(rig, create(1))?;
    let (second, _) = apply(rig, create(2))?;
    let expiry = |n: u64| TimerRow { at: at(60_000 + n), request: id(n), kind: TimerKind::Expiry };
    same("before any is due", timers(rig, at(60_000), 10), vec![])?;
    same("one is due", timers(rig, at(60_001), 10), vec![expiry(1)])?;
    same("all", timers(rig, Timestamp::MAX, 10), vec![expiry(1), expiry(2)])?;
    same("a limit", timers(rig, Timestamp::MAX, 1), vec![expiry(1)])?;
    // Earlier than anything a scan has seen so far.
    let sweep = TimerRow { at: at(10), request: id(2), kind: TimerKind::Sweep };
    let (second, _) = apply(rig, change(&second, |next| next.timers.set(sweep.kind, sweep.at)))?;
    same("an earlier one", timers(rig, at(60_001), 10), vec![sweep, expiry(1)])?;
    apply(rig, change(&first, |next| next.timers.clear(TimerKind::Expiry)))?;
    same("one is cleared", timers(rig, Timestamp::MAX, 10), vec![sweep, expiry(2)])?;
    let moved = TimerRow { at: at(20), ..sweep };
    apply(rig, change(&second, |next| next.timers.set(moved.kind, moved.at)))?;
    same("one is moved", timers(rig, Timestamp::MAX, 10), vec![moved, expiry(2)])?;
    rig.crash();
    same("after a crash", timers(rig, Timestamp::MAX, 10), vec![moved, expiry(2)])
}

fn active_requests_are_listed_until_they_rest(rig: &mut dyn Rig) -> Verdict {
    let mut requests = Vec::new();
    for n in 0..4 {
        requests.push(apply(rig, create(n))?.0);
    }
    let (resting, _) = apply(rig, change(&requests[1], |next| next.status = Status::OutOfStock))?;
    let active = vec![id(0), id(2), id(3)];
    same("active", ids(rig, &Listing::Active, None, 10), active.clone())?;
    same("a page", ids(rig, &Listing::Active, Some(id(0)), 1), vec![id(2)])?;
    rig.crash();
    same("active after a crash", ids(rig, &Listing::Active, None, 10), active)?;
    apply(rig, change(&resting, |next| next.status = Status::Searching))?;
    same("woken", ids(rig, &Listing::Active, None, 10), vec![id(0), id(1), id(2), id(3)])
}

fn a_customer_sees_its_own_requests_newest_first(rig: &mut dyn Rig) -> Verdict {
    for (n, owner) in [(1, "c1"), (2, "c12"), (3, "c1"), (4, "c1")] {
        let mut batch = create(n);
        let mut submission = batch.request.submission.as_ref().clone();
        submission.customer = customer(owner);
        batch.request.submission = submission.into();
        apply(rig, batch)?;
    }
    rig.crash();
    let own = Listing::Customer(customer("c1"));
    same("all of c1", ids(rig, &own, None, 10), vec![id(4), id(3), id(1)])?;
    same("its first page", ids(rig, &own, None, 2), vec![id(4), id(3)])?;
    same("its second page", ids(rig, &own, Some(id(3)), 2), vec![id(1)])?;
    same("the end", ids(rig, &own, Some(id(1)), 2), vec![])?;
    same("all of c12", ids(rig, &Listing::Customer(customer("c12")), None, 9), vec![id(2)])?;
    same("nobody", ids(rig, &Listing::Customer(customer("c")), None, 9), vec![])
}

fn every_request_is_listed_once(rig: &mut dyn Rig) -> Verdict {
    for n in [5, 3, 9, 1] {
        let (request, _) = apply(rig, create(n))?;
        apply(rig, change(&request, |next| next.status = Status::Canceled))?;
    }
    let all = vec![id(1), id(3), id(5), id(9)];
    same("all", ids(rig, &Listing::All, None, 10), all.clone())?;
    rig.crash();
    let mut paged = Vec::new();
    while let Some(next) = ids(rig, &Listing::All, paged.last().copied(), 1).pop() {
        paged.push(next);
        ensure!(paged.len() <= all.len(), "paging does not end: {paged:?}");
    }
    same("page by page", paged, all)
}

fn commands_and_receipts_come_back(rig: &mut dyn Rig) -> Verdict {
    let (mut request, _) = apply(rig, create(1))?;
    let long = receipt(2, 400);
    let parts = [
        vec![Part::Command(command("z-first", 2)), Part::Receipt(receipt(1, 3))],
        vec![Part::Command(command("a-second", 3)), Part::Receipt(long.clone())],
        vec![Part::Receipt(receipt(3, 0))],
    ];
    for parts in parts {
        let mut batch = change(&request, |_| {});
        batch.parts = parts;
        request = apply(rig, batch)?.0;
    }
    apply(rig, create(2))?;
    rig.crash();
    let reader = rig.store().reader();
    let stored = reader.load(id(1)).map_err(|e| e.to_string())?;
    let commands = stored.map(|stored| stored.commands).unwrap_or_default();
    same("commands", commands, vec![command("z-first", 2), command("a-second", 3)])?;
    let receipts = reader.receipts(id(1)).map_err(|e| e.to_string())?;
    same("receipts", receipts, vec![receipt(1, 3), long, receipt(3, 0)])?;
    same("of another", reader.receipts(id(2)).map_err(|e| e.to_string())?, vec![])
}

fn the_audit_log_is_dense_chained_and_complete(rig: &mut dyn Rig) -> Verdict {
    let mut expected = Vec::new();
    for n in 0..3 {
        let batch = create(n);
        expected.push((id(n), batch.audit.clone()));
        let (request, _) = apply(rig, batch)?;
        let batch = change(&request, |_| {});
        expected.push((id(n), batch.audit.clone()));
        apply(rig, batch)?;
        if n == 1 {
            rig.crash();
        }
    }
    let reader = rig.store().reader();
    let records = reader.audit_after(broker::store::CommitNumber(0), 100);
    let records = records.map_err(|e| e.to_string())?;
    let found: Vec<_> = records
        .iter()
        .map(|record| match &record.body {
            AuditBody::Request { request, rows } => (*request, rows.clone()),
            AuditBody::DeadLetter { .. } => (id(99), Vec::new()),
        })
        .collect();
    same("events", found, expected)?;
    ensure!(records[0].hash != records[1].hash, "hashes repeat");
    let mut chain = Chain::from_genesis();
    follow(reader.as_ref(), &mut chain).map_err(|e| e.to_string())?;
    same("end of the chain", chain.last(), meta(rig).last_commit)?;
    let page = reader.audit_after(records[1].commit, 2).map_err(|e| e.to_string())?;
    same("a page", page, records[2..4].to_vec())?;
    let first = matches!(&records[0].body, AuditBody::Request { rows, .. }
        if rows[0].change == Change::Created);
    ensure!(first, "the first record is {:?}", records[0]);
    Ok(())
}

fn positions_of_source_streams_only_grow(rig: &mut dyn Rig) -> Verdict {
    for (n, sequence) in [(1, 20), (2, 10), (3, 21)] {
        let mut batch = create(n);
        batch.source = Some(from_stream(SourceStream::PurchaseCreates, sequence));
        apply(rig, batch)?;
        if n == 2 {
            same("a lower one", meta(rig).applied(SourceStream::PurchaseCreates), 20)?;
        }
    }
    let source = Some(from_stream(SourceStream::PaymentReplies, 5));
    commit(rig, vec![Write::DeadLetter { letter: letter(b"x"), source }])?;
    rig.crash();
    same("all", meta(rig).applied, [21, 0, 0, 5])?;
    same("the latest instant", meta(rig).last_at, at(7))
}

fn a_dead_letter_is_written_once_per_source(rig: &mut dyn Rig) -> Verdict {
    let poison = |body: &[u8], sequence| Write::DeadLetter {
        letter: letter(body),
        source: Some(from_stream(SourceStream::PurchaseCreates, sequence)),
    };
    // Longer than one value.
    let long = vec![7; 10_000];
    let answers = commit(rig, vec![poison(&long, 1), poison(&long, 1), poison(b"b", 2)])?;
    let given: Vec<usize> = answers
        .iter()
        .map(|answer| match answer {
            Committed::DeadLetter { outbox } => outbox.len(),
            _ => 99,
        })
        .collect();
    same("rows given", given, vec![1, 0, 1])?;
    rig.crash();
    let again = commit(rig, vec![poison(b"again", 1)])?;
    same("again", again, vec![Committed::DeadLetter { outbox: vec![] }])?;
    let bodies: Vec<_> = outbox(rig, 0, 10)
        .into_iter()
        .map(|row| match row.outgoing {
            Outgoing::DeadLetter(letter) => letter.body.to_vec(),
            Outgoing::Effect(_) => Vec::new(),
        })
        .collect();
    same("letters", bodies, vec![long, b"b".to_vec()])?;
    same("commits", meta(rig).last_commit.0, 2)?;
    let endless = vec![0; 2_000_000];
    let answer = commit(rig, vec![poison(&endless, 3)])?;
    let refused = matches!(answer[0], Committed::Refused(Refusal::LetterTooLarge { .. }));
    ensure!(refused, "an endless letter was answered {:?}", answer[0]);
    Ok(())
}

pub(crate) fn mark(stream: &str, created_unix_ns: i128, sequence: u64) -> StreamMark {
    StreamMark {
        stream: stream.into(),
        created_unix_ns,
        sequence,
        message_id: Some("some-id".into()),
        outbox: Some(OutboxSeq(4)),
    }
}

fn stream_marks_are_kept_until_replaced(rig: &mut dyn Rig) -> Verdict {
    let progress = |marks: Vec<StreamMark>| Write::Outbox(OutboxProgress { sent: None, marks });
    let creates = SourceStream::PurchaseCreates.name();
    apply(rig, create(8))?;
    let first = vec![mark("EVENTS", -1, 7), mark(creates, 100, 9)];
    same("marks", commit(rig, vec![progress(first)])?, vec![Committed::Outbox])?;
    same("another mark", commit(rig, vec![progress(vec![mark("EVENTS", -1, 8)])])?.len(), 1)?;
    rig.crash();
    let kept = vec![mark("EVENTS", -1, 8), mark(creates, 100, 9)];
    same("kept", meta(rig).streams, kept)?;
    same("applied", meta(rig).applied(SourceStream::PurchaseCreates), 9)?;
    // The stream was created anew: its sequences start again.
    commit(rig, vec![progress(vec![mark(creates, 200, 3)])])?;
    same("applied of a new stream", meta(rig).applied(SourceStream::PurchaseCreates), 3)?;
    let nameless = commit(rig, vec![progress(vec![mark("", 1, 1)])])?;
    let refused = matches!(nameless[0], Committed::Refused(Refusal::Mark { .. }));
    ensure!(refused, "a nameless mark was answered {:?}", nameless[0]);
    Ok(())
}

fn what_was_acknowledged_survives_a_crash(rig: &mut dyn Rig) -> Verdict {
    let mut acknowledged = BTreeSet::new();
    for n in 0..10 {
        let (request, _) = apply(rig, create(n))?;
        acknowledged.insert((request.id(), 1));
        if n % 3 == 0 {
            rig.crash();
        }
        let (request, _) = apply(rig, change(&request, |next| next.sweep = 5))?;
        acknowledged.insert((request.id(), request.version.0));
    }
    rig.crash();
    for (request, version) in acknowledged {
        let found = loaded(rig, request)?.version.0;
        ensure!(found >= version, "{request} is at {found}, {version} was acknowledged");
    }
    Ok(())
}

fn a_reader_sees_what_was_acknowledged(rig: &mut dyn Rig) -> Verdict {
    let reader = rig.store().reader();
    same("incarnation", meta(rig).incarnation, INCARNATION)?;
    let (mut request, _) = apply(rig, create(1))?;
    for n in 2..6u64 {
        let mut batch = change(&request, |next| {
            next.told_best = Some(n);
            next.checkout = None;
        });
        let name = OrderId::parse(&format!("cmd-{n}")).unwrap();
        batch.parts = vec![Part::Command(command(name.as_str(), n))];
        request = apply(rig, batch)?.0;
        let stored = reader.load(id(1)).map_err(|e| e.to_string())?;
        let stored = stored.ok_or("the reader does not see the request")?;
        same("the request", &stored.request, &request)?;
        same("its commands", stored.commands.len() as u64, n - 1)?;
        same("the outbox", reader.meta().map_err(|e| e.to_string())?.outbox_last.0, n + 1)?;
    }
    Ok(())
}
