//! What was sent to which store, and what came of it: one record for each key, in a bucket of the
//! server, changed by compare-and-set only. It is written before a call and after it, so that
//! whoever gets the same command again, this process or another, knows what the first one did.

use async_nats::jetstream::Context;
use async_nats::jetstream::kv::{self, CreateErrorKind, UpdateErrorKind};
use async_nats::jetstream::stream::StorageType;
use schemas::bucket::BRIDGE_CALLS;
use schemas::id::{Key, MessageId, OrderId, ReservationId};
use schemas::partner::{CommandHeader, ReplyHeader};
use schemas::text::Text;
use schemas::{Money, PartnerId, RequestId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::config::BridgeConfig;

/// Why a record could not be read or written. Nothing was called then.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallsError {
    #[error("cannot read the record {name}: {why}")]
    Read { name: String, why: String },
    #[error("cannot write the record {name}: {why}")]
    Write { name: String, why: String },
}

/// One record. Fields and states are only ever added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// The command that was taken last, for an answer that comes later.
    pub(crate) command: MessageId,
    pub(crate) request_id: RequestId,
    pub(crate) attempt: u8,
    pub(crate) reply_to: String,
    #[serde(flatten)]
    pub(crate) state: State,
}

/// How far it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub(crate) enum State {
    /// The store knows nothing of it.
    Open,
    /// It was sent; what became of it is not known, and may never be.
    Calling {
        since: Timestamp,
    },
    /// The store has it and will tell.
    Waiting {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        store_ref: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        status_url: Option<String>,
    },
    Ordered {
        order_id: OrderId,
        total: Money,
    },
    Held {
        reservation_id: ReservationId,
        valid_until: Timestamp,
    },
    Canceled {
        order_id: OrderId,
    },
    Released,
    /// The store said no, and nothing else was ever sent.
    Refused {
        reason: Text<200>,
    },
    /// Nothing was sent, or the store made sure, and nothing will be.
    Tombstoned,
}

impl Record {
    pub(crate) fn new(header: &CommandHeader, state: State) -> Self {
        Self {
            command: header.id.clone(),
            request_id: header.request_id,
            attempt: header.attempt,
            reply_to: header.reply_to.clone(),
            state,
        }
    }

    pub(crate) fn reply_header(&self) -> ReplyHeader {
        ReplyHeader {
            in_reply_to: self.command.clone(),
            request_id: self.request_id,
            attempt: self.attempt,
        }
    }
}

/// Which record.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Name(String);

impl Name {
    pub(crate) fn order(partner: &PartnerId, key: &Key) -> Self {
        Self(format!("order.{partner}.{key}"))
    }

    pub(crate) fn hold(partner: &PartnerId, key: &Key) -> Self {
        Self(format!("hold.{partner}.{key}"))
    }

    pub(crate) fn key(&self) -> Key {
        let (_, key) = self.0.rsplit_once('.').expect("a name ends with its key");
        Key::parse(key).expect("a name is made of a key")
    }
}

/// A record as it was found, or that there was none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Found {
    pub(crate) record: Option<Record>,
    revision: u64,
}

impl Found {
    pub(crate) fn state(&self) -> Option<&State> {
        self.record.as_ref().map(|record| &record.state)
    }
}

/// The bucket.
#[derive(Clone)]
pub(crate) struct Calls {
    bucket: kv::Store,
    created: Timestamp,
    age_max: schemas::DurationMs,
}

