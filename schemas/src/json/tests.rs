use serde_json::{Value, json};

use super::*;
use crate::RejectReason;
use crate::partner::{PartnerReply, QuoteAnswers, QuoteRequests};
use crate::purchase::{AcceptQuote, CancelPurchase, CreatePurchase, ListPurchases, UpdatePurchase};

const REQUEST_ID: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

fn create() -> Value {
    json!({
        "request_id": REQUEST_ID,
        "item": {"scheme": "isbn", "value": "978-0-306-40615-7"},
        "max_total": {"amount": 2500, "currency": "USD"},
        "expires_at": "2026-11-20T12:00:00Z",
        "destination": {"country": "US", "postal_code": "10001"},
        "payment_token": "tok_visa",
    })
}

fn decode_create(message: &Value) -> Result<CreatePurchase, DecodeError> {
    decode_command(message.to_string().as_bytes())
}

/// Sets (or removes, with null) one field by its JSON pointer; says which field was refused.
fn refused_field(pointer: &str, value: Value) -> (String, String) {
    let mut message = create();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let parent = message.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    match value {
        Value::Null => parent.remove(name),
        value => parent.insert(name.to_owned(), value),
    };
    match decode_create(&message).unwrap_err().violations() {
        [one] => (one.field.clone(), one.rule.clone()),
        other => panic!("{pointer}: {other:?}"),
    }
}

#[test]
fn the_shortest_create_gets_the_documented_defaults() {
    let create = decode_create(&create()).unwrap();
    assert_eq!(create.quantity, 1);
    assert!(!create.rebuy);
    assert_eq!(create.strategy, crate::purchase::Strategy::Balanced);
    assert_eq!(create.mode, crate::purchase::Mode::OneShot);
}

#[test]
fn a_missing_field_is_named_with_its_path() {
    let (path, why) = refused_field("/max_total", Value::Null);
    assert_eq!((path.as_str(), why.as_str()), ("max_total", "this field is required"));
    assert_eq!(refused_field("/max_total/currency", Value::Null).0, "max_total.currency");
    assert_eq!(refused_field("/destination/country", Value::Null).0, "destination.country");
}

#[test]
fn a_wrong_field_is_named_with_the_rule_it_breaks() {
    for (pointer, value, path, rule) in [
        ("/quantity", json!(0), "quantity", "1 to 99"),
        ("/quantity", json!(100), "quantity", "1 to 99"),
        ("/quantity", json!(300), "quantity", "u8"),
        ("/max_total/amount", json!(0), "max_total.amount", "at least 1"),
        ("/max_total/amount", json!(1.5), "max_total.amount", "u64"),
        ("/max_total/currency", json!("usd"), "max_total.currency", "ISO 4217"),
        ("/max_total/amount", json!(1_000_000_000_001u64), "max_total", "1000000000000"),
        ("/expires_at", json!("tomorrow"), "expires_at", "RFC 3339"),
        ("/destination/country", json!("usa"), "destination.country", "3166-1"),
        ("/destination/postal_code", json!(""), "destination.postal_code", "empty"),
        ("/request_id", json!("42"), "request_id", "UUID version 7"),
        ("/strategy", json!("lucky"), "strategy", "`cheapest`"),
        ("/payment_token", json!("a b"), "payment_token", "letters"),
        ("/item/value", json!("x".repeat(33)), "item.value", "32 bytes"),
    ] {
        let (found, why) = refused_field(pointer, value);
        assert_eq!(found, path, "{why}");
        assert!(why.contains(rule), "{path}: {why} does not say {rule}");
        assert!(!why.contains(" at line "), "{why}");
    }
}

#[test]
fn unknown_fields_are_ignored_but_not_when_they_hold_a_card_number() {
    let mut message = create();
    message["note"] = json!("leave at the door");
    assert!(decode_create(&message).is_ok());
    message["note"] = json!("4111 1111 1111 1111");
    let err = decode_create(&message).unwrap_err();
    assert_eq!(err.reason(), RejectReason::PanNotAccepted);
    assert_eq!(err.problem().field.as_deref(), Some("note"));
}

