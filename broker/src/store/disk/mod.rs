//! What lies on disk: one struct per stored value, mirroring the domain type it stands for.
//!
//! The domain may be renamed and reordered freely; these structs may not. postcard writes no field
//! names, so: never reorder, retype or remove a field, enum variants are only appended, and a new
//! field means a new format byte with the old decoder kept beside it. `tests/fixtures/store` holds
//! the bytes of every type; a change there is a change of format.
//!
//! Conversions are total towards the disk and checked on the way back.

pub mod audit;
pub mod basic;
pub mod checkout;
pub mod effect;
pub mod event;
pub mod head;
pub mod meta;
pub mod outbox;
pub mod quote;
pub mod ranking;
pub mod receipt;
pub mod seal;
pub mod search;
pub mod sharing;
pub mod submission;
pub mod trace;

use std::fmt::Display;

/// Why stored bytes do not make a domain value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}: {why}")]
pub struct DiskError {
    pub what: &'static str,
    pub why: String,
}

impl DiskError {
    pub(crate) fn new(what: &'static str, why: impl Display) -> Self {
        Self { what, why: why.to_string() }
    }
}

/// Bytes of a disk struct.
pub fn encode<T: serde::Serialize>(value: &T) -> Vec<u8> {
    postcard::to_stdvec(value).expect("disk types serialize and memory is not exhausted")
}

/// The struct at the start of these bytes, and what follows it.
///
/// # Errors
/// Bytes that begin with no such struct.
pub fn decode_first<'a, T: serde::Deserialize<'a>>(
    what: &'static str,
    bytes: &'a [u8],
) -> Result<(T, &'a [u8]), DiskError> {
    postcard::take_from_bytes(bytes).map_err(|e| DiskError::new(what, e))
}

/// The struct of exactly these bytes.
///
/// # Errors
/// Bytes that are no such struct, or bytes left over.
pub fn decode<'a, T: serde::Deserialize<'a>>(
    what: &'static str,
    bytes: &'a [u8],
) -> Result<T, DiskError> {
    let (value, rest) = decode_first(what, bytes)?;
    if rest.is_empty() {
        Ok(value)
    } else {
        Err(DiskError::new(what, format_args!("{} bytes too many", rest.len())))
    }
}
