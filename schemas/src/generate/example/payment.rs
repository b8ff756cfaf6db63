//! Broker ⇄ payment provider.

use super::partner::reply_header;
use super::{at, key, message_id, payment_token, request_id, text, usd};
use crate::id::{Key, ProviderId};
use crate::partner::CommandHeader;
use crate::payment::{
    Authorize, Capture, PaymentLookup, PaymentOutcome, PaymentReply, Refund, Void,
};
use crate::subject::{PaymentOperation, payment_reply};

fn payment_key() -> Key {
    key("ON2WM2LMNR4SA5DPEB2G")
}

fn header(op: PaymentOperation) -> CommandHeader {
    let provider = ProviderId::parse("pay-sim").expect(super::VALID);
    CommandHeader {
        id: message_id(1),
        request_id: request_id(),
        attempt: 1,
        reply_to: payment_reply(&provider, op),
    }
}

pub fn authorize() -> Authorize {
    Authorize {
        header: header(PaymentOperation::Authorize),
        payment_key: payment_key(),
        amount: usd(2761),
        payment_token: payment_token(),
        not_after: at("12:00:06"),
    }
}

pub fn capture() -> Capture {
    Capture {
        header: header(PaymentOperation::Capture),
        payment_key: payment_key(),
        amount: usd(2761),
    }
}

pub fn void() -> Void {
    Void { header: header(PaymentOperation::Void), payment_key: payment_key() }
}

pub fn refund() -> Refund {
    Refund { header: header(PaymentOperation::Refund), payment_key: payment_key() }
}

pub fn lookup() -> PaymentLookup {
    PaymentLookup { header: header(PaymentOperation::Lookup), payment_key: payment_key() }
}

pub fn replies() -> Vec<(&'static str, PaymentReply)> {
    let authorized = PaymentOutcome::Authorized { amount: usd(2761), valid_until: at("23:00:00") };
    let url = text("https://pay.example/authenticate/8152");
    [
        ("authorized", authorized),
        ("declined", PaymentOutcome::Declined { reason: text("insufficient funds") }),
        ("action_required", PaymentOutcome::ActionRequired { url }),
        ("captured", PaymentOutcome::Captured { amount: usd(2761) }),
        ("voided", PaymentOutcome::Voided),
        ("refunded", PaymentOutcome::Refunded { amount: usd(2761) }),
        ("not_found", PaymentOutcome::NotFound { final_for_key: true }),
        ("failed", PaymentOutcome::Failed { reason: text("try again") }),
    ]
    .map(|(label, outcome)| (label, PaymentReply { header: reply_header(), outcome }))
    .to_vec()
}
