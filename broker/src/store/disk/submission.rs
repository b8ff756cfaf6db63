//! What the customer asked for; written once.

use broker_core::request::{Submission, Terms};
use schemas::destination::{Address, Country};
use schemas::id::PaymentToken;
use schemas::text::Text;
use schemas::{CustomerId, Destination, Digest, Isbn13, RequestId};
use serde::{Deserialize, Serialize};

use super::basic::{DiskCondition, DiskMode, DiskMoney, DiskStrategy, at, ms};
use super::trace::DiskTrace;
use super::{DiskError, decode, decode_first, encode};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskTerms {
    max_total: DiskMoney,
    expires_at: u64,
    strategy: DiskStrategy,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskDestination<'a> {
    country: &'a str,
    postal_code: &'a str,
    #[serde(borrow)]
    address: Option<DiskAddress<'a>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskAddress<'a> {
    name: &'a str,
    line1: &'a str,
    line2: Option<&'a str>,
    city: &'a str,
    region: Option<&'a str>,
}

/// The request's id is the key, not part of the value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskSubmission<'a> {
    customer: &'a str,
    digest: [u8; 32],
    isbn: u64,
    quantity: u8,
    #[serde(borrow)]
    destination: DiskDestination<'a>,
    payment_token: &'a str,
    condition: DiskCondition,
    mode: DiskMode,
    rebuy: bool,
    created_at: u64,
    terms: DiskTerms,
}

impl From<Terms> for DiskTerms {
    fn from(terms: Terms) -> Self {
        Self {
            max_total: terms.max_total.into(),
            expires_at: ms(terms.expires_at),
            strategy: terms.strategy.into(),
        }
    }
}

impl TryFrom<DiskTerms> for Terms {
    type Error = DiskError;
    fn try_from(disk: DiskTerms) -> Result<Self, DiskError> {
        Ok(Self {
            max_total: disk.max_total.try_into()?,
            expires_at: at(disk.expires_at),
            strategy: disk.strategy.into(),
        })
    }
}

impl<'a> From<&'a Destination> for DiskDestination<'a> {
    fn from(destination: &'a Destination) -> Self {
        Self {
            country: destination.country.code(),
            postal_code: destination.postal_code.as_str(),
            address: destination.address.as_ref().map(|address| DiskAddress {
                name: address.name.as_str(),
                line1: address.line1.as_str(),
                line2: address.line2.as_ref().map(Text::as_str),
                city: address.city.as_str(),
                region: address.region.as_ref().map(Text::as_str),
            }),
        }
    }
}

fn text<const MAX: usize>(text: &str) -> Result<Text<MAX>, DiskError> {
    Text::parse(text).map_err(|e| DiskError::new("destination", e))
}

impl TryFrom<DiskDestination<'_>> for Destination {
    type Error = DiskError;
    fn try_from(disk: DiskDestination<'_>) -> Result<Self, DiskError> {
        let address = match disk.address {
            Some(address) => Some(Address {
                name: text(address.name)?,
                line1: text(address.line1)?,
                line2: address.line2.map(text).transpose()?,
                city: text(address.city)?,
                region: address.region.map(text).transpose()?,
            }),
            None => None,
        };
        Ok(Self {
            country: Country::parse(disk.country).map_err(|e| DiskError::new("destination", e))?,
            postal_code: text(disk.postal_code)?,
            address,
        })
    }
}

impl<'a> From<&'a Submission> for DiskSubmission<'a> {
    fn from(submission: &'a Submission) -> Self {
        Self {
            customer: submission.customer.as_str(),
            digest: *submission.digest.as_bytes(),
            isbn: submission.isbn.as_number(),
            quantity: submission.quantity,
            destination: (&submission.destination).into(),
            payment_token: submission.payment_token.as_str(),
            condition: submission.condition.into(),
            mode: submission.mode.into(),
            rebuy: submission.rebuy,
            created_at: ms(submission.created_at),
            terms: submission.terms.into(),
        }
    }
}

/// The record of a submission: the struct, and the customer's trace if there is one.
pub fn submission_record(submission: &Submission) -> Vec<u8> {
    let mut record = encode(&DiskSubmission::from(submission));
    if let Some(trace) = submission.trace {
        record.extend(encode(&DiskTrace::from(trace)));
    }
    record
}

/// The parts of a record.
///
/// # Errors
/// Bytes that are no such record.
pub fn split(bytes: &[u8]) -> Result<(DiskSubmission<'_>, Option<DiskTrace>), DiskError> {
    let (disk, rest) = decode_first("submission", bytes)?;
    let trace = (!rest.is_empty()).then(|| decode("trace of a submission", rest)).transpose()?;
    Ok((disk, trace))
}

/// The submission stored under `id`.
///
/// # Errors
/// Bytes that are no such record, or that hold what no submission can.
pub fn read_submission(id: RequestId, bytes: &[u8]) -> Result<Submission, DiskError> {
    let (disk, trace) = split(bytes)?;
    let trace = trace.map(TryInto::try_into).transpose()?;
    Ok(Submission { trace, ..disk.into_domain(id)? })
}

impl DiskSubmission<'_> {
    fn into_domain(self, id: RequestId) -> Result<Submission, DiskError> {
        let bad = |e| DiskError::new("submission", e);
        Ok(Submission {
            id,
            customer: CustomerId::parse(self.customer).map_err(bad)?,
            digest: Digest::from_bytes(self.digest),
            isbn: Isbn13::from_number(self.isbn),
            quantity: self.quantity,
            destination: self.destination.try_into()?,
            payment_token: PaymentToken::parse(self.payment_token).map_err(bad)?,
            condition: self.condition.into(),
            mode: self.mode.into(),
            rebuy: self.rebuy,
            created_at: at(self.created_at),
            terms: self.terms.try_into()?,
            trace: None,
        })
    }
}
