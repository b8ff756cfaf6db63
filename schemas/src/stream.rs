//! Every JetStream stream and consumer, declared once as plain data. The shell turns these into
//! server configuration; tests and the AsyncAPI document read the same list.
//!
//! All streams share: **limits retention** (WorkQueue and Interest forget consumed message ids at
//! every restart, so their deduplication cannot be trusted), file storage, one replica. What
//! differs is below; how much a stream may hold, and for how long, is the operator's to change
//! (`[streams]` of the broker's configuration). `max_bytes` with [`Discard::New`] turns a full
//! stream into an explicit publish error long before the server's disk is full, where it would go
//! silent.

use crate::DurationMs;
use crate::id::{CustomerId, PartnerId, ProviderId};
use crate::json::{COMMAND_BYTES_MAX, PARTNER_MESSAGE_BYTES_MAX};
use crate::subject::filter;

mod consumer;

pub use consumer::{
    CONSUMER_FILES_UNUSABLE, CONSUMER_NAMES_MAX, ConsumerSpec, bridge_callbacks_consumer,
    bridge_commands_consumer, broker_consumers, customer_notifications_consumer, notifier_consumer,
    partner_commands_consumer, partner_quotes_consumer, payment_commands_consumer,
    simulator_commands_consumer, simulator_quotes_consumer,
};

const MIB: u64 = 1024 * 1024;

/// Replicas of every stream until the broker is clustered.
pub const NUM_REPLICAS: usize = 1;

/// Longer than the longest tolerated outage of any reader.
pub const MAX_AGE_DEFAULT_MS: DurationMs = DurationMs::from_secs(7 * 24 * 3600);

/// How long the server recognises a `Nats-Msg-Id`: a first filter only, truth is the store. Kept
/// short because the server holds every id of the window in memory.
pub const DUPLICATE_WINDOW_MS: DurationMs = DurationMs::from_secs(120);

pub const PURCHASE_CREATES_BYTES_MAX: u64 = 256 * MIB;
pub const PURCHASE_COMMANDS_BYTES_MAX: u64 = 64 * MIB;
pub const PURCHASE_EVENTS_BYTES_MAX: u64 = 512 * MIB;
pub const PARTNER_QUOTES_BYTES_MAX: u64 = 64 * MIB;
pub const PARTNER_COMMANDS_BYTES_MAX: u64 = 512 * MIB;
pub const PARTNER_REPLIES_BYTES_MAX: u64 = 512 * MIB;
pub const PAYMENT_COMMANDS_BYTES_MAX: u64 = 256 * MIB;
pub const PAYMENT_REPLIES_BYTES_MAX: u64 = 256 * MIB;
pub const NOTIFICATIONS_BYTES_MAX: u64 = 512 * MIB;
pub const DEAD_LETTERS_BYTES_MAX: u64 = 64 * MIB;
pub const PARTNER_CALLBACKS_BYTES_MAX: u64 = 64 * MIB;

/// Most stored replies of one kind of one partner: one babbling partner fills its own quota, not
/// the stream of all.
pub const REPLIES_PER_SUBJECT_MAX: u64 = 250_000;

/// Largest event, notification or dead letter; a receipt lists at most one quote per partner.
pub const EVENT_BYTES_MAX: usize = 768 * 1024;

/// Which message goes when a stream is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Discard {
    /// The publisher is refused: nothing that was acknowledged is dropped.
    New,
    /// The oldest is dropped: for what is soft or can be read elsewhere.
    Old,
}

/// What the loss of a stream's tail (power cut) would mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tail {
    /// It would lose what only the stream has: needs `sync_interval: always`.
    Precious,
    /// The broker's outbox has it too and is rewound; `persist_mode: async` is allowed.
    Replayable,
}

/// One stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamSpec {
    pub name: &'static str,
    pub description: &'static str,
    pub subjects: Vec<String>,
    /// As shipped; the configuration of the broker may say otherwise.
    pub max_bytes: u64,
    /// As shipped, like the room.
    pub max_age: DurationMs,
    pub duplicate_window: DurationMs,
    pub discard: Discard,
    /// Bytes of one message, headers included.
    pub max_message_size: usize,
    /// Quota per subject, refused beyond it (`discard_new_per_subject`).
    pub max_messages_per_subject: Option<u64>,
    pub tail: Tail,
}

/// Names of the streams, for reading code; the declaration itself is [`all`].
pub mod name {
    pub const PURCHASE_CREATES: &str = "PURCHASE_CREATES";
    pub const PURCHASE_COMMANDS: &str = "PURCHASE_COMMANDS";
    pub const PURCHASE_EVENTS: &str = "PURCHASE_EVENTS";
    pub const PARTNER_QUOTES: &str = "PARTNER_QUOTES";
    pub const PARTNER_COMMANDS: &str = "PARTNER_COMMANDS";
    pub const PARTNER_REPLIES: &str = "PARTNER_REPLIES";
    pub const PAYMENT_COMMANDS: &str = "PAYMENT_COMMANDS";
    pub const PAYMENT_REPLIES: &str = "PAYMENT_REPLIES";
    pub const NOTIFICATIONS: &str = "NOTIFICATIONS";
    pub const DEAD_LETTERS: &str = "DEAD_LETTERS";
    pub const PARTNER_CALLBACKS: &str = "PARTNER_CALLBACKS";
}

