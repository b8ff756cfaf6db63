//! A quote.

use broker_core::quote::{Cost, Quote};
use schemas::id::QuoteId;
use schemas::{Currency, PartnerId};
use serde::{Deserialize, Serialize};

use super::DiskError;
use super::basic::{DiskCondition, at, ms};

/// One part of the landed cost, minor units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum DiskCost {
    Exact(u64),
    AtMost(u64),
    Unknown,
}

impl From<Cost> for DiskCost {
    fn from(cost: Cost) -> Self {
        match cost {
            Cost::Exact(minor) => Self::Exact(minor),
            Cost::AtMost(minor) => Self::AtMost(minor),
            Cost::Unknown => Self::Unknown,
        }
    }
}

impl From<DiskCost> for Cost {
    fn from(disk: DiskCost) -> Self {
        match disk {
            DiskCost::Exact(minor) => Self::Exact(minor),
            DiskCost::AtMost(minor) => Self::AtMost(minor),
            DiskCost::Unknown => Self::Unknown,
        }
    }
}

/// A quote on its own, as in a head.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskQuote<'a> {
    pub(super) partner: &'a str,
    pub(super) quote_id: &'a str,
    pub(super) currency: [u8; 3],
    pub(super) item: u64,
    pub(super) shipping: DiskCost,
    pub(super) tax: DiskCost,
    pub(super) fee: DiskCost,
    pub(super) condition: DiskCondition,
    pub(super) in_stock: u32,
    pub(super) valid_until: u64,
}

impl<'a> From<&'a Quote> for DiskQuote<'a> {
    fn from(quote: &'a Quote) -> Self {
        Self {
            partner: quote.partner.as_str(),
            quote_id: quote.quote_id.as_str(),
            currency: *quote.currency.as_bytes(),
            item: quote.item,
            shipping: quote.shipping.into(),
            tax: quote.tax.into(),
            fee: quote.fee.into(),
            condition: quote.condition.into(),
            in_stock: quote.in_stock,
            valid_until: ms(quote.valid_until),
        }
    }
}

impl TryFrom<DiskQuote<'_>> for Quote {
    type Error = DiskError;
    fn try_from(disk: DiskQuote<'_>) -> Result<Self, DiskError> {
        Ok(Self {
            partner: PartnerId::parse(disk.partner).map_err(|e| DiskError::new("quote", e))?,
            quote_id: QuoteId::parse(disk.quote_id).map_err(|e| DiskError::new("quote", e))?,
            currency: Currency::from_bytes(disk.currency),
            item: disk.item,
            shipping: disk.shipping.into(),
            tax: disk.tax.into(),
            fee: disk.fee.into(),
            condition: disk.condition.into(),
            in_stock: disk.in_stock,
            valid_until: at(disk.valid_until),
        })
    }
}

pub(super) fn all<'a>(quotes: &'a [Quote]) -> Vec<DiskQuote<'a>> {
    quotes.iter().map(DiskQuote::from).collect()
}

pub(super) fn all_back(disk: Vec<DiskQuote<'_>>) -> Result<Vec<Quote>, DiskError> {
    disk.into_iter().map(Quote::try_from).collect()
}
