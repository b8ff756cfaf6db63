//! Digest of a request body: what "the same body" means for idempotency.

use std::fmt;

/// BLAKE3 of the canonical form of a message (its parsed value, serialized with fields in order).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    pub fn of(bytes: &[u8]) -> Self {
        Self(*blake3::hash(bytes).as_bytes())
    }

    /// Digest of the value, not of the bytes it came in: white space, field order and unknown
    /// fields do not make another request.
    pub fn of_value<T: serde::Serialize>(value: &T) -> Self {
        let canonical = serde_json::to_vec(value).expect("wire types serialize to JSON");
        Self::of(&canonical)
    }

    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&data_encoding::HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}
