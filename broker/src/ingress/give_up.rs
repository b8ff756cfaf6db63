//! Messages that will never be used: durable as a dead letter first, acked then.

use std::sync::Arc;

use async_nats::jetstream::Message;
use broker_core::batch::{SourceStream, StreamPosition};
use bytes::Bytes;
use schemas::event::{DeadLetter, DeadPayload};
use schemas::{Timestamp, Violation, json};
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
        let (message, source) = (&delivery.message, delivery.source);
        let reason = refused.reason.label();
        tracing::warn!(
            stream = source.name(),
            reason,
            detail = refused.detail,
            "a message is given up"
        );
        metrics::dead_letter(source.name(), reason);
        let pairs = headers::pairs(message.headers.as_ref());
        let letter =
            letter(source, &message.subject, &message.payload, &pairs, published(message), refused);
        let position = position(message, source);
        if write(&self.storage, letter, position).await.is_ok() {
            delivery.done().await;
        }
    }
}

async fn write(
    storage: &Storage,
    mut letter: DeadLetter,
    source: Option<StreamPosition>,
) -> Result<(), WriterEnded> {
    if let Err(refusal) = storage.write_letter(row(&letter), source).await? {
        tracing::warn!(%refusal, "a dead letter is kept without its payload");
        letter.payload = DeadPayload::Withheld;
        letter.headers.clear();
        if let Err(refusal) = storage.write_letter(row(&letter), source).await? {
            storage.fail(&format!("an empty dead letter cannot be stored: {refusal}"));
        }
    }
    Ok(())
}

/// The letter as the store keeps it.
pub fn row(letter: &DeadLetter) -> DeadLetterRow {
    DeadLetterRow {
        stream: SmolStr::new(&letter.stream),
        at: letter.received_at,
        body: Bytes::from(json::encode(letter)),
    }
}

/// The same letter for every delivery of the same message: `published` is the instant of the
/// server's copy.
pub fn letter(
    source: SourceStream,
    subject: &str,
    body: &[u8],
    headers: &[(String, String)],
    published: Timestamp,
    refused: Refused,
) -> DeadLetter {
    DeadLetter::new(
        (source.name(), subject),
        (refused.reason, refused.detail),
        published,
        body,
        culprits_first(headers, &refused.violations),
    )
    .with_violations(refused.violations)
}

/// Only so many headers are kept. Those that are to blame are among them, or a replay would say
/// something else than the message did.
fn culprits_first<'a>(
    headers: &'a [(String, String)],
    violations: &[Violation],
) -> impl Iterator<Item = (&'a str, &'a str)> {
    let is_culprit = |(name, _): &&(String, String)| violations.iter().any(|v| v.field == *name);
    let (culprits, others): (Vec<_>, Vec<_>) = headers.iter().partition(is_culprit);
    culprits.into_iter().chain(others).map(|(name, value)| (name.as_str(), value.as_str()))
}

fn published(message: &Message) -> Timestamp {
    message.info().map_or(Timestamp::ZERO, |info| {
        let ms = info.published.unix_timestamp_nanos() / 1_000_000;
        Timestamp::from_unix_ms(u64::try_from(ms).unwrap_or(0))
    })
}

fn position(message: &Message, source: SourceStream) -> Option<StreamPosition> {
    let info = message.info().ok()?;
    Some(StreamPosition { stream: source, sequence: info.stream_sequence })
}

#[cfg(test)]
mod tests {
    use schemas::RejectReason;

    use super::*;

    #[test]
    fn the_header_that_is_to_blame_is_kept_before_all_others() {
        let bomb = (0..100).map(|n| (format!("A-Bomb-{n:03}"), "b".to_owned()));
        let wrong = ("Content-Type".to_owned(), "text/xml".to_owned());
        let headers: Vec<_> = bomb.chain([wrong]).collect();
        let mut refused = Refused::new(RejectReason::ContentTypeUnsupported, "xml".to_owned());
        refused.violations.push(Violation {
            code: refused.reason,
            field: "Content-Type".to_owned(),
            rule: "must be application/json".to_owned(),
        });
        let source = SourceStream::PartnerReplies;
        let subject = "partner.acme.reply.0.place";
        let letter = letter(source, subject, b"{}", &headers, Timestamp::ZERO, refused);
        assert_eq!(letter.headers.get("Content-Type").map(String::as_str), Some("text/xml"));
        assert!(letter.headers.len() < headers.len(), "{} headers", letter.headers.len());
    }
}