/// Every stream of the broker itself.
pub fn all() -> Vec<StreamSpec> {
    let mut streams = purchase_streams().to_vec();
    streams.extend(partner_streams());
    streams.extend(payment_streams());
    streams.extend(outcome_streams());
    streams
}

/// Streams between the doors of the broker: the broker itself neither reads nor writes them.
pub fn of_doors() -> Vec<StreamSpec> {
    vec![stream(
        name::PARTNER_CALLBACKS,
        "Call-backs of bookstores that speak HTTP, as the gateway took them; for the bridge.",
        vec![filter::partner_callbacks()],
        PARTNER_CALLBACKS_BYTES_MAX,
    )]
}

/// The stream called `name`.
pub fn by_name(name: &str) -> Option<StreamSpec> {
    all().into_iter().find(|stream| stream.name == name)
}

/// The stream that stores messages published on `subject`.
pub fn of_subject(subject: &str) -> Option<&'static str> {
    let captures = |s: &StreamSpec| s.subjects.iter().any(|f| filter::matches(f, subject));
    all().into_iter().chain(of_doors()).find(captures).map(|stream| stream.name)
}

/// Room for headers (ids, trace context) beside a body of the largest accepted size.
const HEADER_BYTES_MAX: usize = 4 * 1024;

fn stream(
    name: &'static str,
    description: &'static str,
    subjects: Vec<String>,
    max_bytes: u64,
) -> StreamSpec {
    StreamSpec {
        name,
        description,
        subjects,
        max_bytes,
        max_age: MAX_AGE_DEFAULT_MS,
        duplicate_window: DUPLICATE_WINDOW_MS,
        discard: Discard::New,
        max_message_size: COMMAND_BYTES_MAX + HEADER_BYTES_MAX,
        max_messages_per_subject: None,
        tail: Tail::Precious,
    }
}

fn purchase_streams() -> [StreamSpec; 3] {
    [
        stream(
            name::PURCHASE_CREATES,
            "New purchase requests. Apart from other commands: a flood must not block a cancel.",
            vec![filter::purchase_creates()],
            PURCHASE_CREATES_BYTES_MAX,
        ),
        stream(
            name::PURCHASE_COMMANDS,
            "Changes of open purchase requests by their customer.",
            filter::purchase_commands(),
            PURCHASE_COMMANDS_BYTES_MAX,
        ),
        StreamSpec {
            discard: Discard::Old,
            max_message_size: EVENT_BYTES_MAX,
            tail: Tail::Replayable,
            ..stream(
                name::PURCHASE_EVENTS,
                "What happened to each purchase request, one event per version.",
                vec![filter::purchase_events()],
                PURCHASE_EVENTS_BYTES_MAX,
            )
        },
    ]
}

fn partner_streams() -> [StreamSpec; 3] {
    [
        StreamSpec {
            discard: Discard::Old,
            max_message_size: PARTNER_MESSAGE_BYTES_MAX + HEADER_BYTES_MAX,
            tail: Tail::Replayable,
            ..stream(
                name::PARTNER_QUOTES,
                "Quote questions to partners that are not always connected.",
                vec![filter::partner_quotes_queued()],
                PARTNER_QUOTES_BYTES_MAX,
            )
        },
        StreamSpec {
            tail: Tail::Replayable,
            ..stream(
                name::PARTNER_COMMANDS,
                "Commands to partner bookstores, each with a stable id.",
                filter::partner_commands(),
                PARTNER_COMMANDS_BYTES_MAX,
            )
        },
        StreamSpec {
            max_message_size: PARTNER_MESSAGE_BYTES_MAX + HEADER_BYTES_MAX,
            max_messages_per_subject: Some(REPLIES_PER_SUBJECT_MAX),
            ..stream(
                name::PARTNER_REPLIES,
                "Answers and notices of partner bookstores.",
                filter::partner_replies(),
                PARTNER_REPLIES_BYTES_MAX,
            )
        },
    ]
}

fn payment_streams() -> [StreamSpec; 2] {
    [
        StreamSpec {
            tail: Tail::Replayable,
            ..stream(
                name::PAYMENT_COMMANDS,
                "Commands to payment providers, each with a stable id.",
                filter::payment_commands(),
                PAYMENT_COMMANDS_BYTES_MAX,
            )
        },
        stream(
            name::PAYMENT_REPLIES,
            "Answers of payment providers.",
            filter::payment_replies(),
            PAYMENT_REPLIES_BYTES_MAX,
        ),
    ]
}

fn outcome_streams() -> [StreamSpec; 2] {
    [
        // Discards new: an outcome that was published stays until it is `max_age` old, and a full
        // stream shows as a growing outbox instead of as customers who were never told.
        StreamSpec {
            max_message_size: EVENT_BYTES_MAX,
            tail: Tail::Replayable,
            ..stream(
                name::NOTIFICATIONS,
                "Outcome of each purchase request, and every numbered correction after it.",
                vec![filter::notifications()],
                NOTIFICATIONS_BYTES_MAX,
            )
        },
        StreamSpec {
            discard: Discard::Old,
            max_message_size: EVENT_BYTES_MAX,
            tail: Tail::Replayable,
            ..stream(
                name::DEAD_LETTERS,
                "Messages that could not be understood or used, with the reason.",
                vec![filter::dead_letters()],
                DEAD_LETTERS_BYTES_MAX,
            )
        },
    ]
}

#[cfg(test)]
mod tests;
