//! Bytes to messages and back. Strict where it protects (size, types, ranges, card numbers),
//! lenient where it keeps peers apart (unknown fields are ignored). Every refusal names the field
//! and the rule.
//!
//! Three doors, by who speaks:
//! * [`decode_command`] for customers: size, card numbers, types, ranges;
//! * [`decode_valid`] for partners and providers: size, types, ranges;
//! * [`decode`] for what this product wrote itself: size and types.
//!
//! Nesting is bounded by serde_json (128 levels).

use serde::Serialize;
use serde::de::DeserializeOwned;

mod card;
mod error;
mod validate;

pub use card::{contains_card_number, refuse_card_numbers};
pub use error::DecodeError;
pub use validate::Validate;

/// Largest command of a customer, in bytes.
pub const COMMAND_BYTES_MAX: usize = 64 * 1024;

/// Largest message of a partner or payment provider, in bytes: a full batch of quotes fits.
pub const PARTNER_MESSAGE_BYTES_MAX: usize = 512 * 1024;

/// Parses one message of at most `max_len` bytes.
///
/// # Errors
/// Too many bytes, no JSON, or a field of the wrong form; never panics.
pub fn decode<T: DeserializeOwned>(bytes: &[u8], max_len: usize) -> Result<T, DecodeError> {
    within(bytes, max_len)?;
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value =
        serde_path_to_error::deserialize(&mut reader).map_err(|e| DecodeError::from_serde(&e))?;
    reader.end().map_err(|e| DecodeError::malformed(&e))?;
    Ok(value)
}

/// [`decode`], then the rules that types cannot express.
///
/// # Errors
/// As [`decode`], and a field out of its range.
pub fn decode_valid<T>(bytes: &[u8], max_len: usize) -> Result<T, DecodeError>
where
    T: DeserializeOwned + Validate,
{
    let value: T = decode(bytes, max_len)?;
    value.validate()?;
    Ok(value)
}

/// A customer's message: at most [`COMMAND_BYTES_MAX`], and no card number anywhere in it, known
/// field or not, so that none can reach a store, a log or a dead letter.
///
/// # Errors
/// As [`decode_valid`], and a card number.
pub fn decode_command<T>(bytes: &[u8]) -> Result<T, DecodeError>
where
    T: DeserializeOwned + Validate,
{
    within(bytes, COMMAND_BYTES_MAX)?;
    refuse_card_numbers(bytes)?;
    decode_valid(bytes, COMMAND_BYTES_MAX)
}

/// The wire form: compact JSON, fields in declaration order.
pub fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    // Wire types have string keys and no failing serializers; golden tests encode each of them.
    serde_json::to_vec(value).expect("wire types serialize to JSON")
}

fn within(bytes: &[u8], max: usize) -> Result<(), DecodeError> {
    match bytes.len() {
        len if len > max => Err(DecodeError::TooLarge { len, max }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
