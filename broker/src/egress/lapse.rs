//! Rows whose time has passed are not sent: better no order than a late one.

use broker_core::effect::{Effect, PartnerCommand, PaymentCommand};
use broker_core::engine::input::Input;
use broker_core::event::LapsedOperation;
use schemas::{RequestId, Timestamp};

use crate::store::{Outgoing, StoredRow};

/// A row that must not be sent at or after an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timed {
    pub request: RequestId,
    pub attempt: u8,
    pub operation: LapsedOperation,
    pub send_by: Timestamp,
}

impl Timed {
    /// At the limit is too late.
    pub fn has_lapsed(&self, now: Timestamp) -> bool {
        now >= self.send_by
    }

    /// What the engine must be told when it was not sent.
    pub fn input(&self) -> Input {
        Input::Lapsed { request: self.request, attempt: self.attempt, operation: self.operation }
    }

    /// It orders something, which needs a clock that can be trusted.
    pub fn is_place(&self) -> bool {
        self.operation == LapsedOperation::Place
    }
}

/// The limit of a row, if it has one.
pub fn timed(row: &StoredRow) -> Option<Timed> {
    let Outgoing::Effect(row) = &row.outgoing else { return None };
    let send_by = row.effect.send_by()?;
    let (attempt, operation) = operation(&row.effect)?;
    Some(Timed { request: row.request, attempt, operation, send_by })
}

pub const fn label(operation: LapsedOperation) -> &'static str {
    match operation {
        LapsedOperation::Reserve => "reserve",
        LapsedOperation::Authorize => "authorize",
        LapsedOperation::Place => "place",
    }
}

fn operation(effect: &Effect) -> Option<(u8, LapsedOperation)> {
    match effect {
        Effect::Partner { attempt, command, .. } => match command {
            PartnerCommand::Reserve { .. } => Some((*attempt, LapsedOperation::Reserve)),
            PartnerCommand::Place { .. } => Some((*attempt, LapsedOperation::Place)),
            PartnerCommand::Release | PartnerCommand::Cancel | PartnerCommand::Lookup => None,
        },
        Effect::Payment { attempt, command } => match command {
            PaymentCommand::Authorize { .. } => Some((*attempt, LapsedOperation::Authorize)),
            PaymentCommand::Capture { .. }
            | PaymentCommand::Void
            | PaymentCommand::Refund
            | PaymentCommand::Lookup => None,
        },
        Effect::Event { .. } | Effect::Notify { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use schemas::DurationMs;

    use super::*;
    use crate::wire::fixture;

    #[test]
    fn reserve_authorize_and_place_lapse_at_their_instant() {
        let partner =
            |command| Effect::Partner { partner: fixture::partner(), attempt: 2, command };
        let table = [
            (partner(fixture::reserve()), LapsedOperation::Reserve),
            (partner(fixture::place(true)), LapsedOperation::Place),
            (
                Effect::Payment { attempt: 2, command: fixture::authorize() },
                LapsedOperation::Authorize,
            ),
        ];
        for (effect, expected) in table {
            let timed = timed(&fixture::stored(effect)).unwrap();
            let just_before = fixture::at().saturating_sub(DurationMs(1));
            assert!(!timed.has_lapsed(just_before));
            assert!(timed.has_lapsed(fixture::at()));
            assert_eq!((timed.request, timed.attempt), (fixture::request_id(), 2));
            assert_eq!(timed.operation, expected);
            assert_eq!(timed.is_place(), expected == LapsedOperation::Place);
        }
    }

    #[test]
    fn an_undo_never_lapses() {
        assert_eq!(timed(&fixture::stored(fixture::lookup_effect())), None);
        assert_eq!(timed(&fixture::stored_letter()), None);
    }
}
