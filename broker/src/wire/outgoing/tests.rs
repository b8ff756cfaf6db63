use broker_core::effect::{AcceptToken, PartnerCommand, PaymentCommand};
use broker_core::keys::{KeyFor, key};
use broker_core::receipt::Verdict;
use schemas::stream::of_subject;
use serde_json::Value;

use super::super::fixture;
use super::*;
use crate::store::Incarnation;

/// Every variant of an effect: its subject, and the fields of the body that only it has.
fn table() -> Vec<(Effect, String, &'static [&'static str])> {
    let partner = |command| Effect::Partner { partner: fixture::partner(), attempt: 2, command };
    let payment = |command| Effect::Payment { attempt: 2, command };
    vec![
        (
            partner(fixture::reserve()),
            "partner.acme.reserve".to_owned(),
            &["reservation_key", "quote_id", "isbn", "quantity", "ttl_ms", "not_after"],
        ),
        (partner(PartnerCommand::Release), "partner.acme.release".to_owned(), &["reservation_key"]),
        (
            partner(fixture::place(true)),
            "partner.acme.place".to_owned(),
            &[
                "placement_key",
                "quote_id",
                "reservation_key",
                "isbn",
                "quantity",
                "condition",
                "price_cap",
                "destination",
                "not_after",
            ],
        ),
        (partner(PartnerCommand::Cancel), "partner.acme.cancel".to_owned(), &["placement_key"]),
        (partner(PartnerCommand::Lookup), "partner.acme.lookup".to_owned(), &["placement_key"]),
        (
            payment(fixture::authorize()),
            "payment.sim.authorize".to_owned(),
            &["payment_key", "amount", "payment_token", "not_after"],
        ),
        (
            payment(PaymentCommand::Capture { amount: fixture::usd(5) }),
            "payment.sim.capture".to_owned(),
            &["payment_key", "amount"],
        ),
        (payment(PaymentCommand::Void), "payment.sim.void".to_owned(), &["payment_key"]),
        (payment(PaymentCommand::Refund), "payment.sim.refund".to_owned(), &["payment_key"]),
        (payment(PaymentCommand::Lookup), "payment.sim.lookup".to_owned(), &["payment_key"]),
    ]
}

#[test]
fn every_command_has_its_subject_header_and_fields() {
    for (effect, subject, fields) in table() {
        let message = send(effect);
        let body: Value = serde_json::from_slice(&message.body).unwrap();
        let operation = subject.rsplit('.').next().unwrap();
        let prefix = subject.strip_suffix(operation).unwrap();
        assert_eq!(message.subject, subject);
        assert_eq!(body["reply_to"], format!("{prefix}reply.0.{operation}"));
        assert_eq!(body["id"], message.id.as_str());
        assert_eq!(body["attempt"], 2);
        let mut found: Vec<&str> = body.as_object().unwrap().keys().map(String::as_str).collect();
        found.retain(|name| !["id", "request_id", "attempt", "reply_to"].contains(name));
        let mut fields = fields.to_vec();
        found.sort_unstable();
        fields.sort_unstable();
        assert_eq!(found, fields, "{subject}");
        assert_eq!(message.event, None);
    }
}

#[test]
fn every_message_is_stored_by_the_stream_it_names() {
    let mut messages: Vec<Message> = table().into_iter().map(|(e, _, _)| send(e)).collect();
    messages.extend(EventKind::ALL.map(|kind| send(event(kind))));
    messages.extend(Outcome::ALL.map(|outcome| send(notify(outcome, None))));
    messages.push(message(&fixture::context(), &fixture::stored_letter(), None));
    for message in messages {
        assert_eq!(of_subject(&message.subject), Some(message.stream), "{}", message.subject);
    }
}

