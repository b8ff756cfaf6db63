//! One attempt to buy, and its compensations.

use broker_core::request::{
    Authorization, Checkout, KnownOrder, PlacedOrder, PlacementIntent, Reservation, Step, Undo,
    UndoKind, Unknown, Version,
};
use schemas::PartnerId;
use schemas::id::{OrderId, ReservationId};
use schemas::text::Text;
use serde::{Deserialize, Serialize};

use super::DiskError;
use super::basic::{DiskMoney, at, ms, opt_at, opt_ms, reason};
use super::quote::{DiskQuote, all, all_back};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskCheckout<'a> {
    attempt: u8,
    #[serde(borrow)]
    quote: DiskQuote<'a>,
    runners_up: Vec<DiskQuote<'a>>,
    step: DiskStep<'a>,
    reservation: Option<(&'a str, u64)>,
    authorization: Option<(DiskMoney, u64)>,
    intent: Option<DiskIntent>,
    order: Option<(&'a str, DiskMoney)>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum DiskStep<'a> {
    Reserving {
        not_after: u64,
    },
    Authorizing {
        not_after: u64,
        asks: u8,
    },
    ActionRequired {
        until: u64,
        url: &'a str,
    },
    Placing,
    PlacementUnknown {
        since: u64,
        asks: u8,
        conclusive_from: Option<u64>,
        absent_since: Option<u64>,
        fencing: bool,
    },
    Capturing {
        tries: u8,
    },
    Completed,
    Failed(u16),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskIntent {
    version: u64,
    price_cap: DiskMoney,
    not_after: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskUndo<'a> {
    #[serde(borrow)]
    kind: DiskUndoKind<'a>,
    attempt: u8,
    partner: &'a str,
    tries: u8,
    lapses_at: u64,
}

/// The kind of a compensation, and what was added to compensations since the first format: a struct
/// cannot grow a field, an enum can grow a variant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum DiskUndoKind<'a> {
    CancelOrder,
    Void,
    Refund,
    Release,
    /// With the change from which on "not found" is conclusive.
    VoidFrom(u64),
    RefundFrom(u64),
    /// No compensation but an order that is dealt with.
    KnownOrder(&'a str),
}

impl DiskUndoKind<'_> {
    const fn of(undo: &Undo) -> Self {
        match (undo.kind, undo.conclusive_from) {
            (UndoKind::CancelOrder, _) => Self::CancelOrder,
            (UndoKind::Release, _) => Self::Release,
            (UndoKind::Void, None) => Self::Void,
            (UndoKind::Void, Some(from)) => Self::VoidFrom(from.0),
            (UndoKind::Refund, None) => Self::Refund,
            (UndoKind::Refund, Some(from)) => Self::RefundFrom(from.0),
        }
    }

    fn split(self) -> Result<(UndoKind, Option<Version>), DiskError> {
        Ok(match self {
            Self::CancelOrder => (UndoKind::CancelOrder, None),
            Self::Void => (UndoKind::Void, None),
            Self::Refund => (UndoKind::Refund, None),
            Self::Release => (UndoKind::Release, None),
            Self::VoidFrom(from) => (UndoKind::Void, Some(Version(from))),
            Self::RefundFrom(from) => (UndoKind::Refund, Some(Version(from))),
            Self::KnownOrder(_) => return Err(DiskError::new("undo", "a known order is none")),
        })
    }
}

impl<'a> From<&'a Step> for DiskStep<'a> {
    fn from(step: &'a Step) -> Self {
        match step {
            Step::Reserving { not_after } => Self::Reserving { not_after: ms(*not_after) },
            Step::Authorizing { not_after, asks } => {
                Self::Authorizing { not_after: ms(*not_after), asks: *asks }
            }
            Step::ActionRequired { until, url } => {
                Self::ActionRequired { until: ms(*until), url: url.as_str() }
            }
            Step::Placing => Self::Placing,
            Step::PlacementUnknown(unknown) => Self::PlacementUnknown {
                since: ms(unknown.since),
                asks: unknown.asks,
                conclusive_from: unknown.conclusive_from.map(|version| version.0),
                absent_since: opt_ms(unknown.absent_since),
                fencing: unknown.fencing,
            },
            Step::Capturing { tries } => Self::Capturing { tries: *tries },
            Step::Completed => Self::Completed,
            Step::Failed(reason) => Self::Failed(reason.number()),
        }
    }
}

impl TryFrom<DiskStep<'_>> for Step {
    type Error = DiskError;
    fn try_from(disk: DiskStep<'_>) -> Result<Self, DiskError> {
        Ok(match disk {
            DiskStep::Reserving { not_after } => Self::Reserving { not_after: at(not_after) },
            DiskStep::Authorizing { not_after, asks } => {
                Self::Authorizing { not_after: at(not_after), asks }
            }
            DiskStep::ActionRequired { until, url } => Self::ActionRequired {
                until: at(until),
                url: Text::parse(url).map_err(|e| DiskError::new("url", e))?,
            },
            DiskStep::Placing => Self::Placing,
            DiskStep::PlacementUnknown { since, asks, conclusive_from, absent_since, fencing } => {
                Self::PlacementUnknown(Unknown {
                    since: at(since),
                    asks,
                    conclusive_from: conclusive_from.map(Version),
                    absent_since: opt_at(absent_since),
                    fencing,
                })
            }
            DiskStep::Capturing { tries } => Self::Capturing { tries },
            DiskStep::Completed => Self::Completed,
            DiskStep::Failed(number) => Self::Failed(reason(number)?),
        })
    }
}

