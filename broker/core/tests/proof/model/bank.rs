//! One payment of one attempt at a provider that keeps the receiver contract. Most make sure, when
//! asked to void or look up an unknown key, that no later authorisation can take the money hostage.

use broker_core::effect::PaymentCommand;
use broker_core::event::PaymentOutcome;
use schemas::subject::PaymentOperation;
use schemas::{DurationMs, Money, Timestamp};

use super::shop::Mood;
use crate::support::action_required;

/// How long a hold on money lasts.
const HOLD: DurationMs = DurationMs(3 * 24 * 3600 * 1000);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Payment {
    #[default]
    Open,
    Tombstoned,
    Declined,
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

    /// `now` is the provider's own clock.
    pub(crate) fn handle(
        &mut self,
        command: &PaymentCommand,
        mood: Mood,
        tombstones: bool,
        now: Timestamp,
    ) -> (PaymentOperation, PaymentOutcome) {
        if matches!(self, Self::Authorized { until, .. } if *until <= now) {
            *self = Self::Voided;
        }
        let operation = match command {
            PaymentCommand::Authorize { .. } => PaymentOperation::Authorize,
            PaymentCommand::Capture { .. } => PaymentOperation::Capture,
            PaymentCommand::Void => PaymentOperation::Void,
            PaymentCommand::Refund => PaymentOperation::Refund,
            PaymentCommand::Lookup => PaymentOperation::Lookup,
        };
        if mood == Mood::Busy {
            return (operation, PaymentOutcome::Failed);
        }
        match (*self, command) {
            (Self::Open, PaymentCommand::Authorize { not_after, .. }) if now > *not_after => {
                return (operation, PaymentOutcome::Failed);
            }
            (Self::Open, PaymentCommand::Authorize { amount, .. }) => {
                *self = match mood {
                    Mood::Unwilling => Self::Declined,
                    Mood::Demanding => Self::Waiting { amount: *amount },
                    Mood::Willing | Mood::Busy => {
                        Self::Authorized { amount: *amount, until: now.saturating_add(HOLD) }
                    }
                };
            }
            (Self::Open, PaymentCommand::Void | PaymentCommand::Lookup) if tombstones => {
                *self = Self::Tombstoned;
            }
            (Self::Authorized { .. } | Self::Waiting { .. }, PaymentCommand::Void) => {
                *self = Self::Voided;
            }
            (Self::Authorized { amount: held, .. }, PaymentCommand::Capture { amount }) => {
                assert!(amount.at_most(held).unwrap(), "captured more than was held");
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
        *self = if success {
            Self::Authorized { amount, until: now.saturating_add(HOLD) }
        } else {
            Self::Declined
        };
        Some(self.told())
    }

    fn told(&self) -> PaymentOutcome {
        match *self {
            Self::Open => PaymentOutcome::NotFound { final_for_key: false },
            Self::Tombstoned => PaymentOutcome::NotFound { final_for_key: true },
            Self::Declined => PaymentOutcome::Declined,
            Self::Waiting { .. } => action_required(),
            Self::Authorized { amount, until } => {
                PaymentOutcome::Authorized { amount, valid_until: until }
            }
            Self::Captured { amount } => PaymentOutcome::Captured { amount },
            Self::Voided => PaymentOutcome::Voided,
            Self::Refunded => PaymentOutcome::Refunded,
        }
    }
}
