//! What a row says about how it is to be sent.

use broker_core::effect::Effect;
use broker_core::receipt::Receipt;

use super::window::LaneKey;
use crate::store::{Outgoing, Reader, StoreError, StoredRow};
use crate::wire::outgoing;

/// Rows of one lane keep their order; a dead letter has no lane.
pub fn lane_of(row: &StoredRow) -> Option<LaneKey> {
    match &row.outgoing {
        Outgoing::Effect(row) => Some((row.request, row.effect.lane())),
        Outgoing::DeadLetter(_) => None,
    }
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
