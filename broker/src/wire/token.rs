//! Accept tokens as text: 32 lower-case hex digits on the wire, a digest at rest.

use broker_core::effect::AcceptToken;
use schemas::Digest;

/// The text of a token, for the one notification that carries it.
pub fn to_text(token: AcceptToken) -> String {
    format!("{:032x}", u128::from_be_bytes(token.0))
}

/// Digest of the token in its text form, as the core compares it; `None` if it is no token.
pub fn digest_of(text: &str) -> Option<Digest> {
    let digits = text.len() == 32 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let bits = digits.then(|| u128::from_str_radix(text, 16).ok()).flatten()?;
    Some(Digest::of(&bits.to_be_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_of_the_text_is_that_of_the_bytes() {
        let mut bytes = [0u8; 16];
        bytes[1] = 0xab;
        bytes[15] = 1;
        let text = to_text(AcceptToken(bytes));
        assert_eq!(text, "00ab0000000000000000000000000001");
        assert_eq!(digest_of(&text), Some(Digest::of(&bytes)));
    }

    #[test]
    fn anything_else_is_no_token() {
        for text in ["", "00AB0000000000000000000000000001", "+0ab0000000000000000000000000001"] {
            assert_eq!(digest_of(text), None, "{text}");
        }
    }
}
