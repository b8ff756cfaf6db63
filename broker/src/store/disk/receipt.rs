//! The decision receipt. The largest record, so its quotes say only what differs: the currency if
//! it is not the limit's, the validity relative to the decision. The account of the search follows
//! it, and what that shared with others; receipts written before there were any end without.

use broker_core::quote::Quote;
use broker_core::receipt::Receipt;
use schemas::id::QuoteId;
use schemas::{Currency, Digest, PartnerId, Timestamp};
use serde::{Deserialize, Serialize};

use super::basic::{DiskCondition, DiskMoney, DiskStrategy, DiskVerdict, at, ms};
use super::quote::DiskCost;
use super::search::{DiskDegraded, DiskSearch};
use super::sharing::DiskSharing;
use super::{DiskError, decode, decode_first, encode};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskReceipt<'a> {
    sweep: u32,
    decided_at: u64,
    strategy: DiskStrategy,
    max_total: DiskMoney,
    /// Eligible partners; there was a time when all of them were asked.
    asked: u16,
    answered: u16,
    directory: [u8; 32],
    verdict: DiskVerdict,
    #[serde(borrow)]
    quotes: Vec<ReceiptQuote<'a>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceiptQuote<'a> {
    partner: &'a str,
    quote_id: &'a str,
    /// `None`: the currency of the limit.
    currency: Option<[u8; 3]>,
    item: u64,
    shipping: DiskCost,
    tax: DiskCost,
    fee: DiskCost,
    condition: DiskCondition,
    in_stock: u32,
    /// Milliseconds from the decision; negative when it had lapsed before.
    valid_in_ms: i64,
}

fn offset(from: Timestamp, to: Timestamp) -> i64 {
    // Both are at most Timestamp::MAX, far inside i64.
    ms(to).cast_signed() - ms(from).cast_signed()
}

impl<'a> From<&'a Receipt> for DiskReceipt<'a> {
    fn from(receipt: &'a Receipt) -> Self {
        let limit = receipt.max_total.currency();
        let quotes = receipt.quotes.iter().map(|quote| ReceiptQuote {
            partner: quote.partner.as_str(),
            quote_id: quote.quote_id.as_str(),
            currency: (quote.currency != limit).then(|| *quote.currency.as_bytes()),
            item: quote.item,
            shipping: quote.shipping.into(),
            tax: quote.tax.into(),
            fee: quote.fee.into(),
            condition: quote.condition.into(),
            in_stock: quote.in_stock,
            valid_in_ms: offset(receipt.decided_at, quote.valid_until),
        });
        Self {
            sweep: receipt.sweep,
            decided_at: ms(receipt.decided_at),
            strategy: receipt.strategy.into(),
            max_total: receipt.max_total.into(),
            asked: receipt.eligible,
            answered: receipt.answered,
            directory: *receipt.directory.as_bytes(),
            verdict: receipt.verdict.into(),
            quotes: quotes.collect(),
        }
    }
}

impl ReceiptQuote<'_> {
    fn into_domain(self, limit: Currency, decided_at: u64) -> Result<Quote, DiskError> {
        let bad = |e| DiskError::new("receipt", e);
        let valid_until = decided_at
            .checked_add_signed(self.valid_in_ms)
            .ok_or_else(|| DiskError::new("receipt", "a validity outside of time"))?;
        Ok(Quote {
            partner: PartnerId::parse(self.partner).map_err(bad)?,
            quote_id: QuoteId::parse(self.quote_id).map_err(bad)?,
            currency: self.currency.map_or(limit, Currency::from_bytes),
            item: self.item,
            shipping: self.shipping.into(),
            tax: self.tax.into(),
            fee: self.fee.into(),
            condition: self.condition.into(),
            in_stock: self.in_stock,
            valid_until: at(valid_until),
        })
    }
}

/// A receipt as it is stored.
pub fn write(receipt: &Receipt) -> Vec<u8> {
    let mut bytes = encode(&DiskReceipt::from(receipt));
    if let Some(search) = &receipt.search {
        bytes.extend(encode(&DiskSearch::new(search, &receipt.quotes)));
        let sharing = DiskSharing::new(search);
        if !sharing.is_empty() || search.degraded.is_some() {
            bytes.extend(encode(&sharing));
        }
        if let Some(degraded) = search.degraded {
            bytes.extend(encode(&DiskDegraded::from(degraded)));
        }
    }
    bytes
}

/// What a stored receipt consists of.
#[derive(Debug)]
pub struct ReceiptParts<'a> {
    pub receipt: DiskReceipt<'a>,
    pub search: Option<DiskSearch<'a>>,
    pub sharing: Option<DiskSharing<'a>>,
    pub degraded: Option<DiskDegraded>,
}

/// Its parts.
///
/// # Errors
/// Bytes that are no receipt, or bytes left over.
pub fn split(bytes: &[u8]) -> Result<ReceiptParts<'_>, DiskError> {
    let (receipt, rest) = decode_first("receipt", bytes)?;
    let mut parts = ReceiptParts { receipt, search: None, sharing: None, degraded: None };
    if rest.is_empty() {
        return Ok(parts);
    }
    let (search, rest) = decode_first("search", rest)?;
    parts.search = Some(search);
    if rest.is_empty() {
        return Ok(parts);
    }
    let (sharing, rest) = decode_first("sharing", rest)?;
    parts.sharing = Some(sharing);
    parts.degraded = (!rest.is_empty()).then(|| decode("degradation", rest)).transpose()?;
    Ok(parts)
}

/// The receipt of these bytes.
///
/// # Errors
/// Bytes that are no receipt.
pub fn read(bytes: &[u8]) -> Result<Receipt, DiskError> {
    let parts = split(bytes)?;
    let mut receipt = Receipt::try_from(parts.receipt)?;
    let search = parts.search.map(|search| search.into_domain(&receipt.quotes)).transpose()?;
    receipt.search = search;
    if let (Some(sharing), Some(search)) = (parts.sharing, &mut receipt.search) {
        sharing.restore(search)?;
    }
    if let Some(search) = &mut receipt.search {
        search.degraded = parts.degraded.map(Into::into);
    }
    Ok(receipt)
}

impl TryFrom<DiskReceipt<'_>> for Receipt {
    type Error = DiskError;
    fn try_from(disk: DiskReceipt<'_>) -> Result<Self, DiskError> {
        let max_total: schemas::Money = disk.max_total.try_into()?;
        let limit = max_total.currency();
        let quotes = disk.quotes.into_iter().map(|quote| quote.into_domain(limit, disk.decided_at));
        Ok(Self {
            sweep: disk.sweep,
            decided_at: at(disk.decided_at),
            strategy: disk.strategy.into(),
            max_total,
            eligible: disk.asked,
            answered: disk.answered,
            directory: Digest::from_bytes(disk.directory),
            verdict: disk.verdict.into(),
            quotes: quotes.collect::<Result<_, _>>()?,
            search: None,
        })
    }
}