#[test]
fn a_card_number_is_never_repeated_by_the_rule_it_breaks() {
    for pointer in ["/request_id", "/destination/country", "/payment_token", "/expires_at"] {
        let mut message = create();
        *message.pointer_mut(pointer).unwrap() = json!("4111111111111111");
        let err = decode_create(&message).unwrap_err();
        assert_eq!(err.reason(), RejectReason::PanNotAccepted, "{pointer}");
        assert!(!format!("{:?}", err.problem()).contains("4111"), "{pointer}");
    }
}

#[test]
fn size_is_checked_before_parsing_and_at_exactly_the_limit() {
    let mut bytes = encode(&create());
    bytes.resize(COMMAND_BYTES_MAX, b' ');
    assert!(decode_command::<CreatePurchase>(&bytes).is_ok());
    bytes.push(b' ');
    let err = decode_command::<CreatePurchase>(&bytes).unwrap_err();
    let max = COMMAND_BYTES_MAX;
    assert_eq!(err, DecodeError::TooLarge { len: max + 1, max });
    assert_eq!(err.reason(), RejectReason::PayloadTooLarge);
}

#[test]
fn what_is_not_one_json_text_is_malformed() {
    for bad in ["", "{", "nonsense", "{\"a\":\"\u{1}\"}", "[1,]"] {
        let err = decode::<Value>(bad.as_bytes(), 100).unwrap_err();
        assert_eq!(err.reason(), RejectReason::Malformed, "{bad:?}: {err}");
    }
    let mut two = encode(&create());
    two.extend_from_slice(b" {}");
    let err = decode::<CreatePurchase>(&two, COMMAND_BYTES_MAX).unwrap_err();
    assert_eq!(err.reason(), RejectReason::Malformed);
    assert_eq!(decode::<Value>(&[b'"', 0xff, b'"'], 9).unwrap_err().reason(), err.reason());
}

#[test]
fn a_refusal_repeats_only_a_little_of_what_was_sent() {
    let long = "x".repeat(60_000);
    let mut message = create();
    message["strategy"] = json!(long);
    let err = decode_create(&message).unwrap_err();
    assert!(err.to_string().contains("xxxx"), "{err}");
    assert!(err.to_string().len() < 1000, "{} bytes", err.to_string().len());
    let card = json!({ &long: "4111111111111111" }).to_string();
    let err = decode_command::<CreatePurchase>(card.as_bytes()).unwrap_err();
    assert_eq!(err.reason(), RejectReason::PanNotAccepted);
    assert!(err.to_string().len() < 1000);
}

#[test]
fn deep_nesting_is_refused_instead_of_overflowing_the_stack() {
    let deep = "[".repeat(COMMAND_BYTES_MAX);
    let err = decode_command::<CreatePurchase>(deep.as_bytes()).unwrap_err();
    assert_eq!(err.reason(), RejectReason::Malformed);
}

#[test]
fn an_update_that_changes_nothing_is_refused() {
    let mut update = json!({"request_id": REQUEST_ID, "command_id": "u1", "if_version": 3});
    let err = decode_command::<UpdatePurchase>(update.to_string().as_bytes()).unwrap_err();
    assert!(err.to_string().contains("changes nothing"), "{err}");
    update["strategy"] = json!("fast");
    assert!(decode_command::<UpdatePurchase>(update.to_string().as_bytes()).is_ok());
    update["max_total"] = json!({"amount": 0, "currency": "USD"});
    assert!(decode_command::<UpdatePurchase>(update.to_string().as_bytes()).is_err());
}

#[test]
fn list_limits_and_accept_tokens_have_ranges() {
    for (limit, ok) in [(0, false), (1, true), (100, true), (101, false)] {
        let list = format!("{{\"limit\":{limit}}}");
        assert_eq!(decode_command::<ListPurchases>(list.as_bytes()).is_ok(), ok, "{limit}");
    }
    for (token, ok) in [("00ff00ff00ff00ff00ff00ff00ff00ff", true), ("00FF", false), ("", false)] {
        let accept = json!({"request_id": REQUEST_ID, "command_id": "a", "accept_token": token});
        let decoded = decode_command::<AcceptQuote>(accept.to_string().as_bytes());
        assert_eq!(decoded.is_ok(), ok, "{token}");
    }
}

