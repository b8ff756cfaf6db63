//! Clauses about timers and listings.

use broker::store::{AuditBody, CommitNumber, Committed, DroppedLetter, Listing, Write};
use broker_core::engine::input::TimerRow;
use broker_core::engine::ranking::Steer;
use broker_core::request::Status;
use broker_core::timer::TimerKind;
use schemas::Timestamp;

use super::{Verdict, apply, commit, ids, same, timers};
use crate::rig::Rig;
use crate::samples::{at, change, create, customer, dropped, id};

pub(super) fn timers_come_back_earliest_first_until_cleared(rig: &mut dyn Rig) -> Verdict {
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

pub(super) fn active_requests_are_listed_until_they_rest(rig: &mut dyn Rig) -> Verdict {
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

pub(super) fn a_customer_sees_its_own_requests_newest_first(rig: &mut dyn Rig) -> Verdict {
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

pub(super) fn every_request_is_listed_once(rig: &mut dyn Rig) -> Verdict {
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

pub(super) fn the_last_ranking_is_kept_with_every_partner(rig: &mut dyn Rig) -> Verdict {
    let ranking = |rig: &mut dyn Rig| {
        rig.store().reader().ranking().map_err(|e| format!("reading the ranking: {e}"))
    };
    same("at first", ranking(rig)?, None)?;
    let keep = |number, partners: &[&str]| {
        Write::Ranking(Box::new(crate::samples::ranking(number, partners)))
    };
    let answers = commit(rig, vec![keep(1, &["a", "b"]), keep(2, &["a", "c"])])?;
    same("answers", answers, vec![Committed::Ranking, Committed::Ranking])?;
    commit(rig, vec![keep(3, &["a"])])?;
    rig.crash();
    let kept = ranking(rig)?.ok_or("nothing was kept")?;
    same("number", kept.number.0, 3)?;
    let ids: Vec<String> = kept.partners.iter().map(|record| record.id.to_string()).collect();
    ensure!(ids.contains(&"a".to_owned()) && ids.contains(&"c".to_owned()), "kept {ids:?}");
    let latest = crate::samples::ranking(3, &["a"]).partners.remove(0);
    same("a", kept.partners.iter().find(|record| record.id == latest.id), Some(&latest))
}

pub(super) fn every_word_of_an_operator_is_in_the_audit_log(rig: &mut dyn Rig) -> Verdict {
    let words = [(Some(Steer::Ban), 5), (Some(Steer::Pin), 6), (None, 7)]
        .map(|(steer, said_at)| crate::samples::word(steer, said_at));
    let mut first = crate::samples::ranking(1, &["a"]);
    first.words = words[..2].to_vec();
    let mut second = crate::samples::ranking(2, &["a"]);
    second.words = words[2..].to_vec();
    apply(rig, create(1))?;
    commit(rig, vec![Write::Ranking(Box::new(first)), Write::Ranking(Box::new(second))])?;
    rig.crash();
    let reader = rig.store().reader();
    let log = reader.audit_after(CommitNumber(1), 10).map_err(|e| format!("the log: {e}"))?;
    let found: Vec<_> = log.into_iter().map(|record| record.body).collect();
    same("words", found, words.map(AuditBody::Steered).to_vec())?;
    let kept = reader.ranking().map_err(|e| format!("the ranking: {e}"))?.ok_or("nothing kept")?;
    same("read back", kept.words, Vec::new())?;
    let meta = reader.meta().map_err(|e| format!("the tail: {e}"))?;
    same("commits", meta.last_commit, CommitNumber(4))
}

pub(super) fn a_dropped_letter_is_in_the_audit_log_once(rig: &mut dyn Rig) -> Verdict {
    let drop = |letter: &DroppedLetter| Write::Drop(Box::new(letter.clone()));
    let (first, second) = (dropped(1, b"letter"), dropped(2, b"another"));
    // Twice in one call, and again by somebody else later: the first word stands.
    let answers = commit(rig, vec![drop(&first), drop(&second), drop(&first)])?;
    same("answers", answers, vec![Committed::Dropped; 3])?;
    let again = DroppedLetter { said_at: at(9), ..first.clone() };
    commit(rig, vec![drop(&again)])?;
    rig.crash();
    commit(rig, vec![drop(&again)])?;
    let found = |rig: &mut dyn Rig, number| {
        rig.store().reader().dropped(number).map_err(|e| format!("letter {number}: {e}"))
    };
    same("the first", found(rig, 1)?, Some(first.clone()))?;
    same("the second", found(rig, 2)?, Some(second.clone()))?;
    same("one that was not dropped", found(rig, 3)?, None)?;
    // A stream that was made anew gives the number to another letter.
    let other = dropped(1, b"of another stream");
    commit(rig, vec![drop(&other)])?;
    same("the other", found(rig, 1)?, Some(other.clone()))?;
    let log = rig.store().reader().audit_after(CommitNumber(0), 10);
    let log = log.map_err(|e| format!("the log: {e}"))?;
    let log: Vec<_> = log.into_iter().map(|record| record.body).collect();
    same("log", log, [first, second, other].map(AuditBody::Dropped).to_vec())
}
