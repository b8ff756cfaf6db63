//! The two buckets. Every change is by compare-and-set on the revision that was read.

use std::time::Duration;

use async_nats::Client;
use async_nats::jetstream::kv::{self, CreateErrorKind, Entry, Operation, UpdateErrorKind, Watch};
use async_nats::jetstream::stream::StorageType;
use async_nats::jetstream::{self, Context};
use futures_util::{StreamExt, TryStreamExt};
use schemas::CustomerId;
use schemas::bucket::{BucketSpec, NOTIFIER_DELIVERIES, NOTIFIER_ENDPOINTS};
use schemas::stream::NUM_REPLICAS;

use crate::config::NotifierConfig;
use crate::key::{Channel, DeliveryKey};
use crate::record::{Delivery, EndpointRecord};

/// The server answers within this, or the question counts as unanswered.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// A value that stays away so long while all are read does not come.
const NEXT_TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Debug, thiserror::Error)]
#[error("cannot {doing}")]
pub struct StoreError {
    doing: String,
    source: async_nats::Error,
}

fn failed<E: Into<async_nats::Error>>(doing: impl Into<String>) -> impl FnOnce(E) -> StoreError {
    let doing = doing.into();
    move |source| StoreError { doing, source: source.into() }
}

/// What became of a compare-and-set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// It stands there with this revision.
    Done(u64),
    /// Something else stands there.
    Conflict,
}

/// Deliveries and endpoints on the server.
#[derive(Debug, Clone)]
pub struct Store {
    deliveries: kv::Store,
    endpoints: kv::Store,
}

/// JetStream with a time-out of our own.
pub fn jetstream(client: &Client) -> Context {
    jetstream::ContextBuilder::new().timeout(ANSWER_TIMEOUT).build(client.clone())
}

impl Store {
    /// Makes the buckets, or brings them up to date.
    ///
    /// # Errors
    /// The server refuses, or does not answer.
    pub async fn open(client: &Client, config: &NotifierConfig) -> Result<Self, StoreError> {
        let context = jetstream(client);
        let deliveries = kv::Config {
            max_age: config.keep_ms.into(),
            max_bytes: i64::try_from(config.bucket_bytes_max).unwrap_or(i64::MAX),
            ..bucket(&NOTIFIER_DELIVERIES)
        };
        Ok(Self {
            deliveries: ensure(&context, deliveries).await?,
            endpoints: ensure(&context, bucket(&NOTIFIER_ENDPOINTS)).await?,
        })
    }

    /// The buckets as they are.
    ///
    /// # Errors
    /// There are none, or the server does not answer.
    pub async fn existing(context: &Context) -> Result<Self, StoreError> {
        let of = async |spec: &BucketSpec| {
            let bucket = context.get_key_value(spec.name).await;
            bucket.map_err(failed(format!("open the bucket {}", spec.name)))
        };
        Ok(Self {
            deliveries: of(&NOTIFIER_DELIVERIES).await?,
            endpoints: of(&NOTIFIER_ENDPOINTS).await?,
        })
    }

    /// Writes a delivery that is not there yet. One that is there, in whatever state, stays.
    ///
    /// # Errors
    /// Whether it is written is not known.
    pub async fn create(&self, delivery: &Delivery) -> Result<Written, StoreError> {
        let key = delivery.key().to_string();
        match self.deliveries.create(&key, delivery.encode()).await {
            Ok(revision) => Ok(Written::Done(revision)),
            Err(e) if e.kind() == CreateErrorKind::AlreadyExists => Ok(Written::Conflict),
            Err(e) => Err(failed(format!("write delivery {key}"))(e)),
        }
    }

    /// Replaces what has this revision.
    ///
    /// # Errors
    /// Whether it is written is not known.
    pub async fn update(&self, delivery: &Delivery, revision: u64) -> Result<Written, StoreError> {
        let key = delivery.key().to_string();
        match self.deliveries.update(&key, delivery.encode(), revision).await {
            Ok(revision) => Ok(Written::Done(revision)),
            Err(e) if e.kind() == UpdateErrorKind::WrongLastRevision => Ok(Written::Conflict),
            Err(e) => Err(failed(format!("write delivery {key}"))(e)),
        }
    }

    /// A delivery with its revision.
    ///
    /// # Errors
    /// The server does not answer, or what is there is no delivery.
    pub async fn get(&self, key: &DeliveryKey) -> Result<Option<(Delivery, u64)>, StoreError> {
        let doing = || format!("read delivery {key}");
        let entry = self.deliveries.entry(key.to_string()).await.map_err(failed(doing()))?;
        let Some(entry) = entry.filter(|entry| entry.operation == Operation::Put) else {
            return Ok(None);
        };
        let delivery = Delivery::decode(&entry.value).map_err(failed(doing()))?;
        Ok(Some((delivery, entry.revision)))
    }

    /// Every delivery, then every change.
    ///
    /// # Errors
    /// The server refuses, or does not answer.
    pub async fn watch(&self) -> Result<Watch, StoreError> {
        let watch = self.deliveries.watch_with_history(">").await;
        watch.map_err(failed("watch the deliveries"))
    }

