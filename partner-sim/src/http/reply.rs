//! What a store decided, in the words of its shape.

use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use schemas::partner::{
    Component, PartnerNews, PartnerNotice, PartnerOutcome, QuoteAnswer, QuoteOffer, QuoteOutcome,
};
use schemas::{Currency, Money};
use serde_json::{Value, json};

use super::Shape;
use super::request::Operation;

/// Why not.
struct No {
    status: StatusCode,
    code: &'static str,
    message: String,
}

pub(super) fn json(status: StatusCode, body: String) -> Response {
    (status, [(CONTENT_TYPE, "application/json")], body).into_response()
}

fn xml(status: StatusCode, inner: &str) -> Response {
    let body = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{inner}");
    (status, [(CONTENT_TYPE, "text/xml; charset=utf-8")], body).into_response()
}

/// `24.99`
fn decimal(minor: u64, currency: Currency) -> String {
    let digits = currency.exponent();
    let unit = 10u64.pow(digits);
    let width = digits as usize;
    if digits == 0 {
        minor.to_string()
    } else {
        format!("{}.{:0width$}", minor / unit, minor % unit)
    }
}

fn decimal_of(total: Money) -> String {
    decimal(total.minor(), total.currency())
}

/// It is too busy, which is no answer about the order.
pub(super) fn is_busy(outcome: &PartnerOutcome) -> bool {
    no(outcome).is_some_and(|no| no.status == StatusCode::TOO_MANY_REQUESTS)
}

fn no(outcome: &PartnerOutcome) -> Option<No> {
    let (status, code, message) = match outcome {
        PartnerOutcome::Refused { reason, final_for_key } => {
            let text = reason.as_str();
            let (status, code) = if text.contains("busy") {
                (StatusCode::TOO_MANY_REQUESTS, "busy")
            } else if text.contains("not_after") {
                (StatusCode::GONE, "expired")
            } else if text.contains("on its way") {
                (StatusCode::CONFLICT, "shipped")
            } else if !final_for_key {
                (StatusCode::CONFLICT, "not_possible")
            } else if text.contains("stock") || text.contains("sold") {
                (StatusCode::CONFLICT, "out_of_stock")
            } else {
                (StatusCode::CONFLICT, "refused")
            };
            (status, code, text.to_owned())
        }
        PartnerOutcome::NotFound { .. } => {
            (StatusCode::NOT_FOUND, "not_found", "there is no such thing".to_owned())
        }
        PartnerOutcome::Reserved { .. }
        | PartnerOutcome::Released
        | PartnerOutcome::Confirmed { .. }
        | PartnerOutcome::Canceled { .. } => return None,
    };
    Some(No { status, code, message })
}