impl<'a> From<&'a Checkout> for DiskCheckout<'a> {
    fn from(checkout: &'a Checkout) -> Self {
        Self {
            attempt: checkout.attempt,
            quote: (&checkout.quote).into(),
            runners_up: all(&checkout.runners_up),
            step: (&checkout.step).into(),
            reservation: checkout.reservation.as_ref().map(|r| (r.id.as_str(), ms(r.valid_until))),
            authorization: checkout.authorization.map(|a| (a.amount.into(), ms(a.valid_until))),
            intent: checkout.intent.map(|intent| DiskIntent {
                version: intent.version.0,
                price_cap: intent.price_cap.into(),
                not_after: ms(intent.not_after),
            }),
            order: checkout.order.as_ref().map(|o| (o.order_id.as_str(), o.total.into())),
        }
    }
}

impl TryFrom<DiskCheckout<'_>> for Checkout {
    type Error = DiskError;
    fn try_from(disk: DiskCheckout<'_>) -> Result<Self, DiskError> {
        let bad = |e| DiskError::new("checkout", e);
        let reservation = match disk.reservation {
            Some((id, until)) => Some(Reservation {
                id: ReservationId::parse(id).map_err(bad)?,
                valid_until: at(until),
            }),
            None => None,
        };
        let authorization = match disk.authorization {
            Some((amount, until)) => {
                Some(Authorization { amount: amount.try_into()?, valid_until: at(until) })
            }
            None => None,
        };
        let intent = match disk.intent {
            Some(intent) => Some(PlacementIntent {
                version: Version(intent.version),
                price_cap: intent.price_cap.try_into()?,
                not_after: at(intent.not_after),
            }),
            None => None,
        };
        let order = match disk.order {
            Some((id, total)) => Some(PlacedOrder {
                order_id: OrderId::parse(id).map_err(bad)?,
                total: total.try_into()?,
            }),
            None => None,
        };
        Ok(Self {
            attempt: disk.attempt,
            quote: disk.quote.try_into()?,
            runners_up: all_back(disk.runners_up)?,
            step: disk.step.try_into()?,
            reservation,
            authorization,
            intent,
            order,
        })
    }
}

impl<'a> From<&'a Undo> for DiskUndo<'a> {
    fn from(undo: &'a Undo) -> Self {
        Self {
            kind: DiskUndoKind::of(undo),
            attempt: undo.attempt,
            partner: undo.partner.as_str(),
            tries: undo.tries,
            lapses_at: ms(undo.lapses_at),
        }
    }
}

impl<'a> From<&'a KnownOrder> for DiskUndo<'a> {
    fn from(known: &'a KnownOrder) -> Self {
        let (kind, attempt) = (DiskUndoKind::KnownOrder(known.order_id.as_str()), known.attempt);
        Self { kind, attempt, partner: "", tries: 0, lapses_at: 0 }
    }
}

impl DiskUndo<'_> {
    /// The order that this entry stands for, if it is no compensation.
    pub(super) fn known_order(&self) -> Result<Option<KnownOrder>, DiskError> {
        let DiskUndoKind::KnownOrder(id) = self.kind else { return Ok(None) };
        let order_id = OrderId::parse(id).map_err(|e| DiskError::new("known order", e))?;
        Ok(Some(KnownOrder { attempt: self.attempt, order_id }))
    }
}

impl TryFrom<DiskUndo<'_>> for Undo {
    type Error = DiskError;
    fn try_from(disk: DiskUndo<'_>) -> Result<Self, DiskError> {
        let (kind, conclusive_from) = disk.kind.split()?;
        Ok(Self {
            kind,
            attempt: disk.attempt,
            partner: PartnerId::parse(disk.partner).map_err(|e| DiskError::new("undo", e))?,
            tries: disk.tries,
            lapses_at: at(disk.lapses_at),
            conclusive_from,
        })
    }
}
