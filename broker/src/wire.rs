//! Wire ⇄ domain. Total conversions: whatever arrives is either a value of the core or a
//! [`Problem`](schemas::problem::Problem) that names the field, and whatever the core wants sent
//! has exactly one subject, one set of headers and one body, the same every time it is sent.

pub mod command;
pub mod outgoing;
pub mod partner;
pub mod payment;
pub mod quote;
pub mod receipt;
pub mod running;
mod search;
pub mod token;
pub mod view;

#[cfg(test)]
pub(crate) mod fixture;

use broker_core::request::Version;
use schemas::id::MessageId;
use schemas::{ProviderId, RejectReason, RequestId, Violation};

use crate::store::Incarnation;

/// What every outgoing message depends on besides its row.
#[derive(Debug, Clone)]
pub struct WireContext {
    /// First part of every message id: a restored store never reuses the ids of the lost one.
    pub incarnation: Incarnation,
    pub provider: ProviderId,
}

/// Why a partner's or provider's message is not used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct Misfit {
    pub reason: RejectReason,
    pub detail: String,
    /// Every rule that the message breaks, if its fields are to blame.
    pub violations: Vec<Violation>,
}

impl Misfit {
    pub(crate) fn not_asked(detail: impl Into<String>) -> Self {
        Self { reason: RejectReason::NotAsked, detail: detail.into(), violations: Vec::new() }
    }
}

impl From<schemas::json::DecodeError> for Misfit {
    fn from(error: schemas::json::DecodeError) -> Self {
        let violations = error.violations().to_vec();
        Self { reason: error.reason(), detail: error.to_string(), violations }
    }
}

/// The request that a message id names, and the change that sent it; `None` if it is not ours.
pub fn source_of(id: &MessageId) -> Option<(RequestId, Version)> {
    let (_incarnation, rest) = id.as_str().split_once('-')?;
    let (rest, _index) = rest.rsplit_once('-')?;
    let (request, version) = rest.rsplit_once('-')?;
    Some((RequestId::parse(request).ok()?, Version(version.parse().ok()?)))
}

/// An answer must name a message that we sent about the request it speaks of. Returns the change
/// that sent it.
pub(crate) fn check_reply(id: &MessageId, request: RequestId) -> Result<Version, Misfit> {
    match source_of(id) {
        Some((asked_about, version)) if asked_about == request => Ok(version),
        Some(_) | None => Err(Misfit::not_asked(format!(
            "in_reply_to {id} is no message about request {request}"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_request_is_read_back_from_a_message_id() {
        let row = fixture::stored(fixture::lookup_effect());
        let id = row.message_id(Incarnation(0xabc));
        assert_eq!(id.as_str(), format!("abc-{}-3-1", fixture::request_id()));
        assert_eq!(source_of(&id), Some((fixture::request_id(), Version(3))));
    }

    #[test]
    fn foreign_message_ids_name_no_request() {
        for text in ["x", "1-2-3", "abc-dead-17", "7-01890a5d-ac96-474b-bcce-b302099a8057-3-1"] {
            assert_eq!(source_of(&MessageId::parse(text).unwrap()), None, "{text}");
        }
    }
}
