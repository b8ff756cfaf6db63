//! Messages in which every field can be read, whatever their rules say of the values. They lend
//! their fields to those that cannot be read.

pub(super) const CREATE: &str = r#"{
    "request_id": "01890a5d-ac96-774b-bcce-b302099a8057",
    "item": {"scheme": "isbn", "value": "9780306406157"},
    "quantity": 1,
    "max_total": {"amount": 1, "currency": "USD"},
    "expires_at": "2030-01-01T00:00:00Z",
    "destination": {
        "country": "US", "postal_code": "1",
        "address": {"name": "x", "line1": "x", "line2": "x", "city": "x", "region": "x"}
    },
    "payment_token": "t",
    "condition": "new", "strategy": "balanced", "mode": "one_shot", "rebuy": false
}"#;

pub(super) const UPDATE: &str = r#"{
    "request_id": "01890a5d-ac96-774b-bcce-b302099a8057", "command_id": "c", "if_version": 1,
    "max_total": {"amount": 1, "currency": "USD"}, "expires_at": "2030-01-01T00:00:00Z",
    "strategy": "balanced"
}"#;

pub(super) const CANCEL: &str = r#"{
    "request_id": "01890a5d-ac96-774b-bcce-b302099a8057", "command_id": "c", "reason": "x"
}"#;

pub(super) const ACCEPT_QUOTE: &str = r#"{
    "request_id": "01890a5d-ac96-774b-bcce-b302099a8057", "command_id": "c",
    "accept_token": "00000000000000000000000000000000"
}"#;

pub(super) const LIST: &str = r#"{
    "status": "ordered", "after": "01890a5d-ac96-774b-bcce-b302099a8057", "limit": 1
}"#;

pub(super) const PARTNER_REPLY: &str = r#"{
    "in_reply_to": "1", "request_id": "01890a5d-ac96-774b-bcce-b302099a8057", "attempt": 1,
    "outcome": "released"
}"#;

pub(super) const PAYMENT_REPLY: &str = r#"{
    "in_reply_to": "1", "request_id": "01890a5d-ac96-774b-bcce-b302099a8057", "attempt": 1,
    "outcome": "voided"
}"#;

pub(super) const NOTICE: &str = r#"{
    "notice_id": "1", "request_id": "01890a5d-ac96-774b-bcce-b302099a8057", "attempt": 1,
    "placement_key": "k", "news": "order_canceled", "order_id": "o", "reason": "r"
}"#;

pub(super) const QUOTE_ANSWERS: &str = r#"{"items": [{"call_id": "1-1", "outcome": "no_stock"}]}"#;

#[cfg(test)]
mod tests {
    use crate::json::{Validate, decode_valid};
    use crate::partner::{PartnerNotice, PartnerReply, QuoteAnswers};
    use crate::payment::PaymentReply;
    use crate::purchase::{
        AcceptQuote, CancelPurchase, CreatePurchase, ListPurchases, UpdatePurchase,
    };

    fn reads<T: serde::de::DeserializeOwned + Validate>() {
        let read = decode_valid::<T>(T::SAMPLE.as_bytes(), 10_000);
        assert_eq!(read.err(), None, "{}", T::SAMPLE);
    }

    #[test]
    fn every_sample_is_sound() {
        reads::<CreatePurchase>();
        reads::<UpdatePurchase>();
        reads::<CancelPurchase>();
        reads::<AcceptQuote>();
        reads::<ListPurchases>();
        reads::<QuoteAnswers>();
        reads::<PartnerReply>();
        reads::<PaymentReply>();
        reads::<PartnerNotice>();
    }
}
