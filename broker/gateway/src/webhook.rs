//! Who calls back: Standard Webhooks 1.0.0. What is signed is the id, the time of sending and the
//! raw body; a signature that is minutes old is a replay.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use axum::http::HeaderMap;
use data_encoding::BASE64;
use ring::hmac;
use schemas::{PartnerId, Timestamp};
use serde::Deserialize;

use crate::problem::{Own, Refusal};

/// How far the time of sending may be from ours.
const TOLERANCE_S: u64 = 300;
const SECRET_BYTES_MIN: usize = 24;
const SECRET_BYTES_MAX: usize = 64;
/// While a secret is changed there are two.
const SECRETS_MAX: usize = 4;
const ID_CHARS_MAX: usize = 128;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    partner: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    partner_id: PartnerId,
    /// `whsec_` and base64 of 24 to 64 random bytes; while one is changed, the old and the new one.
    secrets: Vec<String>,
}

/// Why a file of secrets cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SecretsError {
    #[error("cannot read the secrets of call-backs in {}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error("the secrets of call-backs in {} are not what is expected: {why}", path.display())]
    Syntax { path: PathBuf, why: String },
}

/// Secrets by bookstore. Never shown.
#[derive(Default)]
pub(crate) struct Secrets(HashMap<PartnerId, Vec<hmac::Key>>);

/// A call-back whose sender is proven.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Signed {
    /// The same for every copy.
    pub(crate) id: String,
}

impl Secrets {
    /// # Errors
    /// An unreadable file, or a secret that is none.
    pub(crate) fn load(path: Option<&Path>) -> Result<Self, SecretsError> {
        let Some(path) = path else { return Ok(Self::default()) };
        let text = std::fs::read_to_string(path)
            .map_err(|source| SecretsError::Read { path: path.to_owned(), source })?;
        Self::parse(&text).map_err(|why| SecretsError::Syntax { path: path.to_owned(), why })
    }

    fn parse(text: &str) -> Result<Self, String> {
        let file: File = toml::from_str(text).map_err(|error| error.message().to_owned())?;
        let mut all = HashMap::new();
        for Entry { partner_id, secrets } in file.partner {
            if secrets.is_empty() || secrets.len() > SECRETS_MAX {
                return Err(format!("partner {partner_id}: give 1 to {SECRETS_MAX} secrets"));
            }
            let keys = secrets.iter().map(|text| key(text)).collect::<Option<Vec<_>>>();
            let keys = keys.ok_or_else(|| {
                format!("partner {partner_id}: a secret is `whsec_` and base64 of 24 to 64 bytes")
            })?;
            if all.insert(partner_id.clone(), keys).is_some() {
                return Err(format!("partner {partner_id} stands there twice"));
            }
        }
        Ok(Self(all))
    }

    /// # Errors
    /// No proof that this bookstore has sent these bytes, lately.
    pub(crate) fn verify(
        &self,
        partner: &PartnerId,
        headers: &HeaderMap,
        body: &[u8],
        now: Timestamp,
    ) -> Result<Signed, Refusal> {
        // One answer for everybody who is not known: it tells nobody which bookstores there are.
        let invalid = || {
            let detail = "webhook-id, webhook-timestamp and webhook-signature do not prove that \
                          this bookstore has sent this body now";
            Refusal::own(Own::SignatureInvalid, detail)
        };
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let id = text("webhook-id").filter(|id| is_id(id)).ok_or_else(invalid)?;
        let stamp = text("webhook-timestamp").ok_or_else(invalid)?;
        let sent: u64 = stamp.parse().map_err(|_| invalid())?;
        if sent.abs_diff(now.as_unix_ms() / 1000) > TOLERANCE_S {
            return Err(invalid());
        }
        let signatures = text("webhook-signature").ok_or_else(invalid)?;
        let keys = self.0.get(partner).ok_or_else(invalid)?;
        let signed = [id.as_bytes(), b".", stamp.as_bytes(), b".", body].concat();
        let fits = |signature: &str| {
            let bytes = signature.strip_prefix("v1,");
            let bytes = bytes.and_then(|text| BASE64.decode(text.as_bytes()).ok());
            // In constant time.
            bytes.is_some_and(|bytes| {
                keys.iter().any(|key| hmac::verify(key, &signed, &bytes).is_ok())
            })
        };
        if !signatures.split(' ').take(SECRETS_MAX * 2).any(fits) {
            return Err(invalid());
        }
        Ok(Signed { id: id.to_owned() })
    }
}

