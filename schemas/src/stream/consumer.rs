//! Durable pull consumers. Acks and delivery counters of the server are hints (they are flushed
//! late and lost by a crash), so every reader is idempotent and nobody relies on `max_deliver`.

use super::{CustomerId, PartnerId, ProviderId, filter, name};
use crate::DurationMs;

/// A little longer than the longest commit the broker survives; what was delivered to a broker
/// that died comes back after it.
const BROKER_ACK_WAIT_MS: DurationMs = DurationMs::from_secs(6);
/// A partner may take its time with an order before it acks the command.
const RECEIVER_ACK_WAIT_MS: DurationMs = DurationMs::from_secs(30);

const BROKER_CREATES_IN_FLIGHT_MAX: u32 = 4096;
const BROKER_COMMANDS_IN_FLIGHT_MAX: u32 = 1024;
const BROKER_REPLIES_IN_FLIGHT_MAX: u32 = 8192;
const RECEIVER_IN_FLIGHT_MAX: u32 = 1000;
const SIMULATOR_IN_FLIGHT_MAX: u32 = 8192;

/// One durable pull consumer: explicit ack, deliver all, `max_deliver` unlimited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsumerSpec {
    pub durable: String,
    pub stream: &'static str,
    pub filter_subjects: Vec<String>,
    /// Runs from delivery, so it covers the time in the client's buffer too.
    pub ack_wait: DurationMs,
    /// Most messages delivered and not yet acked.
    pub max_ack_pending: u32,
}

/// What the server says of a consumer whose files it can neither read nor replace (nats-server
/// 2.15.1, error code 10012, which it uses for other refusals, too).
pub const CONSUMER_FILES_UNUSABLE: &str = "error creating store for consumer";
/// Names that a consumer may take, one after the other.
pub const CONSUMER_NAMES_MAX: u8 = 9;

impl ConsumerSpec {
    /// This consumer under each name that it may take: its own, then `…-2` up to `…-9`. A power cut
    /// may leave the server's file of a consumer's state without sense. The server knows no such
    /// consumer then, and refuses for ever to make one of that name. The next one reads the stream
    /// from its beginning: whoever reads takes copies for what they are.
    pub fn names(&self) -> impl Iterator<Item = Self> + '_ {
        (1..=CONSUMER_NAMES_MAX).map(|n| {
            let suffix = if n == 1 { String::new() } else { format!("-{n}") };
            Self { durable: format!("{}{suffix}", self.durable), ..self.clone() }
        })
    }
}

/// The broker's own consumers, one per stream that it reads.
pub fn broker_consumers() -> [ConsumerSpec; 4] {
    [
        broker("broker_creates", name::PURCHASE_CREATES, BROKER_CREATES_IN_FLIGHT_MAX, {
            vec![filter::purchase_creates()]
        }),
        broker("broker_commands", name::PURCHASE_COMMANDS, BROKER_COMMANDS_IN_FLIGHT_MAX, {
            filter::purchase_commands()
        }),
        broker("broker_partner_replies", name::PARTNER_REPLIES, BROKER_REPLIES_IN_FLIGHT_MAX, {
            filter::partner_replies()
        }),
        broker("broker_payment_replies", name::PAYMENT_REPLIES, BROKER_REPLIES_IN_FLIGHT_MAX, {
            filter::payment_replies()
        }),
    ]
}

fn broker(
    durable: &str,
    stream: &'static str,
    max_ack_pending: u32,
    filter_subjects: Vec<String>,
) -> ConsumerSpec {
    ConsumerSpec {
        durable: durable.to_owned(),
        stream,
        filter_subjects,
        ack_wait: BROKER_ACK_WAIT_MS,
        max_ack_pending,
    }
}

/// Commands for one partner that reads alone: `partner_<id>` on `PARTNER_COMMANDS`.
pub fn partner_commands_consumer(partner: &PartnerId) -> ConsumerSpec {
    ConsumerSpec {
        durable: format!("partner_{partner}"),
        stream: name::PARTNER_COMMANDS,
        filter_subjects: filter::partner_commands_of(partner),
        ack_wait: RECEIVER_ACK_WAIT_MS,
        max_ack_pending: RECEIVER_IN_FLIGHT_MAX,
    }
}

