//! What no handler can use is kept where the broker keeps what it gave up, and acknowledged then.

use async_nats::jetstream;
use schemas::event::DeadLetter;
use schemas::{RejectReason, json, subject};

use crate::clock;
use crate::egress::Egress;

/// Returns when the letter is stored. A copy of the message makes the same letter, which the server
/// knows by its id.
pub(crate) async fn give_up(
    egress: &Egress,
    message: &jetstream::Message,
    (reason, detail): (RejectReason, String),
) {
    let (stream, place) = match message.info() {
        Ok(info) => (info.stream.to_owned(), info.stream_sequence),
        Err(error) => {
            // It came from no stream, so nobody waits for it.
            tracing::warn!(%error, subject = %message.subject, "a message without a place");
            return;
        }
    };
    let headers = message.headers.iter().flat_map(|headers| headers.iter());
    let headers: Vec<(&str, &str)> = headers
        .filter_map(|(name, values)| Some((name.as_ref(), values.first()?.as_str())))
        .collect();
    let subject = message.subject.as_str();
    tracing::warn!(subject, place, reason = reason.label(), detail, "a message is given up");
    let about = (stream.as_str(), subject);
    let letter = DeadLetter::new(about, (reason, detail), clock::now(), &message.payload, headers);
    let id = format!("bridge:{stream}:{place}");
    egress.store(&subject::dead_letter(&stream), &id, json::encode(&letter).into(), None).await;
}
