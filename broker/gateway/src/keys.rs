//! Idempotency-Key → request id, so that a call that is sent again buys nothing twice.
//!
//! A key that is a UUID version 7 is the request id itself: then the broker alone decides, and
//! nothing else is written. Any other key gets a record in a JetStream bucket before the broker is
//! asked, by compare-and-set: whichever gateway comes second finds the id of the first, also after
//! a crash in between. What the id then stands for is the broker's to say.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use async_nats::jetstream;
use async_nats::jetstream::kv::{self, CreateErrorKind, Store};
use async_nats::jetstream::stream::StorageType;
use axum::http::HeaderMap;
use data_encoding::HEXLOWER;
use ring::digest::{Context, SHA256};
use schemas::bucket::GATEWAY_KEYS;
use schemas::id::CommandId;
use schemas::{CustomerId, DurationMs, RequestId, Timestamp, json};
use serde::{Deserialize, Serialize};

use crate::problem::{Own, Refusal};

/// As long as the broker takes request ids of before; afterwards an old key is a new one.
const MAX_AGE: Duration = Duration::from_secs(120 * 24 * 3600);
/// About two million records; a full bucket refuses further keys, and those that are UUIDs go on.
const BUCKET_BYTES_MAX: i64 = 1024 * 1024 * 1024;
/// Longest key, in characters.
const KEY_CHARS_MAX: usize = 255;
const HEADER: &str = "idempotency-key";
/// Whoever sends a call twice at once may ask for the first one's outcome after so long.
const BUSY_RETRY: DurationMs = DurationMs::from_secs(1);

/// What a caller calls a wish of theirs: 1 to 255 visible characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct IdempotencyKey(String);

impl IdempotencyKey {
    /// # Errors
    /// A key that is no key. Absence is none.
    pub(crate) fn read(headers: &HeaderMap) -> Result<Option<Self>, Refusal> {
        let malformed = |why: &str| Refusal::own(Own::IdempotencyKeyMalformed, why);
        let mut all = headers.get_all(HEADER).iter();
        let Some(value) = all.next() else { return Ok(None) };
        if all.next().is_some() {
            return Err(malformed("send one Idempotency-Key, not several"));
        }
        let text = value.to_str().map_err(|_| malformed("the key must be visible ASCII"))?;
        let key = unquoted(text.trim()).ok_or_else(|| {
            malformed("the quoted key must be a string of RFC 9651, such as \"8e03978e\"")
        })?;
        let visible = key.bytes().all(|byte| byte.is_ascii_graphic());
        if key.is_empty() || key.len() > KEY_CHARS_MAX || !visible {
            return Err(malformed(
                "the key must have 1 to 255 visible ASCII characters, no spaces",
            ));
        }
        Ok(Some(Self(key)))
    }

    pub(crate) fn required(headers: &HeaderMap) -> Result<Self, Refusal> {
        Self::read(headers)?.ok_or_else(|| {
            let detail = "send an Idempotency-Key, best a new UUID version 7 for each wish: with it \
                          a call that is sent again is done once";
            Refusal::own(Own::IdempotencyKeyMissing, detail)
        })
    }

    /// The id of the request that it stands for, without asking anybody: a UUID version 7.
    pub(crate) fn own_id(&self) -> Option<RequestId> {
        RequestId::parse(&self.0).ok()
    }

    /// The id of a command of the same name: itself if it can be one, its hash if not.
    pub(crate) fn command(&self) -> CommandId {
        let hashed = || CommandId::parse(&self.hashed("command", "")).ok();
        CommandId::parse(&self.0).ok().or_else(hashed).unwrap_or_else(new_command)
    }

    fn hashed(&self, operation: &str, customer: &str) -> String {
        let mut context = Context::new(&SHA256);
        for part in [operation, customer, &self.0] {
            context.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            context.update(part.as_bytes());
        }
        HEXLOWER.encode(context.finish().as_ref())
    }
}

/// A command that nobody needs to send again.
pub(crate) fn new_command() -> CommandId {
    let id = uuid::Uuid::now_v7().to_string();
    CommandId::parse(&id).expect("a UUID has 36 letters, digits and hyphens")
}

/// A quoted string without its quotes and escapes, or the bare text that many clients send.
fn unquoted(text: &str) -> Option<String> {
    let Some(rest) = text.strip_prefix('"') else {
        return (!text.contains('"')).then(|| text.to_owned());
    };
    let mut chars = rest.strip_suffix('"')?.chars();
    let mut out = String::new();
    while let Some(next) = chars.next() {
        match next {
            '\\' => out.push(chars.next().filter(|c| matches!(c, '"' | '\\'))?),
            '"' => return None,
            other => out.push(other),
        }
    }
    Some(out)
}

/// What a key stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) request_id: RequestId,
    /// SHA-256 of the first body.
    pub(crate) fingerprint: String,
    /// When it was first sent: relative times count from here, however often it is sent again.
    pub(crate) at: Timestamp,
}

#[derive(Clone)]
pub(crate) struct Keys {
    store: Store,
    /// What this gateway is working on.
    working: Arc<Mutex<HashSet<String>>>,
}

/// As long as it lives, the same key of the same caller is told to come back.
pub(crate) struct Working {
    name: String,
    working: Arc<Mutex<HashSet<String>>>,
}

impl Drop for Working {
    fn drop(&mut self) {
        self.working.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.name);
    }
}