impl Calls {
    pub(crate) async fn open(jetstream: &Context, config: &BridgeConfig) -> Result<Self, String> {
        let bucket = kv::Config {
            bucket: BRIDGE_CALLS.name.to_owned(),
            description: BRIDGE_CALLS.description.to_owned(),
            max_value_size: i32::try_from(BRIDGE_CALLS.max_value_size).unwrap_or(i32::MAX),
            history: 1,
            max_age: config.calls_age_max_ms.into(),
            max_bytes: i64::try_from(config.calls_bytes_max).unwrap_or(i64::MAX),
            storage: StorageType::File,
            num_replicas: schemas::stream::NUM_REPLICAS,
            ..kv::Config::default()
        };
        let opened = jetstream.create_or_update_key_value(bucket).await;
        let bucket = opened.map_err(|error| error.to_string())?;
        let status = bucket.status().await.map_err(|error| error.to_string())?;
        let created_ms = status.info.created.unix_timestamp_nanos() / 1_000_000;
        let created = Timestamp::from_unix_ms(u64::try_from(created_ms).unwrap_or(u64::MAX));
        Ok(Self { bucket, created, age_max: config.calls_age_max_ms })
    }

    /// Whether a record that there is not was never there: it can neither have grown too old, nor
    /// been in an earlier bucket.
    pub(crate) fn remembers(&self, request: RequestId, now: Timestamp) -> bool {
        let made = Timestamp::from_unix_ms(request.unix_ms());
        made >= self.created && now.since(made).as_ms() < self.age_max.as_ms() / 2
    }

    pub(crate) async fn find(&self, name: &Name) -> Result<Found, CallsError> {
        let error = |why: String| CallsError::Read { name: name.0.clone(), why };
        let entry = self.bucket.entry(name.0.as_str()).await.map_err(|e| error(e.to_string()))?;
        let Some(entry) = entry.filter(|entry| entry.operation == kv::Operation::Put) else {
            return Ok(Found::default());
        };
        let record = serde_json::from_slice(&entry.value).map_err(|e| error(e.to_string()))?;
        Ok(Found { record: Some(record), revision: entry.revision })
    }

    /// Puts `record` in the place of what was found; `None` if somebody else was faster.
    pub(crate) async fn replace(
        &self,
        name: &Name,
        found: &Found,
        record: Record,
    ) -> Result<Option<Found>, CallsError> {
        let error = |why: String| CallsError::Write { name: name.0.clone(), why };
        let body = schemas::json::encode(&record).into();
        let written = if found.record.is_some() {
            self.bucket
                .update(&name.0, body, found.revision)
                .await
                .map_err(|e| (e.kind() == UpdateErrorKind::WrongLastRevision, e.to_string()))
        } else {
            self.bucket
                .create(&name.0, body)
                .await
                .map_err(|e| (e.kind() == CreateErrorKind::AlreadyExists, e.to_string()))
        };
        match written {
            Ok(revision) => Ok(Some(Found { record: Some(record), revision })),
            Err((true, _)) => Ok(None),
            Err((false, why)) => Err(error(why)),
        }
    }
}

#[cfg(test)]
mod tests {
    use schemas::Currency;

    use super::*;
    use crate::context::sample;

    #[test]
    fn records_keep_the_form_that_they_were_written_in() {
        let at = Timestamp::from_unix_ms(1_763_640_000_000);
        let order_id = OrderId::parse("o-1").unwrap();
        let total = Money::new(2499, Currency::USD).unwrap();
        let reservation_id = ReservationId::parse("r-1").unwrap();
        let states = [
            State::Open,
            State::Calling { since: at },
            State::Waiting { store_ref: Some("x".to_owned()), status_url: None },
            State::Ordered { order_id: order_id.clone(), total },
            State::Held { reservation_id, valid_until: at },
            State::Canceled { order_id },
            State::Released,
            State::Refused { reason: Text::parse("sold out").unwrap() },
            State::Tombstoned,
        ];
        let mut lines = String::new();
        for state in states {
            let record = Record::new(&sample::header(), state);
            let line = String::from_utf8(schemas::json::encode(&record)).unwrap();
            assert_eq!(serde_json::from_str::<Record>(&line).unwrap(), record);
            lines.push_str(&line);
            lines.push('\n');
        }
        let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/golden/records.jsonl");
        if std::env::var_os("GOLDEN_ACCEPT").is_some() {
            std::fs::write(golden, &lines).unwrap();
        }
        assert_eq!(lines, std::fs::read_to_string(golden).unwrap(), "GOLDEN_ACCEPT=1 accepts it");
    }
}
