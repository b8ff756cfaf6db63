//! Broker ⇄ partner bookstore.

use super::purchase::destination;
use super::{
    at, isbn, key, message_id, order_id, partner_id, quote_id, request_id, reservation_id, text,
    usd,
};
use crate::id::CallId;
use crate::partner::{
    Cancel, CommandHeader, Component, Lookup, PartnerNews, PartnerNotice, PartnerOutcome,
    PartnerReply, Place, QuoteAnswer, QuoteAnswers, QuoteOffer, QuoteOutcome, QuoteQuestion,
    QuoteRequests, Release, ReplyHeader, Reserve,
};
use crate::subject::{PartnerOperation, PartnerReplyKind, partner_reply};
use crate::{Condition, Currency, DurationMs};

const PLACEMENT_KEY: &str = "MZXW6YTBOI2DKNRXHA4Q";
const RESERVATION_KEY: &str = "ORSXG5BAMFZWI3DKONSA";

fn call(counter: u64) -> CallId {
    CallId { epoch: 7, counter }
}

pub fn quote_requests() -> QuoteRequests {
    let item = QuoteQuestion {
        call_id: call(1),
        isbn: isbn(),
        quantity: 1,
        condition: Condition::VeryGood,
        currency: Currency::USD,
        destination: destination().zone(),
        not_after: at("12:00:02"),
    };
    let reply_to = partner_reply(&partner_id("acme-books"), PartnerReplyKind::Quote);
    let second = QuoteQuestion { call_id: call(2), quantity: 3, ..item.clone() };
    QuoteRequests { reply_to, items: vec![item, second] }
}

pub fn quote_answers() -> QuoteAnswers {
    let offer = QuoteOffer {
        quote_id: quote_id(),
        isbn: isbn(),
        condition: Condition::LikeNew,
        currency: Currency::USD,
        item: 2150,
        shipping: Some(Component::Exact(399)),
        tax: Some(Component::AtMost(212)),
        fee: None,
        in_stock: 4,
        valid_until: at("12:10:00"),
    };
    let refused = QuoteOutcome::Refused {
        reason: text("too many questions"),
        retry_after_ms: Some(DurationMs(500)),
    };
    let outcomes = [QuoteOutcome::Offer(offer), QuoteOutcome::NoStock, refused];
    let items = (1..).zip(outcomes).map(|(n, outcome)| QuoteAnswer { call_id: call(n), outcome });
    QuoteAnswers { items: items.collect() }
}

fn header(op: PartnerOperation) -> CommandHeader {
    CommandHeader {
        id: message_id(0),
        request_id: request_id(),
        attempt: 1,
        reply_to: partner_reply(&partner_id("acme-books"), PartnerReplyKind::Command(op)),
    }
}

pub fn reserve() -> Reserve {
    Reserve {
        header: header(PartnerOperation::Reserve),
        reservation_key: key(RESERVATION_KEY),
        quote_id: quote_id(),
        isbn: isbn(),
        quantity: 1,
        ttl_ms: DurationMs::from_secs(60),
        not_after: at("12:00:05"),
    }
}

pub fn release() -> Release {
    Release { header: header(PartnerOperation::Release), reservation_key: key(RESERVATION_KEY) }
}

pub fn place() -> Place {
    Place {
        header: header(PartnerOperation::Place),
        placement_key: key(PLACEMENT_KEY),
        quote_id: quote_id(),
        reservation_key: Some(key(RESERVATION_KEY)),
        isbn: isbn(),
        quantity: 1,
        condition: Condition::VeryGood,
        price_cap: usd(3000),
        destination: destination(),
        not_after: at("12:00:08"),
    }
}

pub fn cancel() -> Cancel {
    Cancel { header: header(PartnerOperation::Cancel), placement_key: key(PLACEMENT_KEY) }
}

pub fn lookup() -> Lookup {
    Lookup { header: header(PartnerOperation::Lookup), placement_key: key(PLACEMENT_KEY) }
}

pub fn replies() -> Vec<(&'static str, PartnerReply)> {
    let reserved =
        PartnerOutcome::Reserved { reservation_id: reservation_id(), valid_until: at("12:01:00") };
    let confirmed = PartnerOutcome::Confirmed { order_id: order_id(), total: usd(2761) };
    let refused = PartnerOutcome::Refused { reason: text("sold out"), final_for_key: true };
    [
        ("reserved", reserved),
        ("released", PartnerOutcome::Released),
        ("confirmed", confirmed),
        ("canceled", PartnerOutcome::Canceled { order_id: order_id() }),
        ("not_found", PartnerOutcome::NotFound { final_for_key: false }),
        ("refused", refused),
    ]
    .map(|(label, outcome)| (label, PartnerReply { header: reply_header(), outcome }))
    .to_vec()
}

pub(super) fn reply_header() -> ReplyHeader {
    ReplyHeader { in_reply_to: message_id(0), request_id: request_id(), attempt: 1 }
}

pub fn notices() -> Vec<(&'static str, PartnerNotice)> {
    let notice = |news| PartnerNotice {
        notice_id: message_id(9),
        request_id: request_id(),
        attempt: 1,
        placement_key: key(PLACEMENT_KEY),
        news,
    };
    let confirmed = PartnerNews::OrderConfirmed { order_id: order_id(), total: usd(2761) };
    let reason = text("lost in the warehouse");
    let canceled = PartnerNews::OrderCanceled { order_id: order_id(), reason };
    vec![("order_confirmed", notice(confirmed)), ("order_canceled", notice(canceled))]
}
