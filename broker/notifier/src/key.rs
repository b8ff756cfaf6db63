//! What a delivery is called: the same for every copy of a notification, on every machine, in every
//! life of the process.

use std::fmt;

use blake3::Hasher;
use data_encoding::BASE32_NOPAD;
use schemas::CustomerId;
use schemas::id::MessageId;
use serde::{Deserialize, Serialize};

/// A way to tell a customer something that must be remembered until it is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    Email,
    Webhook,
}

impl Channel {
    pub const ALL: [Self; 2] = [Self::Email, Self::Webhook];

    pub const fn label(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Webhook => "webhook",
        }
    }

    pub fn parse(label: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|channel| channel.label() == label)
    }
}

/// `msg_` and 26 characters: the `webhook-id`, and the left part of the `Message-ID`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct DeliveryId(String);

/// Bytes of the hash in an id: 128 bits make 26 characters.
const HASH_BYTES: usize = 16;
const PREFIX: &str = "msg_";

impl DeliveryId {
    pub fn of(notification: &MessageId, channel: Channel) -> Self {
        let mut hasher = Hasher::new();
        // A notification id has no `/`: no two pairs make the same text.
        hasher.update(format!("{}/{notification}", channel.label()).as_bytes());
        let hash = hasher.finalize();
        let text = BASE32_NOPAD.encode(&hash.as_bytes()[..HASH_BYTES]);
        Self(format!("{PREFIX}{}", text.to_ascii_lowercase()))
    }

    pub fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix(PREFIX)?;
        let sound = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        (rest.len() == 26 && rest.bytes().all(sound)).then(|| Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for DeliveryId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let why = || serde::de::Error::custom("a delivery id is msg_ and 26 letters and digits");
        Self::parse(&text).ok_or_else(why)
    }
}

/// Where its record is kept: `<customer_id>.<channel>.<delivery_id>`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeliveryKey {
    pub customer: CustomerId,
    pub channel: Channel,
    pub id: DeliveryId,
}

impl DeliveryKey {
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, '.');
        let mut part = || parts.next();
        let customer = CustomerId::parse(part()?).ok()?;
        Some(Self { customer, channel: Channel::parse(part()?)?, id: DeliveryId::parse(part()?)? })
    }

    /// Where it is to go.
    pub fn endpoint(&self) -> Endpoint {
        match self.channel {
            Channel::Email => Endpoint::MailServer,
            Channel::Webhook => Endpoint::Webhook(self.customer.clone()),
        }
    }
}

impl fmt::Display for DeliveryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.customer, self.channel.label(), self.id)
    }
}

/// Whoever takes deliveries, and works or does not work for all of them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Endpoint {
    /// One for the mail of all customers.
    MailServer,
    Webhook(CustomerId),
}

impl Endpoint {
    pub const fn channel(&self) -> Channel {
        match self {
            Self::MailServer => Channel::Email,
            Self::Webhook(_) => Channel::Webhook,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notification(id: &str) -> MessageId {
        MessageId::parse(id).unwrap()
    }

    /// A receiver that knows an id from before must know it for ever.
    #[test]
    fn an_id_is_the_same_in_every_version() {
        let id = notification("1-01932c07-a5e8-7b3c-9d41-0242ac120002-4-3");
        let ids = Channel::ALL.map(|channel| DeliveryId::of(&id, channel).to_string());
        assert_eq!(ids, ["msg_bundi2wjgcmpxs7owxg5l4ry4y", "msg_dq2hen43aisttud656xkcmvx3a"]);
    }

    #[test]
    fn other_channels_and_notifications_have_other_ids_without_dots() {
        let of = |text: &str, channel| DeliveryId::of(&notification(text), channel);
        let ids = [
            of("1", Channel::Email),
            of("1", Channel::Webhook),
            of("2", Channel::Email),
            of("2", Channel::Webhook),
        ];
        for (at, id) in ids.iter().enumerate() {
            assert!(!ids[..at].contains(id));
            assert_eq!(DeliveryId::parse(id.as_str()).as_ref(), Some(id));
            assert!(!id.as_str().contains('.'), "the signature is over id.timestamp.body");
        }
    }

    #[test]
    fn a_key_comes_back_as_it_was_written() {
        let id = DeliveryId::of(&notification("1"), Channel::Webhook);
        let customer = CustomerId::parse("ann_1-x").unwrap();
        let key = DeliveryKey { customer, channel: Channel::Webhook, id };
        assert_eq!(DeliveryKey::parse(&key.to_string()), Some(key));
        for bad in ["", "ann", "ann.email", "ann.fax.msg_", "ann.email.msg_x", "a b.email.x"] {
            assert_eq!(DeliveryKey::parse(bad), None, "{bad}");
        }
    }
}
