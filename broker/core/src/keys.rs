//! Keys of one attempt: the same for every copy, derivable by anyone who knows the attempt.

use schemas::RequestId;
use schemas::id::Key;

/// What a key is for; part of the hash, so that keys of one attempt never collide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyFor {
    Reservation,
    Payment,
    Placement,
}

impl KeyFor {
    const fn label(self) -> &'static str {
        match self {
            Self::Reservation => "reserve",
            Self::Payment => "pay",
            Self::Placement => "place",
        }
    }
}

/// 20 characters of base32 over BLAKE3(length-prefixed purpose, request, attempt).
pub fn key(purpose: KeyFor, request: RequestId, attempt: u8) -> Key {
    let label = purpose.label();
    let mut hasher = blake3::Hasher::new();
    hasher.update(&[u8::try_from(label.len()).expect("labels are short")]);
    hasher.update(label.as_bytes());
    hasher.update(request.as_bytes());
    hasher.update(&[attempt]);
    let text = data_encoding::BASE32_NOPAD.encode(&hasher.finalize().as_bytes()[..13]);
    Key::parse(&text[..20]).expect("base32 is a valid key")
}