#[test]
fn quote_batches_are_bounded_and_every_item_is_checked() {
    let question = json!({
        "call_id": "1-2", "isbn": "9780306406157", "quantity": 1, "condition": "new",
        "currency": "USD", "destination": {"country": "US", "postal_code": "10001"},
        "not_after": "2026-11-20T12:00:00Z",
    });
    let ask = |items: Vec<Value>| {
        let text = json!({"reply_to": "r", "items": items}).to_string();
        decode_valid::<QuoteRequests>(text.as_bytes(), PARTNER_MESSAGE_BYTES_MAX)
    };
    assert!(ask(vec![question.clone(); 256]).is_ok());
    assert!(ask(vec![]).is_err());
    assert!(ask(vec![question.clone(); 257]).is_err());
    let mut none = question.clone();
    none["quantity"] = json!(0);
    let err = ask(vec![question, none]).unwrap_err();
    assert_eq!(err.problem().field.as_deref(), Some("items[1].quantity"));
}

#[test]
fn an_offer_cannot_overflow_the_sum_of_its_components() {
    let offer = |shipping: Value| {
        let text = json!({"items": [{
            "call_id": "1-2", "outcome": "offer", "quote_id": "q", "isbn": "9780306406157",
            "condition": "new", "currency": "USD", "item": 1, "shipping": shipping,
            "in_stock": 1, "valid_until": "2026-11-20T12:00:00Z",
        }]});
        decode_valid::<QuoteAnswers>(text.to_string().as_bytes(), PARTNER_MESSAGE_BYTES_MAX)
    };
    assert!(offer(json!({"exact": 1_000_000_000_000u64})).is_ok());
    let err = offer(json!({"at_most": u64::MAX})).unwrap_err();
    assert_eq!(err.problem().field.as_deref(), Some("items[0].shipping"));
}

#[test]
fn a_reply_without_its_flattened_fields_still_names_the_missing_one() {
    let text = json!({"in_reply_to": "m", "request_id": REQUEST_ID, "attempt": 1});
    let err = decode_valid::<PartnerReply>(text.to_string().as_bytes(), 1000).unwrap_err();
    assert_eq!(err.problem().field.as_deref(), Some("outcome"));
}

#[test]
fn everything_that_is_wrong_is_told_at_once() {
    let message = json!({
        "request_id": "42",
        "item": {"scheme": "isbn", "value": "x".repeat(33)},
        "quantity": 100,
        "max_total": {"amount": -1, "currency": "usd"},
        "destination": {"postal_code": "1\u{7}", "address": {"name": 3, "line1": "x", "city": "x"}},
        "payment_token": "a b",
        "strategy": "lucky",
        "mode": 7,
    });
    let err = decode_create(&message).unwrap_err();
    let mut told: Vec<_> = err.violations().iter().map(|v| v.field.as_str()).collect();
    told.sort_unstable();
    let wrong = [
        "destination.address.name",
        "destination.country",
        "destination.postal_code",
        "expires_at",
        "item.value",
        "max_total.amount",
        "max_total.currency",
        "mode",
        "payment_token",
        "quantity",
        "request_id",
        "strategy",
    ];
    assert_eq!(told, wrong);
    let problem = err.problem();
    assert_eq!(problem.field, Some(problem.violations[0].field.clone()));
    for field in wrong {
        assert!(problem.detail.contains(&format!("{field}: ")), "{}", problem.detail);
    }
}

#[test]
fn what_is_only_a_consequence_is_not_told() {
    let mut message = create();
    message["item"] = json!({"scheme": "ean", "value": "x".repeat(400)});
    let err = decode_create(&message).unwrap_err();
    assert_eq!(err.violations().len(), 1, "{err}");
    let reply = json!({"in_reply_to": "m", "request_id": "42", "attempt": 300});
    let err = decode_valid::<PartnerReply>(reply.to_string().as_bytes(), 1000).unwrap_err();
    let told: Vec<_> = err.violations().iter().map(|v| v.field.as_str()).collect();
    assert_eq!(told, ["attempt", "request_id", "outcome"]);
}

