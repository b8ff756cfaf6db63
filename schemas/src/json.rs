//! Bytes to messages and back. Strict where it protects (size, types, ranges, card numbers),
//! lenient where it keeps peers apart (unknown fields are ignored). Every refusal names the fields
//! and the rules they break, all of them at once.
//!
//! Three doors, by who speaks:
//! * [`decode_command`] for customers: size, card numbers, types, ranges;
//! * [`decode_valid`] for partners and providers ([`decode_quote_answers`] for what comes most
//!   often): size, types, ranges;
//! * [`decode`] for what this product wrote itself: size and types.
//!
//! Nesting is bounded by serde_json (128 levels). Objects are read from objects only, never from
//! arrays of their values; `decode` alone trusts its own writing so far.

use std::cell::RefCell;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::violation::Violations;

mod card;
mod error;
mod object;
mod quotes;
mod sample;
mod survey;
mod validate;

pub use card::{contains_card_number, refuse_card_numbers};
pub use error::DecodeError;
pub(crate) use object::{ObjectOnly, object_only};
pub use quotes::decode_quote_answers;
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
    serde_json::from_slice(bytes).or_else(|_| explain(bytes))
}

/// Reads what could not be read once more, keeping track of the field: that costs more than the
/// reading itself, and most messages are sound.
fn explain<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, DecodeError> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value =
        serde_path_to_error::deserialize(&mut reader).map_err(|e| DecodeError::from_serde(&e))?;
    reader.end().map_err(|e| DecodeError::malformed(&e))?;
    Ok(value)
}

/// [`decode`], then the rules that types cannot express.
///
/// # Errors
/// As [`decode`], and every field out of its range.
pub fn decode_valid<T>(bytes: &[u8], max_len: usize) -> Result<T, DecodeError>
where
    T: DeserializeOwned + Validate,
{
    decode_judged(bytes, max_len, |_, _| {})
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
    decode_command_judged(bytes, |_, _| {})
}

/// [`decode_command`] with rules that the caller adds. They are asked also about a message of
/// which some fields could not be read and are replaced, so that all is told at once.
///
/// # Errors
/// As [`decode_command`], and what `judge` noted.
pub fn decode_command_judged<T>(
    bytes: &[u8],
    judge: impl FnOnce(&T, &mut Violations),
) -> Result<T, DecodeError>
where
    T: DeserializeOwned + Validate,
{
    within(bytes, COMMAND_BYTES_MAX)?;
    refuse_card_numbers(bytes)?;
    decode_judged(bytes, COMMAND_BYTES_MAX, judge)
}

fn decode_judged<T>(
    bytes: &[u8],
    max_len: usize,
    judge: impl FnOnce(&T, &mut Violations),
) -> Result<T, DecodeError>
where
    T: DeserializeOwned + Validate,
{
    within(bytes, max_len)?;
    object::refuse_array(bytes)?;
    let mut found = Violations::default();
    let value = match serde_json::from_slice::<T>(bytes) {
        Ok(value) => Some(value),
        Err(_) => survey::read(bytes, &mut found)?,
    };
    if let Some(value) = &value {
        value.check(&mut found);
        judge(value, &mut found);
    }
    match value {
        Some(value) if found.is_empty() => Ok(value),
        Some(_) | None => Err(DecodeError::Fields(found)),
    }
}

/// The wire form: compact JSON, fields in declaration order.
pub fn encode<T: Serialize>(value: &T) -> Vec<u8> {
    thread_local! {
        // Written here first: a message that grows in place is copied again and again.
        static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
    }
    SCRATCH.with_borrow_mut(|scratch| {
        scratch.clear();
        // Wire types have string keys and no failing serializers; golden tests encode each of them.
        serde_json::to_writer(&mut *scratch, value).expect("wire types serialize to JSON");
        let bytes = scratch.to_vec();
        scratch.shrink_to(SCRATCH_BYTES_MAX);
        bytes
    })
}

/// Memory that a thread keeps for its next message.
const SCRATCH_BYTES_MAX: usize = 256 * 1024;

fn within(bytes: &[u8], max: usize) -> Result<(), DecodeError> {
    match bytes.len() {
        len if len > max => Err(DecodeError::TooLarge { len, max }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
