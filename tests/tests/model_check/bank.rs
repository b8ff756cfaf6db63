//! One payment of one attempt at a provider that keeps the receiver contract: it obeys `not_after`,
//! and a void or look-up of an unknown key either leaves a tombstone, so that no later authorisation
//! takes the money hostage, or does not claim to be final.

use broker_core::effect::PaymentCommand;
use broker_core::event::PaymentOutcome;
use schemas::subject::PaymentOperation;
use schemas::text::Text;
use schemas::{DurationMs, Money, Timestamp};

use super::shop::Mood;

/// What a void or look-up of an unknown key leaves behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Unheard {
    Tombstone,
    Nothing,
}

/// How long a hold on money lasts: longer than any story.
const HOLD: DurationMs = DurationMs(1_000_000);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) enum Payment {
    #[default]
    Open,
    Tombstoned,
    Declined,
    /// The customer must authenticate.
    Waiting {
        amount: Money,
    },
    Authorized {
        amount: Money,
        until: Timestamp,
    },
    Captured {
        amount: Money,
    },
    Voided,
    Refunded,
}

impl Payment {
    /// Money is, or may come to be, held or taken.
    pub(crate) fn is_open(&self) -> bool {
        matches!(self, Self::Waiting { .. } | Self::Authorized { .. } | Self::Captured { .. })
    }

    /// Whether the mood of the provider makes a difference to this command.
    pub(crate) fn decides(&self, command: &PaymentCommand) -> bool {
        *self == Self::Open && matches!(command, PaymentCommand::Authorize { .. })
    }

    /// `now` is the provider's own clock.
    pub(crate) fn handle(
        &mut self,
        command: &PaymentCommand,
        unheard: Unheard,
        mood: Mood,
        now: Timestamp,
    ) -> (PaymentOperation, PaymentOutcome) {
        let operation = match command {
            PaymentCommand::Authorize { .. } => PaymentOperation::Authorize,
            PaymentCommand::Capture { .. } => PaymentOperation::Capture,
            PaymentCommand::Void => PaymentOperation::Void,
            PaymentCommand::Refund => PaymentOperation::Refund,
            PaymentCommand::Lookup => PaymentOperation::Lookup,
        };
        match (*self, command) {
            (Self::Open, PaymentCommand::Authorize { amount, not_after, .. }) => {
                if now > *not_after || mood == Mood::Busy {
                    return (operation, PaymentOutcome::Failed);
                }
                *self = match mood {
                    Mood::Unwilling => Self::Declined,
                    Mood::Demanding => Self::Waiting { amount: *amount },
                    Mood::Willing | Mood::Busy => held(*amount, now),
                };
            }
            (Self::Open, PaymentCommand::Void | PaymentCommand::Lookup)
                if unheard == Unheard::Tombstone =>
            {
                *self = Self::Tombstoned;
            }
            (Self::Authorized { .. } | Self::Waiting { .. }, PaymentCommand::Void) => {
                *self = Self::Voided;
            }
            (Self::Authorized { amount: held, .. }, PaymentCommand::Capture { amount })
                if amount.minor() <= held.minor() =>
            {
                *self = Self::Captured { amount: *amount };
            }
            (Self::Captured { .. }, PaymentCommand::Refund) => *self = Self::Refunded,
            _ => {}
        }
        (operation, self.told())
    }

    /// The customer authenticates, or fails to.
    pub(crate) fn act(&mut self, success: bool, now: Timestamp) -> Option<PaymentOutcome> {
        let Self::Waiting { amount } = *self else { return None };
        *self = if success { held(amount, now) } else { Self::Declined };
        Some(self.told())
    }

    fn told(&self) -> PaymentOutcome {
        match *self {
            Self::Open => PaymentOutcome::NotFound { final_for_key: false },
            Self::Tombstoned => PaymentOutcome::NotFound { final_for_key: true },
            Self::Declined => PaymentOutcome::Declined,
            Self::Waiting { .. } => PaymentOutcome::ActionRequired {
                url: Text::parse("https://pay.example/1").unwrap(),
            },
            Self::Authorized { amount, until } => {
                PaymentOutcome::Authorized { amount, valid_until: until }
            }
            Self::Captured { amount } => PaymentOutcome::Captured { amount },
            Self::Voided => PaymentOutcome::Voided,
            Self::Refunded => PaymentOutcome::Refunded,
        }
    }
}

fn held(amount: Money, now: Timestamp) -> Payment {
    Payment::Authorized { amount, until: now.saturating_add(HOLD) }
}
