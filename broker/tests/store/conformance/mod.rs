//! The contract of [`Store`] and `Reader`, clause by clause. Both stores keep every clause; for
//! every clause there is a broken store that does not (see `broken.rs`), so no clause is idle.

macro_rules! ensure {
    ($holds:expr, $($say:tt)+) => {
        if !$holds {
            return Err(format!($($say)+));
        }
    };
}

mod requests;
mod streams;
mod tables;

use broker::store::{Committed, Listing, Meta, OutboxSeq, StoredRow, Write};
use broker_core::engine::input::TimerRow;
use broker_core::request::PurchaseRequest;
use schemas::{RequestId, Timestamp};

pub(crate) use self::streams::mark;

use crate::rig::Rig;
use crate::samples::write;

/// `Err` says which part of the clause is broken.
pub(crate) type Verdict = Result<(), String>;

pub(crate) struct Clause {
    pub name: &'static str,
    pub check: fn(&mut dyn Rig) -> Verdict,
}

macro_rules! clauses {
    ($($topic:ident { $($name:ident)* })*) => {
        pub(crate) const CLAUSES: &[Clause] =
            &[$($(Clause { name: stringify!($name), check: $topic::$name },)*)*];
    };
}

clauses! {
    requests {
        a_request_comes_back_as_it_was_written
        a_request_is_created_once
        a_stale_version_changes_nothing
        writes_of_one_call_see_each_other
        answers_come_one_for_each_write_in_order
        a_refused_write_spoils_no_other
        commands_and_receipts_come_back
        what_was_acknowledged_survives_a_crash
        a_reader_sees_what_was_acknowledged
    }
    streams {
        outbox_sequences_are_dense_for_ever
        outbox_rows_come_back_from_any_position
        the_outbox_cursor_moves_both_ways_but_not_ahead
        the_audit_log_is_dense_chained_and_complete
        positions_of_source_streams_only_grow
        a_dead_letter_is_written_once_per_source
        stream_marks_are_kept_until_replaced
    }
    tables {
        timers_come_back_earliest_first_until_cleared
        active_requests_are_listed_until_they_rest
        a_customer_sees_its_own_requests_newest_first
        every_request_is_listed_once
        the_last_ranking_is_kept_with_every_partner
        every_word_of_an_operator_is_in_the_audit_log
        a_dropped_letter_is_in_the_audit_log_once
    }
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