#[test]
fn the_stream_of_a_row_is_known_without_its_message() {
    let mut rows: Vec<StoredRow> =
        table().into_iter().map(|(e, _, _)| fixture::stored(e)).collect();
    rows.push(fixture::stored(event(EventKind::ALL[0])));
    rows.push(fixture::stored(notify(Outcome::ALL[0], None)));
    rows.push(fixture::stored_letter());
    for row in rows {
        assert_eq!(stream_of(&row), message(&fixture::context(), &row, None).stream);
    }
}

#[test]
fn an_order_without_a_hold_names_no_reservation() {
    let effect =
        Effect::Partner { partner: fixture::partner(), attempt: 1, command: fixture::place(false) };
    let body: Value = serde_json::from_slice(&send(effect).body).unwrap();
    assert_eq!(body.get("reservation_key"), None);
    let placement = key(KeyFor::Placement, fixture::request_id(), 1);
    assert_eq!(body["placement_key"], placement.as_str());
}

#[test]
fn events_and_notifications_are_cloud_events_named_alike() {
    for kind in EventKind::ALL {
        let message = send(event(kind));
        let body: PurchaseEvent = serde_json::from_slice(&message.body).unwrap();
        assert_eq!(body.event.label(), kind.label());
        assert_eq!((body.version, body.at), (3, fixture::at()));
        let request = fixture::request_id();
        assert_eq!(message.subject, format!("purchase.event.c1.{request}.{}", kind.label()));
        check_headers(&message, &format!("purchase_request.{}", kind.label()));
    }
    for outcome in Outcome::ALL {
        let message = send(notify(outcome, None));
        let body: Notification = serde_json::from_slice(&message.body).unwrap();
        assert_eq!(body.outcome.label(), outcome.label());
        assert_eq!(body.notification_id, message.id);
        assert_eq!(message.subject, format!("notify.c1.{}", outcome.label()));
        check_headers(&message, &format!("notification.{}", outcome.label()));
    }
}

#[test]
fn a_notification_shows_token_and_receipt() {
    let row = fixture::stored(notify(Outcome::Quoted, Some(AcceptToken([0xab; 16]))));
    assert!(wants_receipt(&row).is_some());
    let receipt = fixture::receipt(Verdict::TooDear, vec![fixture::quote()]);
    let message = message(&fixture::context(), &row, Some(&receipt));
    let body: Notification = serde_json::from_slice(&message.body).unwrap();
    assert_eq!(body.accept_token, Some("ab".repeat(16)));
    assert_eq!(body.receipt.unwrap().sweep, receipt.sweep);
}

#[test]
fn a_dead_letter_goes_out_as_it_was_stored() {
    let row = fixture::stored_letter();
    let message = message(&fixture::context(), &row, None);
    assert_eq!(message.subject, "dead_letter.PURCHASE_CREATES");
    assert_eq!(message.id, row.message_id(Incarnation(7)));
    assert_eq!(message.body, b"{}");
    assert_eq!(message.event.unwrap().kind, "com.bookpurchasebroker.dead_letter.recorded");
}

#[test]
fn every_copy_of_a_row_is_the_same_message() {
    for (effect, _, _) in table() {
        assert_eq!(send(effect.clone()), send(effect));
    }
}

fn check_headers(message: &Message, kind: &str) {
    let headers = message.event.as_ref().unwrap();
    assert_eq!(headers.id, message.id);
    assert_eq!(headers.kind, format!("com.bookpurchasebroker.{kind}"));
    assert_eq!(headers.subject, fixture::request_id().to_string());
    assert_eq!(headers.time, fixture::at());
}

fn event(kind: EventKind) -> Effect {
    Effect::Event { kind, snapshot: Box::new(fixture::request()) }
}

fn notify(outcome: Outcome, token: Option<AcceptToken>) -> Effect {
    Effect::Notify { outcome, number: 1, token, snapshot: Box::new(fixture::request()) }
}

fn send(effect: Effect) -> Message {
    message(&fixture::context(), &fixture::stored(effect), None)
}
