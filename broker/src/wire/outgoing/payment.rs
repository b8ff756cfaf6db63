//! Commands to the payment provider: one key per attempt names one payment intent.

use broker_core::effect::PaymentCommand;
use broker_core::keys::{KeyFor, key};
use schemas::id::MessageId;
use schemas::partner::CommandHeader;
use schemas::payment::{Authorize, Capture, PaymentLookup, Refund, Void};
use schemas::subject::{self, PaymentOperation};
use schemas::{ProviderId, RequestId, json};

/// Subject and body.
pub(super) fn command(
    provider: &ProviderId,
    request: RequestId,
    attempt: u8,
    command: &PaymentCommand,
    id: &MessageId,
) -> (String, Vec<u8>) {
    let operation = operation(command);
    let header = CommandHeader {
        id: id.clone(),
        request_id: request,
        attempt,
        reply_to: subject::payment_reply(provider, operation),
    };
    (subject::payment_command(provider, operation), body(command.clone(), header))
}

const fn operation(command: &PaymentCommand) -> PaymentOperation {
    match command {
        PaymentCommand::Authorize { .. } => PaymentOperation::Authorize,
        PaymentCommand::Capture { .. } => PaymentOperation::Capture,
        PaymentCommand::Void => PaymentOperation::Void,
        PaymentCommand::Refund => PaymentOperation::Refund,
        PaymentCommand::Lookup => PaymentOperation::Lookup,
    }
}

fn body(command: PaymentCommand, header: CommandHeader) -> Vec<u8> {
    let payment_key = key(KeyFor::Payment, header.request_id, header.attempt);
    match command {
        PaymentCommand::Authorize { amount, token, not_after } => json::encode(&Authorize {
            header,
            payment_key,
            amount,
            payment_token: token,
            not_after,
        }),
        PaymentCommand::Capture { amount } => {
            json::encode(&Capture { header, payment_key, amount })
        }
        PaymentCommand::Void => json::encode(&Void { header, payment_key }),
        PaymentCommand::Refund => json::encode(&Refund { header, payment_key }),
        PaymentCommand::Lookup => json::encode(&PaymentLookup { header, payment_key }),
    }
}
