//! Answers and notices of partners. The subject says who speaks and about which operation; the
//! body must fit both, or it is not what we asked for and is not used.

use broker_core::event::{PartnerAnswer, PartnerOutcome};
use broker_core::keys::{KeyFor, key};
use schemas::json::{PARTNER_MESSAGE_BYTES_MAX, decode_valid};
use schemas::partner::{self as wire, PartnerNews, PartnerNotice, PartnerReply};
use schemas::subject::PartnerOperation;
use schemas::{PartnerId, RequestId};

use super::{Misfit, check_reply};

/// An answer to `operation`, from the subject it arrived on.
///
/// # Errors
/// What is wrong with the body, or that nobody asked for it.
pub fn reply(
    partner: PartnerId,
    operation: PartnerOperation,
    body: &[u8],
) -> Result<(RequestId, PartnerAnswer), Misfit> {
    let reply: PartnerReply = decode_valid(body, PARTNER_MESSAGE_BYTES_MAX)?;
    let header = reply.header;
    let version = check_reply(&header.in_reply_to, header.request_id)?;
    if !fits(operation, &reply.outcome) {
        let asked = operation.label();
        return Err(Misfit::not_asked(format!("this outcome is no answer to {asked}")));
    }
    let answer = PartnerAnswer {
        partner,
        attempt: header.attempt,
        operation: Some(operation),
        in_reply_to: Some(version),
        outcome: outcome(reply.outcome),
    };
    Ok((header.request_id, answer))
}

/// A notice: the partner speaks unasked about an order of ours.
///
/// # Errors
/// What is wrong with the body, or that the key is not the one of that attempt.
pub fn notice(partner: PartnerId, body: &[u8]) -> Result<(RequestId, PartnerAnswer), Misfit> {
    let notice: PartnerNotice = decode_valid(body, PARTNER_MESSAGE_BYTES_MAX)?;
    let ours = key(KeyFor::Placement, notice.request_id, notice.attempt);
    if notice.placement_key != ours {
        let detail = "placement_key is not the key of this request and attempt";
        return Err(Misfit::not_asked(detail));
    }
    let outcome = match notice.news {
        PartnerNews::OrderConfirmed { order_id, total } => {
            PartnerOutcome::Confirmed { order_id, total }
        }
        PartnerNews::OrderCanceled { order_id, .. } => {
            PartnerOutcome::Canceled { order_id: Some(order_id) }
        }
    };
    let answer = PartnerAnswer {
        partner,
        attempt: notice.attempt,
        operation: None,
        in_reply_to: None,
        outcome,
    };
    Ok((notice.request_id, answer))
}

/// The table of `schemas::partner::PartnerOutcome`.
fn fits(operation: PartnerOperation, outcome: &wire::PartnerOutcome) -> bool {
    use PartnerOperation::{Cancel, Lookup, Place, Release, Reserve};
    match outcome {
        wire::PartnerOutcome::Reserved { .. } => operation == Reserve,
        wire::PartnerOutcome::Released => operation == Release,
        wire::PartnerOutcome::Confirmed { .. } => matches!(operation, Place | Lookup),
        wire::PartnerOutcome::Canceled { .. } => matches!(operation, Cancel | Lookup),
        wire::PartnerOutcome::NotFound { .. } => matches!(operation, Release | Cancel | Lookup),
        wire::PartnerOutcome::Refused { .. } => true,
    }
}

fn outcome(outcome: wire::PartnerOutcome) -> PartnerOutcome {
    match outcome {
        wire::PartnerOutcome::Reserved { reservation_id, valid_until } => {
            PartnerOutcome::Reserved { id: reservation_id, valid_until }
        }
        wire::PartnerOutcome::Released => PartnerOutcome::Released,
        wire::PartnerOutcome::Confirmed { order_id, total } => {
            PartnerOutcome::Confirmed { order_id, total }
        }
        wire::PartnerOutcome::Canceled { order_id } => {
            PartnerOutcome::Canceled { order_id: Some(order_id) }
        }
        wire::PartnerOutcome::NotFound { final_for_key } => {
            PartnerOutcome::NotFound { final_for_key }
        }
        wire::PartnerOutcome::Refused { reason, final_for_key } => {
            PartnerOutcome::Refused { reason, final_for_key }
        }
    }
}

