//! Messages that will never be used: durable as a dead letter first, acked then.

use std::sync::Arc;

use async_nats::jetstream::Message;
use broker_core::batch::{SourceStream, StreamPosition};
use bytes::Bytes;
use schemas::event::{DeadLetter, DeadPayload};
use schemas::{Timestamp, json};
use smol_str::SmolStr;

use super::decode::Refused;
use crate::metrics;
use crate::nats::headers;
use crate::storage::Storage;
use crate::store::{DeadLetterRow, WriterEnded};
use crate::waiters::Delivery;

/// Where dead letters go.
#[derive(Debug, Clone)]
pub struct GiveUp {
    pub storage: Arc<Storage>,
}

impl GiveUp {
    /// Makes the message durable with the reason, then acks it. If that fails the broker is
    /// ending, and the message comes back.
    pub async fn message(&self, delivery: Delivery, refused: Refused) {
        let Delivery { message, source, permit } = delivery;
        let reason = refused.reason.label();
        tracing::warn!(
            stream = source.name(),
            reason,
            detail = refused.detail,
            "a message is given up"
        );
        metrics::dead_letter(source.name(), reason);
        let letter = letter(&message, source, refused);
        let position = position(&message, source);
        let storage = Arc::clone(&self.storage);
        let at = letter.received_at;
        let written =
            tokio::task::spawn_blocking(move || write(&storage, letter, position, at)).await;
        if matches!(written, Ok(Ok(())))
            && let Err(error) = message.ack().await
        {
            tracing::warn!(stream = source.name(), error, "an ack could not be sent");
        }
        drop(permit);
    }
}

fn write(
    storage: &Storage,
    mut letter: DeadLetter,
    source: Option<StreamPosition>,
    at: Timestamp,
) -> Result<(), WriterEnded> {
    let row = |letter: &DeadLetter| DeadLetterRow {
        stream: SmolStr::new(&letter.stream),
        at,
        body: Bytes::from(json::encode(letter)),
    };
    if let Err(refusal) = storage.write_letter(row(&letter), source)? {
        tracing::warn!(%refusal, "a dead letter is kept without its payload");
        letter.payload = DeadPayload::Withheld;
        letter.headers.clear();
        if let Err(refusal) = storage.write_letter(row(&letter), source)? {
            storage.fail(&format!("an empty dead letter cannot be stored: {refusal}"));
        }
    }
    Ok(())
}

/// The same letter for every delivery of the same message: it is dated by the server's copy.
fn letter(message: &Message, source: SourceStream, refused: Refused) -> DeadLetter {
    let pairs = headers::pairs(message.headers.as_ref());
    let received_at = message.info().map_or(Timestamp::ZERO, |info| {
        let ms = info.published.unix_timestamp_nanos() / 1_000_000;
        Timestamp::from_unix_ms(u64::try_from(ms).unwrap_or(0))
    });
    DeadLetter::new(
        (source.name(), &message.subject),
        (refused.reason, refused.detail),
        received_at,
        &message.payload,
        pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())),
    )
}

fn position(message: &Message, source: SourceStream) -> Option<StreamPosition> {
    let info = message.info().ok()?;
    Some(StreamPosition { stream: source, sequence: info.stream_sequence })
}
