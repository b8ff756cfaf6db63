//! Answers of the payment provider.

use broker_core::event::{PaymentAnswer, PaymentOutcome};
use schemas::RequestId;
use schemas::json::{PARTNER_MESSAGE_BYTES_MAX, decode_valid};
use schemas::payment::{self as wire, PaymentReply};
use schemas::subject::PaymentOperation;

use super::{Misfit, check_reply};

/// An answer to `operation`, from the subject it arrived on.
///
/// # Errors
/// What is wrong with the body, or that nobody asked for it.
pub fn reply(
    operation: PaymentOperation,
    body: &[u8],
) -> Result<(RequestId, PaymentAnswer), Misfit> {
    let reply: PaymentReply = decode_valid(body, PARTNER_MESSAGE_BYTES_MAX)?;
    let header = reply.header;
    let version = check_reply(&header.in_reply_to, header.request_id)?;
    if !fits(operation, &reply.outcome) {
        let asked = operation.label();
        return Err(Misfit::not_asked(format!("this outcome is no answer to {asked}")));
    }
    let answer = PaymentAnswer {
        attempt: header.attempt,
        operation,
        in_reply_to: Some(version),
        outcome: outcome(reply.outcome),
    };
    Ok((header.request_id, answer))
}

/// The outcome is the state of the payment intent after the operation, so that a copy or a late
/// operation may find a later state than the one it asked for; what it can never find is a state
/// before its own precondition. A look-up may find anything.
fn fits(operation: PaymentOperation, outcome: &wire::PaymentOutcome) -> bool {
    use PaymentOperation::{Authorize, Capture, Lookup, Refund, Void};
    match outcome {
        wire::PaymentOutcome::Authorized { .. }
        | wire::PaymentOutcome::Declined { .. }
        | wire::PaymentOutcome::ActionRequired { .. } => matches!(operation, Authorize | Lookup),
        wire::PaymentOutcome::Captured { .. } => {
            matches!(operation, Authorize | Capture | Void | Lookup)
        }
        wire::PaymentOutcome::Voided => {
            matches!(operation, Authorize | Capture | Void | Refund | Lookup)
        }
        wire::PaymentOutcome::Refunded { .. } => {
            matches!(operation, Authorize | Capture | Void | Refund | Lookup)
        }
        wire::PaymentOutcome::NotFound { .. } => {
            matches!(operation, Capture | Void | Refund | Lookup)
        }
        wire::PaymentOutcome::Failed { .. } => true,
    }
}

fn outcome(outcome: wire::PaymentOutcome) -> PaymentOutcome {
    match outcome {
        wire::PaymentOutcome::Authorized { amount, valid_until } => {
            PaymentOutcome::Authorized { amount, valid_until }
        }
        wire::PaymentOutcome::Declined { .. } => PaymentOutcome::Declined,
        wire::PaymentOutcome::ActionRequired { url } => PaymentOutcome::ActionRequired { url },
        wire::PaymentOutcome::Captured { amount } => PaymentOutcome::Captured { amount },
        wire::PaymentOutcome::Voided => PaymentOutcome::Voided,
        wire::PaymentOutcome::Refunded { .. } => PaymentOutcome::Refunded,
        wire::PaymentOutcome::NotFound { final_for_key } => {
            PaymentOutcome::NotFound { final_for_key }
        }
        wire::PaymentOutcome::Failed { .. } => PaymentOutcome::Failed,
    }
}

#[cfg(test)]
mod tests {
    use broker_core::request::Version;
    use schemas::RejectReason;
    use serde_json::json;

    use super::super::fixture;
    use super::*;

    #[test]
    fn each_operation_accepts_its_outcomes_and_later_states() {
        let table = [
            (PaymentOperation::Authorize, vec!["not_found"]),
            (PaymentOperation::Capture, vec!["authorized", "declined", "action_required"]),
            (PaymentOperation::Void, vec!["authorized", "declined", "action_required"]),
            (
                PaymentOperation::Refund,
                vec!["authorized", "declined", "action_required", "captured"],
            ),
            (PaymentOperation::Lookup, vec![]),
        ];
        let outcomes = [
            "authorized",
            "declined",
            "action_required",
            "captured",
            "voided",
            "refunded",
            "not_found",
            "failed",
        ];
        for (operation, refused) in table {
            for outcome in outcomes {
                let result = reply(operation, &body(outcome));
                let misfit = refused.contains(&outcome);
                assert_eq!(result.is_err(), misfit, "{outcome} to {}", operation.label());
                if let Err(misfit) = result {
                    assert_eq!(misfit.reason, RejectReason::NotAsked);
                }
            }
        }
    }

    #[test]
    fn an_answer_keeps_request_attempt_and_operation() {
        let (request, answer) = reply(PaymentOperation::Void, &body("voided")).unwrap();
        assert_eq!(request, fixture::request_id());
        assert_eq!(
            answer,
            PaymentAnswer {
                attempt: 1,
                operation: PaymentOperation::Void,
                in_reply_to: Some(Version(3)),
                outcome: PaymentOutcome::Voided
            }
        );
    }

    fn body(outcome: &str) -> Vec<u8> {
        let request = fixture::request_id();
        json!({"in_reply_to": format!("1-{request}-3-1"), "request_id": request, "attempt": 1,
            "outcome": outcome, "amount": {"amount": 1000, "currency": "USD"},
            "valid_until": "2030-01-01T00:00:00Z", "reason": "no", "url": "https://pay/1",
            "final_for_key": true})
        .to_string()
        .into_bytes()
    }
}
