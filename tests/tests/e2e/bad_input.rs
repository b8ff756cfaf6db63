//! Everything a sender can get wrong, one table: each message is given up with the reason, every
//! field that is wrong, the original bytes and a count; and the broker goes on buying.

use async_nats::HeaderMap;
use bytes::Bytes;
use partner_sim::profile::ProfileName::Instant;
use schemas::RejectReason::{self as Reason, FieldInvalid};
use schemas::catalog::CatalogEntry;
use schemas::event::{DeadLetter, DeadPayload};
use schemas::stream::name;
use schemas::{Isbn13, RequestId};
use serde_json::{Value, json};
use tests::harness::{Order, book};

use crate::dead_letters::{still_buys, with_another_check_digit};
use crate::stage::{Stage, edition, rejected, start, world};

mod answers;

/// One message that must end as a dead letter on `purchase.create.<name>`.
#[derive(Clone)]
struct Bad {
    name: &'static str,
    body: Vec<u8>,
    headers: HeaderMap,
    reason: Reason,
    /// Fields named by the letter, in any order.
    fields: Vec<&'static str>,
}

impl Bad {
    fn new(name: &'static str, body: impl Into<Vec<u8>>, reason: Reason) -> Self {
        let (body, headers) = (body.into(), HeaderMap::new());
        Self { name, body, headers, reason, fields: Vec::new() }
    }

    fn fields<const N: usize>(self, fields: [&'static str; N]) -> Self {
        Self { fields: fields.to_vec(), ..self }
    }

    fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.insert(name, value);
        self
    }
}

type Change = fn(&mut Value);

/// A sound create, after `change`.
fn create(isbn: Isbn13, change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut create = serde_json::to_value(Order::of(isbn).build()).unwrap();
    change(&mut create);
    create.to_string().into_bytes()
}

async fn publish(stage: &Stage, subject: String, headers: HeaderMap, body: Vec<u8>) {
    let jetstream = async_nats::jetstream::new(stage.client().clone());
    let sent = jetstream.publish_with_headers(subject.clone(), headers, body.into()).await;
    sent.unwrap().await.unwrap_or_else(|e| panic!("{subject}: {e}"));
}

async fn given_up(stage: &Stage, subject: &str, reason: Reason) -> DeadLetter {
    let wanted = |letter: &DeadLetter| letter.subject == subject && letter.reason == reason;
    stage.dead_letter(&format!("{reason:?} on {subject}"), wanted).await
}

/// What the letter is about, in the order of the alphabet.
fn fields(letter: &DeadLetter) -> Vec<&str> {
    let mut fields: Vec<_> = letter.violations.iter().map(|one| one.field.as_str()).collect();
    fields.sort_unstable();
    fields
}

async fn expect_dead(stage: &Stage, bad: Bad) {
    let subject = format!("purchase.create.{}", bad.name);
    let letter = given_up_for(stage, (name::PURCHASE_CREATES, subject), &bad).await;
    let kept = letter.headers;
    for (header, value) in bad.headers.iter() {
        assert_eq!(kept.get(&header.to_string()).unwrap(), value[0].as_str(), "{}", bad.name);
    }
}

/// Whether the headers that the letter blames are, as far as they are kept, those of `bad`.
fn blames_headers_of(bad: &Bad, letter: &DeadLetter) -> bool {
    letter.violations.iter().all(|one| {
        let Some(sent) = bad.headers.get(one.field.as_str()) else { return true };
        letter.headers.get(&one.field).is_some_and(|kept| sent.as_str().starts_with(kept))
    })
}

/// The letter about a bad message on `subject`, with the reason, the fields and the bytes.
async fn given_up_for(stage: &Stage, (stream, subject): (&str, String), bad: &Bad) -> DeadLetter {
    let name = bad.name;
    publish(stage, subject.clone(), bad.headers.clone(), bad.body.clone()).await;
    let mut wanted = bad.fields.clone();
    wanted.sort_unstable();
    let letter = stage
        .dead_letter(&format!("{name}: {:?} on {subject}", bad.reason), |letter| {
            let about = letter.subject == subject && letter.reason == bad.reason;
            about && fields(letter) == wanted && blames_headers_of(bad, letter)
        })
        .await;
    assert_eq!(letter.stream, stream, "{name}");
    let body = String::from_utf8(bad.body.clone()).unwrap();
    assert_eq!(letter.payload, DeadPayload::Text(body), "{name}");
    for one in &letter.violations {
        assert!(letter.detail.contains(&one.to_string()), "{name}: {}", letter.detail);
    }
    letter
}

