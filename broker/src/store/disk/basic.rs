//! Small building blocks: money, positions, and enums without data.

use broker_core::batch::{CommandRecord, SourceStream, StreamPosition};
use broker_core::effect::{EventKind, Outcome};
use broker_core::event::LapsedOperation;
use broker_core::receipt::Verdict;
use broker_core::request::{Incident, Version};
use broker_core::timer::TimerKind;
use schemas::id::CommandId;
use schemas::purchase::{Mode, Strategy};
use schemas::subject::{PartnerOperation, PaymentOperation};
use schemas::{Condition, Currency, Digest, Money, RejectReason, Timestamp};
use serde::{Deserialize, Serialize};

use super::DiskError;

/// Declares a stored enum without data and its exhaustive conversions: a variant added to the
/// domain does not compile until it is appended here.
macro_rules! mirror {
    ($disk:ident = $domain:ident { $($variant:ident),* $(,)? }) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        pub enum $disk { $($variant,)* }

        impl From<$domain> for $disk {
            fn from(value: $domain) -> Self {
                match value { $($domain::$variant => Self::$variant,)* }
            }
        }

        impl From<$disk> for $domain {
            fn from(value: $disk) -> Self {
                match value { $($disk::$variant => Self::$variant,)* }
            }
        }
    };
}

pub(super) use mirror;

mirror!(DiskStrategy = Strategy { Cheapest, Balanced, Fast });
mirror!(DiskMode = Mode { OneShot, Watch });
mirror!(DiskCondition = Condition { New, LikeNew, VeryGood, Good, Acceptable });
mirror!(DiskVerdict = Verdict { Buy, TooDear, NoStock, NoAnswer });
mirror!(
    DiskIncident =
        Incident { PlacementUnknown, LateOrder, PriceAboveCap, CaptureFailed, UndoStuck }
);
mirror!(DiskLapsed = LapsedOperation { Reserve, Authorize, Place });
mirror!(DiskPartnerOperation = PartnerOperation { Reserve, Release, Place, Cancel, Lookup });
mirror!(DiskPaymentOperation = PaymentOperation { Authorize, Capture, Void, Refund, Lookup });
mirror!(
    DiskEventKind = EventKind {
        Created,
        Updated,
        Quoted,
        OutOfStock,
        Ordering,
        Ordered,
        Completed,
        Expired,
        Failed,
        Canceled,
        CancelRequested,
        CancelRefused,
        Incident,
    }
);
mirror!(
    DiskOutcome = Outcome {
        Ordered,
        Quoted,
        OutOfStock,
        Expired,
        Failed,
        Canceled,
        ActionRequired,
        Incident,
    }
);

/// An amount in minor units and its currency code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskMoney {
    minor: u64,
    currency: [u8; 3],
}

impl From<Money> for DiskMoney {
    fn from(money: Money) -> Self {
        Self { minor: money.minor(), currency: *money.currency().as_bytes() }
    }
}

impl TryFrom<DiskMoney> for Money {
    type Error = DiskError;
    fn try_from(disk: DiskMoney) -> Result<Self, DiskError> {
        Self::new(disk.minor, Currency::from_bytes(disk.currency))
            .map_err(|e| DiskError::new("money", e))
    }
}

/// Where a message stood in its stream: the stream's number and the sequence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskPosition {
    stream: u8,
    sequence: u64,
}

impl From<StreamPosition> for DiskPosition {
    fn from(position: StreamPosition) -> Self {
        Self { stream: position.stream.number(), sequence: position.sequence }
    }
}

impl TryFrom<DiskPosition> for StreamPosition {
    type Error = DiskError;
    fn try_from(disk: DiskPosition) -> Result<Self, DiskError> {
        let stream = SourceStream::ALL
            .into_iter()
            .find(|stream| stream.number() == disk.stream)
            .ok_or_else(|| DiskError::new("source stream", disk.stream))?;
        Ok(Self { stream, sequence: disk.sequence })
    }
}

/// An applied command of the requester.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskCommand<'a> {
    command: &'a str,
    digest: [u8; 32],
    version: u64,
}

impl<'a> From<&'a CommandRecord> for DiskCommand<'a> {
    fn from(record: &'a CommandRecord) -> Self {
        Self {
            command: record.command.as_str(),
            digest: *record.digest.as_bytes(),
            version: record.version.0,
        }
    }
}

impl TryFrom<DiskCommand<'_>> for CommandRecord {
    type Error = DiskError;
    fn try_from(disk: DiskCommand<'_>) -> Result<Self, DiskError> {
        Ok(Self {
            command: CommandId::parse(disk.command).map_err(|e| DiskError::new("command", e))?,
            digest: Digest::from_bytes(disk.digest),
            version: Version(disk.version),
        })
    }
}

pub(super) fn reason(number: u16) -> Result<RejectReason, DiskError> {
    RejectReason::from_number(number).ok_or_else(|| DiskError::new("reject reason", number))
}

pub(super) fn timer_kind(number: u8) -> Result<TimerKind, DiskError> {
    TimerKind::from_number(number).ok_or_else(|| DiskError::new("timer kind", number))
}

pub(super) const fn ms(at: Timestamp) -> u64 {
    at.as_unix_ms()
}

pub(super) fn opt_ms(at: Option<Timestamp>) -> Option<u64> {
    at.map(ms)
}

pub(super) const fn at(ms: u64) -> Timestamp {
    Timestamp::from_unix_ms(ms)
}

pub(super) fn opt_at(ms: Option<u64>) -> Option<Timestamp> {
    ms.map(at)
}
