//! The record of one delivery, as it stands in the bucket: everything that a notifier needs to go
//! on where another one stopped. Addresses and secrets are not in it; they are looked up when it is
//! sent.
//!
//! The record is written before the notification is acknowledged, before each attempt and after
//! it, each time only if nobody else has changed it. So at most one notifier sends it at a time,
//! and the next one knows when that one must be given up.

use schemas::event::{Notification, NotificationOutcome};
use schemas::id::MessageId;
use schemas::{CustomerId, RequestId, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::key::{Channel, DeliveryId, DeliveryKey};

/// One notification on one channel.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Delivery {
    pub id: DeliveryId,
    pub notification_id: MessageId,
    pub request_id: RequestId,
    pub customer_id: CustomerId,
    pub channel: Channel,
    pub outcome: NotificationOutcome,
    pub number: u16,
    /// When the notifier took it over.
    pub created_at: Timestamp,
    /// When it was replayed last; its age counts from there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replayed_at: Option<Timestamp>,
    /// Attempts begun since it was created or replayed.
    pub attempts: u16,
    pub state: State,
    /// What became of the last attempt that did not succeed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_failure: Option<Failure>,
    /// The notification, byte for byte; not kept any more when it is delivered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notification: Option<Box<RawValue>>,
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum State {
    /// Waits for its next attempt.
    Pending {
        due_at: Timestamp,
    },
    /// A notifier is at it. If nothing is heard of it until then, the next attempt is due.
    Sending {
        until: Timestamp,
    },
    Delivered {
        at: Timestamp,
    },
    /// Given up, and kept to be looked at and replayed.
    Failed {
        at: Timestamp,
    },
}

impl State {
    pub const fn label(self) -> &'static str {
        match self {
            Self::Pending { .. } => "pending",
            Self::Sending { .. } => "sending",
            Self::Delivered { .. } => "delivered",
            Self::Failed { .. } => "failed",
        }
    }

    /// When there is something to do about it; never, when it is over.
    pub const fn due(self) -> Option<Timestamp> {
        match self {
            Self::Pending { due_at } => Some(due_at),
            Self::Sending { until } => Some(until),
            Self::Delivered { .. } | Self::Failed { .. } => None,
        }
    }
}

/// Why an attempt did not succeed. Says nothing of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    pub at: Timestamp,
    pub why: Why,
    /// Status of the HTTP or SMTP server, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<u16>,
}

/// Names on disk and in metrics: only added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// No connection, or it broke.
    Unreachable,
    /// No answer in time. It may have been taken nevertheless.
    TimedOut,
    /// The host has no address.
    UnknownHost,
    /// The host has addresses that we do not call.
    AddressRefused,
    /// No agreement on TLS, or a certificate that we do not trust.
    Tls,
    /// What answered does not speak the protocol.
    Protocol,
    /// An HTTP status other than success.
    Status,
    /// HTTP 3xx: we do not follow.
    Redirected,
    /// HTTP 410: the endpoint is disabled.
    Gone,
    /// The mail server will not take it now.
    MailDeferred,
    /// The mail server will never take it.
    MailRefused,
    /// The customer has no such channel any more.
    NotSubscribed,
    /// The endpoint is disabled.
    EndpointDisabled,
    /// Older than deliveries may become.
    TooOld,
    /// Its notification cannot be read or rendered.
    Unreadable,
}

impl Why {
    pub const fn label(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::TimedOut => "timed_out",
            Self::UnknownHost => "unknown_host",
            Self::AddressRefused => "address_refused",
            Self::Tls => "tls",
            Self::Protocol => "protocol",
            Self::Status => "status",
            Self::Redirected => "redirected",
            Self::Gone => "gone",
            Self::MailDeferred => "mail_deferred",
            Self::MailRefused => "mail_refused",
            Self::NotSubscribed => "not_subscribed",
            Self::EndpointDisabled => "endpoint_disabled",
            Self::TooOld => "too_old",
            Self::Unreadable => "unreadable",
        }
    }
}

impl Delivery {
    /// Of a notification and its bytes, due at once.
    pub fn new(
        told: &Notification,
        bytes: Box<RawValue>,
        channel: Channel,
        now: Timestamp,
    ) -> Self {
        Self {
            id: DeliveryId::of(&told.notification_id, channel),
            notification_id: told.notification_id.clone(),
            request_id: told.request_id,
            customer_id: told.customer_id.clone(),
            channel,
            outcome: told.outcome,
            number: told.number,
            created_at: now,
            replayed_at: None,
            attempts: 0,
            state: State::Pending { due_at: now },
            last_failure: None,
            notification: Some(bytes),
        }
    }

    pub fn key(&self) -> DeliveryKey {
        let (customer, id) = (self.customer_id.clone(), self.id.clone());
        DeliveryKey { customer, channel: self.channel, id }
    }

    /// When its age begins.
    pub fn since(&self) -> Timestamp {
        self.replayed_at.unwrap_or(self.created_at)
    }

    /// An attempt begins, and is over at `until` at the latest.
    pub fn begin(&mut self, until: Timestamp) {
        self.attempts = self.attempts.saturating_add(1);
        self.state = State::Sending { until };
    }

    /// The receiver has it.
    pub fn delivered(&mut self, at: Timestamp) {
        self.state = State::Delivered { at };
        self.notification = None;
    }

    /// The attempt failed; the next one is at `due_at`, or there is none.
    pub fn failed(&mut self, failure: Failure, due_at: Option<Timestamp>) {
        self.last_failure = Some(failure);
        self.state = match due_at {
            Some(due_at) => State::Pending { due_at },
            None => State::Failed { at: failure.at },
        };
    }

    /// All its attempts once more, under the same id.
    pub fn replay(&mut self, now: Timestamp) {
        self.attempts = 0;
        self.replayed_at = Some(now);
        self.state = State::Pending { due_at: now };
    }

    pub fn encode(&self) -> bytes::Bytes {
        // String keys, and a raw value that was JSON when it came.
        serde_json::to_vec(self).expect("a record serializes to JSON").into()
    }

    /// # Errors
    /// It is not the record of a delivery.
    pub fn decode(bytes: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(bytes)
    }
}

/// What is known of an endpoint that does not work; one that works has no record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum EndpointRecord {
    /// Nothing has succeeded since then.
    Failing { since: Timestamp },
    /// Nothing is sent until an operator enables it.
    Disabled { at: Timestamp, why: Why },
    /// An operator has enabled it.
    Enabled { at: Timestamp },
}

impl EndpointRecord {
    pub const fn is_disabled(self) -> bool {
        match self {
            Self::Disabled { .. } => true,
            Self::Failing { .. } | Self::Enabled { .. } => false,
        }
    }
}

#[cfg(test)]
mod tests;