fn say_no(shape: Shape, no: &No) -> Response {
    let busy = no.status == StatusCode::TOO_MANY_REQUESTS;
    let (code, message) = (no.code, &no.message);
    let mut response = match shape {
        Shape::JsonSync => {
            let body = json!({ "error": { "code": code, "message": message } });
            json(no.status, body.to_string())
        }
        Shape::JsonCallback => {
            let status = if busy { no.status } else { StatusCode::OK };
            let body = json!({ "status": "error", "error": code, "message": message });
            json(status, body.to_string())
        }
        Shape::Xml => {
            let status = if busy { no.status } else { StatusCode::OK };
            let text = format!(
                "<response status=\"error\" code=\"{code}\"><message>{message}</message></response>"
            );
            xml(status, &text)
        }
        Shape::Poll | Shape::NoReservation => {
            json(no.status, json!({ "code": code, "message": message }).to_string())
        }
    };
    if busy {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

pub(super) fn outcome(shape: Shape, operation: Operation, outcome: &PartnerOutcome) -> Response {
    if let Some(no) = no(outcome) {
        // A job that came to nothing is found all the same.
        let failed_job = shape == Shape::Poll && operation == Operation::Lookup;
        if failed_job && no.status == StatusCode::CONFLICT {
            let body = json!({ "state": "failed", "code": no.code, "message": no.message });
            return json(StatusCode::OK, body.to_string());
        }
        return say_no(shape, &no);
    }
    let created = matches!(operation, Operation::Place | Operation::Reserve);
    let status = if created { StatusCode::CREATED } else { StatusCode::OK };
    match shape {
        Shape::JsonSync => json(status, json_sync(outcome)),
        Shape::JsonCallback => json(StatusCode::OK, json_callback(outcome)),
        Shape::Xml => xml(StatusCode::OK, &xml_text(outcome)),
        Shape::Poll => json(StatusCode::OK, polled(outcome)),
        Shape::NoReservation => json(status, purchase(outcome)),
    }
}

/// Amounts are fractions here, written without going through a float.
fn json_sync(outcome: &PartnerOutcome) -> String {
    match outcome {
        PartnerOutcome::Confirmed { order_id, total } => format!(
            r#"{{"order":{{"id":"{order_id}","status":"confirmed","total":{},"currency":"{}"}}}}"#,
            decimal_of(*total),
            total.currency()
        ),
        PartnerOutcome::Canceled { order_id } => {
            json!({ "order": { "id": order_id, "status": "canceled" } }).to_string()
        }
        PartnerOutcome::Reserved { reservation_id, valid_until } => {
            json!({ "hold": { "id": reservation_id, "expires_at": valid_until } }).to_string()
        }
        _ => json!({ "hold": { "status": "released" } }).to_string(),
    }
}

fn json_callback(outcome: &PartnerOutcome) -> String {
    let order = match outcome {
        PartnerOutcome::Confirmed { order_id, total } => json!({
            "order_id": order_id, "state": "confirmed",
            "amount_minor": total.minor(), "currency": total.currency(),
        }),
        PartnerOutcome::Canceled { order_id } => {
            json!({ "order_id": order_id, "state": "canceled" })
        }
        _ => json!({}),
    };
    json!({ "status": "ok", "order": order }).to_string()
}

fn xml_text(outcome: &PartnerOutcome) -> String {
    let inner = match outcome {
        PartnerOutcome::Confirmed { order_id, total } => format!(
            "<order id=\"{order_id}\" state=\"confirmed\" total=\"{}\" currency=\"{}\"/>",
            decimal_of(*total),
            total.currency()
        ),
        PartnerOutcome::Canceled { order_id } => {
            format!("<order id=\"{order_id}\" state=\"canceled\"/>")
        }
        PartnerOutcome::Reserved { reservation_id, valid_until } => {
            format!("<hold id=\"{reservation_id}\" until=\"{}\"/>", valid_until.as_unix_ms() / 1000)
        }
        _ => "<hold state=\"released\"/>".to_owned(),
    };
    format!("<response status=\"ok\">{inner}</response>")
}

fn polled(outcome: &PartnerOutcome) -> String {
    match outcome {
        PartnerOutcome::Confirmed { order_id, total } => json!({
            "state": "done",
            "order": { "id": order_id, "total": decimal_of(*total), "currency": total.currency() },
        }),
        PartnerOutcome::Canceled { order_id } => {
            json!({ "state": "canceled", "order": { "id": order_id } })
        }
        _ => json!({ "state": "done" }),
    }
    .to_string()
}

fn purchase(outcome: &PartnerOutcome) -> String {
    match outcome {
        PartnerOutcome::Confirmed { order_id, total } => json!({ "purchase": {
            "number": order_id, "state": "bought",
            "paid": decimal_of(*total), "currency": total.currency(),
        } }),
        PartnerOutcome::Canceled { order_id } => {
            json!({ "purchase": { "number": order_id, "state": "canceled" } })
        }
        _ => json!({}),
    }
    .to_string()
}

/// The order was taken; what becomes of it is told later.
pub(super) fn received(shape: Shape, key: &str) -> Response {
    let body = match shape {
        Shape::Poll => json!({ "state": "pending", "status_url": format!("jobs/{key}") }),
        _ => json!({ "status": "received", "reference": key }),
    };
    json(StatusCode::ACCEPTED, body.to_string())
}

/// `None` if it is nothing that a store calls back about.
pub(super) fn call_back(key: &str, outcome: &PartnerOutcome) -> Option<String> {
    let (kind, data) = match outcome {
        PartnerOutcome::Confirmed { order_id, total } => (
            "order.confirmed",
            json!({
                "reference": key, "order_id": order_id,
                "amount_minor": total.minor(), "currency": total.currency(),
            }),
        ),
        PartnerOutcome::Refused { reason, final_for_key: true } => {
            ("order.rejected", json!({ "reference": key, "message": reason }))
        }
        _ => return None,
    };
    Some(json!({ "type": kind, "data": data }).to_string())
}

pub(super) fn call_back_unasked(notice: &PartnerNotice) -> String {
    let key = notice.placement_key.as_str();
    match &notice.news {
        PartnerNews::OrderConfirmed { order_id, total } => {
            let outcome = PartnerOutcome::Confirmed { order_id: order_id.clone(), total: *total };
            call_back(key, &outcome).unwrap_or_default()
        }
        PartnerNews::OrderCanceled { order_id, reason } => json!({
            "type": "order.canceled",
            "data": { "reference": key, "order_id": order_id, "message": reason },
        })
        .to_string(),
    }
}

pub(super) fn quotes(shape: Shape, items: &[QuoteAnswer]) -> Response {
    if shape == Shape::JsonSync {
        let offers: Vec<String> = items.iter().map(offer_in_batch).collect();
        return json(StatusCode::OK, format!("{{\"offers\":[{}]}}", offers.join(",")));
    }
    let Some(item) = items.first() else { return StatusCode::NOT_FOUND.into_response() };
    let offer = match &item.outcome {
        QuoteOutcome::Offer(offer) => offer,
        QuoteOutcome::NoStock => {
            let (status, code) = (StatusCode::NOT_FOUND, "out_of_stock");
            return say_no(shape, &No { status, code, message: "none left".to_owned() });
        }
        QuoteOutcome::Refused { reason, .. } => {
            let busy = reason.as_str().contains("busy");
            let (status, code) = if busy {
                (StatusCode::TOO_MANY_REQUESTS, "busy")
            } else {
                (StatusCode::CONFLICT, "refused")
            };
            return say_no(shape, &No { status, code, message: reason.to_string() });
        }
    };
    match shape {
        Shape::Xml => xml(StatusCode::OK, &offer_xml(offer)),
        Shape::JsonCallback => json(StatusCode::OK, offer_minor(offer).to_string()),
        Shape::JsonSync | Shape::Poll | Shape::NoReservation => {
            json(StatusCode::OK, offer_text(offer).to_string())
        }
    }
}

/// Parts of the price: name and minor units. A part that is only bounded has another name.
fn parts(offer: &QuoteOffer) -> Vec<(String, u64)> {
    let named = [("shipping", offer.shipping), ("tax", offer.tax), ("fee", offer.fee)];
    let parts = named.into_iter().filter_map(|(name, part)| match part? {
        Component::Exact(minor) => Some((name.to_owned(), minor)),
        Component::AtMost(minor) => Some((format!("{name}_at_most"), minor)),
    });
    std::iter::once(("item".to_owned(), offer.item)).chain(parts).collect()
}

fn offer_in_batch(answer: &QuoteAnswer) -> String {
    let call = answer.call_id;
    match &answer.outcome {
        QuoteOutcome::Offer(offer) => {
            let prices = parts(offer).into_iter();
            let prices = prices
                .map(|(name, minor)| format!("\"{name}\":{}", decimal(minor, offer.currency)));
            let prices: Vec<String> = prices.collect();
            let condition = json!(offer.condition);
            format!(
                "{{\"ref\":\"{call}\",\"availability\":\"in_stock\",\"offer\":\"{}\",\
                 \"isbn\":\"{}\",\"condition\":{condition},\"currency\":\"{}\",\
                 \"prices\":{{{}}},\"stock\":{},\"valid_until\":\"{}\"}}",
                offer.quote_id,
                offer.isbn,
                offer.currency,
                prices.join(","),
                offer.in_stock,
                offer.valid_until
            )
        }
        QuoteOutcome::NoStock => json!({ "ref": call, "availability": "out_of_stock" }).to_string(),
        QuoteOutcome::Refused { reason, .. } => {
            let busy = reason.as_str().contains("busy");
            let availability = if busy { "busy" } else { "refused" };
            json!({ "ref": call, "availability": availability, "message": reason }).to_string()
        }
    }
}

fn offer_minor(offer: &QuoteOffer) -> Value {
    let mut body = json!({
        "offer": offer.quote_id, "isbn": offer.isbn, "condition": offer.condition,
        "currency": offer.currency, "stock": offer.in_stock,
        "valid_until_ms": offer.valid_until.as_unix_ms(),
    });
    for (name, minor) in parts(offer) {
        body[format!("{name}_minor")] = minor.into();
    }
    json!({ "status": "ok", "quote": body })
}

fn offer_text(offer: &QuoteOffer) -> Value {
    let mut body = json!({
        "offer": offer.quote_id, "isbn": offer.isbn, "condition": offer.condition,
        "currency": offer.currency, "stock": offer.in_stock, "valid_until": offer.valid_until,
    });
    for (name, minor) in parts(offer) {
        body[name] = decimal(minor, offer.currency).into();
    }
    json!({ "quote": body })
}

fn offer_xml(offer: &QuoteOffer) -> String {
    let parts: String = parts(offer)
        .into_iter()
        .map(|(name, minor)| format!("<{name}>{}</{name}>", decimal(minor, offer.currency)))
        .collect();
    let condition = json!(offer.condition);
    let condition = condition.as_str().unwrap_or_default();
    format!(
        "<response status=\"ok\"><offer id=\"{}\" isbn=\"{}\" condition=\"{condition}\" \
         currency=\"{}\" stock=\"{}\" until=\"{}\">{parts}</offer></response>",
        offer.quote_id,
        offer.isbn,
        offer.currency,
        offer.in_stock,
        offer.valid_until.as_unix_ms() / 1000
    )
}
