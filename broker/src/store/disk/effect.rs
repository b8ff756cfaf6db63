//! Effects as the outbox keeps them. Snapshots of the request stand apart in the record, because
//! an event and a notification of one commit usually show the same one.

use broker_core::effect::{AcceptToken, Effect, PartnerCommand, PaymentCommand};
use broker_core::request::PurchaseRequest;
use schemas::id::{PaymentToken, QuoteId};
use schemas::{DurationMs, Isbn13, PartnerId};
use serde::{Deserialize, Serialize};

use super::DiskError;
use super::basic::{DiskCondition, DiskEventKind, DiskMoney, DiskOutcome, at, ms};
use super::submission::DiskDestination;

/// `snapshot` counts within the record's snapshots.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum DiskEffect<'a> {
    Partner {
        partner: &'a str,
        attempt: u8,
        #[serde(borrow)]
        command: DiskPartnerCommand<'a>,
    },
    Payment {
        attempt: u8,
        command: DiskPaymentCommand<'a>,
    },
    Event {
        kind: DiskEventKind,
        snapshot: u8,
    },
    Notify {
        outcome: DiskOutcome,
        number: u16,
        token: Option<[u8; 16]>,
        snapshot: u8,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum DiskPartnerCommand<'a> {
    Reserve {
        quote_id: &'a str,
        isbn: u64,
        quantity: u8,
        ttl_ms: u64,
        not_after: u64,
    },
    Release,
    Place {
        quote_id: &'a str,
        reserved: bool,
        isbn: u64,
        quantity: u8,
        condition: DiskCondition,
        price_cap: DiskMoney,
        #[serde(borrow)]
        destination: DiskDestination<'a>,
        not_after: u64,
    },
    Cancel,
    Lookup,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum DiskPaymentCommand<'a> {
    Authorize { amount: DiskMoney, token: &'a str, not_after: u64 },
    Capture { amount: DiskMoney },
    Void,
    Refund,
    Lookup,
}

impl<'a> DiskEffect<'a> {
    /// `snapshots` collects the distinct snapshots of the record.
    pub fn new(effect: &'a Effect, snapshots: &mut Vec<&'a PurchaseRequest>) -> Self {
        match effect {
            Effect::Partner { partner, attempt, command } => Self::Partner {
                partner: partner.as_str(),
                attempt: *attempt,
                command: command.into(),
            },
            Effect::Payment { attempt, command } => {
                Self::Payment { attempt: *attempt, command: command.into() }
            }
            Effect::Event { kind, snapshot } => {
                Self::Event { kind: (*kind).into(), snapshot: place(snapshot, snapshots) }
            }
            Effect::Notify { outcome, number, token, snapshot } => Self::Notify {
                outcome: (*outcome).into(),
                number: *number,
                token: token.map(|token| token.0),
                snapshot: place(snapshot, snapshots),
            },
        }
    }

    pub fn into_domain(self, snapshots: &[PurchaseRequest]) -> Result<Effect, DiskError> {
        Ok(match self {
            Self::Partner { partner, attempt, command } => Effect::Partner {
                partner: PartnerId::parse(partner).map_err(|e| DiskError::new("effect", e))?,
                attempt,
                command: command.try_into()?,
            },
            Self::Payment { attempt, command } => {
                Effect::Payment { attempt, command: command.try_into()? }
            }
            Self::Event { kind, snapshot } => {
                Effect::Event { kind: kind.into(), snapshot: take(snapshot, snapshots)? }
            }
            Self::Notify { outcome, number, token, snapshot } => Effect::Notify {
                outcome: outcome.into(),
                number,
                token: token.map(AcceptToken),
                snapshot: take(snapshot, snapshots)?,
            },
        })
    }
}

fn place<'a>(snapshot: &'a PurchaseRequest, snapshots: &mut Vec<&'a PurchaseRequest>) -> u8 {
    let at = snapshots.iter().position(|known| *known == snapshot).unwrap_or_else(|| {
        snapshots.push(snapshot);
        snapshots.len() - 1
    });
    u8::try_from(at).expect("a batch has at most 256 outbox rows: their index is a u8")
}

