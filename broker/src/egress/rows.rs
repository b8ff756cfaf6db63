//! What a row says about how it is to be sent.

use broker_core::effect::Effect;
use broker_core::receipt::Receipt;

use super::window::LaneKey;
use crate::store::{OutboxSeq, Outgoing, Reader, StoreError, StoredRow};
use crate::wire::outgoing;

/// Rows read from the store at once.
pub const PAGE_ROWS_MAX: usize = 64;
/// Pages that one look for the rows of a stream may take: other streams wait for it.
const LOOK_PAGES_MAX: usize = 8;

/// Rows of one lane keep their order; a dead letter has no lane.
pub fn lane_of(row: &StoredRow) -> Option<LaneKey> {
    match &row.outgoing {
        Outgoing::Effect(row) => Some((row.request, row.effect.lane())),
        Outgoing::DeadLetter(_) => None,
    }
}

/// What a look into the store for one stream has found.
#[derive(Debug)]
pub struct Found {
    pub rows: Vec<StoredRow>,
    /// There is no other row of the stream up to this one.
    pub up_to: u64,
}

/// Rows of a stream that is behind: after `after` and up to `last`, as many as one look may find.
///
/// # Errors
/// The store cannot be read.
pub fn of_stream(
    reader: &dyn Reader,
    stream: &str,
    after: u64,
    last: u64,
) -> Result<Found, StoreError> {
    let mut found = Found { rows: Vec::new(), up_to: after };
    for _ in 0..LOOK_PAGES_MAX {
        let page = reader.outbox_after(OutboxSeq(found.up_to), PAGE_ROWS_MAX)?;
        found.up_to = page.last().map_or(last, |row| row.seq.0).min(last);
        let wanted = |row: &StoredRow| row.seq.0 <= last && outgoing::stream_of(row) == stream;
        found.rows.extend(page.into_iter().filter(wanted));
        if found.up_to >= last || found.rows.len() >= PAGE_ROWS_MAX {
            break;
        }
    }
    Ok(found)
}

/// The receipt in force when the notification was decided, so that every copy shows the same.
///
/// # Errors
/// The store cannot be read.
pub fn shown_receipt(row: &StoredRow, reader: &dyn Reader) -> Result<Option<Receipt>, StoreError> {
    let Some(effect_row) = outgoing::wants_receipt(row) else { return Ok(None) };
    let Effect::Notify { snapshot, .. } = &effect_row.effect else { return Ok(None) };
    let shown = |r: &Receipt| r.sweep <= snapshot.sweep && r.decided_at <= row.at;
    Ok(reader.receipts(effect_row.request)?.into_iter().rev().find(shown))
}
