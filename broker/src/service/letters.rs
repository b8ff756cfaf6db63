//! An operator's word that a dead letter goes for ever. Who said so, and why, is durable before the
//! letter is deleted; after a crash between the two the same word finishes it.

use async_nats::jetstream::message::StreamMessage;
use async_nats::jetstream::stream::{RawMessageErrorKind, Stream};
use async_nats::service::Request;
use bytes::Bytes;
use schemas::event::DeadLetter;
use schemas::problem::Problem;
use schemas::stream::name;
use schemas::{Digest, RejectReason, json};
use smol_str::SmolStr;

use super::Calls;
use super::admin::{body, decode};
use crate::operator::letters::{DropDeadLetter, DropReply};
use crate::storage::describe;
use crate::store::DroppedLetter;

impl Calls {
    pub(super) async fn drop_dead_letter(&self, request: &Request) -> Result<Bytes, Problem> {
        let word: DropDeadLetter = decode(request)?;
        let number = word.number;
        let stream = self.jetstream.get_stream_no_info(name::DEAD_LETTERS).await;
        let stream = stream.map_err(|e| not_now(number, "read", &e))?;
        let found = find(&stream, number).await?;
        if let Some(message) = &found {
            let (actor, reason) = (word.actor.clone(), word.reason.clone());
            let written = self.storage.write_drop(self.record(word, message)).await;
            written.map_err(|e| not_now(number, "drop", &e))?;
            delete(&stream, number).await?;
            tracing::info!(number, %actor, %reason, "a dead letter is dropped");
        }
        match self.dropped(number).await? {
            Some(letter) => Ok(body(&DropReply::Dropped(letter.into()))),
            None => {
                let detail = format!("there is no dead letter {number}, nor was one dropped");
                Err(Problem::new(RejectReason::NotFound, detail))
            }
        }
    }

    fn record(&self, word: DropDeadLetter, message: &StreamMessage) -> DroppedLetter {
        let letter = json::decode::<DeadLetter>(&message.payload, usize::MAX);
        // Also what nobody can read may go; then only its place is known.
        let (subject, reason) = match &letter {
            Ok(letter) => (letter.subject.as_str(), letter.reason),
            Err(_) => (message.subject.as_str(), RejectReason::Malformed),
        };
        DroppedLetter {
            number: word.number,
            subject: SmolStr::new(subject),
            reason,
            digest: Digest::of(&message.payload),
            by: word.actor,
            why: word.reason,
            said_at: self.decoder.clock.now(),
        }
    }

    async fn dropped(&self, number: u64) -> Result<Option<DroppedLetter>, Problem> {
        let reader = self.storage.reader();
        match tokio::task::spawn_blocking(move || reader.dropped(number)).await {
            Ok(Ok(letter)) => Ok(letter),
            Ok(Err(error)) => {
                self.storage.fail(&describe(&error));
                Err(not_now(number, "look up", &error))
            }
            Err(error) => Err(not_now(number, "look up", &error)),
        }
    }
}

async fn find(stream: &Stream<()>, number: u64) -> Result<Option<StreamMessage>, Problem> {
    match stream.get_raw_message(number).await {
        Ok(message) => Ok(Some(message)),
        Err(error) if error.kind() == RawMessageErrorKind::NoMessageFound => Ok(None),
        Err(error) => Err(not_now(number, "read", &error)),
    }
}

/// A letter that the stream has let go by itself meanwhile is gone, too.
async fn delete(stream: &Stream<()>, number: u64) -> Result<(), Problem> {
    let Err(error) = stream.delete_message(number).await else { return Ok(()) };
    match find(stream, number).await {
        Ok(None) => Ok(()),
        Ok(Some(_)) | Err(_) => Err(not_now(number, "delete", &error)),
    }
}

fn not_now(number: u64, doing: &str, error: &dyn std::error::Error) -> Problem {
    let error = describe(error);
    tracing::warn!(number, doing, error, "a dead letter is not dropped yet");
    let detail = format!("cannot {doing} dead letter {number} now: {error}; say the same again");
    Problem::new(RejectReason::Internal, detail)
}
