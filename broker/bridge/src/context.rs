//! What templates can name. Everything is always there, empty if there is nothing, so that a
//! template that works at start works later.

use schemas::partner::{CommandHeader, Place, QuoteQuestion, Reserve};
use schemas::{DurationMs, Money, Timestamp};
use serde_json::{Map, Value, json};

use crate::read::amount;

/// Questions about books: `items`, and the first one's names by themselves.
pub(crate) fn quote(questions: &[QuoteQuestion]) -> Value {
    let items: Vec<Value> = questions.iter().map(question).collect();
    let mut all = items.first().and_then(Value::as_object).cloned().unwrap_or_default();
    all.insert("items".to_owned(), Value::Array(items));
    Value::Object(all)
}

fn question(question: &QuoteQuestion) -> Value {
    json!({
        "ref": question.call_id.to_string(),
        "isbn": question.isbn.to_string(),
        "quantity": question.quantity,
        "condition": question.condition,
        "currency": question.currency,
        "country": question.destination.country,
        "postal_code": question.destination.postal_code.as_str(),
        "not_after": question.not_after.to_string(),
        "not_after_ms": question.not_after.as_unix_ms(),
    })
}

pub(crate) fn reserve(reserve: &Reserve) -> Value {
    let mut all = command(&reserve.header, reserve.reservation_key.as_str());
    all.extend(object(json!({
        "quote_id": reserve.quote_id,
        "isbn": reserve.isbn.to_string(),
        "quantity": reserve.quantity,
        "ttl_ms": reserve.ttl_ms,
        "ttl_s": reserve.ttl_ms.as_ms() / 1000,
    })));
    all.extend(until(reserve.not_after));
    Value::Object(all)
}

/// `reservation_id` is the store's own name of the hold, if it gave one.
pub(crate) fn place(place: &Place, reservation_id: Option<&str>) -> Value {
    let mut all = command(&place.header, place.placement_key.as_str());
    let reservation_key = place.reservation_key.as_ref().map_or("", |key| key.as_str());
    all.extend(object(json!({
        "quote_id": place.quote_id,
        "reservation_id": reservation_id.unwrap_or(""),
        "reservation_key": reservation_key,
        "isbn": place.isbn.to_string(),
        "quantity": place.quantity,
        "condition": place.condition,
    })));
    all.extend(cap(place.price_cap));
    all.extend(until(place.not_after));
    let to = &place.destination;
    let line = |of: fn(&schemas::Address) -> &str| to.address.as_ref().map_or("", of);
    all.extend(object(json!({
        "country": to.country,
        "postal_code": to.postal_code.as_str(),
        "name": line(|a| a.name.as_str()),
        "line1": line(|a| a.line1.as_str()),
        "line2": line(|a| a.line2.as_ref().map_or("", |text| text.as_str())),
        "city": line(|a| a.city.as_str()),
        "region": line(|a| a.region.as_ref().map_or("", |text| text.as_str())),
    })));
    Value::Object(all)
}

/// About an order or hold that may exist: `store_ref` is what the store called it so far.
pub(crate) fn existing(header: &CommandHeader, key: &str, store_ref: Option<&str>) -> Value {
    let mut all = command(header, key);
    all.insert("store_ref".to_owned(), Value::from(store_ref.unwrap_or("")));
    Value::Object(all)
}

fn command(header: &CommandHeader, key: &str) -> Map<String, Value> {
    object(json!({
        "key": key,
        "client_reference_id": key,
        "request_id": header.request_id.to_string(),
        "attempt": header.attempt,
        "command_id": header.id,
    }))
}

fn cap(cap: Money) -> Map<String, Value> {
    object(json!({
        "price_cap": amount::print(cap.minor(), cap.currency()),
        "price_cap_minor": cap.minor(),
        "currency": cap.currency(),
    }))
}

fn until(not_after: Timestamp) -> Map<String, Value> {
    object(json!({
        "not_after": not_after.to_string(),
        "not_after_ms": not_after.as_unix_ms(),
    }))
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

/// Samples that each template is rendered with at start: the fullest and the barest.
pub(crate) mod sample {
    use schemas::id::{CallId, Key, MessageId, QuoteId};
    use schemas::text::Text;
    use schemas::{Address, Condition, Currency, Destination, Isbn13, RequestId};

    use super::*;

    pub(crate) const KEY: &str = "SAMPLEKEY00000000000";
    const FINE: &str = "a sample is well-formed";

    fn destination() -> Destination {
        serde_json::from_str(r#"{"country":"US","postal_code":"10001"}"#).expect(FINE)
    }

    fn isbn() -> Isbn13 {
        Isbn13::parse("9780306406157").expect(FINE)
    }

    pub(crate) fn question(n: u64) -> QuoteQuestion {
        QuoteQuestion {
            call_id: CallId { epoch: 1, counter: n },
            isbn: isbn(),
            quantity: 1,
            condition: Condition::New,
            currency: Currency::USD,
            destination: destination(),
            not_after: Timestamp::from_unix_ms(2_000_000_000_000),
        }
    }

    pub(crate) fn header() -> CommandHeader {
        CommandHeader {
            id: MessageId::parse("1-sample-1-0").expect(FINE),
            request_id: RequestId::from_parts(1_763_640_000_123, 7),
            attempt: 1,
            reply_to: "sample".to_owned(),
        }
    }

    pub(crate) fn reserve() -> Reserve {
        Reserve {
            header: header(),
            reservation_key: Key::parse(KEY).expect(FINE),
            quote_id: QuoteId::parse("sample-quote").expect(FINE),
            isbn: isbn(),
            quantity: 1,
            ttl_ms: DurationMs(60_000),
            not_after: Timestamp::from_unix_ms(2_000_000_000_000),
        }
    }

    pub(crate) fn place(full: bool) -> Place {
        let text = |text: &str| Text::parse(text).expect(FINE);
        let address = Address {
            name: text("Ann \"A\" O'Hara & <Sons>"),
            line1: text("1 Main St"),
            line2: Some(Text::parse("c/o Ünal").expect(FINE)),
            city: text("New York"),
            region: Some(Text::parse("NY").expect(FINE)),
        };
        Place {
            header: header(),
            placement_key: Key::parse(KEY).expect(FINE),
            quote_id: QuoteId::parse("sample-quote").expect(FINE),
            reservation_key: full.then(|| Key::parse(KEY).expect(FINE)),
            isbn: isbn(),
            quantity: 1,
            condition: Condition::New,
            price_cap: Money::new(2499, Currency::USD).expect(FINE),
            destination: Destination { address: full.then_some(address), ..destination() },
            not_after: Timestamp::from_unix_ms(2_000_000_000_000),
        }
    }
}