#[cfg(test)]
mod tests {
    use schemas::RejectReason;
    use schemas::id::OrderId;
    use serde_json::{Value, json};

    use super::super::fixture;
    use super::*;

    const OUTCOMES: [&str; 6] =
        ["reserved", "released", "confirmed", "canceled", "not_found", "refused"];

    #[test]
    fn each_operation_accepts_exactly_its_own_outcomes() {
        let table = [
            (PartnerOperation::Reserve, vec!["reserved", "refused"]),
            (PartnerOperation::Release, vec!["released", "not_found", "refused"]),
            (PartnerOperation::Place, vec!["confirmed", "refused"]),
            (PartnerOperation::Cancel, vec!["canceled", "not_found", "refused"]),
            (PartnerOperation::Lookup, vec!["confirmed", "canceled", "not_found", "refused"]),
        ];
        for (operation, accepted) in table {
            for outcome in OUTCOMES {
                let result = reply(fixture::partner(), operation, &body(outcome));
                let fits = accepted.contains(&outcome);
                assert_eq!(result.is_ok(), fits, "{outcome} to {}", operation.label());
                if let Err(misfit) = result {
                    assert_eq!(misfit.reason, RejectReason::NotAsked);
                }
            }
        }
    }

    #[test]
    fn an_answer_speaks_for_the_partner_of_its_subject() {
        let (request, answer) =
            reply(fixture::partner(), PartnerOperation::Place, &body("confirmed")).unwrap();
        assert_eq!(request, fixture::request_id());
        assert_eq!((answer.partner, answer.attempt), (fixture::partner(), 1));
        assert_eq!(answer.operation, Some(PartnerOperation::Place));
    }

    #[test]
    fn an_answer_to_a_message_about_another_request_was_not_asked_for() {
        let other = format!("1-{}-3-1", fixture::other_request_id());
        let mut value: Value = serde_json::from_slice(&body("confirmed")).unwrap();
        value["in_reply_to"] = json!(other);
        let bytes = value.to_string().into_bytes();
        let misfit = reply(fixture::partner(), PartnerOperation::Place, &bytes).unwrap_err();
        assert_eq!(misfit.reason, RejectReason::NotAsked);
    }

    #[test]
    fn a_notice_needs_the_key_of_the_attempt_it_speaks_of() {
        let request = fixture::request_id();
        let news = |attempt: u8| {
            let body = json!({"notice_id": "n1", "request_id": request, "attempt": 1,
                "placement_key": key(KeyFor::Placement, request, attempt),
                "news": "order_canceled", "order_id": "o1", "reason": "sold out"});
            notice(fixture::partner(), body.to_string().as_bytes())
        };
        let (_, answer) = news(1).unwrap();
        let outcome = PartnerOutcome::Canceled { order_id: Some(OrderId::parse("o1").unwrap()) };
        assert_eq!((answer.operation, answer.outcome), (None, outcome));
        assert_eq!(news(2).unwrap_err().reason, RejectReason::NotAsked);
    }

    #[test]
    fn broken_bytes_keep_the_decoders_reason() {
        let misfit = reply(fixture::partner(), PartnerOperation::Place, b"{").unwrap_err();
        assert_eq!(misfit.reason, RejectReason::Malformed);
    }

    fn body(outcome: &str) -> Vec<u8> {
        let request = fixture::request_id();
        json!({"in_reply_to": format!("1-{request}-3-1"), "request_id": request, "attempt": 1,
            "outcome": outcome, "reservation_id": "r1", "valid_until": "2030-01-01T00:00:00Z",
            "order_id": "o1", "total": {"amount": 1000, "currency": "USD"},
            "final_for_key": true, "reason": "no"})
        .to_string()
        .into_bytes()
    }
}