    /// Bytes that the bucket of deliveries takes.
    ///
    /// # Errors
    /// The server does not answer.
    pub async fn bytes(&self) -> Result<u64, StoreError> {
        // Not `status`, which tells how it was when the bucket was opened.
        let info = self.deliveries.stream.get_info().await;
        Ok(info.map_err(failed("ask for the size of the deliveries"))?.state.bytes)
    }

    /// Deliveries under keys of this form, such as `ann.*.*`, with their revisions. What cannot be
    /// read is passed over.
    ///
    /// # Errors
    /// The server refuses, or does not answer.
    pub async fn find(&self, form: &str) -> Result<Vec<(Delivery, u64)>, StoreError> {
        let mut found = Vec::new();
        for entry in all(&self.deliveries, form).await? {
            if let Ok(delivery) = Delivery::decode(&entry.value) {
                found.push((delivery, entry.revision));
            }
        }
        Ok(found)
    }

    /// What is known of an endpoint, with its revision; 0 if there is nothing.
    ///
    /// # Errors
    /// The server does not answer.
    pub async fn endpoint(
        &self,
        customer: &CustomerId,
        channel: Channel,
    ) -> Result<(Option<EndpointRecord>, u64), StoreError> {
        let key = endpoint_key(customer, channel);
        let entry = self.endpoints.entry(key.as_str()).await;
        let entry = entry.map_err(failed(format!("read endpoint {key}")))?;
        Ok(entry
            .map_or((None, 0), |entry| (serde_json::from_slice(&entry.value).ok(), entry.revision)))
    }

    /// Replaces what is known of an endpoint if it has this revision.
    ///
    /// # Errors
    /// Whether it is written is not known.
    pub async fn set_endpoint(
        &self,
        (customer, channel): (&CustomerId, Channel),
        record: EndpointRecord,
        revision: u64,
    ) -> Result<Written, StoreError> {
        let key = endpoint_key(customer, channel);
        let bytes = serde_json::to_vec(&record).expect("an endpoint serializes to JSON");
        match self.endpoints.update(&key, bytes.into(), revision).await {
            Ok(revision) => Ok(Written::Done(revision)),
            Err(e) if e.kind() == UpdateErrorKind::WrongLastRevision => Ok(Written::Conflict),
            Err(e) => Err(failed(format!("write endpoint {key}"))(e)),
        }
    }

    /// Everything that is known of endpoints.
    ///
    /// # Errors
    /// The server refuses, or does not answer.
    pub async fn endpoints(
        &self,
    ) -> Result<Vec<(CustomerId, Channel, EndpointRecord)>, StoreError> {
        let mut found = Vec::new();
        for entry in all(&self.endpoints, ">").await? {
            let name = entry.key.split_once('.');
            let name = name.and_then(|(customer, channel)| {
                Some((CustomerId::parse(customer).ok()?, Channel::parse(channel)?))
            });
            let record = serde_json::from_slice(&entry.value).ok();
            if let (Some((customer, channel)), Some(record)) = (name, record) {
                found.push((customer, channel, record));
            }
        }
        Ok(found)
    }
}

fn endpoint_key(customer: &CustomerId, channel: Channel) -> String {
    format!("{customer}.{}", channel.label())
}

fn bucket(spec: &BucketSpec) -> kv::Config {
    kv::Config {
        bucket: spec.name.to_owned(),
        description: spec.description.to_owned(),
        max_value_size: i32::try_from(spec.max_value_size).unwrap_or(i32::MAX),
        history: 1,
        storage: StorageType::File,
        num_replicas: NUM_REPLICAS,
        ..kv::Config::default()
    }
}

async fn ensure(context: &Context, config: kv::Config) -> Result<kv::Store, StoreError> {
    let doing = format!("make the bucket {}", config.bucket);
    context.create_or_update_key_value(config).await.map_err(failed(doing))
}

/// The last value of every key of this form.
async fn all(bucket: &kv::Store, form: &str) -> Result<Vec<Entry>, StoreError> {
    let doing = || format!("read the bucket {}", bucket.name);
    let subjects = bucket.stream.info_with_subjects(format!("{}{form}", bucket.prefix)).await;
    let mut subjects = subjects.map_err(failed(doing()))?;
    if subjects.try_next().await.map_err(failed(doing()))?.is_none() {
        // A watch would wait for the first value.
        return Ok(Vec::new());
    }
    let mut watch = bucket.watch_with_history(form).await.map_err(failed(doing()))?;
    let mut entries = Vec::new();
    // Values that go meanwhile, of old age or by an operator, leave the last one waited for.
    while let Ok(Some(entry)) = tokio::time::timeout(NEXT_TIMEOUT, watch.next()).await {
        let entry = entry.map_err(failed(doing()))?;
        let is_last = entry.delta == 0;
        if entry.operation == Operation::Put {
            entries.push(entry);
        }
        if is_last {
            break;
        }
    }
    Ok(entries)
}
