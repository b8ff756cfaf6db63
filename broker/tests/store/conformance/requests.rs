//! Clauses about requests and the answers to writes.

use std::collections::BTreeSet;

use broker::store::{Committed, Listing, OutboxProgress, Outgoing, Refusal, StoredRow, Write};
use broker_core::batch::Part;
use broker_core::request::{Status, Version};
use broker_core::timer::TimerKind;
use schemas::purchase::Strategy;
use schemas::{PartnerId, RequestId, Timestamp};

use super::{Verdict, apply, commit, ids, loaded, meta, outbox, same, timers};
use crate::rig::{INCARNATION, Rig};
use crate::samples::{at, change, command, create, id, letter, receipt, write};

pub(super) fn a_request_comes_back_as_it_was_written(rig: &mut dyn Rig) -> Verdict {
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

pub(super) fn a_request_is_created_once(rig: &mut dyn Rig) -> Verdict {
    let (first, _) = apply(rig, create(1))?;
    let mut again = create(1);
    again.request.fruitless = 9;
    let answers = commit(rig, vec![write(again)])?;
    same("second creation", answers, vec![Committed::Conflict { found: Some(Version(1)) }])?;
    same("the request", loaded(rig, id(1))?, first)
}

pub(super) fn a_stale_version_changes_nothing(rig: &mut dyn Rig) -> Verdict {
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

pub(super) fn writes_of_one_call_see_each_other(rig: &mut dyn Rig) -> Verdict {
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

pub(super) fn answers_come_one_for_each_write_in_order(rig: &mut dyn Rig) -> Verdict {
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
            Committed::Ranking => "ranking",
            Committed::Dropped => "dropped",
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

pub(super) fn a_refused_write_spoils_no_other(rig: &mut dyn Rig) -> Verdict {
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

pub(super) fn commands_and_receipts_come_back(rig: &mut dyn Rig) -> Verdict {
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

pub(super) fn what_was_acknowledged_survives_a_crash(rig: &mut dyn Rig) -> Verdict {
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

pub(super) fn a_reader_sees_what_was_acknowledged(rig: &mut dyn Rig) -> Verdict {
    let reader = rig.store().reader();
    same("incarnation", meta(rig).incarnation, INCARNATION)?;
    let (mut request, _) = apply(rig, create(1))?;
    for n in 2..6u64 {
        let mut batch = change(&request, |next| {
            next.told_best = Some(n);
            next.checkout = None;
        });
        batch.parts = vec![Part::Command(command(&format!("cmd-{n}"), n))];
        request = apply(rig, batch)?.0;
        let stored = reader.load(id(1)).map_err(|e| e.to_string())?;
        let stored = stored.ok_or("the reader does not see the request")?;
        same("the request", &stored.request, &request)?;
        same("its commands", stored.commands.len() as u64, n - 1)?;
        same("the outbox", reader.meta().map_err(|e| e.to_string())?.outbox_last.0, n + 1)?;
    }
    Ok(())
}
