//! Clauses about what is numbered: outbox, audit log, source streams.

use broker::store::chain::{Chain, follow};
use broker::store::{
    AuditBody, CommitNumber, Committed, DeadLetterRow, OutboxProgress, OutboxSeq, Outgoing,
    Refusal, StreamMark, Write,
};
use broker_core::batch::{Change, SourceStream};

use super::{Verdict, apply, commit, meta, outbox, same};
use crate::rig::Rig;
use crate::samples::{at, change, create, from_stream, id, letter};

pub(super) fn outbox_sequences_are_dense_for_ever(rig: &mut dyn Rig) -> Verdict {
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

pub(super) fn outbox_rows_come_back_from_any_position(rig: &mut dyn Rig) -> Verdict {
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

pub(super) fn the_outbox_cursor_moves_both_ways_but_not_ahead(rig: &mut dyn Rig) -> Verdict {
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

pub(super) fn the_audit_log_is_dense_chained_and_complete(rig: &mut dyn Rig) -> Verdict {
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
    let records = reader.audit_after(CommitNumber(0), 100);
    let records = records.map_err(|e| e.to_string())?;
    let found: Vec<_> = records
        .iter()
        .map(|record| match &record.body {
            AuditBody::Request { request, rows } => (*request, rows.clone()),
            AuditBody::DeadLetter { .. } | AuditBody::Steered(_) | AuditBody::Dropped(_) => {
                (id(99), Vec::new())
            }
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

pub(super) fn positions_of_source_streams_only_grow(rig: &mut dyn Rig) -> Verdict {
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

pub(super) fn a_dead_letter_is_written_once_per_source(rig: &mut dyn Rig) -> Verdict {
    let poison = |body: &[u8], sequence| Write::DeadLetter {
        letter: letter(body),
        source: Some(from_stream(SourceStream::PurchaseCreates, sequence)),
    };
    // Longer than one value.
    let long = vec![7; 10_000];
    let answers = commit(rig, vec![poison(&long, 1), poison(&long, 1), poison(b"b", 2)])?;
    let given: Vec<usize> = answers.iter().map(rows_given).collect();
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
    // The stream lost its tail and gave a sequence out again: another message, at another time.
    let later = DeadLetterRow { at: at(8), ..letter(b"later") };
    let source = Some(from_stream(SourceStream::PurchaseCreates, 2));
    let reused = || Write::DeadLetter { letter: later.clone(), source };
    let answers = commit(rig, vec![reused(), reused()])?;
    let rows: Vec<usize> = answers.iter().map(rows_given).collect();
    same("letters of a sequence that was given out again", rows, vec![1, 0])?;
    let endless = vec![0; 2_000_000];
    let answer = commit(rig, vec![poison(&endless, 3)])?;
    let refused = matches!(answer[0], Committed::Refused(Refusal::LetterTooLarge { .. }));
    ensure!(refused, "an endless letter was answered {:?}", answer[0]);
    Ok(())
}

fn rows_given(answer: &Committed) -> usize {
    match answer {
        Committed::DeadLetter { outbox } => outbox.len(),
        Committed::Request { .. }
        | Committed::Conflict { .. }
        | Committed::Outbox
        | Committed::Ranking
        | Committed::Dropped
        | Committed::Refused(_) => 99,
    }
}

pub(crate) fn mark(stream: &str, created_unix_ns: i128, sequence: u64) -> StreamMark {
    StreamMark {
        stream: stream.into(),
        created_unix_ns,
        sequence,
        message_id: Some("some-id".into()),
        outbox: Some(OutboxSeq(4)),
        settled: Some(OutboxSeq(1)),
    }
}

pub(super) fn stream_marks_are_kept_until_replaced(rig: &mut dyn Rig) -> Verdict {
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
    let ahead = StreamMark { settled: Some(OutboxSeq(u64::MAX)), ..mark("EVENTS", -1, 9) };
    let answer = commit(rig, vec![progress(vec![ahead])])?;
    let refused = matches!(answer[0], Committed::Refused(Refusal::Mark { .. }));
    ensure!(refused, "a mark ahead of the outbox was answered {:?}", answer[0]);
    Ok(())
}