/// How many messages of a stream were given up for each reason, as `/metrics` says.
async fn counted(stage: &Stage, stream: &str, reason: Reason) -> u64 {
    let (_, page) = stage.broker.page("/metrics").await.unwrap();
    let labels = [format!("stream=\"{stream}\""), format!("reason=\"{}\"", reason.label())];
    let ours = page.lines().filter(|line| {
        line.starts_with("broker_dead_letters_total{") && labels.iter().all(|l| line.contains(l))
    });
    ours.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum()
}

fn unreadable(isbn: Isbn13) -> Vec<Bad> {
    let good = String::from_utf8(create(isbn, |_| {})).unwrap();
    let positional: Value = serde_json::from_str(&good).unwrap();
    let positional: Value = positional.as_object().unwrap().values().cloned().collect();
    vec![
        Bad::new("deep", "[".repeat(2_000), Reason::Malformed),
        Bad::new("two-texts", format!("{good}{{}}"), Reason::Malformed),
        Bad::new("twice", good.replacen('{', "{\"quantity\":1,", 1), FieldInvalid).fields(["."]),
        Bad::new("no-object", "7", FieldInvalid).fields(["."]),
        Bad::new("positional", positional.to_string(), FieldInvalid).fields(["."]),
    ]
}

fn wrong_fields(isbn: Isbn13) -> Vec<Bad> {
    let bad = |name, fields: &[&'static str], change: Change| {
        let bad = Bad::new(name, create(isbn, change), FieldInvalid);
        Bad { fields: fields.to_vec(), ..bad }
    };
    let amount = ["max_total.amount"];
    vec![
        bad("types", &["quantity", "rebuy"], |c| {
            c["quantity"] = json!("two");
            c["rebuy"] = json!(1);
        }),
        bad("positions", &["destination", "max_total"], |c| {
            c["destination"] = json!(["US", "10001"]);
            c["max_total"] = json!([2_000, "USD"]);
        }),
        bad("missing", &["destination", "max_total"], |c| {
            let fields = c.as_object_mut().unwrap();
            fields.remove("destination");
            fields.remove("max_total");
        }),
        bad("later-strategy", &["strategy"], |c| c["strategy"] = json!("quantum")),
        bad("no-instant", &["expires_at"], |c| c["expires_at"] = json!("99999-01-01T00:00:00Z")),
        bad("no-money", &amount, |c| c["max_total"]["amount"] = json!(0)),
        bad("negative", &amount, |c| c["max_total"]["amount"] = json!(-1)),
        bad("fraction", &amount, |c| c["max_total"]["amount"] = json!(9.99)),
        bad("overflow", &amount, |c| c["max_total"]["amount"] = json!(1e30)),
        bad("too-much", &["max_total"], |c| c["max_total"]["amount"] = json!(u64::MAX)),
        bad("too-long", &["destination.postal_code", "payment_token"], |c| {
            c["destination"]["postal_code"] = json!("x".repeat(10_000));
            c["payment_token"] = json!("t".repeat(10_000));
        }),
        bad("control", &["destination.postal_code"], |c| {
            c["destination"]["postal_code"] = json!("1\u{7}\u{0}");
        }),
    ]
}