/// It becomes part of a message id: no dots, as the standard says, and nothing invisible.
fn is_id(id: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    !id.is_empty() && id.len() <= ID_CHARS_MAX && id.bytes().all(plain)
}

fn key(secret: &str) -> Option<hmac::Key> {
    let bytes = BASE64.decode(secret.strip_prefix("whsec_")?.as_bytes()).ok()?;
    let fits = (SECRET_BYTES_MIN..=SECRET_BYTES_MAX).contains(&bytes.len());
    fits.then(|| hmac::Key::new(hmac::HMAC_SHA256, &bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification's reference implementations.
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const STAMP: u64 = 1_614_265_330;
    const BODY: &[u8] = br#"{"test": 2432232314}"#;
    const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

    fn secrets() -> Secrets {
        let text = format!("[[partner]]\npartner_id = 'acme'\nsecrets = ['{SECRET}']");
        Secrets::parse(&text).unwrap()
    }

    fn headers(signature: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert("webhook-id", ID.parse().unwrap());
        headers.insert("webhook-timestamp", STAMP.to_string().parse().unwrap());
        headers.insert("webhook-signature", signature.parse().unwrap());
        headers
    }

    fn verify(partner: &str, headers: &HeaderMap, body: &[u8], at_s: u64) -> bool {
        let partner = PartnerId::parse(partner).unwrap();
        let now = Timestamp::from_unix_ms(at_s * 1000);
        secrets().verify(&partner, headers, body, now).is_ok()
    }

    #[test]
    fn the_example_of_the_standard_is_accepted_also_beside_another_signature() {
        assert!(verify("acme", &headers(SIGNATURE), BODY, STAMP));
        let two = format!("v1,AAAA v1a,x {SIGNATURE}");
        assert!(verify("acme", &headers(&two), BODY, STAMP + 299));
    }

    #[test]
    fn other_bytes_other_stores_and_old_signatures_are_refused() {
        assert!(!verify("acme", &headers(SIGNATURE), b"{}", STAMP));
        assert!(!verify("other", &headers(SIGNATURE), BODY, STAMP));
        assert!(!verify("acme", &headers(SIGNATURE), BODY, STAMP + 301));
        assert!(!verify("acme", &headers(SIGNATURE), BODY, STAMP - 301));
        assert!(!verify("acme", &headers("v1,AAAA"), BODY, STAMP));
        assert!(!verify("acme", &headers(&SIGNATURE[3..]), BODY, STAMP));
        for name in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
            let mut headers = headers(SIGNATURE);
            headers.remove(name);
            assert!(!verify("acme", &headers, BODY, STAMP), "{name}");
        }
        let mut dotted = headers(SIGNATURE);
        dotted.insert("webhook-id", "a.b".parse().unwrap());
        assert!(!verify("acme", &dotted, BODY, STAMP));
    }

    #[test]
    fn a_secret_that_is_none_is_refused_with_its_partner() {
        for secrets in ["[]", "['whsec_AAAA']", "['MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw']"] {
            let text = format!("[[partner]]\npartner_id = 'acme'\nsecrets = {secrets}");
            let error = Secrets::parse(&text).err().unwrap();
            assert!(error.contains("partner acme"), "{error}");
            assert!(!error.contains("MfKQ"), "{error}");
        }
    }
}