impl Keys {
    /// # Errors
    /// The server refuses the bucket.
    pub(crate) async fn open(
        jetstream: &jetstream::Context,
    ) -> Result<Self, jetstream::context::CreateKeyValueError> {
        let config = kv::Config {
            bucket: GATEWAY_KEYS.name.to_owned(),
            description: GATEWAY_KEYS.description.to_owned(),
            max_value_size: i32::try_from(GATEWAY_KEYS.max_value_size).unwrap_or(i32::MAX),
            max_age: MAX_AGE,
            max_bytes: BUCKET_BYTES_MAX,
            storage: StorageType::File,
            ..kv::Config::default()
        };
        let store = match jetstream.get_key_value(GATEWAY_KEYS.name).await {
            Ok(store) => store,
            Err(_missing) => jetstream.create_key_value(config).await?,
        };
        Ok(Self { store, working: Arc::default() })
    }

    /// # Errors
    /// The same call is being worked on.
    pub(crate) fn claim(
        &self,
        operation: &str,
        customer: &CustomerId,
        key: &IdempotencyKey,
    ) -> Result<Working, Refusal> {
        let name = key.hashed(operation, customer.as_str());
        let mut working = self.working.lock().unwrap_or_else(PoisonError::into_inner);
        if !working.insert(name.clone()) {
            let detail = "a call with this Idempotency-Key is being worked on; try again";
            return Err(Refusal::own(Own::RequestInProgress, detail).after(BUSY_RETRY));
        }
        drop(working);
        Ok(Working { name, working: Arc::clone(&self.working) })
    }

    /// The request of a create whose key is no id, or whose times count from the first sending.
    ///
    /// # Errors
    /// The key stands for another body, or the bucket cannot be used.
    pub(crate) async fn request(&self, working: &Working, body: &[u8]) -> Result<Record, Refusal> {
        let fingerprint = HEXLOWER.encode(ring::digest::digest(&SHA256, body).as_ref());
        let request_id = new_request();
        let record = Record { request_id, fingerprint, at: now() };
        let bytes = json::encode(&record);
        let found = match self.store.create(&working.name, bytes.into()).await {
            Ok(_) => return Ok(record),
            Err(error) if error.kind() == CreateErrorKind::AlreadyExists => {
                self.store.get(&working.name).await.map_err(|error| unusable(&error))?
            }
            Err(error) => return Err(unusable(&error)),
        };
        let Some(bytes) = found else {
            // It aged out just now.
            return Err(unusable(&"the record has gone"));
        };
        let first: Record = json::decode(&bytes, usize::MAX).map_err(|error| unusable(&error))?;
        if first.fingerprint != record.fingerprint {
            let detail = "this Idempotency-Key was used with another body; make a new key for \
                          another wish";
            let code = schemas::RejectReason::Conflict;
            return Err(Refusal::reason(code, detail).about(first.request_id));
        }
        Ok(first)
    }
}

fn unusable(error: &dyn std::fmt::Display) -> Refusal {
    tracing::warn!(%error, "the keys of HTTP calls cannot be used");
    let detail = "the Idempotency-Key could not be kept; nothing was done, try again";
    Refusal::own(Own::BrokerUnavailable, detail).after(BUSY_RETRY)
}

pub(crate) fn new_request() -> RequestId {
    RequestId::from_bytes(*uuid::Uuid::now_v7().as_bytes())
}

pub(crate) fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_unix_ms(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn read(text: &str) -> Result<String, String> {
        let mut headers = HeaderMap::new();
        headers.insert(HEADER, HeaderValue::from_str(text).unwrap());
        let key = IdempotencyKey::read(&headers).map_err(|refusal| refusal.body().code.clone());
        key.map(|key| key.unwrap().0)
    }

    #[test]
    fn a_key_is_read_quoted_and_bare() {
        assert_eq!(read("\"8e03\"").unwrap(), "8e03");
        assert_eq!(read("8e03").unwrap(), "8e03");
        assert_eq!(read(r#""a\"b\\c""#).unwrap(), r#"a"b\c"#);
        for bad in ["", "\"", "\"a", "a\"b", "\"a\"b\"", r#""a\x""#, "a b", "\"\""] {
            assert_eq!(read(bad), Err("idempotency_key_malformed".to_owned()), "{bad}");
        }
        assert!(read(&"x".repeat(255)).is_ok());
        assert!(read(&"x".repeat(256)).is_err());
    }

    #[test]
    fn the_contract_and_the_gateway_agree_what_a_key_is() {
        let contract = crate::openapi::parameter("createPurchaseRequest", "Idempotency-Key");
        let texts = ["8e03", "\"8e03\"", r#""a\"b\\c""#, r"a\b", "'", "\"", "\"a", "a\"b", "a\""];
        let long = ["x".repeat(255), "x".repeat(256)];
        let odd = ["\"a\"b\"", r#""a\x""#, "a b", "\"a b\"", "\"\"", "\"\\\"\""];
        for text in texts.into_iter().chain(odd).chain(long.iter().map(String::as_str)) {
            assert_eq!(contract.is_valid(&text.into()), read(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn a_key_that_cannot_be_a_command_id_is_hashed_always_the_same() {
        let key = |text: &str| IdempotencyKey(text.to_owned());
        assert_eq!(key("a-1").command().as_str(), "a-1");
        let odd = key("what/ever").command();
        assert_eq!(odd, key("what/ever").command());
        assert_eq!(odd.as_str().len(), 64);
        assert_ne!(odd, key("what/else").command());
    }

    #[test]
    fn nobody_meets_the_key_of_another_customer() {
        let key = IdempotencyKey("same".to_owned());
        assert_ne!(key.hashed("create", "ann"), key.hashed("create", "bob"));
        assert_ne!(key.hashed("create", "ann"), key.hashed("compat", "ann"));
        assert_ne!(key.hashed("a", "bc"), key.hashed("ab", "c"));
    }
}
