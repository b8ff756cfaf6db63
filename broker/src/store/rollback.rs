//! Whether a store is older than what it has sent.
//!
//! A copy that was put back (a snapshot of the volume, yesterday's directory) opens like any store:
//! its high-water mark travelled along. But rows are durable before they are published, so a
//! message of this store's own life that the store knows nothing of proves that it is not the
//! latest state of that life. Going on would give the ids of forgotten messages to other ones, and
//! buy again what was bought.

use broker_core::request::Version;
use schemas::RequestId;

use super::error::StoreError;
use super::port::{Meta, Reader};
use super::row::Incarnation;

/// The last message of a stream that only the broker writes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastWord {
    pub stream: &'static str,
    /// Its `Nats-Msg-Id`.
    pub id: String,
    /// Its outbox cursor: rows up to this one were published before it.
    pub cursor: Option<u64>,
}

/// What a message id of one life names; see [`super::StoredRow::message_id`].
enum Named {
    Change(RequestId, Version),
    Letter(u64),
}

fn named(id: &str, life: Incarnation) -> Option<Named> {
    let rest = id.strip_prefix(&format!("{life}-"))?;
    if let Some(seq) = rest.strip_prefix("dead-") {
        return seq.parse().ok().map(Named::Letter);
    }
    let (change, _index) = rest.rsplit_once('-')?;
    let (request, version) = change.rsplit_once('-')?;
    Some(Named::Change(RequestId::parse(request).ok()?, Version(version.parse().ok()?)))
}

/// # Errors
/// [`StoreError::Older`], or the store cannot be read.
pub fn check(reader: &dyn Reader, meta: &Meta, words: &[LastWord]) -> Result<(), StoreError> {
    for word in words {
        let Some(named) = named(&word.id, meta.incarnation) else { continue };
        let last = meta.outbox_last.0;
        let forgotten = match named {
            Named::Change(request, version) => {
                let known = reader.load(request)?.map(|stored| stored.request.version);
                known < Some(version)
            }
            Named::Letter(seq) => seq > last,
        };
        if forgotten || word.cursor.is_some_and(|cursor| cursor > last) {
            let (stream, message) = (word.stream, word.id.clone());
            return Err(StoreError::Older { stream, message });
        }
    }
    Ok(())
}