/// What has a reason of its own. `poems` are two editions of one title.
fn named_reasons(isbn: Isbn13, poems: &CatalogEntry) -> Vec<Bad> {
    let titled = |title: &str| {
        let item = json!({"scheme": "title", "value": title});
        create(isbn, |c| c["item"] = item)
    };
    let expires = |at: &str| create(isbn, |c| c["expires_at"] = json!(at));
    let old = RequestId::from_parts(1_000, 7);
    let wrong_isbn = with_another_check_digit(&isbn.to_string());
    vec![
        Bad::new(
            "currency",
            create(isbn, |c| c["max_total"]["currency"] = json!("XXQ")),
            Reason::CurrencyUnsupported,
        )
        .fields(["max_total.currency"]),
        Bad::new("title", titled("Never Written"), Reason::IdentifierUnknown)
            .fields(["item.value"]),
        Bad::new("poems", titled(poems.title.as_str()), Reason::IdentifierAmbiguous)
            .fields(["item.value"]),
        Bad::new("passed", expires("2020-01-01T00:00:00Z"), Reason::ExpiryOutOfRange),
        Bad::new("far", expires("9000-01-01T00:00:00Z"), Reason::ExpiryOutOfRange),
        Bad::new(
            "old-id",
            create(isbn, |c| c["request_id"] = json!(old)),
            Reason::RequestIdOutOfRange,
        ),
        Bad::new("xml", create(isbn, |_| {}), Reason::ContentTypeUnsupported)
            .fields(["Content-Type"])
            .header("Content-Type", "text/xml"),
        Bad::new("later", create(isbn, |_| {}), Reason::VersionUnsupported)
            .fields(["ce-dataschema"])
            .header("ce-dataschema", "https://bpb.example/create_purchase/v2"),
        // All of it at once, also what the catalog and the clock say.
        Bad::new(
            "everything",
            create(isbn, |c| {
                c["quantity"] = json!(0);
                c["mode"] = json!("never");
                c["max_total"] = json!({"amount": -5, "currency": "usd"});
                c["item"]["value"] = json!(wrong_isbn);
                c["expires_at"] = json!("2020-01-01T00:00:00Z");
            }),
            FieldInvalid,
        )
        .fields([
            "expires_at",
            "item.value",
            "max_total.amount",
            "max_total.currency",
            "mode",
            "quantity",
        ]),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn every_wrong_create_is_given_up_with_all_that_is_wrong_its_bytes_and_a_count() {
    let isbn = book(1210);
    let poems = edition(1211, "Collected Poems");
    let scenario = world("bad input", 135)
        .partners(Instant, 2)
        .catalog(vec![poems.clone(), edition(1212, "Collected Poems")]);
    let mut stage = start(scenario).await;
    let all = [unreadable(isbn), wrong_fields(isbn), named_reasons(isbn, &poems)].concat();
    let reasons: Vec<Reason> = all.iter().map(|bad| bad.reason).collect();
    for bad in all {
        expect_dead(&stage, bad).await;
    }
    for reason in &reasons {
        let times = reasons.iter().filter(|other| *other == reason).count() as u64;
        let counted = counted(&stage, name::PURCHASE_CREATES, *reason).await;
        assert!(counted >= times, "{reason:?}: {counted} counted, {times} given up");
    }
    still_buys(&mut stage, isbn).await;
    stage.judge().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_card_number_is_found_in_every_field_and_kept_nowhere() {
    let isbn = book(1213);
    let mut stage = start(world("cards", 136).partners(Instant, 2)).await;
    const CARD: &str = "4111 1111-1111 1111";
    let changes: [(&str, Change); 8] = [
        ("payment_token", |c| c["payment_token"] = json!("4111111111111111")),
        ("item.value", |c| c["item"] = json!({"scheme": "title", "value": CARD})),
        ("destination.postal_code", |c| c["destination"]["postal_code"] = json!(CARD)),
        ("destination.address.line1", |c| {
            c["destination"]["address"] = json!({"name": "x", "line1": CARD, "city": "x"});
        }),
        ("request_id", |c| c["request_id"] = json!(CARD)),
        ("x.notes[1]", |c| c["x"] = json!({"notes": ["fine", CARD]})),
        ("quantity", |c| c["quantity"] = json!(4_111_111_111_111_111_u64)),
        (".", |c| c[CARD] = json!(true)),
    ];
    for (n, (field, change)) in changes.into_iter().enumerate() {
        let subject = format!("purchase.create.card-{n}");
        let mut headers = HeaderMap::new();
        headers.insert("X-Card", CARD);
        headers.insert("X-Shop", "web");
        publish(&stage, subject.clone(), headers, create(isbn, change)).await;
        let letter = given_up(&stage, &subject, Reason::PanNotAccepted).await;
        assert_eq!(letter.payload, DeadPayload::Withheld, "{field}");
        assert!(letter.detail.starts_with(&format!("{field}: ")), "{field}: {}", letter.detail);
        assert_eq!(letter.headers.get("X-Shop").map(String::as_str), Some("web"));
        let whole = serde_json::to_string(&letter).unwrap();
        assert!(!whole.contains("4111"), "{whole}");
    }
    still_buys(&mut stage, isbn).await;
    let log = std::fs::read_to_string(stage.broker.process.log_path()).unwrap();
    assert!(!log.contains("4111 1111") && !log.contains("4111111111111111"));
    stage.judge().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_large_is_refused_at_the_door_or_kept_as_far_as_it_may_be() {
    let isbn = book(1214);
    let mut stage = start(world("too large", 137).partners(Instant, 2)).await;
    let jetstream = async_nats::jetstream::new(stage.client().clone());
    for bytes in [2 * 1024 * 1024, 900 * 1024] {
        let body = Bytes::from(vec![b' '; bytes]);
        let sent = jetstream.publish("purchase.create.ann", body).await;
        let stored = match sent {
            Ok(ack) => ack.await.is_ok(),
            Err(_) => false,
        };
        assert!(!stored, "{bytes} bytes were stored");
    }
    let body = Bytes::from(vec![b' '; 900 * 1024]);
    let reply = stage.client().request("purchase.api.create.ann", body).await.unwrap();
    let reply = serde_json::from_slice(&reply.payload).unwrap();
    assert_eq!(rejected(reply).0, Reason::PayloadTooLarge);

    // A bomb of headers: the letter keeps some of them.
    let mut headers = HeaderMap::new();
    for n in 0..200 {
        headers.insert(format!("X-Bomb-{n}").as_str(), "b".repeat(250));
    }
    publish(&stage, "purchase.create.bomber".to_owned(), headers, b"{".to_vec()).await;
    let letter = given_up(&stage, "purchase.create.bomber", Reason::Malformed).await;
    assert!((1..=32).contains(&letter.headers.len()), "{} headers", letter.headers.len());

    // As JSON text these bytes would be six times as long, and the letter too long for its stream.
    let noise = vec![1_u8; 400 * 1024];
    let subject = "partner.instant-01.reply.0.place";
    publish(&stage, subject.to_owned(), HeaderMap::new(), noise.clone()).await;
    let letter = given_up(&stage, subject, Reason::Malformed).await;
    assert_eq!(letter.payload_bytes, noise.len() as u64);
    let DeadPayload::Base64(kept) = letter.payload else { panic!("as base64") };
    assert!(kept.starts_with("AQEB"), "{}", &kept[..8]);
    still_buys(&mut stage, isbn).await;
    stage.judge().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_fields_are_ignored_and_the_micro_service_tells_all_that_is_wrong() {
    let isbn = book(1215);
    let mut stage = start(world("lenient", 138).partners(Instant, 2)).await;
    let sound = Order::of(isbn).build();
    stage.requester("ann").publish_create(&sound).await.unwrap();
    stage.told(sound.request_id, schemas::event::NotificationOutcome::Ordered).await;
    let mut more = serde_json::to_value(&sound).unwrap();
    more["gift_wrap"] = json!({"colour": "red"});
    let call = async |headers: HeaderMap, body: &Value| -> Value {
        let subject = "purchase.api.create.ann";
        let body = body.to_string().into();
        let reply = stage.client().request_with_headers(subject, headers, body).await.unwrap();
        serde_json::from_slice(&reply.payload).unwrap()
    };
    let json_type = HeaderMap::from_iter([(
        "Content-Type".parse().unwrap(),
        "application/json; charset=utf-8".parse().unwrap(),
    )]);
    assert_eq!(call(json_type, &more).await["replayed"], true);
    more["quantity"] = json!(0);
    more["mode"] = json!("never");
    let told = call(HeaderMap::new(), &more).await;
    let violations = told["violations"].as_array().unwrap_or_else(|| panic!("{told:#}"));
    let mut fields: Vec<_> = violations.iter().map(|one| one["field"].as_str().unwrap()).collect();
    fields.sort_unstable();
    assert_eq!(fields, ["mode", "quantity"]);
    assert_eq!(told["number"], FieldInvalid.number());
    stage.judge().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poison_message_is_given_up_once_however_often_the_broker_is_killed_over_it() {
    let isbn = book(1216);
    let mut stage = start(world("poison", 139).partners(Instant, 2)).await;
    for round in 0..3 {
        let subject = format!("purchase.create.poison-{round}");
        publish(&stage, subject.clone(), HeaderMap::new(), b"{poison".to_vec()).await;
        given_up(&stage, &subject, Reason::Malformed).await;
        // The server has not written down that it was acknowledged.
        stage.broker.kill_9().unwrap();
        stage.broker.start().await.unwrap();
    }
    still_buys(&mut stage, isbn).await;
    let evidence = stage.judge().await;
    let letters = evidence.messages.iter().filter(|seen| seen.subject.starts_with("dead_letter."));
    let mut ids: Vec<_> = letters.map(|seen| seen.message_id.clone()).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 3, "one letter for each poison");
}