#[test]
fn an_unknown_currency_has_a_reason_of_its_own() {
    let mut message = create();
    message["max_total"]["currency"] = json!("XXQ");
    assert_eq!(decode_create(&message).unwrap_err().reason(), RejectReason::CurrencyUnsupported);
}

#[test]
fn wrong_answers_of_one_batch_are_all_told_up_to_a_bound() {
    let items = vec![json!({"call_id": "1-1", "outcome": "refused", "reason": 7}); 100];
    let text = json!({ "items": items }).to_string();
    let err = decode_quote_answers(text.as_bytes()).unwrap_err();
    assert_eq!(err.violations().len(), crate::violation::VIOLATIONS_MAX);
    assert!(err.violations()[3].field.starts_with("items[3]"), "{err}");
}

/// `[1, 2]` where `{"a": 1, "b": 2}` is meant: serde would take one for the other.
fn by_position(value: &Value) -> Value {
    value.as_object().unwrap().values().cloned().collect()
}

#[test]
fn an_array_of_its_values_is_no_message() {
    let create = create();
    for array in [by_position(&create), json!([]), json!([{}])] {
        for space in ["", " \n\t"] {
            let text = format!("{space}{array}");
            let err = decode_command::<CreatePurchase>(text.as_bytes()).unwrap_err();
            assert_eq!((err.reason(), err.violations().len()), (RejectReason::FieldInvalid, 1));
            assert_eq!(err.violations()[0].field, ".", "{text}");
        }
    }
    // In the order of the declaration, in which serde would read it.
    let cancel = json!([REQUEST_ID, "c1", null]).to_string();
    let err = decode_command::<CancelPurchase>(cancel.as_bytes()).unwrap_err();
    assert!(err.to_string().contains("must be an object"), "{err}");
    let items = json!([[{"call_id": "1-1", "outcome": "no_stock"}]]).to_string();
    let err = decode_quote_answers(items.as_bytes()).unwrap_err();
    assert_eq!(err.violations()[0].field, ".", "{err}");
    let cut = decode_quote_answers(b"[[").unwrap_err();
    assert_eq!(cut.reason(), RejectReason::Malformed);
}

#[test]
fn an_array_of_its_values_is_no_object_within_a_message() {
    let address = json!({"name": "x", "line1": "x", "city": "x"});
    for (field, value) in [
        ("max_total", json!([2500, "USD"])),
        ("destination", json!(["US", "10001", null])),
        ("destination", json!([])),
        ("item", json!(["isbn", "9780306406157"])),
    ] {
        let (found, why) = refused_field(&format!("/{field}"), value);
        assert_eq!(found, field, "{why}");
    }
    let mut message = create();
    message["destination"]["address"] = address;
    assert!(decode_create(&message).is_ok());
    message["destination"]["address"] = json!(["x", "x", null, "x", null]);
    let err = decode_create(&message).unwrap_err();
    assert_eq!(err.violations()[0].field, "destination.address", "{err}");
    // Arrays that nobody reads are still nobody's business.
    let mut message = create();
    message["note"] = json!([1, [2], {"a": []}]);
    assert!(decode_create(&message).is_ok());
}

#[test]
fn an_array_of_its_values_is_no_object_within_an_answer() {
    let answer = |total: Value| {
        let reply = json!({"in_reply_to": "m", "request_id": REQUEST_ID, "attempt": 1,
            "outcome": "confirmed", "order_id": "o-1", "total": total});
        decode_valid::<PartnerReply>(reply.to_string().as_bytes(), 1000)
    };
    assert!(answer(json!({"amount": 1, "currency": "USD"})).is_ok());
    let err = answer(json!([1, "USD"])).unwrap_err();
    assert_eq!(err.violations()[0].field, "total", "{err}");
    let item = json!([
        "1-1", "no_stock", null, null, null, null, null, null, null, null, null, null, null, null
    ]);
    let err = decode_quote_answers(json!({"items": [item]}).to_string().as_bytes()).unwrap_err();
    assert_eq!(err.violations()[0].field, "items[0]", "{err}");
}
