//! One consistent story told in messages: a customer buys a book, is told the price of another,
//! a partner and a payment provider answer. These are the examples of the documents and the
//! golden files. Every fallible constructor below is given a literal that its tests accept.

use crate::id::{Key, MessageId, OrderId, PaymentToken, QuoteId, ReservationId};
use crate::text::Text;
use crate::{Currency, CustomerId, Isbn13, Money, PartnerId, RequestId, Timestamp};

pub mod event;
pub mod file;
pub mod partner;
pub mod payment;
pub mod purchase;

const VALID: &str = "the literal is a valid one";

pub(super) fn request_id() -> RequestId {
    RequestId::parse("01932c07-a5e8-7b3c-9d41-0242ac120002").expect(VALID)
}

pub(super) fn customer() -> CustomerId {
    CustomerId::parse("c-1001").expect(VALID)
}

pub(super) fn partner_id(text: &str) -> PartnerId {
    PartnerId::parse(text).expect(VALID)
}

pub(super) fn isbn() -> Isbn13 {
    Isbn13::parse("9780306406157").expect(VALID)
}

pub(super) fn usd(minor: u64) -> Money {
    Money::new(minor, Currency::USD).expect(VALID)
}

pub(super) fn text<const MAX: usize>(text: &str) -> Text<MAX> {
    Text::parse(text).expect(VALID)
}

/// An instant on the day of the story.
pub(super) fn at(time: &str) -> Timestamp {
    Timestamp::parse(&format!("2026-11-20T{time}Z")).expect(VALID)
}

pub(super) fn message_id(index: u32) -> MessageId {
    MessageId::parse(&format!("1-{}-4-{index}", request_id())).expect(VALID)
}

pub(super) fn key(text: &str) -> Key {
    Key::parse(text).expect(VALID)
}

pub(super) fn quote_id() -> QuoteId {
    QuoteId::parse("q-77120").expect(VALID)
}

pub(super) fn order_id() -> OrderId {
    OrderId::parse("A-20261120-0815").expect(VALID)
}

pub(super) fn reservation_id() -> ReservationId {
    ReservationId::parse("hold-4711").expect(VALID)
}

pub(super) fn payment_token() -> PaymentToken {
    PaymentToken::parse("tok_visa").expect(VALID)
}