fn take(at: u8, snapshots: &[PurchaseRequest]) -> Result<Box<PurchaseRequest>, DiskError> {
    let snapshot = snapshots.get(usize::from(at));
    snapshot.map(|found| Box::new(found.clone())).ok_or_else(|| DiskError::new("snapshot", at))
}

impl<'a> From<&'a PartnerCommand> for DiskPartnerCommand<'a> {
    fn from(command: &'a PartnerCommand) -> Self {
        match command {
            PartnerCommand::Reserve { quote_id, isbn, quantity, ttl, not_after } => Self::Reserve {
                quote_id: quote_id.as_str(),
                isbn: isbn.as_number(),
                quantity: *quantity,
                ttl_ms: ttl.as_ms(),
                not_after: ms(*not_after),
            },
            PartnerCommand::Release => Self::Release,
            PartnerCommand::Place {
                quote_id,
                reserved,
                isbn,
                quantity,
                condition,
                price_cap,
                destination,
                not_after,
            } => Self::Place {
                quote_id: quote_id.as_str(),
                reserved: *reserved,
                isbn: isbn.as_number(),
                quantity: *quantity,
                condition: (*condition).into(),
                price_cap: (*price_cap).into(),
                destination: destination.into(),
                not_after: ms(*not_after),
            },
            PartnerCommand::Cancel => Self::Cancel,
            PartnerCommand::Lookup => Self::Lookup,
        }
    }
}

impl TryFrom<DiskPartnerCommand<'_>> for PartnerCommand {
    type Error = DiskError;
    fn try_from(disk: DiskPartnerCommand<'_>) -> Result<Self, DiskError> {
        let quote = |text| QuoteId::parse(text).map_err(|e| DiskError::new("partner command", e));
        Ok(match disk {
            DiskPartnerCommand::Reserve { quote_id, isbn, quantity, ttl_ms, not_after } => {
                Self::Reserve {
                    quote_id: quote(quote_id)?,
                    isbn: Isbn13::from_number(isbn),
                    quantity,
                    ttl: DurationMs(ttl_ms),
                    not_after: at(not_after),
                }
            }
            DiskPartnerCommand::Release => Self::Release,
            DiskPartnerCommand::Place {
                quote_id,
                reserved,
                isbn,
                quantity,
                condition,
                price_cap,
                destination,
                not_after,
            } => Self::Place {
                quote_id: quote(quote_id)?,
                reserved,
                isbn: Isbn13::from_number(isbn),
                quantity,
                condition: condition.into(),
                price_cap: price_cap.try_into()?,
                destination: destination.try_into()?,
                not_after: at(not_after),
            },
            DiskPartnerCommand::Cancel => Self::Cancel,
            DiskPartnerCommand::Lookup => Self::Lookup,
        })
    }
}

impl<'a> From<&'a PaymentCommand> for DiskPaymentCommand<'a> {
    fn from(command: &'a PaymentCommand) -> Self {
        match command {
            PaymentCommand::Authorize { amount, token, not_after } => Self::Authorize {
                amount: (*amount).into(),
                token: token.as_str(),
                not_after: ms(*not_after),
            },
            PaymentCommand::Capture { amount } => Self::Capture { amount: (*amount).into() },
            PaymentCommand::Void => Self::Void,
            PaymentCommand::Refund => Self::Refund,
            PaymentCommand::Lookup => Self::Lookup,
        }
    }
}

impl TryFrom<DiskPaymentCommand<'_>> for PaymentCommand {
    type Error = DiskError;
    fn try_from(disk: DiskPaymentCommand<'_>) -> Result<Self, DiskError> {
        Ok(match disk {
            DiskPaymentCommand::Authorize { amount, token, not_after } => Self::Authorize {
                amount: amount.try_into()?,
                token: PaymentToken::parse(token)
                    .map_err(|e| DiskError::new("payment command", e))?,
                not_after: at(not_after),
            },
            DiskPaymentCommand::Capture { amount } => Self::Capture { amount: amount.try_into()? },
            DiskPaymentCommand::Void => Self::Void,
            DiskPaymentCommand::Refund => Self::Refund,
            DiskPaymentCommand::Lookup => Self::Lookup,
        })
    }
}
