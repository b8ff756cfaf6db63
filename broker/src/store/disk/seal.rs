//! The envelope of every value: format byte, payload, checksum.
//!
//! The checksum covers the key too, so a value that turns up under another key is as damaged as
//! one with a flipped bit.

use xxhash_rust::xxh3::Xxh3Default;

use super::DiskError;

/// The only format so far. A value with another byte was written by another program.
pub const FORMAT: u8 = 1;

/// Bytes that sealing adds.
pub const SEAL_BYTES: usize = 1 + 8;

/// Longest sealed value. A torn value above a 4 KiB page can leave the journal's framing intact,
/// and then the whole store refuses to open.
pub const VALUE_BYTES_MAX: usize = 4000;

/// Longest payload of one value.
pub const PAYLOAD_BYTES_MAX: usize = VALUE_BYTES_MAX - SEAL_BYTES;

/// Most values one record may be split into.
pub const CHUNKS_MAX: usize = 256;

/// Longest record, split into chunks.
pub const RECORD_BYTES_MAX: usize = CHUNKS_MAX * PAYLOAD_BYTES_MAX;

fn checksum(key: &[u8], sealed: &[u8]) -> [u8; 8] {
    let mut hasher = Xxh3Default::new();
    hasher.update(key);
    hasher.update(sealed);
    hasher.digest().to_be_bytes()
}

/// `payload` as it is stored under `key`.
pub fn seal(key: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut value = Vec::with_capacity(payload.len() + SEAL_BYTES);
    value.push(FORMAT);
    value.extend_from_slice(payload);
    let sum = checksum(key, &value);
    value.extend_from_slice(&sum);
    value
}

/// The payload of a value read under `key`.
pub fn open<'a>(key: &[u8], value: &'a [u8]) -> Result<&'a [u8], DiskError> {
    let Some((sealed, sum)) = value.split_last_chunk::<8>() else {
        return Err(DiskError::new("seal", format_args!("{} bytes are too few", value.len())));
    };
    if *sum != checksum(key, sealed) {
        return Err(DiskError::new("seal", "the checksum does not match"));
    }
    match sealed.split_first() {
        Some((&FORMAT, payload)) => Ok(payload),
        Some((other, _)) => Err(DiskError::new("seal", format_args!("unknown format {other}"))),
        None => Err(DiskError::new("seal", "no format byte")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_value_under_another_key_is_damaged() {
        let value = seal(b"a", b"payload");
        assert_eq!(open(b"a", &value), Ok(&b"payload"[..]));
        assert!(open(b"b", &value).is_err());
    }

    #[test]
    fn another_format_byte_is_named() {
        let mut value = vec![9, 1, 2];
        let sum = checksum(b"k", &value);
        value.extend_from_slice(&sum);
        assert_eq!(open(b"k", &value).unwrap_err().why, "unknown format 9");
    }

    proptest! {
        #[test]
        fn any_flipped_bit_and_any_cut_is_noticed(
            payload in proptest::collection::vec(any::<u8>(), 0..200),
            at in any::<proptest::sample::Index>(),
            bit in 0u8..8,
        ) {
            let value = seal(b"key", &payload);
            prop_assert_eq!(open(b"key", &value), Ok(payload.as_slice()));
            let mut flipped = value.clone();
            let at = at.index(flipped.len());
            flipped[at] ^= 1 << bit;
            prop_assert!(open(b"key", &flipped).is_err());
            prop_assert!(open(b"key", &value[..at]).is_err());
        }
    }
}
