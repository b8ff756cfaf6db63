//! What cannot be understood or used goes to the dead letters, with the reason and the original
//! bytes, and the broker goes on.

use bytes::Bytes;
use partner_sim::profile::ProfileName::Instant;
use schemas::event::DeadPayload;
use schemas::event::NotificationOutcome::Ordered;
use schemas::partner::{PartnerOutcome, PartnerReply, Place};
use schemas::stream::name;
use schemas::subject::{PartnerOperation, PartnerReplyKind, partner_reply};
use schemas::text::Text;
use schemas::{PartnerId, RejectReason, RequestId, json};
use tests::harness::{Order, book};

use crate::stage::{Stage, flat, rejected, start, world};

/// One message that must end as a dead letter.
struct Bad {
    subject: String,
    body: Bytes,
    stream: &'static str,
    reason: RejectReason,
    kept: Kept,
}

enum Kept {
    Text,
    Base64(&'static str),
    /// A card number is kept nowhere, not even in the dead letters.
    Withheld,
}

async fn expect_dead(stage: &Stage, bad: &Bad) {
    let jetstream = async_nats::jetstream::new(stage.client().clone());
    let stored = jetstream.publish(bad.subject.clone(), bad.body.clone()).await.unwrap();
    stored.await.unwrap();
    let what = format!("{:?} on {}", bad.reason, bad.subject);
    let letter = stage
        .dead_letter(&what, |letter| letter.subject == bad.subject && letter.reason == bad.reason)
        .await;
    assert_eq!(letter.stream, bad.stream, "{what}");
    assert!(!letter.detail.is_empty(), "{what}");
    let kept = match bad.kept {
        Kept::Text => DeadPayload::Text(String::from_utf8(bad.body.to_vec()).unwrap()),
        Kept::Base64(text) => DeadPayload::Base64(text.to_owned()),
        Kept::Withheld => DeadPayload::Withheld,
    };
    assert_eq!(letter.payload, kept, "{what}");
    assert_eq!(letter.payload_bytes, bad.body.len() as u64, "{what}");
}

pub(crate) fn with_another_check_digit(isbn: &str) -> String {
    let (body, check) = isbn.split_at(isbn.len() - 1);
    let other = (check.parse::<u8>().unwrap() + 1) % 10;
    format!("{body}{other}")
}

/// The broker is alive, and buys.
pub(crate) async fn still_buys(stage: &mut Stage, isbn: schemas::Isbn13) {
    let (live, _) = stage.broker.page("/live").await.unwrap();
    assert_eq!(live, 200);
    let create = Order::of(isbn).build();
    stage.requester("ann").publish_create(&create).await.unwrap();
    stage.told(create.request_id, Ordered).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn creates_that_cannot_be_understood_are_given_up_with_the_reason() {
    let isbn = book(1201);
    let mut stage = start(world("bad creates", 131).partners(Instant, 2)).await;
    let create = |customer: &str| format!("purchase.create.{customer}");
    let text = |order: Order| String::from_utf8(json::encode(&order.build())).unwrap();
    let good = text(Order::of(isbn));
    let wrong_digit = with_another_check_digit(&isbn.to_string());
    let bads = [
        (Bytes::from_static(b"{oops"), RejectReason::Malformed, Kept::Text),
        (Bytes::from_static(&[0xff, 0]), RejectReason::Malformed, Kept::Base64("/wA=")),
        (Bytes::from_static(b""), RejectReason::Malformed, Kept::Text),
        (
            good.replace("\"amount\":", "\"amounts\":").into(),
            RejectReason::FieldInvalid,
            Kept::Text,
        ),
        (
            good.replace(&isbn.to_string(), &wrong_digit).into(),
            RejectReason::IdentifierInvalid,
            Kept::Text,
        ),
        (
            good.replace("tok_ok", "4111111111111111").into(),
            RejectReason::PanNotAccepted,
            Kept::Withheld,
        ),
        (text(Order::of(isbn).quantity(0)).into(), RejectReason::FieldInvalid, Kept::Text),
    ];
    for (n, (body, reason, kept)) in bads.into_iter().enumerate() {
        let subject = create(&format!("customer-{n}"));
        let bad = Bad { subject, body, stream: name::PURCHASE_CREATES, reason, kept };
        expect_dead(&stage, &bad).await;
    }
    still_buys(&mut stage, isbn).await;
    stage.judge().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_about_nothing_are_given_up_with_the_reason() {
    let isbn = book(1202);
    let mut stage = start(world("bad commands", 132).partners(Instant, 2)).await;
    let nobody = RequestId::from_parts(tests::harness::now().as_unix_ms(), 7);
    let cancel = format!("{{\"request_id\":\"{nobody}\",\"command_id\":\"c1\"}}");
    for (subject, body, reason) in [
        ("purchase.cancel.ann", cancel, RejectReason::NotFound),
        ("purchase.update.ann", "[]".to_owned(), RejectReason::FieldInvalid),
        ("purchase.accept_quote.ann", "{}".to_owned(), RejectReason::FieldInvalid),
    ] {
        let stream = name::PURCHASE_COMMANDS;
        let (subject, body) = (subject.to_owned(), body.into());
        expect_dead(&stage, &Bad { subject, body, stream, reason, kept: Kept::Text }).await;
    }
    still_buys(&mut stage, isbn).await;
    stage.judge().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_nobody_asked_for_are_given_up_with_the_reason() {
    let isbn = book(1203);
    let scenario = world("bad answers", 133)
        .partner("alpha", Instant)
        .partner("beta", Instant)
        .price("alpha", isbn, flat(1000))
        .price("beta", isbn, flat(2000));
    let mut stage = start(scenario).await;
    still_buys(&mut stage, isbn).await;
    let asked = stage.heard_order().await;
    let place: Place = serde_json::from_slice(&asked.body).unwrap();
    let refusal = |attempt: u8| PartnerReply {
        header: schemas::partner::ReplyHeader {
            in_reply_to: place.header.id.clone(),
            request_id: place.header.request_id,
            attempt,
        },
        outcome: PartnerOutcome::Refused {
            reason: Text::parse("no").unwrap(),
            final_for_key: true,
        },
    };
    let on = |partner: &str| {
        let partner = PartnerId::parse(partner).unwrap();
        partner_reply(&partner, PartnerReplyKind::Command(PartnerOperation::Place))
    };
    let nobody = PartnerId::parse("nobody").unwrap();
    let unasked_quote = partner_reply(&nobody, PartnerReplyKind::QuoteQueued);
    let mut elsewhere = refusal(1);
    elsewhere.header.request_id = RequestId::from_parts(tests::harness::now().as_unix_ms(), 9);
    let body = |reply: &PartnerReply| Bytes::from(json::encode(reply));
    for (subject, body, reason) in [
        (on("nobody"), body(&refusal(1)), RejectReason::WrongSender),
        (unasked_quote, Bytes::from_static(b"{}"), RejectReason::UnknownPartner),
        (on("beta"), body(&refusal(1)), RejectReason::WrongSender),
        (on("alpha"), body(&elsewhere), RejectReason::NotAsked),
        (on("alpha"), body(&refusal(2)), RejectReason::WrongSender),
        (on("alpha"), Bytes::from_static(b"yes"), RejectReason::Malformed),
    ] {
        let stream = name::PARTNER_REPLIES;
        expect_dead(&stage, &Bad { subject, body, stream, reason, kept: Kept::Text }).await;
    }
    still_buys(&mut stage, isbn).await;
    stage.judge().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_micro_service_says_what_is_wrong_and_keeps_nothing() {
    let isbn = book(1204);
    let mut stage = start(world("bad calls", 134).partners(Instant, 2)).await;
    for (body, reason) in [("{oops", RejectReason::Malformed), ("{}", RejectReason::FieldInvalid)] {
        let reply = stage.client().request("purchase.api.create.ann", body.into()).await.unwrap();
        let reply = serde_json::from_slice(&reply.payload).unwrap();
        assert_eq!(rejected(reply).0, reason, "{body}");
    }
    still_buys(&mut stage, isbn).await;
    stage.judge().await;
}
