//! The signature: HMAC-SHA256 over `id.timestamp.body`, one for each secret of the endpoint.

use data_encoding::BASE64;
use ring::hmac::{Context, Key};

/// Value of `webhook-signature`.
pub fn signatures(keys: &[Key], id: &str, unix_seconds: u64, body: &[u8]) -> String {
    let sign = |key: &Key| {
        let mut context = Context::with_key(key);
        context.update(format!("{id}.{unix_seconds}.").as_bytes());
        context.update(body);
        format!("v1,{}", BASE64.encode(context.sign().as_ref()))
    };
    keys.iter().map(sign).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use ring::hmac::HMAC_SHA256;

    use super::*;

    fn key(base64: &str) -> Key {
        Key::new(HMAC_SHA256, &BASE64.decode(base64.as_bytes()).unwrap())
    }

    /// The example that the libraries of the standard are tested with.
    #[test]
    fn the_example_of_the_standard_has_the_signature_of_the_standard() {
        let key = key("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let body = br#"{"test": 2432232314}"#;
        let signed = signatures(&[key], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body);
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn each_secret_signs_so_that_one_can_replace_the_other() {
        let (old, new) = (key("b2xk"), key("bmV3"));
        let both = signatures(&[new.clone(), old.clone()], "msg_1", 1, b"{}");
        let (first, second) = both.split_once(' ').unwrap();
        assert_eq!(first, signatures(&[new], "msg_1", 1, b"{}"));
        assert_eq!(second, signatures(&[old], "msg_1", 1, b"{}"));
        assert_ne!(first, second);
    }
}
