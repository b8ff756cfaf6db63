//! On which connection a message came, and what the server may be told of it.
//!
//! The server knows a delivered message by its sequence only. One that has lost the tail of a
//! stream in a power cut gives the sequences out again, and would take a late ack of the lost
//! message for one of another that nobody has dealt with. So an ack is said on the connection on
//! which its message came. On any other the message is asked for once more: whichever has its
//! sequence now comes, and a copy is taken for what it is.

use std::time::Duration;

use async_nats::jetstream::{AckKind, Message};

use crate::nats::connect::{Connection, Epoch};
use crate::waiters::Delivery;

/// The connection on which a stream is read.
#[derive(Debug)]
pub struct Session {
    connection: Connection,
    epoch: Epoch,
}

impl Session {
    /// To be made before anything is read.
    pub fn new(connection: &Connection) -> Self {
        Self { connection: connection.clone(), epoch: connection.epoch() }
    }

    /// Whether there was no other connection since.
    pub fn lasts(&self) -> bool {
        self.epoch != Epoch::default() && self.connection.epoch() == self.epoch
    }
}

/// What the server is told of a message that is dealt with.
pub const fn when_done(session_lasts: bool) -> AckKind {
    if session_lasts { AckKind::Ack } else { AckKind::Nak(None) }
}

impl Delivery {
    /// It is dealt with, and that is durable.
    pub async fn done(&self) {
        say(&self.message, self.source.name(), when_done(self.session.lasts())).await;
    }

    /// It could not be decided and is to come back.
    pub async fn later(&self, delay: Duration) {
        say(&self.message, self.source.name(), AckKind::Nak(Some(delay))).await;
    }
}

/// An ack is a hint to the server: a lost one brings the message back, which is harmless.
async fn say(message: &Message, stream: &'static str, word: AckKind) {
    if let Err(error) = message.ack_with(word).await {
        tracing::warn!(stream, error, "an ack could not be sent");
    }
}