/// Quote questions for one queued partner: `partner_<id>` on `PARTNER_QUOTES`.
pub fn partner_quotes_consumer(partner: &PartnerId) -> ConsumerSpec {
    ConsumerSpec {
        durable: format!("partner_{partner}"),
        stream: name::PARTNER_QUOTES,
        filter_subjects: vec![filter::partner_quotes_queued_of(partner)],
        ack_wait: RECEIVER_ACK_WAIT_MS,
        max_ack_pending: RECEIVER_IN_FLIGHT_MAX,
    }
}

/// What one customer is told, for one program that keeps its place: `customer_<id>` on
/// `NOTIFICATIONS`. Its own for each program: what one has acknowledged, another would miss.
pub fn customer_notifications_consumer(customer: &CustomerId) -> ConsumerSpec {
    ConsumerSpec {
        durable: format!("customer_{customer}"),
        stream: name::NOTIFICATIONS,
        filter_subjects: vec![filter::notifications_of(customer)],
        ack_wait: RECEIVER_ACK_WAIT_MS,
        max_ack_pending: RECEIVER_IN_FLIGHT_MAX,
    }
}

/// What all customers are told, for the role that tells them by e-mail and webhook.
pub fn notifier_consumer() -> ConsumerSpec {
    ConsumerSpec {
        durable: "notifier".to_owned(),
        stream: name::NOTIFICATIONS,
        filter_subjects: vec![filter::notifications()],
        ack_wait: RECEIVER_ACK_WAIT_MS,
        max_ack_pending: RECEIVER_IN_FLIGHT_MAX,
    }
}

/// Commands of all partners, for one process that plays many of them.
pub fn simulator_commands_consumer() -> ConsumerSpec {
    ConsumerSpec {
        durable: "simulator_partners".to_owned(),
        stream: name::PARTNER_COMMANDS,
        filter_subjects: filter::partner_commands(),
        ack_wait: RECEIVER_ACK_WAIT_MS,
        max_ack_pending: SIMULATOR_IN_FLIGHT_MAX,
    }
}

/// Commands for the stores that the bridge speaks for, all of its processes together: `bridge` on
/// `PARTNER_COMMANDS`. What a process that died had in hand is soon taken up by another.
pub fn bridge_commands_consumer<'a>(
    partners: impl IntoIterator<Item = &'a PartnerId>,
) -> ConsumerSpec {
    ConsumerSpec {
        durable: "bridge".to_owned(),
        stream: name::PARTNER_COMMANDS,
        filter_subjects: partners.into_iter().flat_map(filter::partner_commands_of).collect(),
        ack_wait: BROKER_ACK_WAIT_MS,
        max_ack_pending: RECEIVER_IN_FLIGHT_MAX,
    }
}

/// Call-backs of stores, for the bridge: `bridge` on `PARTNER_CALLBACKS`.
pub fn bridge_callbacks_consumer() -> ConsumerSpec {
    ConsumerSpec {
        durable: "bridge".to_owned(),
        stream: name::PARTNER_CALLBACKS,
        filter_subjects: vec![filter::partner_callbacks()],
        ack_wait: BROKER_ACK_WAIT_MS,
        max_ack_pending: RECEIVER_IN_FLIGHT_MAX,
    }
}

/// Queued quote questions of all partners, for one process that plays many of them.
pub fn simulator_quotes_consumer() -> ConsumerSpec {
    ConsumerSpec {
        durable: "simulator_partners".to_owned(),
        stream: name::PARTNER_QUOTES,
        filter_subjects: vec![filter::partner_quotes_queued()],
        ack_wait: RECEIVER_ACK_WAIT_MS,
        max_ack_pending: SIMULATOR_IN_FLIGHT_MAX,
    }
}

/// Commands for one payment provider: `payment_<provider>` on `PAYMENT_COMMANDS`.
pub fn payment_commands_consumer(provider: &ProviderId) -> ConsumerSpec {
    ConsumerSpec {
        durable: format!("payment_{provider}"),
        stream: name::PAYMENT_COMMANDS,
        filter_subjects: filter::payment_commands_of(provider),
        ack_wait: RECEIVER_ACK_WAIT_MS,
        max_ack_pending: SIMULATOR_IN_FLIGHT_MAX,
    }
}
