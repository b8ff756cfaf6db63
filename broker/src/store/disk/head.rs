//! The head: what every transition rewrites. The submission is stored apart, once; the same bytes
//! serve as the snapshot inside events and notifications.

use std::sync::Arc;

use broker_core::request::{Offered, PurchaseRequest, Status, Submission, Version};
use broker_core::timer::{TimerKind, Timers};
use schemas::{Digest, PartnerId};
use serde::{Deserialize, Serialize};

use super::DiskError;
use super::basic::{DiskIncident, at, ms, opt_at, opt_ms, reason, timer_kind};
use super::checkout::{DiskCheckout, DiskUndo};
use super::quote::DiskQuote;
use super::submission::DiskTerms;

/// What a head takes at most when ids have the usual lengths (UUIDs). Longer ids of partners and a
/// page for the customer's bank may exceed it; [`super::seal::VALUE_BYTES_MAX`] is the hard limit.
pub const HEAD_BYTES_TARGET: usize = 512;

/// No timer has this number.
const FROZEN: u8 = u8::MAX;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskHead<'a> {
    version: u64,
    terms: DiskTerms,
    #[serde(borrow)]
    status: DiskStatus<'a>,
    checkout: Option<DiskCheckout<'a>>,
    /// Compensations, then orders that are dealt with.
    undo: Vec<DiskUndo<'a>>,
    cancel_requested: bool,
    sweep: u32,
    fruitless: u8,
    /// Partner of each attempt begun.
    tried: Vec<&'a str>,
    notified: u16,
    told_best: Option<u64>,
    incident: Option<DiskIncident>,
    /// Kind's number and instant of each timer that is set; under [`FROZEN`], since when the
    /// request is frozen. A program that does not know of that must not read it as one that is not.
    timers: Vec<(u8, u64)>,
    closed_at: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum DiskStatus<'a> {
    Pending,
    Searching,
    Quoted {
        #[serde(borrow)]
        quote: DiskQuote<'a>,
        token_digest: [u8; 32],
    },
    OutOfStock,
    Ordering,
    Ordered,
    Expired,
    Failed(u16),
    Canceled,
}

impl<'a> From<&'a Status> for DiskStatus<'a> {
    fn from(status: &'a Status) -> Self {
        match status {
            Status::Pending => Self::Pending,
            Status::Searching => Self::Searching,
            Status::Quoted(offered) => Self::Quoted {
                quote: (&offered.quote).into(),
                token_digest: *offered.token_digest.as_bytes(),
            },
            Status::OutOfStock => Self::OutOfStock,
            Status::Ordering => Self::Ordering,
            Status::Ordered => Self::Ordered,
            Status::Expired => Self::Expired,
            Status::Failed(reason) => Self::Failed(reason.number()),
            Status::Canceled => Self::Canceled,
        }
    }
}

impl TryFrom<DiskStatus<'_>> for Status {
    type Error = DiskError;
    fn try_from(disk: DiskStatus<'_>) -> Result<Self, DiskError> {
        Ok(match disk {
            DiskStatus::Pending => Self::Pending,
            DiskStatus::Searching => Self::Searching,
            DiskStatus::Quoted { quote, token_digest } => Self::Quoted(Offered {
                quote: quote.try_into()?,
                token_digest: Digest::from_bytes(token_digest),
            }),
            DiskStatus::OutOfStock => Self::OutOfStock,
            DiskStatus::Ordering => Self::Ordering,
            DiskStatus::Ordered => Self::Ordered,
            DiskStatus::Expired => Self::Expired,
            DiskStatus::Failed(number) => Self::Failed(reason(number)?),
            DiskStatus::Canceled => Self::Canceled,
        })
    }
}

impl<'a> From<&'a PurchaseRequest> for DiskHead<'a> {
    fn from(request: &'a PurchaseRequest) -> Self {
        let timers = TimerKind::ALL
            .into_iter()
            .filter_map(|kind| Some((kind.number(), ms(request.timers.get(kind)?))))
            .chain(request.frozen_at.map(|since| (FROZEN, ms(since))))
            .collect();
        let undo = request.undo.iter().map(DiskUndo::from);
        let known = request.known_orders.iter().map(DiskUndo::from);
        Self {
            version: request.version.0,
            terms: request.terms.into(),
            status: (&request.status).into(),
            checkout: request.checkout.as_ref().map(DiskCheckout::from),
            undo: undo.chain(known).collect(),
            cancel_requested: request.cancel_requested,
            sweep: request.sweep,
            fruitless: request.fruitless,
            tried: request.tried.iter().map(PartnerId::as_str).collect(),
            notified: request.notified,
            told_best: request.told_best,
            incident: request.incident.map(DiskIncident::from),
            timers,
            closed_at: opt_ms(request.closed_at),
        }
    }
}

impl DiskHead<'_> {
    /// For a compare-and-set that needs no more.
    pub const fn version(&self) -> Version {
        Version(self.version)
    }

    /// The request that this head and its submission make.
    pub fn into_domain(self, submission: Arc<Submission>) -> Result<PurchaseRequest, DiskError> {
        let mut timers = Timers::default();
        let mut frozen_at = None;
        for (number, due) in self.timers {
            if number == FROZEN {
                frozen_at = Some(at(due));
            } else {
                timers.set(timer_kind(number)?, at(due));
            }
        }
        let (mut undo, mut known_orders) = (Vec::new(), Vec::new());
        for entry in self.undo {
            match entry.known_order()? {
                Some(known) => known_orders.push(known),
                None => undo.push(entry.try_into()?),
            }
        }
        let tried = self.tried.into_iter().map(PartnerId::parse).collect::<Result<_, _>>();
        let tried = tried.map_err(|e| DiskError::new("tried partner", e))?;
        Ok(PurchaseRequest {
            submission,
            version: Version(self.version),
            terms: self.terms.try_into()?,
            status: self.status.try_into()?,
            checkout: self.checkout.map(TryInto::try_into).transpose()?,
            undo,
            known_orders,
            cancel_requested: self.cancel_requested,
            sweep: self.sweep,
            fruitless: self.fruitless,
            tried,
            notified: self.notified,
            told_best: self.told_best,
            incident: self.incident.map(Into::into),
            timers,
            closed_at: opt_at(self.closed_at),
            frozen_at,
        })
    }
}
